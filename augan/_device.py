"""Choice of the torch device."""

from __future__ import annotations

import torch

from augan.exceptions import ParameterError, shown


def resolve_device(device: str) -> torch.device:
    """Return the torch device called `device`.

    Parameters
    ----------
    device : str
        Name of a device, or "auto": CUDA if available, else Apple's MPS, else the CPU.

    Returns
    -------
    torch.device

    Raises
    ------
    ParameterError
        If the device is not available.
    """
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
        raise ParameterError("device='meta': tensors on it have no values")
    return found
