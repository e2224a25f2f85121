"""Where tensors live."""

from __future__ import annotations

import torch

from augan.exceptions import ParameterError


def resolve_device(device: str) -> torch.device:
    """Return the torch device for `device`; ``"auto"`` is CUDA, then Apple's MPS, then the CPU."""
    if device != "auto":
        return _checked(device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def _checked(device: str) -> torch.device:
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ParameterError(f"device={device!r} is not available here") from error
    return found
