"""What `score` and `evaluate` share: rows to scores in batches, and the score that flags."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from ._console import data_errors, progress, say

Fpr = Annotated[
    float | None, typer.Option(help="Share of normal rows that may be flagged, 0 to 1.")
]
Threshold = Annotated[float | None, typer.Option(help="Flag rows whose anomaly_score is above it.")]


def flag_limit(estimator: Any, fpr: float | None, threshold: float | None) -> float:
    """Return the score above which a row is flagged."""
    from augan.exceptions import ParameterError

    if fpr is not None and threshold is not None:
        raise ParameterError("--fpr and --threshold exclude each other")
    if threshold is not None:
        if math.isnan(threshold):
            raise ParameterError("--threshold nan: must be a number")
        return threshold
    if fpr is None:
        return float(estimator.threshold_)
    if not 0 < fpr < 1:
        raise ParameterError(f"--fpr {fpr}: must be above 0 and below 1")
    return float(estimator.scorer_.conformal.threshold(fpr))


def model_batches(
    estimator: Any, model: Path, path: Path, options: Any, *, target: str | None = None
) -> Iterator[Any]:
    """Give the rows of a file as the model wants them, in batches; `target` is no surprise."""
    from augan.codecs import TableCodec
    from augan.exceptions import DataError
    from augan.io.model_file import read_manifest
    from augan.io.sources import open_data

    source: Any = open_data(path, options)
    if not source.is_table:
        yield from source.batches()
        return
    if not isinstance(estimator.codec_, TableCodec):
        raise DataError(f"{path}: a table, but {model} was trained on images")
    types = {column.name: column.stored_as() for column in estimator.codec_.columns}
    found = source.columns()
    absent = [name for name in types if name not in found]
    if absent:
        listed = ", ".join(map(repr, absent))
        raise DataError(f"{path}: no column {listed}, which {model} was trained with")
    context = read_manifest(model)["context"]
    expected = {*types, target, context.get("target"), *context.get("dropped", [])}
    extra = [name for name in found if name not in expected]
    if extra:
        listed = ", ".join(map(repr, extra))
        say(f"augan: warning: {path}: not seen in training, ignored: column {listed}")
    for frame in source.batches(types):
        yield frame if estimator.codec_.array_dtype is None else frame.to_numpy()


def scored_batches(
    estimator: Any, batches: Iterator[Any], path: Path, *, quiet: bool
) -> Iterator[tuple[Any, Any]]:
    """Give each batch of rows with their scores."""
    done = 0
    with progress(quiet) as display:
        task = display.add_task("score", total=None, note="")
        for rows in batches:
            with data_errors(path):
                scores = estimator.anomaly_score(rows)
            yield rows, scores
            done += len(scores)
            display.update(task, completed=done)
