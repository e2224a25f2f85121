"""Signals, closed output streams and exit codes of the process."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import signal
import sys
import unicodedata
from collections.abc import Iterator
from typing import Any

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
STOPPED = "augan: stopped"


class Stopped(KeyboardInterrupt):
    """Raised on a signal that stops the command: Ctrl-C, SIGTERM or SIGHUP."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


class ClosedStream(io.TextIOBase):
    """Replaces an output stream that the shell has closed: writing to it raises OSError."""

    def writable(self) -> bool:
        """Return True, so that `write` is called."""
        return True

    def write(self, text: str) -> int:
        """Raise OSError.

        Raises
        ------
        OSError
            Always.
        """
        raise OSError(errno.EBADF, "is closed", "stdout")


class Signals:
    """Raises `Stopped` on signals; keeps the last exit code, in case it is caught elsewhere."""

    def __init__(self) -> None:
        self.exit_code: int | None = None

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        """Handle the signals that are not ignored (as nohup does), then restore the handlers."""
        numbers = [getattr(signal, name) for name in SIGNALS if hasattr(signal, name)]
        before = {n: signal.getsignal(n) for n in numbers}
        for number in numbers:
            if before[number] is not signal.SIG_IGN:
                signal.signal(number, self._stop)
        try:
            yield
        finally:
            for number, handler in before.items():
                if handler is not signal.SIG_IGN:
                    default = signal.SIG_DFL if number == signal.SIGINT else handler
                    signal.signal(number, default)

    def _stop(self, number: int, _: Any) -> None:
        self.exit_code = 128 + number
        raise Stopped(number)


def ready_streams() -> None:
    """Make the standard streams writable for any text, and replace closed ones.

    A descriptor that is closed would be given to the next file that is opened, and what is meant
    for the stream would end up there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    if sys.stdout is None:
        sys.stdout = ClosedStream()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def flush(exit_code: int) -> int:
    """Flush stdout; return the exit code, or 1 if that failed."""
    try:
        sys.stdout.flush()
    except OSError as error:
        discard_stdout()
        if isinstance(error, BrokenPipeError):
            return exit_code or 1
        print(f"augan: error: stdout: {error.strerror or error}", file=sys.stderr)
        return 1
    return exit_code


def discard_stdout() -> None:
    """Redirect stdout to the null device, so that no further write fails."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def printable(text: str) -> str:
    """Return a text with control characters escaped, except for newlines."""
    return text if text.isprintable() else "".join(map(_printable, text))


def _printable(character: str) -> str:
    plain = character.isprintable() or character == "\n" or unicodedata.category(character) == "Zs"
    return character if plain else ascii(character)[1:-1]
