"""Messages of libtiff, which Pillow decodes TIFF files with: caught instead of printed."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import threading
from collections.abc import Iterator
from pathlib import Path

import PIL
from PIL import Image  # noqa: F401 - loads libtiff

MAPS = Path("/proc/self/maps")  # of Linux: the libraries that are loaded
_found = threading.local()


@contextlib.contextmanager
def caught_messages() -> Iterator[list[str]]:
    """Yield a list that gets the parts of libtiff that report an error in this thread."""
    _install()
    found: list[str] = []
    _found.sources = found
    try:
        yield found
    finally:
        del _found.sources


@functools.cache
def _install() -> None:
    """Replace the functions of libtiff that print errors and warnings to stderr."""
    for path in _libraries():
        with contextlib.suppress(OSError, AttributeError):
            library = ctypes.CDLL(path)
            library.TIFFSetWarningHandler(None)
            library.TIFFSetErrorHandler(_remember)


def _libraries() -> list[str]:
    """Return the paths of the libtiff that Pillow has loaded, if they can be found."""
    if MAPS.exists():
        paths = (line.split(maxsplit=5)[-1].strip() for line in MAPS.read_text().splitlines())
        return sorted({path for path in paths if "/libtiff" in path})
    return sorted(map(str, Path(PIL.__file__).parent.glob(".dylibs/libtiff*")))


@ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)  # type: ignore[untyped-decorator]
def _remember(source: bytes | None, text: bytes | None, arguments: int | None) -> None:
    with contextlib.suppress(AttributeError):  # outside of `caught_messages`
        _found.sources.append((source or b"libtiff").decode("ascii", "replace"))
