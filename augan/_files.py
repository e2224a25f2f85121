"""Atomic writing of files and folders, and the check that an input is a regular file."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from augan._leftovers import beside, remove_leftovers
from augan.exceptions import AuganError, DataError, shown

DESCRIPTOR = re.compile(r"/(?:dev|proc/(?:self|\d+))/fd/(\d+)")
STREAMS = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
MAX_LINKS = 40
KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path next to `path`, which is renamed to `path` unless an error occurs.

    The content is synced to disk before the file is renamed, so that a crash never leaves half a
    file. Symbolic links are followed, and mode and owner of an existing file are kept. Devices,
    pipes and open descriptors (``/dev/stdout``) are not replaced; the content is written to them at
    the end.

    Parameters
    ----------
    path : path-like
        The file to write.

    Yields
    ------
    Path
        The temporary file.

    Raises
    ------
    OSError
        If the file cannot be written; it names `path`, not the temporary file.
    """
    given = Path(path)
    check_writable(given)
    if is_stream(given):
        with _copied_into(given) as temporary:
            yield temporary
        return
    target = _followed(given)
    remove_leftovers(target)
    with beside(target) as temporary:
        try:
            _create(temporary, target)
            yield temporary
            with temporary.open("rb") as handle:
                os.fsync(handle.fileno())
            temporary.replace(target)
        except OSError as error:
            if error.filename not in (None, str(temporary)) or isinstance(error, BrokenPipeError):
                raise
            raise _named(error, given) from error


@contextlib.contextmanager
def atomic_folder(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary folder, which is renamed to `folder` unless an error occurs.

    Parameters
    ----------
    folder : path-like
        A folder that does not exist or is empty.

    Raises
    ------
    OSError
        If it cannot be written; it names `folder`, not the temporary one.
    """
    given = Path(folder)
    target = _followed(given)
    remove_leftovers(target)
    with beside(target) as temporary:
        try:
            temporary.mkdir()
            yield temporary
            if target.exists():
                os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))
                target.rmdir()
            temporary.replace(target)
        except OSError as error:
            if str(temporary) not in f"{error.filename} {error.filename2}":
                raise
            raise _named(error, given) from error


@contextlib.contextmanager
def naming(file: Path) -> Iterator[None]:
    """Set the file name of an OSError that has none."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = str(file)
        raise


def check_writable(target: Path) -> None:
    """Check that a file can be written, as far as can be told in advance.

    Raises
    ------
    OSError
        The error that writing to `target` would raise.
    """
    if "\0" in str(target):
        raise OSError(errno.EINVAL, "a file name with a NUL byte", str(target))
    if is_stream(target):
        return
    try:
        kind = target.stat().st_mode
    except FileNotFoundError:
        kind = stat.S_IFREG
    for is_kind, code in ((stat.S_ISDIR, errno.EISDIR), (stat.S_ISSOCK, errno.ENXIO)):
        if is_kind(kind):
            raise OSError(code, os.strerror(code), str(target))
    if stat.S_ISBLK(kind):
        raise OSError(errno.EPERM, "a block device", str(target))
    place = _followed(target)
    if not place.parent.exists():
        message = "the directory does not exist"
        raise FileNotFoundError(errno.ENOENT, message, str(target))
    if not place.parent.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(target))
    for needed in [place.parent, *([place] if place.exists() else [])]:
        if not os.access(needed, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(target))


def check_file(
    path: str | os.PathLike[str], error: type[AuganError] = DataError, *, folder: bool = False
) -> None:
    """Refuse an input that exists and is not a regular file, such as a device or a pipe.

    Reading one could wait or read without end. A path that does not exist passes: opening it
    gives the system's own message.

    Parameters
    ----------
    path : path-like
        The input.
    error : type of AuganError, default=DataError
        The exception to raise.
    folder : bool, default=False
        Whether a folder is accepted, too.

    Raises
    ------
    AuganError
        Of the type `error`, if `path` is no regular file or no valid file name.
    """
    try:
        mode = Path(path).stat().st_mode
    except FileNotFoundError:
        return
    except ValueError:
        raise error(f"{shown(str(path))}: no such file") from None
    for is_kind, name in KINDS:
        if is_kind(mode) and not (folder and name == "a folder"):
            raise error(f"{path}: {name}, not a file")


def is_stream(target: Path) -> bool:
    """Whether `target` is a character device, a pipe or an open descriptor."""
    if _descriptor(target) is not None:
        return True
    try:
        kind = target.stat().st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISCHR(kind) or stat.S_ISFIFO(kind)


def is_same_file(first: Path, second: Path) -> bool:
    """Whether two paths lead to the same existing file."""
    try:
        return first.samefile(second)
    except (OSError, ValueError):
        return False


def _descriptor(target: Path) -> int | None:
    """Return the descriptor of a path such as /dev/stdout, or of a link to one."""
    path = os.path.abspath(target)
    for _ in range(MAX_LINKS):
        found = DESCRIPTOR.fullmatch(path)
        if path in STREAMS or found is not None:
            return STREAMS[path] if found is None else int(found[1])
        try:
            path = os.path.abspath(os.path.join(os.path.dirname(path), os.readlink(path)))
        except (OSError, ValueError):
            return None
    return None


def _followed(target: Path) -> Path:
    """Return the target of a path, which need not exist."""
    return Path(os.path.realpath(target))


@contextlib.contextmanager
def _copied_into(target: Path) -> Iterator[Path]:
    """Yield a temporary path, whose content is written to `target` at the end."""
    with tempfile.TemporaryDirectory(prefix="augan-") as folder:
        temporary = Path(folder) / (target.name or "out")
        yield temporary
        descriptor = _descriptor(target)
        try:
            if descriptor == 1 and sys.stdout is not None:
                sys.stdout.flush()
            out = os.open(target, os.O_WRONLY) if descriptor is None else os.dup(descriptor)
            with temporary.open("rb") as source, os.fdopen(out, "wb") as sink:
                shutil.copyfileobj(source, sink)
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            raise _named(error, target) from error


def _create(temporary: Path, target: Path) -> None:
    """Create an empty file with the mode and owner of the file that it will replace."""
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        old = target.stat()
    except FileNotFoundError:
        return
    new = temporary.stat()
    if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid) and hasattr(os, "chown"):
        with contextlib.suppress(PermissionError):
            os.chown(temporary, old.st_uid, old.st_gid)
    os.chmod(temporary, stat.S_IMODE(old.st_mode))


def _named(error: OSError, target: Path) -> OSError:
    """Return the error with the name of the file that the user gave."""
    text = error.strerror or (str(error).strip() or repr(error)).splitlines()[0]
    return type(error)(error.errno or errno.EIO, text, str(target))
