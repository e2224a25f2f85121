"""Running an exported file with ONNX Runtime, without torch and onnx."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augan.deploy.interface import TEXT, check_answers, check_interface, interface_of
from augan.deploy.onnx_file import damaged, read_file
from augan.deploy.runtime import NAMED_PROVIDERS, chosen_providers, onnx_runtime, warn_of_no_gpu
from augan.exceptions import ModelFileError, ParameterError, shown

SILENT = 4  # log level of ONNX Runtime: nothing is printed; errors are raised anyway
DEFAULT_LEVEL = 2  # its default: warnings and errors
NOISE = (  # parts of error messages that do not help
    r"^\[ONNXRuntimeError\] : \d+ : \w+ : ",
    r"^Load model from .*?failed: ?",
    r"/\S+:\d+ .*?\)\s",
)
MAX_REASON = 200  # characters of an error message
MAX_THREADS = 1024


class Session:
    """A model file and the ONNX Runtime session that runs it.

    Parameters
    ----------
    path : path-like
        File written by `export_onnx`.
    part : str, optional
        The part that the file must hold.
    providers : str or sequence of str, default="auto"
        "auto" (CUDA if there is a device), "cpu", "cuda", "tensorrt", or ONNX Runtime's names.
    threads : int, optional
        CPU threads; ``None`` is ONNX Runtime's default.
    io_binding : bool, optional
        Whether to use I/O binding; ``None`` uses it on a GPU. It does not support strings.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, not exported by augan or by a newer version, or holds
        another part.
    ParameterError
        If a parameter has an invalid value, a provider is not available, or ONNX Runtime is not
        installed.
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
        chosen = chosen_providers(ort, providers)
        content, self.metadata = read_file(self.path)
        found = self.metadata["part"]
        if part is not None and found != part:
            raise ModelFileError(
                f"{path}: holds the {found}, not the {part}; export with part={shown(part)}"
            )
        self.interface = interface_of(self.metadata, self.path)
        self.session = self._started(ort, content, chosen, threads, providers == "auto")
        running = self.session.get_providers()
        if chosen[0] not in running:
            if providers != "auto":
                raise _unusable(
                    chosen[0], "its libraries, such as CUDA and cuDNN, cannot be loaded"
                )
            warn_of_no_gpu()
        on_gpu = running[0] != "CPUExecutionProvider"
        check_interface(self.session, self.interface, self.path)
        self.outputs = list(self.interface.outputs)
        ends = (*self.interface.inputs.values(), *self.interface.outputs.values())
        texts = any(value.type == TEXT for value in ends)
        self.io_binding = (on_gpu if io_binding is None else io_binding) and not texts

    def _started(
        self,
        ort: Any,
        content: bytes,
        providers: Sequence[str],
        threads: int | None,
        may_fall_back: bool,
    ) -> Any:
        """Return ONNX Runtime's session; on the CPU if `may_fall_back` and the provider fails."""
        options = ort.SessionOptions()
        options.log_severity_level = SILENT
        # its planning takes time that grows with the square of the nodes: half a minute for 200
        # columns, whose steps follow each other
        options.enable_mem_reuse = self.metadata.get("codes") is None
        if threads is not None:
            options.intra_op_num_threads = int(threads)
        reason = ""
        for names in dict.fromkeys((tuple(providers), NAMED_PROVIDERS["cpu"])):
            try:  # ONNX Runtime's own fallback prints to stdout
                with _quiet(ort, names):
                    found = ort.InferenceSession(
                        content, options, providers=list(names), enable_fallback=0
                    )
            except Exception as error:  # ONNX Runtime's exceptions have no common class
                reason = _reason(error)
                continue
            if names == tuple(providers) or may_fall_back:
                return found
            raise _unusable(providers[0], reason)
        raise damaged(self.path, reason)

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return the outputs by name, given the inputs by name.

        Raises
        ------
        ModelFileError
            If ONNX Runtime fails, or an output has an unexpected shape or is NaN.
        """
        try:
            if self.io_binding:
                values = self._bound(feeds)
            else:
                values = self.session.run(self.outputs, dict(feeds))
        except Exception as error:
            reason = _reason(error)
            raise ModelFileError(f"{self.path}: ONNX Runtime failed ({reason})") from error
        answers = dict(zip(self.outputs, values, strict=True))
        n = len(next(iter(feeds.values())))
        check_answers(answers, self.interface, n, self.path)
        return answers

    def constant(self, name: str, feeds: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """Return an output that does not depend on the inputs, which are fed all the same.

        Raises
        ------
        ModelFileError
            If ONNX Runtime fails, or the output has an unexpected shape.
        """
        try:
            found: NDArray[Any] = self.session.run([name], dict(feeds))[0]
        except Exception as error:
            reason = _reason(error)
            raise ModelFileError(f"{self.path}: ONNX Runtime failed ({reason})") from error
        if found.shape != self.interface.constants[name].sizes:
            raise ModelFileError(f"{self.path}: {shown(name)} has the shape {found.shape}")
        return found

    def _bound(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Return the outputs, computed with I/O binding."""
        from onnxruntime import OrtValue

        binding = self.session.io_binding()
        kept = {name: np.require(value, requirements="C") for name, value in feeds.items()}
        for name, value in kept.items():  # arrays that ONNX Runtime reads must outlive the run
            # `bind_cpu_input` does not support optional inputs
            binding.bind_ortvalue_input(name, OrtValue.ortvalue_from_numpy(value))
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
        """Call `run` on chunks of `size` rows, each with the `shared` inputs, and join the outputs.

        Raises
        ------
        ModelFileError
            If ONNX Runtime fails, or an output has an unexpected shape or is NaN.
        """
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
    """Return the metadata in a file.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, or not exported by augan or by a newer version.
    """
    return read_file(Path(path))[1]


@contextlib.contextmanager
def _quiet(ort: Any, providers: Sequence[str]) -> Iterator[None]:
    """Silence ONNX Runtime's messages about GPU libraries that cannot be loaded."""
    if providers[0] == "CPUExecutionProvider":
        yield
        return
    ort.set_default_logger_severity(SILENT)
    try:
        yield
    finally:
        ort.set_default_logger_severity(DEFAULT_LEVEL)


def _unusable(provider: str, reason: str) -> ParameterError:
    """Return the error of a provider that cannot be used."""
    return ParameterError(f"{provider} cannot be used here ({reason})")


def _reason(error: Exception) -> str:
    """Return the first line of an error message, without error codes and source paths."""
    text = (str(error).strip() or repr(error)).splitlines()[0]
    for noise in NOISE:
        text = re.sub(noise, "", text, count=1)
    return shown(text, MAX_REASON)[1:-1]
