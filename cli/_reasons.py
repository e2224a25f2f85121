"""Errors of libraries that come from data or from what the machine has, in plain words."""

from __future__ import annotations

import struct
import sys
import zlib

TOO_LITTLE = (  # how torch, numpy, CUDA and ONNX Runtime say it
    *("can't allocate memory", "not enough memory", "out of memory", "unable to allocate"),
    *("failed to allocate", "bad allocation", "std::bad_alloc", "alloc_failed"),
)
LOWER = "lower batch_size, width, memory_size or image_size (--set), or give fewer rows"
OF_DATA = (OverflowError, RecursionError, UnicodeError, struct.error, zlib.error)


def plain_reason(error: Exception) -> str | None:
    """Return one line about an error that is not augan's own; None for what no user can mend."""
    from augan.exceptions import shown

    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    known = isinstance(error, MemoryError) or _is_of(error, "torch", "OutOfMemoryError")
    if known or any(words in str(error).lower() for words in TOO_LITTLE):
        return f"not enough memory: {LOWER}"
    if isinstance(error, OF_DATA) or _is_of(error, "pyarrow", "ArrowException"):
        return f"the data cannot be used: {type(error).__name__}: {shown(said, 200)[1:-1]}"
    return None


def _is_of(error: Exception, module: str, name: str) -> bool:
    """Whether an error is of a class of a module, which need not be loaded to know."""
    kind = getattr(sys.modules.get(module), name, None)
    return kind is not None and isinstance(error, kind)
