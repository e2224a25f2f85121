"""Command-line options of the benchmarks, and the loop over jobs without results."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from results import Result, append, provenance, read
from threadpoolctl import threadpool_limits

Rows = TypeVar("Rows")


def run_missing(
    file: Path,
    jobs: Iterable[tuple[Result, Rows]],
    measure: Callable[[Result, Rows], list[Result]],
    *,
    key: tuple[str, ...],
    fresh: bool = False,
) -> None:
    """Append the figures of the jobs whose fields `key` are not in the file yet.

    An exception of `measure` becomes the field `error` of a line. With `fresh`, only lines of this
    commit count.
    """
    origin = provenance()
    known = ("commit", *key) if fresh else key
    done = {tuple(line.get(name) for name in known) for line in read(file, known)}
    for job, rows in jobs:
        line = job | origin
        if tuple(line[name] for name in known) in done:
            continue
        for figures in _caught(measure, job, rows):
            append(file, line | figures)
        print(_progress(line | figures, key), file=sys.stderr, flush=True)


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that all benchmarks have."""
    add = parser.add_argument
    add("--data", type=Path, help="where the data is; needed unless --report")
    add("--threads", type=int, default=1)
    add("--fresh", action="store_true", help="run jobs again that have results of another commit")
    add("--results", type=Path, help="file of the results, if not the one in results/")
    add("--report", action="store_true", help="only print the tables of the results")


def add_parts(parser: argparse.ArgumentParser) -> None:
    """Add the options to run several processes side by side."""
    add = parser.add_argument
    add("--part", type=int, default=0, help="which part of the sets to run")
    add("--parts", type=int, default=1, help="into how many parts to cut the sets")


def run(main: Callable[[], None]) -> None:
    """Run a benchmark; a file that cannot be read ends it with one line."""
    try:
        main()
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.exit(f"error: {where}{error.strerror or error}")


def parse(parser: argparse.ArgumentParser, *, of_a_file: bool = False) -> argparse.Namespace:
    """Return the options; ends the program when they do not go together.

    `of_a_file` says that --data is a file and not the folder that it is in.
    """
    arguments = parser.parse_args()
    if arguments.report:
        return arguments
    if arguments.data is None:
        parser.error("--data is needed, or --report")
    if of_a_file and not arguments.data.is_file():
        parser.error(f"--data {arguments.data}: no such file")
    if not of_a_file and not arguments.data.is_dir():
        parser.error(f"--data {arguments.data}: no such folder")
    return arguments


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Hold torch and the linear algebra of numpy and scikit-learn to `n` threads."""
    torch.set_num_threads(n)
    with threadpool_limits(n):
        yield


def _caught(measure: Callable[[Result, Any], list[Result]], job: Result, rows: Any) -> list[Result]:
    try:
        return measure(job, rows)
    except (ImportError, FileNotFoundError):
        raise  # of the environment, not of the method
    except Exception as error:
        return [{"error": f"{type(error).__name__}: {error}"[:300]}]


def _progress(line: Result, key: tuple[str, ...]) -> str:
    score = next((f"{k.upper()} {line[k]:.3f}" for k in ("auroc", "ap") if k in line), "")
    outcome = line.get("error") or f"{score}, {line.get('fit_seconds', 0)} CPU s"
    return ", ".join(str(line[name]) for name in key) + f": {outcome}"
