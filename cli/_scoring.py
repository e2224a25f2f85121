"""Scores of rows in batches, and the threshold, for `augan score` and `augan evaluate`."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ._batches import Batch
from ._console import data_errors, progress


def flag_limit(estimator: Any, fpr: float | None, threshold: float | None) -> float:
    """Return the score above which a row is flagged.

    Raises
    ------
    ParameterError
        If both are given, or one is outside its bounds.
    """
    from augan.exceptions import ParameterError

    if fpr is not None and threshold is not None:
        raise ParameterError("give one of --fpr and --threshold")
    if threshold is not None:
        if math.isnan(threshold):
            raise ParameterError("--threshold nan: must be a number")
        return threshold
    if fpr is None:
        return float(estimator.threshold_)
    if not 0 < fpr < 1:
        raise ParameterError(f"--fpr {fpr}: must be above 0 and below 1")
    return float(estimator.threshold_at(fpr))


def scored_batches(
    estimator: Any,
    batches: Iterator[Batch],
    path: Path | str,
    *,
    quiet: bool,
    explain: bool = False,
) -> Iterator[tuple[Batch, Any]]:
    """Yield each batch of rows and its assessment."""
    from augan.codecs.drift import one_drift_warning

    done = 0
    told: set[str] = set()
    with one_drift_warning(), progress(quiet) as display:
        task = display.add_task("score", total=None, note="")
        for batch in batches:
            with data_errors(path), _scale_warned_once(told):
                found = estimator.assess(batch.rows, explain=explain)
            yield batch, found
            done += len(found.anomaly_score)
            display.update(task, completed=done)


@contextlib.contextmanager
def _scale_warned_once(told: set[str]) -> Iterator[None]:
    """Show a warning about the range of images only once, though its numbers vary by batch."""
    with warnings.catch_warnings():
        show = warnings.showwarning

        def show_new(message: Warning | str, *rest: Any, **named: Any) -> None:
            kind = str(message).partition(" from ")[0]
            if not kind.startswith("images of ") or kind not in told:
                show(message, *rest, **named)
            told.add(kind)

        warnings.showwarning = show_new
        yield
