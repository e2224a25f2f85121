"""Messages, one-line errors and progress of the commands."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

from ._models import is_onnx
from ._process import STOPPED, discard_stdout, printable
from ._reasons import plain_reason

LONGEST = 1000  # characters of a message


def set_threads(
    threads: int | None, *, small_batches: bool = False, model: Path | None = None
) -> None:
    """Set the number of threads of torch; an exported `model` sets its own.

    The default is 1 for small batches, which gain little from a second thread.
    """
    if is_onnx(model):
        return
    import torch

    if small_batches:
        threads = threads or 1
    available = getattr(os, "sched_getaffinity", None)
    torch.set_num_threads(threads or (len(available(0)) if available else os.cpu_count() or 1))


def say(message: str, *, quiet: bool = False) -> None:
    """Print a line to stderr."""
    if not quiet:
        with contextlib.suppress(OSError):  # a closed stream does not stop the work
            print(printable(" ".join(message.split())), file=sys.stderr, flush=True)


@contextlib.contextmanager
def plain_errors(stopped: Callable[[], str] = lambda: STOPPED) -> Iterator[None]:
    """Print user errors and warnings as one line each; exit with code 1 after an error.

    Raises
    ------
    typer.Exit
        After an error that was printed.
    """
    from augan.exceptions import AuganError

    with warnings.catch_warnings(), _logged_warnings():
        warnings.showwarning = _show_warning
        warnings.simplefilter("always", UserWarning)
        try:
            yield
        except BrokenPipeError:
            discard_stdout()
            raise typer.Exit(1) from None
        except AuganError as error:
            _fail(str(error))
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            _fail(f"{where}{error.strerror or error}")
        except ModuleNotFoundError as error:
            name = str(error.name or error).partition(".")[0]
            _fail(f"{name} is not installed: pip install 'augan[train]'")
        except KeyboardInterrupt as error:
            say(stopped())
            raise typer.Exit(getattr(error, "exit_code", 130)) from None
        except Exception as error:
            reason = plain_reason(error)
            if reason is None:
                raise
            _fail(reason)


@contextlib.contextmanager
def _logged_warnings() -> Iterator[None]:
    """Print warnings that the package logs like other warnings."""
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: _show_warning(record.getMessage(), UserWarning)  # type: ignore[method-assign]
    logger = logging.getLogger("augan")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@contextlib.contextmanager
def data_errors(path: Path | str) -> Iterator[None]:
    """Put the name of the file before an estimator's errors about its rows.

    Raises
    ------
    DataError
        For a ValueError that is not about a parameter.
    """
    from augan.exceptions import AuganError, DataError

    try:
        yield
    except ValueError as error:
        if isinstance(error, AuganError) and not isinstance(error, DataError):
            raise  # of a parameter, or a checkpoint
        raise DataError(f"{path}: {error}") from error


def _fail(message: str) -> None:
    cut = message if len(message) <= LONGEST else f"{message[:LONGEST]}…"
    say(f"augan: error: {cut}")
    raise typer.Exit(1) from None


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str = "", *_: Any, **__: Any
) -> None:
    """Print a warning; those of Pillow do not name the file, and damaged files are errors."""
    if issubclass(category, UserWarning) and "PIL" not in Path(filename).parts:
        say(f"augan: warning: {message}")


@contextlib.contextmanager
def progress(quiet: bool) -> Iterator[Any]:
    """Yield a rich progress display on stderr, shown only on a terminal."""
    from augan.training.progress import TrainingDisplay

    from ._terminal import PlainConsole

    console = PlainConsole(stderr=True)
    with TrainingDisplay(console, disable=quiet or not console.is_terminal) as display:
        yield display


def training_progress(display: Any) -> Any:
    """Return the callback that shows the training progress on `display`."""
    from augan.training.progress import TrainingProgress

    return TrainingProgress(display)


def print_facts(facts: dict[str, Any]) -> None:
    """Print names and values as a table, nested values on separate lines."""
    from rich.table import Table

    from ._terminal import PlainConsole

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in facts.items():
        for i, line in enumerate(_lines(value)):
            table.add_row(name.replace("_", " ") if i == 0 else "", line)
    PlainConsole().print(table)


def _lines(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [f"{_short(k)}: {_short(v)}" for k, v in value.items()] or ["none"]
    return [_short(value)]


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{_short(k)} {_short(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_short, value)) or "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("\n", "\\n")
