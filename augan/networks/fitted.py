"""Modules whose tensors have sizes that depend on data."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class FittedModule(nn.Module):
    """A module whose buffers have shapes that depend on the data it was fitted to.

    Loading a state dict gives the buffers the shapes of the loaded tensors.
    """

    def add_buffers(self, *names: str, dtype: torch.dtype = torch.float32) -> None:
        """Register empty buffers, which `fit` or a loaded state dict fills."""
        for name in names:
            self.register_buffer(name, torch.empty(0, dtype=dtype))

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        for name, buffer in self._buffers.items():
            loaded = state_dict.get(prefix + name)
            if loaded is not None and buffer is not None:
                self._buffers[name] = torch.empty_like(loaded, device=buffer.device)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
