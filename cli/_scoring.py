"""What `score` and `evaluate` share: rows to scores in batches, and the score that flags."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from ._console import data_errors, progress, say
from ._models import model_context

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
    return float(estimator.threshold_at(fpr))


def model_batches(
    estimator: Any,
    model: Path,
    path: Path,
    options: Any,
    *,
    target: str | None = None,
    skip_bad: bool = False,
    masks: Path | None = None,
) -> Iterator[tuple[Any, Any]]:
    """Give the rows of a file as the model wants them, in batches, and what they are called.

    An index "row" counts the rows, for images of a folder "path" names their files. `target` is no
    surprise, and the images in the folder `masks` are none.
    """
    from augan.exceptions import DataError, listed, shown
    from augan.io.image_folder import ImageFolder
    from augan.io.sources import open_data

    is_table_model = estimator.codec_.kind == "table"
    usual = "table" if is_table_model else "images"
    source: Any = open_data(path, options, skip_bad=skip_bad, without=masks, usual=usual)
    if isinstance(source, ImageFolder):
        if is_table_model:
            raise DataError(f"{path}: images, but {model} was trained on a table")
        yield from _photographs(source, estimator.codec_)
        return
    if not source.is_table:
        yield from _counted(source.batches())
        return
    if not is_table_model:
        raise DataError(f"{path}: a table, but {model} was trained on images")
    types = {column.name: column.stored_as() for column in estimator.codec_.columns}
    found = source.columns()
    absent = [name for name in types if name not in found]
    if absent:
        names = listed(map(shown, absent))
        raise DataError(f"{path}: no column {names}, which {model} was trained with")
    context = model_context(estimator, model)
    expected = {*types, target, context.get("target"), *context.get("dropped", [])}
    extra = [name for name in found if name not in expected]
    if extra:
        names = listed(map(shown, extra))
        say(f"augan: warning: {path}: not seen in training, ignored: column {names}")
    frames = source.batches(types)
    as_frames = estimator.codec_.array_dtype is None
    yield from _counted(frame if as_frames else frame.to_numpy() for frame in frames)


def _counted(batches: Iterator[Any]) -> Iterator[tuple[Any, Any]]:
    import pandas as pd

    start = 0
    for rows in batches:
        yield pd.RangeIndex(start, start + len(rows), name="row"), rows
        start += len(rows)


def _photographs(folder: Any, codec: Any) -> Iterator[tuple[Any, Any]]:
    import pandas as pd

    from augan.io.decoding import Form

    for names, images in folder.named_batches(Form.of(codec.shape, codec.dtype)):
        yield pd.Index(names, name="path", dtype=object), images
    warn_of_skipped(folder)


def warn_of_skipped(source: Any) -> None:
    """Say which images of a folder were left out, and why."""
    masks = getattr(source, "masks", [])
    if masks:
        say(f"augan: warning: {len(masks)} masks are not read as images, such as {masks[0]}")
    for reason in getattr(source, "skipped", {}).values():
        say(f"augan: warning: skipped: {reason}")


def scored_batches(
    estimator: Any,
    batches: Iterator[tuple[Any, Any]],
    path: Path,
    *,
    quiet: bool,
    explain: bool = False,
) -> Iterator[tuple[Any, Any, Any]]:
    """Give each batch of rows, what they are called before them, their assessment after them."""
    done = 0
    told: set[str] = set()
    with progress(quiet) as display:
        task = display.add_task("score", total=None, note="")
        for names, rows in batches:
            with data_errors(path), _scale_warned_once(told):
                found = estimator.assess(rows, explain=explain)
            yield names, rows, found
            done += len(found.anomaly_score)
            display.update(task, completed=done)


@contextlib.contextmanager
def _scale_warned_once(told: set[str]) -> Iterator[None]:
    """Show a warning of images' scale for the first batch that has it, though its figures vary."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def show_new(message: Warning | str, *rest: Any, **named: Any) -> None:
            kind = str(message).partition(" from ")[0]
            if not kind.startswith("images of ") or kind not in told:
                show(message, *rest, **named)
            told.add(kind)

        warnings.showwarning = show_new
        yield
