"""The files in a folder and below it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

UNSEEN = ("__MACOSX",)  # what archives bring along; names that begin with a dot are hidden too


def files_below(folder: Path) -> Iterator[Path]:
    """Give all files that are not hidden, those in linked folders too, in the order of names.

    A link to a folder that it lies in is not followed.
    """
    yield from _below(folder, frozenset())


def readable(name: str) -> str:
    r"""Return a file name as text that can be written; a byte E9 that is no text as ``\udce9``."""
    return name.encode("utf-8", "backslashreplace").decode()


def is_hidden(name: str) -> bool:
    """Whether a file or folder of a name is not the user's."""
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
