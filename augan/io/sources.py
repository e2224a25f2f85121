"""Data on disk, whatever its kind."""

from __future__ import annotations

from pathlib import Path

from augan.io.arrays import ArraySource
from augan.io.image_folder import ImageFolder, holds_images
from augan.io.regular import check_file
from augan.io.tables import CsvOptions, TableSource, holds_tables

STDIN = Path("-")
Source = ArraySource | ImageFolder | TableSource


def open_data(
    path: Path,
    options: CsvOptions | None = None,
    *,
    training: bool = False,
    skip_bad: bool = False,
    without: Path | None = None,
) -> Source:
    """Return the table, array or folder of images at `path`; DataError says what is wrong.

    `training`, `skip_bad` and `without` are those of `ImageFolder`.
    """
    if path != STDIN:
        check_file(path, folder=True)
    if path.is_dir() and not holds_tables(path) and holds_images(path):
        return ImageFolder(path, training=training, skip_bad=skip_bad, without=without)
    if path.suffix.lower() in (".npy", ".npz") and not path.is_dir():
        return ArraySource(path)
    return TableSource(path, options)
