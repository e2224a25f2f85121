"""ONNX Runtime: whether it is installed, and the execution providers that it can use."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import warnings
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any

from augan.exceptions import DeviceWarning, ParameterError, shown

NAMED_PROVIDERS = {
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider"),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"),
}
RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino")
NO_RUNTIME = (
    "ONNX Runtime is not installed: pip install 'augan[runtime]', or 'augan[runtime-gpu]' for "
    "NVIDIA's GPUs"
)
NO_GPU = "no CUDA device that ONNX Runtime can use: running on the CPU"


def onnx_runtime() -> Any:
    """Return the module ``onnxruntime``.

    Raises
    ------
    ParameterError
        If it is not installed, or several distributions of it are.
    """
    owners = runtimes()
    if len(owners) > 1:
        names = " and ".join(owners)
        raise ParameterError(
            f"{names} are both installed and have overwritten each other's files: pip uninstall "
            f"{' '.join(owners)}, then pip install one of them"
        )
    try:
        import onnxruntime
    except ImportError as error:
        raise ParameterError(NO_RUNTIME) from error
    return onnxruntime


@functools.cache
def runtimes() -> tuple[str, ...]:
    """Return the names of the installed distributions with the module ``onnxruntime``."""

    def is_installed(name: str) -> bool:
        try:
            distribution(name)
        except PackageNotFoundError:
            return False
        return True

    return tuple(filter(is_installed, RUNTIMES))


def chosen_providers(ort: Any, providers: str | Sequence[str]) -> tuple[str, ...]:
    """Return ONNX Runtime's names of the requested providers.

    Raises
    ------
    ParameterError
        If a provider is unknown, or not available here.
    """
    available = ort.get_available_providers()
    if isinstance(providers, str) and providers == "auto":
        usable = "CUDAExecutionProvider" in available and n_cuda_devices() > 0
        if not usable:
            warn_of_no_gpu()
        return NAMED_PROVIDERS["cuda" if usable else "cpu"]
    if isinstance(providers, str) and providers not in NAMED_PROVIDERS:
        listed = ", ".join(map(shown, ("auto", *NAMED_PROVIDERS)))
        raise ParameterError(f"providers={shown(providers)}: is not one of {listed}")
    names = NAMED_PROVIDERS[providers] if isinstance(providers, str) else tuple(providers)
    missing = [name for name in names if name not in available]
    if missing or not names:
        listed = ", ".join(available)
        raise ParameterError(
            f"providers={shown(providers)}: this ONNX Runtime has no "
            f"{', '.join(missing) or 'name'}; it has {listed}"
        )
    if names[0] in NAMED_PROVIDERS["tensorrt"][:2] and n_cuda_devices() == 0:
        raise ParameterError(f"providers={shown(providers)}: there is no CUDA device")
    return names


def n_cuda_devices() -> int:
    """Return the number of CUDA devices; 0 without a driver."""
    name = ctypes.util.find_library("cuda") or "libcuda.so.1"
    try:
        driver = ctypes.CDLL(name)
        count = ctypes.c_int()
        if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
            return 0
    except (OSError, AttributeError):
        return 0
    return count.value


@functools.cache  # once per process
def warn_of_no_gpu() -> None:
    """Warn once that there is no GPU."""
    warnings.warn(NO_GPU, DeviceWarning, stacklevel=4)
