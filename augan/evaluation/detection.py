"""Detection metrics on labelled rows, with bootstrap intervals."""

from __future__ import annotations

from typing import Any, Protocol

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
from augan.assessment import Assessment
from augan.codecs.seen_rows import hashes_of, warn_of_seen
from augan.evaluation.calibration import check_p_values, figure
from augan.evaluation.figures import DetectionReport, Figure, PValueCheck
from augan.evaluation.inputs import check_options, read_anomalies, read_numbers
from augan.evaluation.resampling import MAX_FPR, MIN_RECALL, resample_figures
from augan.exceptions import DataError
from augan.inputs.reading import read_like_training
from augan.labels import anomaly_labels, read_labels

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Detector(Protocol):
    """A fitted detector; it may also have `training_rows_`, `n_calibration_` and `normal_label`."""

    codec_: Any
    threshold_: float

    def assess(self, X: Any, *, explain: bool = False) -> Assessment:
        """Return scores and p-values (n,) of rows."""


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
    """Measure how well scores separate anomalies from normal rows.

    The intervals are percentile intervals of a stratified bootstrap, which resamples normal rows
    and anomalies separately [1]_. They account for the choice of the rows, not for that of the
    detector's seed. With few rows of a kind, and near 0 and 1, they are too narrow.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        1 or True for anomalies, 0 or False for normal rows.
    anomaly_score : array-like of shape (n,)
        Higher = more abnormal.
    threshold : float, optional
        Score above which a row is flagged; without it, precision, recall, FPR and F1 are None.
    p_values : array-like of shape (n,), optional
        P-values of the rows; their calibration is checked on the normal rows.
    kinds : array-like of shape (n,), optional
        The kind of anomaly of each row; ignored for normal rows.
    n_calibration : int, optional
        Number of held-out scores that the conformal p-values were computed from. The share of
        normal rows with ``p <= alpha`` varies between calibrations with a beta distribution [2]_,
        so the band of a `PValueCheck` is beta-binomial; without `n_calibration` it is binomial.
    n_bootstrap : int, default=1000
        Number of resamples; with 0 there are no intervals.
    confidence : float, default=0.95
        Confidence level of the intervals, above 0 and below 1.
    random_state : int, RandomState or None, default=0
        Seed of the bootstrap.

    Returns
    -------
    report : DetectionReport
        Each metric with its interval.

    Raises
    ------
    DataError
        When labels, scores or p-values are missing or of different lengths, or when all rows are
        of one kind.
    ParameterError
        When another parameter has a value that it cannot have.

    References
    ----------
    .. [1] Efron and Tibshirani. "An introduction to the bootstrap." Chapman & Hall, 1993,
       chapter 13.
    .. [2] Vovk. "Conditional validity of inductive conformal predictors." ACML, 2012.

    Examples
    --------
    >>> from augan.evaluation import detection_metrics
    >>> report = detection_metrics([0, 0, 0, 1, 1], [0.1, 0.4, 0.2, 0.3, 0.9], threshold=0.25)
    >>> print(f"{report.auroc.value:.3f}, {report.precision.value:.3f} at {report.threshold}")
    0.833, 0.667 at 0.25
    """
    check_options(threshold, n_calibration, n_bootstrap, confidence, random_state)
    anomaly = read_anomalies(y_true)
    score = read_numbers(anomaly_score, "anomaly_score", len(anomaly))
    seed = draw_seed(random_state)
    values = _figures(anomaly, score, threshold)
    samples = resample_figures(anomaly, score, threshold, n_bootstrap, seed)
    figures: dict[str, Any] = dict.fromkeys(("precision", "recall", "fpr", "f1"))
    figures |= {name: figure(values[name], samples[name], confidence) for name in values}
    how: dict[str, Any] = {"n_bootstrap": n_bootstrap, "confidence": confidence, "seed": seed}
    checks: tuple[PValueCheck, ...] = ()
    if p_values is not None:
        p = read_numbers(p_values, "p_values", len(anomaly), low=0.0, high=1.0)[~anomaly]
        checks = check_p_values(p, n_calibration, **how)
    return DetectionReport(
        n_normal=int((~anomaly).sum()),
        n_anomaly=int(anomaly.sum()),
        prevalence=float(anomaly.mean()),
        threshold=None if threshold is None else float(threshold),
        p_values=checks,
        n_bootstrap=int(n_bootstrap),
        confidence=float(confidence),
        by_kind={} if kinds is None else _by_kind(anomaly, score, kinds, **how),
        **figures,
    )


def evaluate_detector(
    detector: Detector,
    X: Any,
    y: Any,
    *,
    anomaly: Any = None,
    threshold: float | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    random_state: Any = 0,
) -> DetectionReport:
    """Score labelled rows with a fitted detector and compute detection metrics.

    Parameters
    ----------
    detector : AnoGAN, FAnoGAN or OnnxDetector
        A fitted detector. `X` should not contain rows that it was trained on, as these score lower
        than new rows; a warning is issued if most normal rows of `X` are such.
    X : DataFrame, array-like of shape (n, d), or images of shape (n, H, W[, C])
        Rows of both kinds.
    y : array-like of shape (n,)
        Their labels.
    anomaly : object, default=None
        The label of anomalies; rows with any other are normal. If None, every label but the
        detector's `normal_label` is an anomaly. For a detector without one, 1 is the anomaly among
        labels 0 and 1 (or booleans), and -1 among labels -1 and 1.
    threshold : float, optional
        Score above which a row is flagged, instead of the detector's own.
    n_bootstrap, confidence, random_state
        As in `detection_metrics`.

    Returns
    -------
    report : DetectionReport
        Each metric with its interval.

    Raises
    ------
    DataError
        When a label is missing, when labels and rows differ in number, when `anomaly` is None and
        the labels do not tell which rows are anomalies, or when all rows are of one kind.
    ParameterError
        When a parameter has a value that it cannot have.

    Warns
    -----
    DataWarning
        When most of the normal rows of `X` were among the training rows.
    """
    check_options(threshold, None, n_bootstrap, confidence, random_state)
    normal_label = getattr(detector, "normal_label", None)
    given = {"pos_label": anomaly, "normal_label": normal_label, "parameter": "anomaly"}
    is_anomaly = anomaly_labels(y, **given, n_rows=len(X))
    seen = getattr(detector, "training_rows_", None)
    if seen is not None:
        rows = read_like_training(X, detector, detector.codec_)
        warn_of_seen(seen, hashes_of(detector.codec_, rows)[~is_anomaly], "X")
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
    """Return the number of scores that a detector's p-values are computed from, if known."""
    number: int | None = getattr(detector, "n_calibration_", None)
    return number


def _by_kind(
    anomaly: Mask, score: Floats, kinds: Any, *, n_bootstrap: int, confidence: float, seed: int
) -> dict[str, Figure]:
    """Return the AUROC of each kind of anomalies against all normal rows.

    Raises
    ------
    DataError
        When a kind is missing, or kinds and rows differ in number.
    """
    labels = read_labels(kinds, "kinds")
    if len(labels) != len(anomaly):
        raise DataError(f"kinds has {len(labels)} labels for {len(anomaly)} rows")
    found = {}
    for kind in pd.unique(labels[anomaly]):
        rows = ~anomaly | (labels == kind)
        some = resample_figures(anomaly[rows], score[rows], None, n_bootstrap, seed)["auroc"]
        auroc = float(roc_auc_score(anomaly[rows], score[rows]))
        found[str(kind)] = figure(auroc, some, confidence)
    return dict(sorted(found.items()))


def _figures(anomaly: Mask, score: Floats, threshold: float | None) -> dict[str, float]:
    """Return the metrics of the rows, not resampled."""
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
