"""Opening of data of any kind: tables, arrays and folders of images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from augan._files import check_file
from augan.exceptions import DataError
from augan.io.arrays import ArraySource
from augan.io.image_files import holds_images, is_image_name, is_mvtec
from augan.io.image_folder import ImageFolder
from augan.io.image_options import image_options
from augan.io.stdin import LABEL, spooled
from augan.io.table_files import holds_tables, tables_in
from augan.io.tables import TableSource

STDIN = Path("-")
Source = ArraySource | ImageFolder | TableSource
NOTES = (".txt", ".data")  # next to images, not read as a table unless asked for
OWN_COLUMNS = {"anomaly_score", "p_value", "is_anomaly"}  # of the results of `augan score`


def open_data(
    path: Path,
    options: Any = None,
    *,
    training: bool = False,
    skip_bad: bool = False,
    without: Path | None = None,
    usual: str | None = None,
) -> Source:
    """Return the table, array or folder of images at `path`.

    The path "-" is standard input, which holds a table.

    Parameters
    ----------
    path : Path
        A file or a folder.
    options : ReadOptions, optional
        How files are read. Their `kind` selects images or tables in a folder that holds both.
    training, skip_bad, without : bool, bool, Path
        As in `ImageFolder`.
    usual : {"images", "table"}, optional
        What to read from such a folder if `options` do not tell, such as what a model was trained
        on.

    Returns
    -------
    ArraySource, ImageFolder or TableSource

    Raises
    ------
    DataError
        If `path` does not exist or cannot be read.
    """
    if path == STDIN:
        return TableSource(spooled(), options, label=LABEL)
    check_file(path, folder=True)
    if path.suffix.lower() in (".npy", ".npz") and not path.is_dir():
        return ArraySource(path)
    if _kind(path, options, usual) == "table":
        return TableSource(path, options)
    return ImageFolder(
        *(path, image_options(options)), training=training, skip_bad=skip_bad, without=without
    )


def _kind(path: Path, options: Any, usual: str | None) -> str:
    """Return the kind of data at `path`: "images" or "table"."""
    if not path.is_dir():
        return "images" if is_image_name(path) else "table"
    given = getattr(options, "kind", None)
    if given is not None:
        return str(given)
    if is_mvtec(path):
        return "images"
    if not holds_images(path):
        return "table"
    if not holds_tables(path):
        return "images"
    if usual is not None:
        return usual
    others = [file for file in tables_in(path) if file.suffix.lower() not in NOTES]
    tables = [file for file in others if not _is_own(file, options)]
    if not tables:
        return "images"
    raise DataError(
        f"{path}: holds both images and {tables[0].name}: choose with --kind images or --kind table"
    )


def _is_own(file: Path, options: Any) -> bool:
    """Whether a file holds results of `augan score`."""
    try:
        return set(TableSource(file, options).columns()) >= OWN_COLUMNS
    except DataError:
        return False
