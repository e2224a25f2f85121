"""Heads of images with anomaly maps; the score is the mean of the highest values of the map."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from augan.scoring.head import Head
from augan.scoring.nearest import nearest
from augan.scoring.neighbours import DataNeighbours
from augan.scoring.view import View

MAP_SIDE = 16  # largest side, in pixels, of coarse images
PATCH = 5  # side of the patches that are compared
SMOOTHING, WIDE_SMOOTHING = 3, 5  # sides of the windows that maps are averaged over
FITTING_ITERATIONS = 8  # of the robust fit of brightness and contrast
CONTRASTS = (0.5, 2.0)  # range of the fitted contrast
QUARTER_WEIGHT = 1.5  # times the median difference: where a pixel's weight in the fit is 1/4
SMALLEST = 1e-3  # smallest divisor in the fit
RESTORATION_SMOOTHING = 7  # side of the window that the restoration map is averaged over


class MapHead(Head):
    """A head whose score is the mean of the highest values, a `share` of them, of a map.

    `heat_weight` is the weight of its map in a heatmap.
    """

    share: float
    heat_weight: float = 1.0

    def map(self, view: View) -> Tensor:
        """Return maps (B, h, w), higher = more abnormal."""
        raise AssertionError("a subclass says how")  # pragma: no cover

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        values = self.map(view).flatten(1)
        n_top = max(1, round(self.share * values.shape[1]))
        return values.topk(n_top, dim=1).values.mean(dim=1)


class CoarseMemory(MapHead):
    """A head with a memory of standardised training images at low resolution."""

    bank: Tensor
    has_memory = True

    def __init__(self, n_neighbors: int, memory_size: int) -> None:
        super().__init__()
        self.n_neighbors, self.memory_size = n_neighbors, memory_size
        self.add_buffers("bank")

    def fit(self, view: View, random: np.random.Generator, n_rows: int | None = None) -> None:
        """Store at most `memory_size`, and at most `n_rows`, training images."""
        images = _coarse(view.coarse)
        most = min(self.memory_size, n_rows or len(images))
        if len(images) > most:
            kept = np.sort(random.choice(len(images), most, replace=False))
            images = images[torch.from_numpy(kept).to(images.device)]
        self.bank = images.clone()  # two heads must not share memory


class LocalNeighbours(CoarseMemory):
    """Distance of each patch to its nearest neighbours at the same position in training images.

    A memory of patches as in PatchCore (Roth 2022), but of pixels at low resolution instead of a
    pretrained network's features, and one for each position, as in PaDiM (Defard 2021).
    """

    share = 0.2

    def map(self, view: View) -> Tensor:
        """Return distances (B, h, w), h and w at most `MAP_SIDE`."""
        images, bank = (_padded(part) for part in (_coarse(view.coarse), self.bank))
        rows = []
        for top in range(images.shape[2] - PATCH + 1):
            here, known = (_patches(part[:, :, top : top + PATCH]) for part in (images, bank))
            rows.append(nearest(here, known, self.n_neighbors)[0].mean(dim=2).T)
        return blurred(torch.stack(rows, dim=1), SMOOTHING)


class ImageNeighbours(CoarseMemory):
    """Mean distance to the nearest training images; the map is the difference from them."""

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        return self._nearest(_coarse(view.coarse))[0].mean(dim=1)

    def map(self, view: View) -> Tensor:
        """Return mean absolute differences (B, h, w), h and w at most `MAP_SIDE`."""
        images = _coarse(view.coarse)
        neighbours = self.bank[self._nearest(images)[1]]
        differences = _robust_differences(neighbours.flatten(2), images.flatten(1)[:, None])
        maps = differences.abs().mean(dim=1).view_as(images).mean(dim=1)
        return blurred(maps, WIDE_SMOOTHING)

    def _nearest(self, images: Tensor) -> tuple[Tensor, Tensor]:
        return nearest(images.flatten(1), self.bank.flatten(1), self.n_neighbors)


class DetailRestoration(MapHead):
    """Mean absolute correction of an image's details by the restoration network."""

    needs, share = "restoration", 0.002

    def map(self, view: View) -> Tensor:
        """Return mean absolute corrections (B, h, w), at the size of the details."""
        return blurred(view.change, RESTORATION_SMOOTHING)


class ResidualMap(MapHead):
    """Squared residual of the reconstruction, at the GAN's working size."""

    needs, share = "gan", 1.0

    def map(self, view: View) -> Tensor:
        """Return mean squared residuals (B, h, w)."""
        return blurred((view.x - view.x_hat).square().mean(dim=1), SMOOTHING)


class NeighbourMap(MapHead):
    """Difference of the pixels from those of the nearest training images."""

    share = 1.0

    def __init__(self, neighbours: DataNeighbours) -> None:
        super().__init__()
        self.neighbours = neighbours

    def fit(self, view: View, random: np.random.Generator, n_rows: int | None = None) -> None:
        """Store training images."""
        self.neighbours.fit(view, random, n_rows)

    def map(self, view: View) -> Tensor:
        """Return mean absolute differences (B, h, w)."""
        return blurred(view.as_image(self.neighbours.difference(view)).mean(dim=1), SMOOTHING)


def _coarse(images: Tensor) -> Tensor:
    factor = MAP_SIDE / max(images.shape[2:])
    if factor >= 1:
        return images
    size = [max(1, round(side * factor)) for side in images.shape[2:]]
    return F.interpolate(images, size=size, mode="bilinear", antialias=True)


def _robust_differences(known: Tensor, images: Tensor) -> Tensor:
    """Return differences of images (B, 1, P) from known ones (B, k, P), adjusted to their light.

    A large defect changes the mean and the deviation of an image, so the rest of a standardised
    image differs too. Brightness and contrast of each known image are therefore fitted to the
    image by iteratively reweighted least squares, in which pixels that differ have less weight
    (Geman and McClure 1985).
    """
    weight = torch.ones_like(known)
    differences = images - known
    for _ in range(FITTING_ITERATIONS):
        total = weight.sum(dim=2, keepdim=True)
        known_mean = (weight * known).sum(dim=2, keepdim=True) / total
        mean = (weight * images).sum(dim=2, keepdim=True) / total
        around, spread = known - known_mean, weight * (known - known_mean)
        slope = (spread * (images - mean)).sum(dim=2, keepdim=True)
        slope = slope / (spread * around).sum(dim=2, keepdim=True).clamp(min=SMALLEST)
        differences = images - mean - slope.clamp(*CONTRASTS) * around
        usual = differences.abs().median(dim=2, keepdim=True).values.clamp(min=SMALLEST)
        weight = (1 + (differences / (QUARTER_WEIGHT * usual)).square()).pow(-2)
    return differences


def _padded(images: Tensor) -> Tensor:
    return F.pad(images, [PATCH // 2] * 4, mode="replicate")


def _patches(strip: Tensor) -> Tensor:
    """Return the patches (w, n, C * PATCH**2) of a strip (n, C, PATCH, w + PATCH - 1)."""
    return strip.unfold(3, PATCH, 1).permute(3, 0, 1, 2, 4).flatten(2)


def blurred(maps: Tensor, side: int) -> Tensor:
    """Return maps (n, h, w), averaged over square windows inside the map."""
    padding = side // 2
    return F.avg_pool2d(maps, side, stride=1, padding=padding, count_include_pad=False)
