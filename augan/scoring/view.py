"""What the heads see of a batch of rows; each part is computed when a head first asks for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import torch
from torch import Tensor, nn

from augan.networks import Critic

MAX_BATCH = 512  # rows that go through a network at once


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
    """

    def __init__(
        self,
        x: Tensor,
        standard: Tensor,
        *,
        inversion: nn.Module,
        generator: nn.Module,
        critic: Critic,
    ) -> None:
        self.x, self.standard = x, standard
        self._inversion, self._generator, self._critic = inversion, generator, critic

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


def _in_batches(function: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
    if rows.shape[0] <= MAX_BATCH:
        return function(rows)
    return torch.cat([function(batch) for batch in rows.split(MAX_BATCH)])
