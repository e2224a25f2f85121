"""Choice of the torch device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def precision_of_products(device: torch.device) -> torch.dtype:
    """Return the dtype for matrix products that may be rounded: bfloat16 where it is fast."""
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        known: Mapping[str, Any] = {}
        if device.type == "cpu" and hasattr(torch.cpu, "get_capabilities"):
            known = torch.cpu.get_capabilities()
        fast = known.get("avx512_bf16", False) or known.get("amx_bf16", False)
    return torch.bfloat16 if fast else torch.float32
