"""What the heads see of a batch of rows; each part is computed when a head first asks for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor, nn

from augan.codecs.image import ImageEncoder
from augan.networks import Critic, PretextNetwork, RepairNetwork
from augan.networks.pretext import SwapPretext, TransformPretext
from augan.training.rows import LazyRows

MAX_BATCH = 512  # rows that go through a network at once
MAX_PIXELS = 2**21  # and pixels that go through the repair network


class View:
    """A batch of rows as the model sees it.

    Attributes
    ----------
    x : Tensor
        Encoded rows (B, D) or images (B, C, H, W).
    standard : Tensor
        The same rows (B, S) in units that distances are taken in.
    z, x_hat : Tensor
        Latents (B, latent_dim) and the reconstructions G(z).
    f_x, f_x_hat : Tensor
        Critic's features (B, F) of x and x_hat.
    pretext_features : Tensor
        Pretext network's features (B, F).
    surprise : Tensor
        How little the pretext network recognises the transforms of an image, (B,).
    repair_error : Tensor
        Errors (B, S) of a standardised row's repair by the pretext network.
    coarse : Tensor
        Standardised images (B, C, h, w).
    change : Tensor
        How much the repair network would change each pixel of the details, (B, h, w).
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
        repair: RepairNetwork | None = None,
        codec: ImageEncoder | None = None,
        raw: Tensor | LazyRows | None = None,
    ) -> None:
        self.x, self.standard = x, standard
        self._inversion, self._generator, self._critic = inversion, generator, critic
        self._pretext, self._repair = pretext, repair
        self._codec, self._raw = codec, raw

    @cached_property
    def z(self) -> Tensor:  # noqa: D102
        return _in_batches(self._inversion, self.x)

    @cached_property
    def x_hat(self) -> Tensor:  # noqa: D102
        return _in_batches(self._generator, self.z)

    @cached_property
    def f_x(self) -> Tensor:  # noqa: D102
        return _in_batches(self._critic.features, self.x)

    @cached_property
    def f_x_hat(self) -> Tensor:  # noqa: D102
        return _in_batches(self._critic.features, self.x_hat)

    @cached_property
    def pretext_features(self) -> Tensor:  # noqa: D102
        assert self._pretext is not None
        rows = self.standard if self._pretext.reads_standard else self.x
        return _in_batches(self._pretext.features, rows)

    @cached_property
    def surprise(self) -> Tensor:  # noqa: D102
        assert isinstance(self._pretext, TransformPretext)
        return _in_batches(self._pretext.surprise, self.x)

    @cached_property
    def repair_error(self) -> Tensor:  # noqa: D102
        assert isinstance(self._pretext, SwapPretext)
        return _in_batches(self._pretext.repair_error, self.standard)

    @cached_property
    def change(self) -> Tensor:  # noqa: D102
        assert self._codec is not None and self._raw is not None and self._repair is not None
        codec, repair, device = self._codec, self._repair, self.x.device
        at_once = max(1, MAX_PIXELS // (codec.detailed[0] * codec.detailed[1]))
        return _in_batches(
            lambda raw: repair.change(codec.detail(raw).to(device)), self._raw, at_once
        )

    @cached_property
    def coarse(self) -> Tensor:  # noqa: D102
        assert self._codec is not None
        return self.standard.unflatten(1, self._codec.pooled)


def _in_batches(
    function: Callable[[Tensor], Tensor], rows: Tensor | LazyRows, size: int = MAX_BATCH
) -> Tensor:
    if isinstance(rows, Tensor) and rows.shape[0] <= size:
        return function(rows)
    return torch.cat([function(batch) for batch in rows.split(size)])
