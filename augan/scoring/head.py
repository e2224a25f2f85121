"""Base classes of the heads."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from augan.scoring.view import View


class FittedModule(nn.Module):
    """A module whose buffers have shapes that depend on the data it was fitted to.

    Loading a state dict gives the buffers the shapes of the loaded tensors.
    """

    def add_buffers(self, *names: str) -> None:
        """Register empty buffers, which `fit` or a loaded state dict fills."""
        for name in names:
            self.register_buffer(name, torch.empty(0))

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        for name, buffer in self._buffers.items():
            loaded = state_dict.get(prefix + name)
            if loaded is not None and buffer is not None:
                self._buffers[name] = torch.empty_like(loaded, device=buffer.device)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


class Head(FittedModule):
    """One anomaly score: `fit` is given normal training rows, `forward` scores any rows.

    Attributes
    ----------
    weight : float
        Weight of the calibrated head in the fused score. It is lower for heads that depend on the
        inversion, because a generator often reconstructs anomalies too.
    needs : {"gan", "pretext", "restoration"} or None
        The trained networks that the head uses.
    has_memory : bool
        Whether the head stores training rows; it is then built with `n_neighbors` and
        `memory_size`.
    """

    weight: float = 1.0
    needs: Literal["gan", "pretext", "restoration"] | None = None
    has_memory: ClassVar[bool] = False

    def fit(self, view: View, random: np.random.Generator, n_rows: int | None = None) -> None:
        """Fit to training rows; by default there is nothing to fit.

        Parameters
        ----------
        view : View
            Training rows.
        random : Generator
            Random numbers.
        n_rows : int, optional
            Number of training rows, at most, that a memory stands for.
        """

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        raise AssertionError("a head scores")  # pragma: no cover
