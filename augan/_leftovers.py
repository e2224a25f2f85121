"""Names of temporary files and folders, and removal of those that killed processes left."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import socket
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SUFFIX = ".tmp"
MAX_BYTES = 200  # of a name, below the limit of file systems
_in_use: set[Path] = set()  # of this process


@contextlib.contextmanager
def beside(target: Path) -> Iterator[Path]:
    """Yield an unused path next to `target`; what is there at the end is removed.

    The name contains the machine and the process.
    """
    name = f".{_stem(target)}.{_place()}-{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
    temporary = target.with_name(name)
    _in_use.add(temporary)
    try:
        yield temporary
    finally:
        _remove(temporary)
        _in_use.discard(temporary)


def remove_leftovers(target: Path) -> None:
    """Remove temporary files of `target` that ended processes of this machine have left."""
    start = f".{_stem(target)}.{_place()}-"
    try:
        found = [e for e in os.scandir(target.parent) if e.name.startswith(start)]
    except OSError:
        return
    for entry in found:
        pid, _, rest = entry.name[len(start) :].partition("-")
        if not (pid.isdigit() and rest.endswith(SUFFIX)):
            continue
        path = target.with_name(entry.name)
        mine = int(pid) == os.getpid()
        if path not in _in_use and (mine or not _is_running(int(pid))):
            _remove(path)


def _stem(target: Path) -> str:
    """Return the name of `target`, shortened if it is very long."""
    name = target.name
    if len(os.fsencode(name)) <= MAX_BYTES:
        return name
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:32]


@cache
def _place() -> str:
    """Return an identifier of the machine or container."""
    try:
        numbers = os.readlink("/proc/self/ns/pid")
    except OSError:
        numbers = ""
    return hashlib.sha256(f"{socket.gethostname()} {numbers}".encode()).hexdigest()[:8]


def _is_running(pid: int) -> bool:
    if os.name != "posix":
        return True  # there, os.kill would end the process
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _remove(path: Path) -> None:
    """Remove a file or folder, ignoring errors."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
