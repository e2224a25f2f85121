"""An ONNX file of augan's, opened with ONNX Runtime; neither torch nor onnx is needed."""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augan import __version__
from augan.exceptions import DeviceWarning, ModelFileError, ParameterError

FORMAT = 1  # of the metadata
PREFIX = "augan."  # of its keys
NAMED_PROVIDERS = {
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider"),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"),
}
QUIET = 3  # of ONNX Runtime's log levels: errors only
NO_GPU = "no CUDA device that ONNX Runtime can use: running on the CPU"


class Session:
    """A model file and the ONNX Runtime session that runs it.

    Parameters
    ----------
    path : path-like
        File written by `export_onnx`.
    part : str, optional
        Which part it must be.
    providers : str or sequence of str, default="auto"
        "auto" (CUDA where there is a device), "cpu", "cuda", "tensorrt", or ONNX Runtime's names.
    threads : int, optional
        CPU threads; ``None``: as many as ONNX Runtime takes.
    io_binding : bool, optional
        Whether inputs and outputs are bound to the session's own memory; ``None``: on CUDA.
        Strings cannot be.

    Raises
    ------
    ModelFileError
        When the file is missing, damaged, not augan's, made by a newer one or another part.
    ParameterError
        For a provider that there is not.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        part: str | None = None,
        providers: str | Sequence[str] = "auto",
        threads: int | None = None,
        io_binding: bool | None = None,
    ) -> None:
        ort = _onnxruntime()
        self.path = Path(path)
        if threads is not None and (isinstance(threads, bool) or int(threads) < 1):
            raise ParameterError(f"threads={threads!r}: must be 1 or more, or None")
        chosen = _chosen(ort, providers)
        options = ort.SessionOptions()
        options.log_severity_level = QUIET
        if threads is not None:
            options.intra_op_num_threads = int(threads)
        if not self.path.exists():
            raise ModelFileError(f"{path}: no such file")
        if self.path.is_dir():
            raise ModelFileError(f"{path}: a directory, not a model file")
        try:
            self.session = ort.InferenceSession(str(path), options, providers=list(chosen))
        except Exception as error:  # ONNX Runtime's have no class in common
            reason = str(error).strip().splitlines()[0]
            raise ModelFileError(f"{path}: not an ONNX file, or damaged ({reason})") from error
        self.metadata = _metadata(self.session, self.path)
        found = self.metadata["part"]
        if part is not None and found != part:
            raise ModelFileError(f"{path}: holds the {found}, not the {part}: export that part")
        running = self.session.get_providers()
        if chosen[0] not in running:
            if providers != "auto":
                raise ParameterError(f"providers={providers!r}: {chosen[0]} cannot be used here")
            _notice()
        on_gpu = running[0] != "CPUExecutionProvider"
        texts = any(value.type == "tensor(string)" for value in self.session.get_inputs())
        self.io_binding = (on_gpu if io_binding is None else io_binding) and not texts
        self.outputs = [output.name for output in self.session.get_outputs()]

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return the outputs by name."""
        if not self.io_binding:
            values = self.session.run(None, dict(feeds))
        else:
            binding = self.session.io_binding()
            for name, value in feeds.items():
                binding.bind_cpu_input(name, value)
            for name in self.outputs:
                binding.bind_output(name)
            self.session.run_with_iobinding(binding)
            values = binding.copy_outputs_to_cpu()
        return dict(zip(self.outputs, values, strict=True))

    def run_in_chunks(
        self,
        feeds: Mapping[str, NDArray[Any]],
        size: int,
        shared: Mapping[str, NDArray[Any]] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Return what `run` does, `size` rows at a time; all are given the `shared` inputs."""
        n = len(next(iter(feeds.values())))
        parts = [
            self.run({k: v[start : start + size] for k, v in feeds.items()} | dict(shared or {}))
            for start in range(0, n, size)
        ]
        return {
            name: np.concatenate([part[name] for part in parts]) if value.ndim else value
            for name, value in parts[0].items()
        }


def read_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what the file says of itself."""
    return Session(path, providers="cpu", threads=1).metadata


def _onnxruntime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ParameterError(
            "ONNX files need ONNX Runtime: pip install 'augan[runtime]'"
        ) from error
    return onnxruntime


def _chosen(ort: Any, providers: str | Sequence[str]) -> tuple[str, ...]:
    """Return ONNX Runtime's names of the providers that are asked for."""
    available = ort.get_available_providers()
    if isinstance(providers, str) and providers == "auto":
        usable = "CUDAExecutionProvider" in available and n_cuda_devices() > 0
        if not usable:
            _notice()
        return NAMED_PROVIDERS["cuda" if usable else "cpu"]
    if isinstance(providers, str) and providers not in NAMED_PROVIDERS:
        listed = ", ".join(map(repr, ("auto", *NAMED_PROVIDERS)))
        raise ParameterError(f"providers={providers!r}: is not one of {listed}")
    names = NAMED_PROVIDERS[providers] if isinstance(providers, str) else tuple(providers)
    missing = [name for name in names if name not in available]
    if missing or not names:
        listed = ", ".join(available)
        raise ParameterError(
            f"providers={providers!r}: this ONNX Runtime has no {', '.join(missing) or 'name'}; "
            f"it has {listed}"
        )
    if names[0] in NAMED_PROVIDERS["tensorrt"][:2] and n_cuda_devices() == 0:
        raise ParameterError(f"providers={providers!r}: there is no CUDA device")
    return names


def n_cuda_devices() -> int:
    """Return how many CUDA devices the driver knows; 0 without a driver."""
    name = ctypes.util.find_library("cuda") or "libcuda.so.1"
    try:
        driver = ctypes.CDLL(name)
        count = ctypes.c_int()
        if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
            return 0
    except (OSError, AttributeError):
        return 0
    return count.value


_noticed = False


def _notice() -> None:
    """Say once that there is no GPU."""
    global _noticed
    if not _noticed:
        _noticed = True
        warnings.warn(NO_GPU, DeviceWarning, stacklevel=4)


def _metadata(session: Any, path: Path) -> dict[str, Any]:
    found = session.get_modelmeta().custom_metadata_map
    own = {k.removeprefix(PREFIX): v for k, v in found.items() if k.startswith(PREFIX)}
    try:
        metadata = {key: json.loads(text) for key, text in own.items()}
        made = int(metadata["format"])
    except (KeyError, ValueError, TypeError) as error:
        raise ModelFileError(f"{path}: an ONNX file, but not one that augan made") from error
    if made > FORMAT:
        raise ModelFileError(
            f"{path}: made by a newer augan ({metadata.get('augan')}, format {made}; this is "
            f"{__version__}, which reads up to format {FORMAT})"
        )
    return metadata
