"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`; move it there at the end, delete it on an error.

    The content is on disk before the name is: a machine that stops in between leaves what was
    there before, never half a file. An OSError names `path`, not the temporary one.
    """
    target = Path(path)
    check_writable(target)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as handle:
            os.fsync(handle.fileno())
        temporary.replace(target)
    except OSError as error:
        _remove(temporary)
        if error.filename not in (None, str(temporary)) or isinstance(error, BrokenPipeError):
            raise
        raise _named(error, target) from error
    except BaseException:
        _remove(temporary)
        raise


def check_writable(target: Path) -> None:
    """Raise the OSError that writing to `target` would end in, as far as can be told now."""
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    if not target.parent.exists():
        message = "the directory does not exist"
        raise FileNotFoundError(errno.ENOENT, message, str(target))
    if not target.parent.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(target))


def _remove(temporary: Path) -> None:
    with contextlib.suppress(OSError):  # the first error is the one to show
        temporary.unlink(missing_ok=True)


def _named(error: OSError, target: Path) -> OSError:
    """Return the error with the name of the file that the user asked for."""
    text = error.strerror or (str(error).strip() or repr(error)).splitlines()[0]
    return type(error)(error.errno or errno.EIO, text, str(target))
