"""What the heads read of a batch of rows; each part is computed when it is first read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TypeGuard

import torch
from torch import Tensor, nn

from augan.codecs.image_encoder import ImageEncoder
from augan.codecs.table_encoder import TableEncoder
from augan.networks import Backbone, ColumnSurprise, Critic, PretextNetwork, RestorationNetwork
from augan.networks.pretext import SwapPretext, TransformPretext
from augan.training.rows import LazyRows

Encoder = TableEncoder | ImageEncoder

MAX_BATCH = 512  # rows, at most, that a network processes at once
MAX_PIXELS = 2**21  # pixels of details, at most, that a network processes at once
DEEP_PIXELS = 2**18  # the same of a backbone, whose maps have many channels


class View:
    """A batch of rows, encoded, and the outputs of the networks for it.

    Attributes
    ----------
    x : Tensor
        Encoded rows (B, D) or images (B, C, H, W).
    standard : Tensor
        Standardised rows (B, S), which the pretext network of tables reads.
    ranged : Tensor
        Standardised rows (B, S), of tables in units of the columns' ranges.
    z, x_hat : Tensor
        Latents (B, latent_dim) and reconstructions G(z).
    z_hat : Tensor
        Latents of the reconstructions, (B, latent_dim).
    f_x, f_x_hat : Tensor
        Critic's features (B, F) of x and x_hat.
    pretext_features : Tensor
        Pretext network's features (B, F).
    transform_nll : Tensor
        Mean negative log-likelihood of an image's transformations, (B,).
    repair_error : Tensor
        Errors (B, S) of the pretext network's reconstruction of a standardised row.
    coarse : Tensor
        Standardised images (B, C, h, w) at low resolution.
    surprise : Tensor
        Surprise (B, d) of each column of a table, in nats.
    change : Tensor
        Mean absolute correction of each pixel of the details by the restoration network,
        (B, h, w).
    deep, deep_restored : Tensor
        Backbone's coarse features (B, F, h, w) of the details, and of the restored details.
    patches, fine_patches : Tensor
        Principal components (B, K, h, w) of the backbone's coarse, and fine, features.
    pixels : Tensor
        Images (B, C, h, w) as the backbone reads them, with pixels from -1 to 1.
    components : dict
        Leading components (B, k) of features, features without these (B, F) and the squared norms
        (B,) of the latter, by the head that computed them.
    """

    def __init__(
        self,
        x: Tensor,
        standard: Tensor,
        *,
        inversion: nn.Module,
        generator: nn.Module,
        critic: Critic,
        pretext: PretextNetwork | None = None,
        restoration: RestorationNetwork | None = None,
        backbone: Backbone | None = None,
        columns: ColumnSurprise | None = None,
        codec: Encoder,
        raw: Tensor | LazyRows | None = None,
    ) -> None:
        self.x, self.standard = x, standard
        self._inversion, self._generator, self._critic = inversion, generator, critic
        self._pretext, self._restoration, self._backbone = pretext, restoration, backbone
        self._columns, self._codec, self._raw = columns, codec, raw
        self.components: dict[nn.Module, tuple[Tensor, Tensor, Tensor]] = {}

    @cached_property
    def z(self) -> Tensor:  # noqa: D102
        return _in_batches(self._inversion, self.x)

    @cached_property
    def x_hat(self) -> Tensor:  # noqa: D102
        return _in_batches(self._generator, self.z)

    @cached_property
    def z_hat(self) -> Tensor:  # noqa: D102
        return _in_batches(self._inversion, self.x_hat)

    @cached_property
    def f_x(self) -> Tensor:  # noqa: D102
        return _in_batches(self._critic.features, self.x)

    @cached_property
    def f_x_hat(self) -> Tensor:  # noqa: D102
        return _in_batches(self._critic.features, self.x_hat)

    @cached_property
    def ranged(self) -> Tensor:  # noqa: D102
        if isinstance(self._codec, ImageEncoder):
            return self.standard
        return self.standard / self._codec.range_units.to(self.standard.device)

    @cached_property
    def hidden(self) -> Tensor:
        """Activations of the last two layers of a table's pretext network, (B, F)."""
        assert isinstance(self._pretext, SwapPretext)
        return _in_batches(self._pretext.features, self.standard)

    @cached_property
    def pretext_features(self) -> Tensor:  # noqa: D102
        assert self._pretext is not None
        if self._pretext.reads_standard:
            return self.hidden
        return _in_batches(self._pretext.features, self.x)

    @cached_property
    def transform_nll(self) -> Tensor:  # noqa: D102
        assert isinstance(self._pretext, TransformPretext)
        return _in_batches(self._pretext.transform_nll, self.x)

    @cached_property
    def repair_error(self) -> Tensor:  # noqa: D102
        assert isinstance(self._pretext, SwapPretext)
        return self._pretext.repair_error(self.standard, self.hidden)

    @cached_property
    def surprise(self) -> Tensor:  # noqa: D102
        columns, raw = self._columns, self._raw
        assert columns is not None and raw is not None
        return _in_batches(columns, raw, columns.at_once)

    @cached_property
    def change(self) -> Tensor:  # noqa: D102
        assert self._restoration is not None
        return self._of_details(self._restoration.change)

    @cached_property
    def deep(self) -> Tensor:  # noqa: D102
        return self.features[0]

    @cached_property
    def features(self) -> tuple[Tensor, Tensor]:
        """Backbone's coarse (B, F, h, w) and fine (B, F', h', w') features of the details."""
        assert self._backbone is not None
        return self._of_backbone(self._backbone)

    @cached_property
    def patches(self) -> Tensor:  # noqa: D102
        return self._both_patches[0]

    @cached_property
    def fine_patches(self) -> Tensor:  # noqa: D102
        return self._both_patches[1]

    @cached_property
    def _both_patches(self) -> tuple[Tensor, Tensor]:
        """The patches and the fine patches."""
        if isinstance(self._raw, LazyRows) and "patches" in self._raw.known:
            coarse, fine = (self._raw.known[name] for name in ("patches", "fine_patches"))
            return coarse.to(self.x.device).float(), fine.to(self.x.device).float()
        assert self._backbone is not None
        return self._of_backbone(self._backbone.patches)

    @cached_property
    def pixels(self) -> Tensor:  # noqa: D102
        return self._of_details(lambda pixels: pixels, pixels=True)

    @cached_property
    def deep_restored(self) -> Tensor:  # noqa: D102
        network, backbone = self._restoration, self._backbone
        assert network is not None and backbone is not None
        return self._of_details(lambda images: backbone(images + network.correction(images))[0])

    @cached_property
    def coarse(self) -> Tensor:  # noqa: D102
        return self.as_image(self.standard)

    def pixel_batches(self, n: int) -> Iterator[Tensor]:
        """Yield `pixels` of the batch, `n` images at a time."""
        assert self._raw is not None
        read, _ = self._reader(True)
        for part in self._raw.split(n):
            yield read(part)

    def as_image(self, pixels: Tensor) -> Tensor:
        """Return pixels (B, C, h, w) in the order of standardised images (B, S)."""
        assert isinstance(self._codec, ImageEncoder)
        return pixels.unflatten(1, self._codec.pooled)

    def _of_backbone(
        self, function: Callable[[Tensor], tuple[Tensor, Tensor]]
    ) -> tuple[Tensor, Tensor]:
        """Return both results of a function of the pixels or details that the backbone reads."""
        assert self._backbone is not None
        reads_pixels = self._backbone.reads_pixels
        images = self.pixels if reads_pixels else self._of_details(lambda details: details)
        size = max(1, DEEP_PIXELS // (images.shape[2] * images.shape[3]))
        if fits(images, size):
            return function(images)
        parts = [function(batch) for batch in images.split(size)]
        return torch.cat([one for one, _ in parts]), torch.cat([other for _, other in parts])

    def _of_details(self, function: Callable[[Tensor], Tensor], *, pixels: bool = False) -> Tensor:
        assert self._raw is not None
        read, size = self._reader(pixels)
        return _in_batches(lambda batch: function(read(batch)), self._raw, size)

    def _reader(self, pixels: bool) -> tuple[Callable[[Tensor], Tensor], int]:
        """Return what reads pixels or details of raw images, and of how many at once."""
        assert isinstance(self._codec, ImageEncoder)
        codec, device = self._codec, self.x.device
        read = codec.detailed_pixels if pixels else codec.detail
        size = max(1, MAX_PIXELS // (codec.detailed[0] * codec.detailed[1]))
        return lambda batch: read(batch).to(device), size


def fits(rows: Tensor | LazyRows, size: int) -> TypeGuard[Tensor]:
    """Return whether rows need no splitting. An exported graph never splits a batch."""
    return torch.compiler.is_exporting() or (isinstance(rows, Tensor) and rows.shape[0] <= size)


def _in_batches(
    function: Callable[[Tensor], Tensor], rows: Tensor | LazyRows, size: int = MAX_BATCH
) -> Tensor:
    if fits(rows, size):
        return function(rows)
    return torch.cat([function(batch) for batch in rows.split(size)])
