"""An ONNX file of augan's, opened with ONNX Runtime; neither torch nor onnx is needed."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import json
import os
import re
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augan import __version__
from augan.deploy.checksum import KEY, is_intact
from augan.deploy.contents import read_contents
from augan.exceptions import DataWarning, DeviceWarning, ModelFileError, ParameterError, shown

FORMAT = 2  # of the metadata
CHECKED_SINCE = 2  # the format in which files carry a checksum
PREFIX = "augan."  # of its keys
NAMED_PROVIDERS = {
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider"),
    "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"),
}
SILENT = 4  # of ONNX Runtime's log levels: errors are raised, and not printed too
LARGEST = 2**31 - 1  # bytes of a file, by what protobuf can hold
MOST_SAID = 200  # letters of what ONNX Runtime says
MAX_THREADS = 1024
RUNTIMES = ("onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "onnxruntime-openvino")
NO_RUNTIME = (
    "ONNX Runtime is not installed: pip install 'augan[runtime]', or 'augan[runtime-gpu]' for "
    "NVIDIA's GPUs"
)
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
        ort = onnx_runtime()
        self.path = Path(path)
        if threads is not None and (
            isinstance(threads, bool)
            or not isinstance(threads, Integral)
            or not 1 <= threads <= MAX_THREADS
        ):
            must = f"an integer from 1 to {MAX_THREADS}, or None"
            raise ParameterError(f"threads={shown(threads)}: must be {must}")
        chosen = _chosen(ort, providers)
        content = _content(self.path)
        self.metadata = _metadata(content, self.path)
        found = self.metadata["part"]
        if part is not None and found != part:
            raise ModelFileError(f"{path}: holds the {found}, not the {part}: export that part")
        self.session = self._started(ort, content, chosen, threads)
        running = self.session.get_providers()
        if chosen[0] not in running:
            if providers != "auto":
                raise ParameterError(f"providers={providers!r}: {chosen[0]} cannot be used here")
            _notice()
        on_gpu = running[0] != "CPUExecutionProvider"
        outputs = self.session.get_outputs()
        ends = (*self.session.get_inputs(), *outputs)
        texts = any(value.type == "tensor(string)" for value in ends)
        self.io_binding = (on_gpu if io_binding is None else io_binding) and not texts
        self.outputs = [output.name for output in outputs]

    def _started(
        self, ort: Any, content: bytes, providers: Sequence[str], threads: int | None
    ) -> Any:
        """Return ONNX Runtime's session."""
        options = ort.SessionOptions()
        options.log_severity_level = SILENT
        if threads is not None:
            options.intra_op_num_threads = int(threads)
        try:
            return ort.InferenceSession(content, options, providers=list(providers))
        except Exception as error:  # ONNX Runtime's have no class in common
            raise _damaged(self.path, _reason(error)) from error

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return the outputs by name.

        Raises
        ------
        ModelFileError
            When ONNX Runtime fails, of whose errors the file is the usual reason.
        """
        try:
            values = self._bound(feeds) if self.io_binding else self.session.run(None, dict(feeds))
        except Exception as error:
            reason = _reason(error)
            raise ModelFileError(f"{self.path}: ONNX Runtime failed ({reason})") from error
        return dict(zip(self.outputs, values, strict=True))

    def _bound(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Return the outputs of inputs that are bound, those that have defaults among them."""
        from onnxruntime import OrtValue

        binding = self.session.io_binding()
        for name, value in feeds.items():
            # `bind_cpu_input` knows no inputs that have defaults
            bound = OrtValue.ortvalue_from_numpy(np.require(value, requirements="C"))
            binding.bind_ortvalue_input(name, bound)
        for name in self.outputs:
            binding.bind_output(name)
        self.session.run_with_iobinding(binding)
        found: list[NDArray[Any]] = binding.copy_outputs_to_cpu()
        return found

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
    """Return what the file says of itself; ModelFileError as of a `Session`."""
    return _metadata(_content(Path(path)), Path(path))


def onnx_runtime() -> Any:
    """Return the module; ParameterError where it is not installed, or twice."""
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
    """Return the names of the installed distributions that bring the module `onnxruntime`."""

    def is_installed(name: str) -> bool:
        try:
            distribution(name)
        except PackageNotFoundError:
            return False
        return True

    return tuple(filter(is_installed, RUNTIMES))


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


def _content(path: Path) -> bytes:
    """Return the bytes of a file; ModelFileError where they are not those that were written."""
    if not path.exists():
        raise ModelFileError(f"{path}: no such file")
    if not path.is_file():
        what = "a directory" if path.is_dir() else "a device or a pipe"
        raise ModelFileError(f"{path}: {what}, not a model file")
    size = path.stat().st_size
    if size > LARGEST:
        raise ModelFileError(f"{path}: {size / 2**30:.1f} GiB; an ONNX file has 2 GiB at most")
    content = path.read_bytes()
    if is_intact(content) is False:
        raise _damaged(path, "its checksum is of another content")
    return content


def _metadata(content: bytes, path: Path) -> dict[str, Any]:
    """Return what a file says of itself; ModelFileError where it is damaged or not augan's."""
    try:
        found = read_contents(content).properties
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    own = {k.removeprefix(PREFIX): v for k, v in found.items() if k.startswith(PREFIX)}
    own.pop(KEY.removeprefix(PREFIX), None)
    made = _format(own, path)
    if made > FORMAT:
        by = shown(own.get("augan", "").strip('"'))[1:-1]
        raise ModelFileError(
            f"{path}: made by a newer augan ({by}, format {made}; this is {__version__}, which "
            f"reads up to format {FORMAT})"
        )
    if made >= CHECKED_SINCE and is_intact(content) is None:
        raise _damaged(path, "it has lost its checksum")
    try:
        metadata = {key: json.loads(text) for key, text in own.items()}
    except (ValueError, RecursionError) as error:
        raise _foreign(path) from error
    if made < CHECKED_SINCE:
        message = f"{path}: made before files had checksums; damage to it is not noticed"
        warnings.warn(message, DataWarning, stacklevel=4)
    return metadata


def _format(own: dict[str, str], path: Path) -> int:
    """Return the number of the format of metadata."""
    text = own.get("format", "")
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise _foreign(path)
    return int(text)


def _foreign(path: Path) -> ModelFileError:
    return ModelFileError(f"{path}: an ONNX file, but not one that augan made")


def _damaged(path: Path, reason: str) -> ModelFileError:
    return ModelFileError(f"{path}: not an ONNX file, or damaged ({reason})")


def _reason(error: Exception) -> str:
    """Return the first line of what ONNX Runtime says, without its codes."""
    lines = str(error).strip().splitlines()
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : ", "", lines[0] if lines else repr(error))
    return text if len(text) <= MOST_SAID else f"{text[:MOST_SAID]}..."
