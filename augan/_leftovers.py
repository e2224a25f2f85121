"""Temporary files and folders beside what they become, and those that a killed run has left."""

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
MAX_BYTES = 200  # of a name, so that with what is added file systems take it
_in_use: set[Path] = set()  # of this process


@contextlib.contextmanager
def beside(target: Path) -> Iterator[Path]:
    """Give a path beside `target` that nothing has; what is there at the end is removed.

    The name says which process of which machine writes it.
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
    """Remove what processes that are no more, of this machine, have left of writing `target`."""
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
    """Return what tells machines and containers that share a disk apart."""
    try:
        numbers = os.readlink("/proc/self/ns/pid")
    except OSError:
        numbers = ""
    return hashlib.sha256(f"{socket.gethostname()} {numbers}".encode()).hexdigest()[:8]


def _is_running(pid: int) -> bool:
    if os.name != "posix":
        return True  # os.kill would end it
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _remove(path: Path) -> None:
    """Remove a file or a folder, if it is there; the error that led here is the one to show."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
