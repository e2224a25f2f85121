"""Where tensors live."""

from __future__ import annotations

import torch

from augan.exceptions import ParameterError, shown


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
    except (RuntimeError, AssertionError, TypeError, ValueError, OverflowError) as error:
        raise ParameterError(f"device={shown(device)} is not available here") from error
    if found.type == "meta":
        raise ParameterError("device='meta': holds no numbers")
    return found
