"""Columns in an option: one name, or several separated by commas."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path


def column_list(
    texts: Sequence[str] | None, found: Sequence[str], option: str, path: Path
) -> list[str]:
    """Return the columns that `option` names, each once, of those `found` in the file `path`.

    ``a,b`` are the columns a and b, unless there is a column ``a,b``.

    Raises
    ------
    DataError
        For a column that does not exist.
    """
    names: list[str] = []
    for text in texts or []:
        for name in _split(text, set(found)):
            if name not in found:
                raise no_column(path, name, found, f" ({option})")
            if name not in names:
                names.append(name)
    return names


def no_column(path: Path, name: str, found: Sequence[str], option: str = "") -> Exception:
    """Return the error for a missing column, which lists the existing ones."""
    from augan.exceptions import DataError, listed, shown

    alike = difflib.get_close_matches(name, found, 1)
    meant = f"; did you mean {shown(alike[0])}? It has" if alike else "; it has"
    return DataError(f"{path}: no column {shown(name)}{option}{meant} {listed(found)}")


def _split(text: str, found: set[str]) -> list[str]:
    """Split a text at commas, except for those within the name of a column."""
    if text in found:
        return [text]
    parts, names, start = text.split(","), [], 0
    while start < len(parts):
        for stop in range(len(parts), start, -1):
            name = ",".join(parts[start:stop])
            if name in found or name.strip() in found:
                names.append(name if name in found else name.strip())
                break
        else:
            stop = start + 1
            names.append(parts[start].strip())
        start = stop
    return [name for name in names if name or "" in found] or [text]
