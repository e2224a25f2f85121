"""Inputs are files or folders: a device or a pipe would be read without an end, or waited for."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from augan.exceptions import AuganError, DataError, shown

KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def check_file(
    path: str | os.PathLike[str], error: type[AuganError] = DataError, *, folder: bool = False
) -> None:
    """Raise an error for what is there and no file, nor, where it may be one, a `folder`."""
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        return  # whoever opens it says so
    except ValueError:
        raise error(f"{shown(str(path))}: no such file") from None
    for is_kind, name in KINDS:
        if is_kind(mode) and not (folder and name == "a folder"):
            raise error(f"{path}: {name}, not a file")
