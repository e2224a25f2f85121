"""Detection figures of labelled rows, each with a bootstrap interval."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import (
    average_precision_score,
    precision_recall_fscore_support,
    roc_auc_score,
    roc_curve,
)

from augan._random import draw_seed
from augan.codecs.seen_rows import hashes_of, warn_of_seen
from augan.estimators._params import check_params
from augan.evaluation.calibration import check_p_values, figure
from augan.evaluation.figures import DetectionReport, PValueCheck
from augan.evaluation.resampling import MAX_FPR, MIN_RECALL, resample_figures
from augan.exceptions import DataError, ParameterError, shown

MAX_BOOTSTRAP = 100_000  # resamples
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def detection_metrics(
    y_true: Any,
    anomaly_score: Any,
    *,
    threshold: float | None = None,
    p_values: Any = None,
    kinds: Any = None,
    n_calibration: int | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    random_state: Any = 0,
) -> DetectionReport:
    """Measure how well scores tell anomalies from normal rows.

    The intervals are percentile intervals of a bootstrap that resamples normal rows and anomalies
    apart (Efron & Tibshirani 1993, chapter 13): they tell of other rows of the same kind, not of
    another training of the detector. With few rows of a kind, and near 0 and 1, they are too
    narrow.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        1 or True for anomalies, 0 or False for normal rows.
    anomaly_score : array-like of shape (n,)
        Higher = more abnormal.
    threshold : float, optional
        Score above which a row is flagged; without it there is no precision, recall, FPR and F1.
    p_values : array-like of shape (n,), optional
        P-values of the rows, to be checked on the normal ones.
    kinds : array-like of shape (n,), optional
        What kind of anomaly a row is; that of normal rows is not looked at.
    n_calibration : int, optional
        How many held-out scores conformal p-values were counted from. The fewer, the more the share
        of normal rows with ``p <= alpha`` varies from one calibration to the next, as a beta
        distribution (Vovk 2012): the band of a `PValueCheck` is then beta-binomial, else binomial.
    n_bootstrap : int, default=1000
        Resamples; 0 gives no intervals.
    confidence : float, default=0.95
        Confidence level of the intervals, above 0 and below 1.
    random_state : int, RandomState or None, default=0
        Seed of the resampling.

    Returns
    -------
    report : DetectionReport
        Every figure with its interval.

    Raises
    ------
    DataError
        When labels, scores or p-values are missing or of different lengths, or when all rows are
        of one kind.
    ParameterError
        When another parameter has a value that it cannot have.

    Examples
    --------
    >>> from augan.evaluation import detection_metrics
    >>> report = detection_metrics([0, 0, 0, 1, 1], [0.1, 0.4, 0.2, 0.3, 0.9], threshold=0.25)
    >>> print(f"{report.auroc.value:.3f}, {report.precision.value:.3f} at {report.threshold}")
    0.833, 0.667 at 0.25
    """
    _check_options(threshold, n_calibration, n_bootstrap, confidence, random_state)
    anomaly = _read_anomalies(y_true)
    score = _read_numbers(anomaly_score, "anomaly_score", len(anomaly))
    seed = draw_seed(random_state)
    values = _figures(anomaly, score, threshold)
    samples = resample_figures(anomaly, score, threshold, n_bootstrap, seed)
    figures: dict[str, Any] = dict.fromkeys(("precision", "recall", "fpr", "f1"))
    figures |= {name: figure(values[name], samples[name], confidence) for name in values}
    checks: tuple[PValueCheck, ...] = ()
    if p_values is not None:
        p = _read_numbers(p_values, "p_values", len(anomaly), low=0.0, high=1.0)[~anomaly]
        how: dict[str, Any] = {"n_bootstrap": n_bootstrap, "confidence": confidence, "seed": seed}
        checks = check_p_values(p, n_calibration, **how)
    by_kind = {}
    if kinds is not None:
        labels = _read_labels(kinds, "kinds")
        if len(labels) != len(anomaly):
            raise DataError(f"kinds has {len(labels)} labels for {len(anomaly)} rows")
        for kind in pd.unique(labels[anomaly]):
            rows = ~anomaly | (labels == kind)
            some = resample_figures(anomaly[rows], score[rows], None, n_bootstrap, seed)["auroc"]
            auroc = float(roc_auc_score(anomaly[rows], score[rows]))
            by_kind[str(kind)] = figure(auroc, some, confidence)
    return DetectionReport(
        n_normal=int((~anomaly).sum()),
        n_anomaly=int(anomaly.sum()),
        prevalence=float(anomaly.mean()),
        threshold=None if threshold is None else float(threshold),
        p_values=checks,
        n_bootstrap=int(n_bootstrap),
        confidence=float(confidence),
        by_kind=dict(sorted(by_kind.items())),
        **figures,
    )


def evaluate_detector(
    detector: Any,
    X: Any,
    y: Any,
    *,
    anomaly: Any = 1,
    threshold: float | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    random_state: Any = 0,
) -> DetectionReport:
    """Score labelled rows with a fitted detector and measure how well it does.

    Parameters
    ----------
    detector : AnoGAN or FAnoGAN
        A fitted detector. Leave the rows that it was trained on out of `X`: they look more normal
        to it than new ones.
    X : DataFrame, array-like of shape (n, d), or images of shape (n, H, W[, C])
        Rows of both kinds.
    y : array-like of shape (n,)
        Their labels.
    anomaly : object, default=1
        The label of anomalies; rows with any other are normal.
    threshold : float, optional
        Score above which a row is flagged, instead of the detector's own.
    n_bootstrap, confidence, random_state
        As in `detection_metrics`.

    Returns
    -------
    report : DetectionReport
        Every figure with its interval.

    Raises
    ------
    DataError
        When a label is missing, when labels and rows differ in number, or when all rows are of
        one kind.
    ParameterError
        When a parameter has a value that it cannot have.
    """
    _check_options(threshold, None, n_bootstrap, confidence, random_state)
    is_anomaly = _equal_labels(y, anomaly, len(X))
    if hasattr(detector, "training_rows_"):
        hashes = hashes_of(detector.codec_, detector._read(X))
        warn_of_seen(detector, hashes[~is_anomaly], "X")
    found = detector.assess(X)
    return detection_metrics(
        is_anomaly,
        found.anomaly_score,
        threshold=detector.threshold_ if threshold is None else threshold,
        p_values=found.p_value,
        n_calibration=n_held_out(detector),
        n_bootstrap=n_bootstrap,
        confidence=confidence,
        random_state=random_state,
    )


def n_held_out(detector: Any) -> int | None:
    """Return how many scores a detector's p-values are counted from, if it has them at hand."""
    number: int | None = getattr(detector, "n_calibration_", None)
    return number


def _figures(anomaly: Mask, score: Floats, threshold: float | None) -> dict[str, float]:
    """Return the figures of the rows as they are."""
    fprs, recalls, _ = roc_curve(anomaly, score, drop_intermediate=False)
    figures = {
        "auroc": roc_auc_score(anomaly, score),
        "average_precision": average_precision_score(anomaly, score),
        "recall_at_1pct_fpr": recalls[fprs <= MAX_FPR].max(),
        "fpr_at_95pct_recall": fprs[recalls >= MIN_RECALL].min(),
        "f1_max": _f1_max(fprs * (~anomaly).sum(), recalls * anomaly.sum()),
    }
    if threshold is not None:
        flagged = score > threshold
        precision, recall, f1, _ = precision_recall_fscore_support(
            anomaly, flagged, average="binary", zero_division=0.0
        )
        fpr = flagged[~anomaly].mean()
        figures |= {"precision": precision, "recall": recall, "fpr": fpr, "f1": f1}
    return {name: float(value) for name, value in figures.items()}


def _f1_max(fp: Floats, tp: Floats) -> float:
    return float((2 * tp / (tp + fp + tp[-1])).max())


def _read_anomalies(y_true: Any) -> Mask:
    """Return which rows (n,) are anomalies; both kinds are there."""
    labels = _read_labels(y_true, "y_true")
    anomaly = np.asarray(labels == 1, dtype=bool)
    odd = ~(anomaly | np.asarray(labels == 0, dtype=bool))
    if odd.any():
        row = int(odd.argmax())
        raise DataError(
            f"y_true, row {row}: {shown(labels.tolist()[row])} is not 1 (anomaly) or 0 (normal)"
        )
    if anomaly.all() or not anomaly.any():
        kind = "no normal row" if anomaly.any() else "no anomaly"
        raise DataError(f"y_true has {kind} among {len(anomaly)} rows: both kinds are needed")
    return anomaly


def _equal_labels(y: Any, anomaly: Any, n_rows: int) -> Mask:
    """Return which labels (n,) equal `anomaly`."""
    labels = _read_labels(y, "y")
    if len(labels) != n_rows:
        raise DataError(f"y has {len(labels)} labels for {n_rows} rows")
    if np.ndim(anomaly) != 0:
        raise ParameterError(f"anomaly={shown(anomaly)}: must be one label")
    found = np.asarray(labels == anomaly, dtype=bool)
    if found.all() or not found.any():
        listed = ", ".join(map(shown, pd.unique(labels)[:5].tolist()))
        which = "every" if found.any() else "no"
        raise DataError(f"{which} row has the label anomaly={shown(anomaly)}; y has {listed}")
    return found


def _read_labels(y: Any, name: str) -> NDArray[Any]:
    """Return labels (n,), none missing, as numbers or objects."""
    labels = np.array(y, dtype=object) if isinstance(y, (list, tuple)) else np.asarray(y)
    if labels.ndim != 1:
        raise DataError(f"{name} has shape {labels.shape}: need one label a row")
    missing = np.asarray(pd.isna(labels))
    if missing.any():
        row = int(missing.argmax())
        raise DataError(f"{name}, row {row}: {shown(labels.tolist()[row])} is not a label")
    return labels if labels.dtype.kind in "biuf" else labels.astype(object)


def _read_numbers(
    values: Any, name: str, n_rows: int, *, low: float = -np.inf, high: float = np.inf
) -> Floats:
    """Return `n_rows` finite numbers (n,) from `low` to `high`."""
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise DataError(f"{name}: {error}") from error
    if numbers.shape != (n_rows,):
        raise DataError(f"{name} has shape {numbers.shape}, for {n_rows} rows")
    wrong = ~np.isfinite(numbers) | (numbers < low) | (numbers > high)
    if wrong.any():
        row = int(wrong.argmax())
        what = "a finite number" if np.isinf(low) else f"a number from {low:g} to {high:g}"
        raise DataError(f"{name}, row {row}: {numbers[row]} is not {what}")
    return numbers


def _check_options(
    threshold: Any, n_calibration: Any, n_bootstrap: Any, confidence: Any, random_state: Any
) -> None:
    if threshold is not None and not (_is_number(threshold) and np.isfinite(threshold)):
        raise ParameterError(f"threshold={shown(threshold)}: must be None or a finite number")
    if n_calibration is not None and not (_is_integer(n_calibration) and n_calibration >= 1):
        raise ParameterError(
            f"n_calibration={shown(n_calibration)}: must be None or an integer of at least 1"
        )
    if not (_is_integer(n_bootstrap) and 0 <= n_bootstrap <= MAX_BOOTSTRAP):
        raise ParameterError(
            f"n_bootstrap={shown(n_bootstrap)}: must be an integer from 0 to {MAX_BOOTSTRAP}"
        )
    if not (_is_number(confidence) and 0 < confidence < 1):
        raise ParameterError(
            f"confidence={shown(confidence)}: must be a number above 0 and below 1"
        )
    check_params({"random_state": random_state})


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, (bool, np.bool_))


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_))
