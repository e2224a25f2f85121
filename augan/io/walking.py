"""The files in a folder and its subfolders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

UNSEEN = ("__MACOSX",)  # folders that archives contain


def files_below(folder: Path) -> Iterator[Path]:
    """Yield all files that are not hidden, sorted by name, also those in linked folders.

    Links to a parent folder are not followed.
    """
    yield from _below(folder, frozenset())


def readable(name: str) -> str:
    r"""Return a file name as encodable text, in which a byte E9 becomes ``\udce9``."""
    return name.encode("utf-8", "backslashreplace").decode()


def is_hidden(name: str) -> bool:
    """Whether a file or folder is hidden or made by the system."""
    return name.startswith(".") or name in UNSEEN


def _below(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    status = folder.stat()
    here = status.st_dev, status.st_ino
    if here in above:
        return
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if is_hidden(entry.name):
            continue
        if entry.is_dir():
            yield from _below(folder / entry.name, above | {here})
        else:
            yield folder / entry.name
