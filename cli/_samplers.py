"""Samplers of labelled data: kept as a model, or used at once to balance a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ._console import TrainingProgress, data_errors, progress, set_threads
from ._labelled import read_labelled
from ._parameters import build_estimator

BATCH_ROWS = 16_384
MARK = "synthetic"  # name of the column that says which rows are new
OWN = {"callbacks": "only from Python"}


def fit_sampler(
    data: Path,
    options: Any,
    target: str,
    drop: list[str],
    given: dict[str, Any],
    out: Path,
    threads: int | None,
    *,
    quiet: bool,
) -> str:
    """Train a sampler on labelled rows and save it; return what was done, in words."""
    from augan.io.model_file import save

    rows, labels, place = read_labelled(data, options, target, drop)
    set_threads(threads, small_batches=rows.ndim == 2)
    sampler = build_estimator("GANSampler", given, OWN)
    with progress(quiet) as display, data_errors(data):
        sampler.set_params(callbacks=[TrainingProgress(display)])
        sampler.fit(rows, labels)
    save(sampler, out, context={"target": target, "dropped": drop, "place": place})
    seconds = sampler.history_[-1]["seconds"] if len(sampler.history_) else 0
    classes = ", ".join(f"{label} ({how})" for label, how in sampler.methods_.items())
    kind = type(sampler).__name__
    return f"trained {kind} on {len(rows)} rows in {seconds:.0f} s: {classes}; wrote {out}"


def balance_table(
    data: Path,
    options: Any,
    target: str,
    drop: list[str],
    given: dict[str, Any],
    out: Path,
    mark: bool,
    *,
    quiet: bool,
) -> str:
    """Write the rows of a table and new ones of its rare classes; return what was done."""
    from augan.exceptions import DataError, ParameterError
    from augan.io.results import open_results

    rows, labels, place = read_labelled(data, options, target, drop)
    if place is None:
        raise ParameterError(f"{data}: not a table; GANSampler in Python takes arrays")
    if mark and MARK in rows:
        raise DataError(f"{data}: has a column {MARK!r} already; --no-mark adds none")
    sampler = build_estimator("GANSampler", given, OWN)
    with progress(quiet) as display, data_errors(data):
        sampler.set_params(callbacks=[TrainingProgress(display)])
        result, classes = sampler.fit_resample(rows, labels)
    result.insert(place, target, classes)
    if mark:
        result[MARK] = result.index >= len(rows)
    with open_results(out) as write:
        for start in range(0, len(result), BATCH_ROWS):
            write(result[start : start + BATCH_ROWS])
    made = ", ".join(f"{n} added to {k}" for k, n in sampler.sampling_strategy_.items())
    refused = ", ".join(f"{name} refused {n}" for name, n in sampler.refused_.items())
    return f"{len(rows)} rows, {made}{f' ({refused})' if refused else ''}; wrote {out}"
