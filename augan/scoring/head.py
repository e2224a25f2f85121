"""What all heads have in common."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from augan.scoring.view import View


class FittedModule(nn.Module):
    """A module whose buffers get their shapes from data: loading a state takes them as they are."""

    def add_buffers(self, *names: str) -> None:
        """Register empty buffers that `fit` or a loaded state fills."""
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
    """One score. `fit` sees training normals; `forward` scores any rows.

    `weight` is what the calibrated head counts in the fused score: heads that depend on the
    inversion say less, since a GAN can often make anomalies too. `needs` says whose networks it
    asks: those of the GAN, the pretext network, the restoration network, or none that is trained.
    """

    weight: float = 1.0
    needs: Literal["gan", "pretext", "restoration"] | None = None

    def fit(self, view: View, random: np.random.Generator) -> None:
        """Learn from training rows; most heads have nothing to learn."""

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        raise AssertionError("a head scores")  # pragma: no cover
