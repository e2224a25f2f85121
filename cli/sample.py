"""`augan sample`: new rows from a model, or a table with its rare classes filled up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from ._console import (
    ColumnNames,
    Delimiter,
    Device,
    Encoding,
    Missing,
    Quiet,
    Threads,
    TrainingProgress,
    csv_options,
    data_errors,
    plain_errors,
    progress,
    say,
    set_threads,
)
from ._parameters import Assignments, assignments, build_estimator
from ._tables import read_labelled

BATCH_ROWS = 16_384
MARK = "synthetic"  # name of the column that says which rows are new
OWN = {  # parameters that the command gives itself
    "callbacks": "only from Python",
    "device": "use --device",
    "random_state": "use --seed",
    "sampling_strategy": "use --ratio",
}


def sample(
    out: Annotated[
        Path, typer.Option(help="File to write: .csv, .parquet or .jsonl; .npy for images.")
    ],
    model: Annotated[
        Path | None, typer.Argument(help="Model file written by augan fit; goes with -n.")
    ] = None,
    number: Annotated[
        int | None, typer.Option("--number", "-n", min=1, help="How many new rows of MODEL.")
    ] = None,
    balance: Annotated[
        Path | None, typer.Option(help="Table to fill up the rare classes of; with --target.")
    ] = None,
    target: Annotated[str | None, typer.Option(help="Column with the classes.")] = None,
    ratio: Annotated[
        float | None,
        typer.Option(help="Of two classes: rows of the rare one for one of the other, else 1."),
    ] = None,
    drop: Annotated[list[str] | None, typer.Option(help="Column to leave out; repeatable.")] = None,
    mark: Annotated[
        bool, typer.Option(help=f"Add the column {MARK!r}, which says what rows are new.")
    ] = True,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same rows.")] = 0,
    set_: Assignments = None,
    device: Device = "auto",
    threads: Threads = None,
    delimiter: Delimiter = ",",
    encoding: Encoding = "utf-8",
    missing: Missing = None,
    column_names: ColumnNames = None,
    quiet: Quiet = False,
) -> None:
    """Write new rows.

    With MODEL and -n: rows like those that the model was trained on. With --balance and --target:
    the rows of a table and, below them, new ones of every class but the largest.
    """
    options = csv_options(delimiter, encoding, missing, column_names)
    with plain_errors():
        _check_request(model, number, balance, target)
        set_threads(threads, small_batches=balance is not None)
        if model is not None:
            n = _write_sample(model, out, int(number or 0), seed, device, quiet=quiet)
            say(f"{n} new rows; wrote {out}", quiet=quiet)
            return
        assert balance is not None and target is not None
        _check_out(out, balance)
        rows, labels, place = read_labelled(balance, options, target, drop or [])
        _check_mark(balance, rows, mark=mark)
        sampler = build_estimator("GANSampler", assignments(set_), OWN)
        strategy = "auto" if ratio is None else ratio
        sampler.set_params(sampling_strategy=strategy, random_state=seed, device=device)
        with progress(quiet) as display, data_errors(balance):
            sampler.set_params(callbacks=[TrainingProgress(display)])
            result, classes = sampler.fit_resample(rows, labels)
        result.insert(place, target, classes)
        if mark:
            result[MARK] = result.index >= len(rows)
        _write(out, (result[i : i + BATCH_ROWS] for i in range(0, len(result), BATCH_ROWS)))
        made = ", ".join(f"{n} new of {k}" for k, n in sampler.sampling_strategy_.items())
        say(f"{len(rows)} rows, {made}; wrote {out}", quiet=quiet)


def _check_request(
    model: Path | None, number: int | None, balance: Path | None, target: str | None
) -> None:
    from augan.exceptions import ParameterError

    if (model is None) == (balance is None):
        raise typer.BadParameter("give either MODEL and -n, or --balance and --target")
    if model is not None and number is None:
        raise ParameterError("MODEL needs -n, how many rows to make")
    if balance is not None and target is None:
        raise ParameterError("--balance needs --target, the column with the classes")
    if balance is not None and number is not None:
        raise ParameterError("-n goes with a MODEL; for --balance there is --ratio")


def _check_out(out: Path, read: Path) -> None:
    """Fail now rather than after the training."""
    from augan.exceptions import ParameterError
    from augan.io.atomic import check_writable
    from augan.io.results import result_format

    if out.suffix.lower() != ".npy":
        result_format(out)
    check_writable(out)
    if out.exists() and read.exists() and out.samefile(read):
        raise ParameterError(f"--out {out}: the file that is read")


def _check_mark(path: Path, rows: Any, *, mark: bool) -> None:
    from augan.exceptions import DataError

    if mark and MARK in rows:
        raise DataError(f"{path}: has a column {MARK!r} already; --no-mark adds none")


def _write_sample(model: Path, out: Path, n: int, seed: int, device: str, *, quiet: bool) -> int:
    """Write `n` rows of a model, a batch at a time: memory does not grow with their number."""
    import numpy as np
    import pandas as pd

    from augan.codecs import ImageCodec
    from augan.exceptions import ParameterError
    from augan.io.atomic import atomic_path
    from augan.io.model_file import load

    _check_out(out, model)
    estimator = load(model, device=device)
    images, is_array = isinstance(estimator.codec_, ImageCodec), out.suffix.lower() == ".npy"
    if images != is_array:
        kind, ending = ("images", ".npy") if images else ("a table", ".csv, .parquet or .jsonl")
        raise ParameterError(f"--out {out}: {model} makes {kind}; use {ending}")
    random = np.random.RandomState(seed)

    def batches() -> Iterator[Any]:
        with progress(quiet) as display:
            task = display.add_task("sample", total=n, note="")
            for start in range(0, n, BATCH_ROWS):
                yield estimator.sample(min(BATCH_ROWS, n - start), random_state=random)
                display.update(task, completed=min(start + BATCH_ROWS, n))

    if images:
        with atomic_path(out) as temporary:
            for start, made in zip(range(0, n, BATCH_ROWS), batches(), strict=True):
                if start == 0:
                    file = np.lib.format.open_memmap(
                        temporary, "w+", dtype=made.dtype, shape=(n, *made.shape[1:])
                    )
                file[start : start + len(made)] = made
            file.flush()
    else:
        names = [column.name for column in estimator.codec_.columns]
        _write(out, (pd.DataFrame(rows, columns=names) for rows in batches()))
    return n


def _write(out: Path, batches: Iterator[Any]) -> None:
    from augan.io.results import open_results

    with open_results(out) as write:
        for batch in batches:
            write(batch)
