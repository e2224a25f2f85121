"""Data on disk, whatever its kind."""

from __future__ import annotations

from pathlib import Path

from augan.io.arrays import ArraySource
from augan.io.tables import CsvOptions, TableSource

Source = ArraySource | TableSource


def open_data(path: Path, options: CsvOptions | None = None) -> Source:
    """Return the table or array at `path`; DataError says what is wrong with it."""
    if path.suffix.lower() in (".npy", ".npz") and not path.is_dir():
        return ArraySource(path)
    return TableSource(path, options)
