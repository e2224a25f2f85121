"""Sources of new rows of a class: the GAN, the latents of real rows, or the rows themselves.

Each source draws encoded rows. `augan.sampling.pool` chooses one by the number of real rows.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from augan.codecs.spec import ImageSpec, Spec, VectorSpec
from augan.networks import Networks
from augan.sampling.deformation import add_noise, deform, reflect, relight

BATCH = 1024  # rows
MAX_PIXELS = 2**24  # in a batch of images that are deformed
NEIGHBOURS = 5  # of a row in the latent space, as in SMOTE
FROM_OTHERS = 0.5  # share of the replaced cells that come from rows of any class
REPLACED = 0.6  # share of a row's categories that are replaced for a spread of 2


class Source(Protocol):
    """Draws encoded rows of one class."""

    def draw(self, n: int, random: torch.Generator) -> Tensor:
        """Return `n` encoded rows (n, ...)."""


class ClassGAN:
    """Rows G(z, y) of the conditional generator, with z from the prior."""

    def __init__(self, networks: Networks, spec: Spec, label: int, n_classes: int) -> None:
        self.networks, self.spec = networks, spec
        self.label, self.n_classes = label, n_classes

    @torch.no_grad()
    def draw(self, n: int, random: torch.Generator) -> Tensor:
        """Return `n` encoded rows."""
        device = next(self.networks.generator.parameters()).device
        z = torch.randn(n, self.networks.latent_dim, generator=random).to(device)
        return finished(self.generate(z).cpu(), self.spec, random)

    def generate(self, z: Tensor) -> Tensor:
        """Return G(z, y) of latents (n, latent_dim)."""
        labels = torch.full((len(z),), self.label, device=z.device)
        conditions = F.one_hot(labels, self.n_classes).float()
        parts = zip(z.split(BATCH), conditions.split(BATCH), strict=True)
        return torch.cat([self.networks.generator(*part) for part in parts])


class LatentNeighbourhood:
    """Rows near real ones on the generator's manifold.

    SMOTE in the latent space (Chawla 2002) with a smoothed bootstrap (Silverman and Young 1987)::

        x~ = G(z~, y) + r~
        z~ = z + t (z' - z) + h s e
        r~ = r + t (r' - r)

    Here z = E(x), r = x - G(z, y) is the residual, and z' and r' are those of one of the nearest
    neighbours of z. The factor t is uniform from 0 to 1, or to the spread h if that is smaller;
    e is standard normal, and s are the standard deviations of the class's latents.

    Parameters
    ----------
    gan : ClassGAN
        Generator of the class, with an encoder.
    rows : Tensor
        Real encoded rows (m, ...) of the class.
    spread : float
        Distance from real rows (h).
    start : Tensor, optional
        Indices of the rows to start from; all if not given.
    """

    def __init__(
        self, gan: ClassGAN, rows: Tensor, spread: float, start: Tensor | None = None
    ) -> None:
        self.gan, self.rows, self.spread = gan, rows, spread
        self.start = torch.arange(len(rows)) if start is None else start
        encoder = gan.networks.encoder
        assert encoder is not None
        device = next(encoder.parameters()).device
        with torch.no_grad():
            z = torch.cat([encoder(batch.to(device)) for batch in rows.split(BATCH)])
            self.residual = rows - gan.generate(z).cpu()
        self.z = z.cpu()
        self.deviation = self.z.std(dim=0, unbiased=False)
        self.near = torch.zeros(len(rows), min(NEIGHBOURS, len(rows) - 1), dtype=torch.long)
        self.known = torch.zeros(len(rows), dtype=torch.bool)  # whose neighbours have been found

    @torch.no_grad()
    def draw(self, n: int, random: torch.Generator) -> Tensor:
        """Return `n` encoded rows."""
        start = self.start[torch.randint(len(self.start), (n,), generator=random)]
        other = self._neighbour_of(start, random)
        way = min(self.spread, 1.0) * torch.rand(n, 1, generator=random)
        noise = torch.randn(n, self.z.shape[1], generator=random)
        z = self.z[start].lerp(self.z[other], way) + self.spread * self.deviation * noise
        device = next(self.gan.networks.generator.parameters()).device
        made = self.gan.generate(z.to(device)).cpu()
        way = way.reshape(-1, *[1] * (self.rows.ndim - 1))
        residual = self.residual[start].lerp(self.residual[other], way)
        return finished(made + residual, self.gan.spec, random)

    def _neighbour_of(self, start: Tensor, random: torch.Generator) -> Tensor:
        """Return a random one of the nearest neighbours of each row (n,) in the latent space."""
        k = min(NEIGHBOURS, len(self.z) - 1)
        unknown = (~self.known).logical_and(torch.zeros_like(self.known).index_fill(0, start, True))
        for rows in unknown.nonzero()[:, 0].split(BATCH):
            gaps = torch.cdist(self.z[rows], self.z)
            self.near[rows] = gaps.topk(k + 1, largest=False).indices[:, 1:]
            self.known[rows] = True
        return self.near[start, torch.randint(k, start.shape, generator=random)]


class DataNeighbourhood:
    """Rows near real ones, with independent changes of each column.

    Numbers get normal noise of half of `spread` times the class's standard deviation, in encoded
    units. Some categories are replaced by those of another row, of the same or of any class.

    Parameters
    ----------
    rows, others : Tensor
        Real encoded rows (m, d) of the class, and of all classes.
    spec : VectorSpec
        Shape of the encoded rows.
    spread : float
        Distance from real rows.
    start : Tensor, optional
        Indices of the rows to start from; all if not given.
    """

    def __init__(
        self,
        rows: Tensor,
        others: Tensor,
        spec: VectorSpec,
        spread: float,
        start: Tensor | None = None,
    ) -> None:
        self.rows, self.others, self.spec, self.spread = rows, others, spec, spread
        self.begin = rows if start is None else rows[start]
        self.deviation = rows.std(dim=0, unbiased=False)

    def draw(self, n: int, random: torch.Generator) -> Tensor:
        """Return `n` encoded rows."""
        drawn = self._any(self.begin, n, random).clone()
        for span in self.spec.spans:
            own = drawn[:, span.start : span.stop]
            if span.activation == "identity":
                step = 0.5 * self.spread * self.deviation[span.start : span.stop]
                own += step * torch.randn(own.shape, generator=random)
                continue
            other = self._any(self.rows, n, random)[:, span.start : span.stop]
            stranger = self._any(self.others, n, random)[:, span.start : span.stop]
            far = torch.rand(n, 1, generator=random) < FROM_OTHERS
            replaced = torch.rand(n, 1, generator=random) < min(REPLACED * self.spread / 2, 1)
            own.copy_(torch.where(replaced, torch.where(far, stranger, other), own))
        return drawn

    @staticmethod
    def _any(rows: Tensor, n: int, random: torch.Generator) -> Tensor:
        return rows[torch.randint(len(rows), (n,), generator=random)]


class ImageNeighbourhood:
    """Real images with random deformation, brightness, contrast and white noise.

    Parameters
    ----------
    images : Tensor
        Encoded images (m, C, H, W) to start from.
    spec : ImageSpec
        Shape of the encoded images.
    spread : float
        Distance from real images.
    """

    def __init__(self, images: Tensor, spec: ImageSpec, spread: float) -> None:
        self.images, self.spec, self.spread = images, spec, spread

    def draw(self, n: int, random: torch.Generator) -> Tensor:
        """Return `n` encoded images."""
        start = torch.randint(len(self.images), (n,), generator=random)
        batch = max(1, MAX_PIXELS // self.images[0].numel())
        return torch.cat([self._near(part, random) for part in start.split(batch)])

    def _near(self, start: Tensor, random: torch.Generator) -> Tensor:
        images = self.images[start]
        for change in (deform, relight, add_noise):
            images = change(images, self.spread, random)
        return finished(images, self.spec, random)


class Reflected:
    """Images of another source, reflected or rotated at random within a symmetry group."""

    def __init__(self, source: Source, symmetry: str, spec: ImageSpec) -> None:
        self.source, self.symmetry, self.spec = source, symmetry, spec

    def draw(self, n: int, random: torch.Generator) -> Tensor:
        """Return `n` encoded images."""
        (left, _, top, _), (height, width) = self.spec.margins, self.spec.inner
        images = self.source.draw(n, random)[:, :, top : top + height, left : left + width]
        return F.pad(reflect(images, self.symmetry, random), self.spec.margins, mode="replicate")


def finished(rows: Tensor, spec: Spec, random: torch.Generator) -> Tensor:
    """Return valid encoded rows: categories are drawn one-hot, pixels are clipped."""
    if spec.kind == "image":
        return rows.clamp(-1, 1) if spec.activation == "tanh" else rows
    rows = rows.clone()
    for span in spec.spans:
        if span.activation == "softmax":
            own = rows[:, span.start : span.stop]
            weights = own.clamp(min=0) + torch.finfo(own.dtype).eps
            drawn = torch.multinomial(weights, 1, generator=random)
            own.zero_().scatter_(1, drawn, 1.0)
    return rows
