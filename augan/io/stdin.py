"""Data from standard input, in a temporary file, so that it can be read twice."""

from __future__ import annotations

import atexit
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

_kept: tuple[Any, Path] | None = None  # the stream and the file


def spooled() -> Path:
    """Return a temporary file with the content of standard input.

    Raises
    ------
    DataError
        If it is a NumPy array.
    """
    global _kept
    stream: Any = sys.stdin
    if _kept is None or _kept[0] is not stream:
        folder = tempfile.mkdtemp(prefix="augan-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        _kept = (stream, _write(getattr(stream, "buffer", stream), Path(folder)))
    return _kept[1]


def _write(stream: BinaryIO, folder: Path) -> Path:
    first = stream.read(FIRST_BYTES)
    if first.startswith(ARRAYS):
        raise DataError(f"{LABEL}: a NumPy array; give its file name")
    ending = next((end for start, end in ENDINGS.items() if first.startswith(start)), ".csv")
    if ending == ".csv" and first.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        ending = ".jsonl"
    path = folder / f"{LABEL}{ending}"
    with path.open("wb") as file:
        file.write(first)
        shutil.copyfileobj(stream, file, 2**20)
    return path
