"""Data from standard input, kept in a temporary file: some of it is read more than once."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

from augan.exceptions import DataError

LABEL = "stdin"
FIRST_BYTES = 16
GZIP, ZSTD, BZIP2 = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"BZh"
ENDINGS = {  # by the first bytes; anything else is CSV
    b"PAR1": ".parquet",
    GZIP: ".csv.gz",
    ZSTD: ".csv.zst",
    BZIP2: ".csv.bz2",
}
ARRAYS = (b"\x93NUMPY", b"PK\x03\x04")

_kept: tuple[Any, Any, Path] | None = None  # the stream, its folder, and the file


def spooled() -> Path:
    """Return a file with all of standard input, read once; DataError where it is no table."""
    global _kept
    stream: Any = sys.stdin
    if _kept is None or _kept[0] is not stream:
        folder = tempfile.TemporaryDirectory(prefix="augan-")
        _kept = (stream, folder, _write(getattr(stream, "buffer", stream), Path(folder.name)))
    return _kept[2]


def _write(stream: BinaryIO, folder: Path) -> Path:
    first = stream.read(FIRST_BYTES)
    if first.startswith(ARRAYS):
        raise DataError(f"{LABEL}: arrays of NumPy; name the file")
    ending = next((end for start, end in ENDINGS.items() if first.startswith(start)), ".csv")
    if ending == ".csv" and first.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        ending = ".jsonl"
    path = folder / f"{LABEL}{ending}"
    with path.open("wb") as file:
        file.write(first)
        shutil.copyfileobj(stream, file, 2**20)
    return path
