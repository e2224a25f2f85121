"""Errors of libraries that are due to the data or to a lack of memory, as one line."""

from __future__ import annotations

import struct
import sys
import zlib

TOO_LITTLE = (  # messages of torch, numpy, CUDA and ONNX Runtime
    *("can't allocate memory", "not enough memory", "out of memory", "unable to allocate"),
    *("failed to allocate", "bad allocation", "std::bad_alloc", "alloc_failed"),
)
LOWER = "lower batch_size, width, memory_size or image_size (--set), or give fewer rows"
OF_DATA = (OverflowError, RecursionError, UnicodeError, struct.error, zlib.error)


def plain_reason(error: Exception) -> str | None:
    """Return one line about an error of a library; None for an error in the program."""
    from augan.exceptions import shown

    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    known = isinstance(error, MemoryError) or _is_of(error, "torch", "OutOfMemoryError")
    if known or any(words in str(error).lower() for words in TOO_LITTLE):
        return f"not enough memory: {LOWER}"
    if isinstance(error, OF_DATA) or _is_of(error, "pyarrow", "ArrowException"):
        return f"the data cannot be used: {type(error).__name__}: {shown(said, 200)[1:-1]}"
    return None


def _is_of(error: Exception, module: str, name: str) -> bool:
    """Whether an error is of a class of a module; the module is not imported for this."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(error, kind)
