"""Whether new rows of a rare class improve classifiers, measured on real rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd

from augan._random import draw_seed
from augan.classifiers.tables import CLASSIFIERS
from augan.evaluation.augmentation_report import AugmentationReport
from augan.evaluation.strategies import Labels, Strategy, build_strategies
from augan.evaluation.strategy_trial import split_rows, try_fidelity, try_strategy
from augan.exceptions import DataError, ParameterError, shown
from augan.frames import is_frame, to_pandas

MIN_ROWS = 10  # of each class
MOST = 10**6  # splits, or rare rows, that can be requested


def evaluate_augmentation(
    X: Any,
    y: Any,
    *,
    positive: Any = None,
    sampler: Any = None,
    strategies: Sequence[str] | None = None,
    n_rare: int | None = None,
    n_seeds: int = 5,
    confidence: float = 0.95,
    random_state: Any = 0,
    callback: Callable[[int, int], None] | None = None,
    arms: Sequence[str] | None = None,
) -> AugmentationReport:
    """Train classifiers with and without new rows of the rare class; test them on real rows.

    Rows are split first. New rows, encoding and thresholds come from the training part alone;
    the test part stays as it is, at its own prevalence.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n, d)
        A table.
    y : array-like of shape (n,)
        Its classes.
    positive : object, optional
        The positive class; the rarest if not given.
    sampler : GANSampler, optional
        Resamples in the strategies "augan"; ``GANSampler()`` if not given.
    strategies : sequence of str, optional
        Some of "none" (always included), "class weight", "random oversampling", "SMOTE" (SMOTENC
        or SMOTEN where columns are categories), "augan", "augan filtered" (with all filters) and
        "augan tuned" (number of new rows chosen by cross-validation); all if not given.
    n_rare : int, optional
        Maximum number of positive training rows, to see what is gained with so few.
    n_seeds : int, default=5
        Number of splits, at least 2.
    confidence : float, default=0.95
        Confidence level of the intervals, above 0 and below 1.
    random_state : int, RandomState or None, default=0
        Seed of splits, classifiers and samplers.
    callback : callable, optional
        Called with the number of fits that are done, and the number of all fits.
    arms : sequence of str, optional
        Deprecated name of `strategies`.

    Returns
    -------
    report : AugmentationReport
        Figures of each strategy, and a verdict.

    Raises
    ------
    DataError
        When the table has too few rows of a class, or labels are missing.
    ParameterError
        When another parameter has a value that it cannot have.
    """
    from augan.estimators.sampler import GANSampler

    if arms is not None:
        warnings.warn("arms is deprecated, use strategies", FutureWarning, stacklevel=2)
        strategies = arms
    _check_options(n_seeds, confidence, n_rare)
    chosen = _chosen(build_strategies(sampler or GANSampler()), strategies)
    frame, labels, positive = _read(X, y, positive)
    scores, fidelity = _try_all(
        chosen,
        frame,
        labels,
        first=draw_seed(random_state),
        n_seeds=n_seeds,
        n_rare=n_rare,
        callback=callback,
    )
    return AugmentationReport(
        positive=positive,
        n_rows=len(frame),
        n_positive=int(labels.sum()),
        n_seeds=n_seeds,
        confidence=confidence,
        scores=scores,
        fidelity=fidelity,
    )


def _try_all(
    strategies: dict[str, Strategy],
    frame: pd.DataFrame,
    labels: Labels,
    *,
    first: int,
    n_seeds: int,
    n_rare: int | None,
    callback: Callable[[int, int], None] | None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return scores and fidelity of all strategies, for `n_seeds` seeds from the `first` on."""
    records: list[dict[str, Any]] = []
    fidelity: list[dict[str, Any]] = []
    total = n_seeds * len(strategies) * len(CLASSIFIERS)
    for seed in range(first, first + n_seeds):
        parts = split_rows(frame, labels, seed, n_rare)
        for name, strategy in strategies.items():
            what = {"seed": seed, "strategy": name}
            figures, new = try_strategy(strategy, parts, seed)
            records += [what | figure for figure in figures]
            fidelity += [what | figure for figure in try_fidelity(new, parts, seed)]
            if callback is not None:
                callback(len(records), total)
    return pd.DataFrame(records), pd.DataFrame(fidelity)


def _read(X: Any, y: Any, positive: Any) -> tuple[pd.DataFrame, Labels, Any]:
    """Return a table, which of its rows are positive, and the positive class.

    Raises
    ------
    DataError
        When a label is missing, or there are too few rows of a class.
    """
    frame = to_pandas(X) if is_frame(X) else pd.DataFrame(np.asarray(X))
    classes = pd.Series(np.asarray(y))
    if len(classes) != len(frame):
        raise DataError(f"y has {len(classes)} labels for {len(frame)} rows")
    if classes.isna().any():
        raise DataError(f"y has no label in row {int(classes.isna().to_numpy().argmax())}")
    if frame.empty:
        raise DataError(f"X is empty: it has {len(frame)} rows and {frame.shape[1]} columns")
    counts = classes.value_counts()
    if positive is None:
        positive = counts.index[-1]
    labels = (classes == positive).to_numpy(bool)
    for n, name in ((labels.sum(), repr(positive)), ((~labels).sum(), "the others")):
        if n < MIN_ROWS:
            raise DataError(f"{n} rows of class {name}: at least {MIN_ROWS} are needed")
    frame = frame.rename(columns=str).reset_index(drop=True)
    return frame, labels, positive


def _chosen(known: dict[str, Strategy], names: Sequence[str] | None) -> dict[str, Strategy]:
    """Return the strategies to compare, "none" first.

    Raises
    ------
    ParameterError
        When a name is unknown.
    """
    for name in names or ():
        if name not in known:
            listed = ", ".join(map(shown, known))
            raise ParameterError(f"strategies: {shown(name)} is not one of {listed}")
    return {name: one for name, one in known.items() if not names or name in ("none", *names)}


def _check_options(n_seeds: Any, confidence: Any, n_rare: Any) -> None:
    """Check the other options.

    Raises
    ------
    ParameterError
        When one has a value that it cannot have.
    """
    for parameter, value in (("n_seeds", n_seeds), ("n_rare", n_rare)):
        if value is None and parameter == "n_rare":
            continue
        is_integer = isinstance(value, Integral) and not isinstance(value, bool)
        if not is_integer or not 2 <= value <= MOST:
            must = f"an integer of at least 2, at most {MOST}"
            raise ParameterError(f"{parameter}={shown(value)}: must be {must}")
    if not 0 < confidence < 1:
        raise ParameterError(f"confidence={shown(confidence)}: must be above 0 and below 1")
