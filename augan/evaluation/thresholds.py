"""The threshold of anomaly scores that suits labelled rows best."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from augan.evaluation.inputs import read_anomalies, read_numbers
from augan.exceptions import ParameterError, shown

Floats = NDArray[np.float64]
OBJECTIVES = ("f1", "cost")
MAX_COST = 1e12


@dataclass(frozen=True)
class FittedThreshold:
    """Result of `fit_threshold`: the threshold, and what it gives on the rows it was chosen on.

    Attributes
    ----------
    threshold : float
        Rows with a higher score are flagged.
    objective : {"f1", "cost"}
        What it was chosen by.
    precision, recall, fpr, f1 : float
        On the rows that it was chosen on. Precision is 0 if no row is flagged.
    cost : float or None
        Mean cost of a row; None unless `objective` is "cost".
    n_normal, n_anomaly : int
        Number of normal rows and of anomalies.
    """

    threshold: float
    objective: Literal["f1", "cost"]
    precision: float
    recall: float
    fpr: float
    f1: float
    cost: float | None
    n_normal: int
    n_anomaly: int

    @property
    def verdict(self) -> str:
        """A summary in sentences."""
        best = f"the highest F1, {self.f1:.3f}"
        if self.cost is not None:
            best = f"the lowest mean cost of a row, {self.cost:.4g}"
        return (
            f"The threshold {self.threshold:.6g} gives {best}: precision {self.precision:.1%}, "
            f"recall {self.recall:.1%}, false-positive rate {self.fpr:.1%}. It was chosen on these "
            "rows: on new rows the figures will be somewhat worse."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as a dict that JSON can hold."""
        return asdict(self)


def fit_threshold(
    y_true: Any,
    anomaly_score: Any,
    objective: Literal["f1", "cost"] = "f1",
    *,
    cost_fn: float = 1.0,
    cost_fp: float = 1.0,
) -> FittedThreshold:
    """Choose the threshold of anomaly scores with the highest F1, or the lowest cost.

    It lies halfway between two scores. Of thresholds that are equally good, the highest is chosen,
    which flags the fewest rows. Precision, F1 and cost depend on the share of anomalies, which
    should be that of the rows to be scored later. The figures of the rows that a threshold was
    chosen on are optimistic; use others to estimate them.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        1 or True for anomalies, 0 or False for normal rows.
    anomaly_score : array-like of shape (n,)
        Higher = more abnormal.
    objective : {"f1", "cost"}, default="f1"
        "f1" maximises F1, the harmonic mean of precision and recall; "cost" minimises the mean cost
        of a row, ``(cost_fn * missed anomalies + cost_fp * false alarms) / n``.
    cost_fn, cost_fp : float, default=1.0
        Costs of a missed anomaly and of a false alarm; for "cost" only.

    Returns
    -------
    fitted : FittedThreshold
        The threshold, and its figures on these rows. ``detector.offset_ = -fitted.threshold`` makes
        a detector use it, and `save` keeps it.

    Raises
    ------
    DataError
        When labels or scores are missing or of different lengths, or when all rows are of one kind.
    ParameterError
        When another parameter has a value that it cannot have.

    Examples
    --------
    >>> from augan.evaluation import fit_threshold
    >>> y, scores = [0, 0, 0, 1, 0, 1], [0.1, 0.4, 0.2, 0.5, 0.6, 0.9]
    >>> fitted = fit_threshold(y, scores)
    >>> print(f"{fitted.threshold:.2f}: precision {fitted.precision:.2f}, recall {fitted.recall}")
    0.45: precision 0.67, recall 1.0
    >>> fit_threshold(y, scores, "cost", cost_fp=10).recall  # false alarms are expensive
    0.5
    """
    _check(objective, cost_fn, cost_fp)
    anomaly = read_anomalies(y_true)
    scores = read_numbers(anomaly_score, "anomaly_score", len(anomaly))
    distinct, step = np.unique(-scores, return_inverse=True)  # highest score first
    tp, fp = (
        np.concatenate([[0], np.bincount(step[rows], minlength=len(distinct)).cumsum()])
        for rows in (anomaly, ~anomaly)
    )  # of the thresholds below no score, the highest, the two highest and so on
    n_anomaly, n_normal = int(tp[-1]), int(fp[-1])
    f1 = 2 * tp / (tp + fp + n_anomaly)
    costs = (cost_fn * (n_anomaly - tp) + cost_fp * fp) / len(anomaly)
    best = int(f1.argmax() if objective == "f1" else costs.argmin())
    return FittedThreshold(
        threshold=_between(-distinct, best),
        objective=objective,
        precision=float(tp[best] / max(tp[best] + fp[best], 1)),
        recall=float(tp[best] / n_anomaly),
        fpr=float(fp[best] / n_normal),
        f1=float(f1[best]),
        cost=float(costs[best]) if objective == "cost" else None,
        n_normal=n_normal,
        n_anomaly=n_anomaly,
    )


def _between(scores: Floats, n: int) -> float:
    """Return a threshold below the `n` highest of distinct scores (m,), highest first.

    Above or below all scores, it is half the distance of the two last ones away.
    """
    if 0 < n < len(scores):
        above, below = scores[n - 1], scores[n]
        middle = below + (above - below) / 2
        return float(middle if middle < above else below)  # of neighbouring floats
    outer = scores[0] if n == 0 else scores[-1]
    inner = scores[min(1, len(scores) - 1)] if n == 0 else scores[max(len(scores) - 2, 0)]
    step = abs(outer - inner) / 2 or 1.0
    found = outer + step if n == 0 else outer - step
    return float(found if found != outer else np.nextafter(outer, np.inf if n == 0 else -np.inf))


def _check(objective: Any, cost_fn: Any, cost_fp: Any) -> None:
    if objective not in OBJECTIVES:
        raise ParameterError(f"objective={shown(objective)}: must be 'f1' or 'cost'")
    for name, cost in (("cost_fn", cost_fn), ("cost_fp", cost_fp)):
        is_number = isinstance(cost, int | float | np.number) and not isinstance(cost, bool)
        if not is_number or not 0 <= float(cost) <= MAX_COST:
            raise ParameterError(f"{name}={shown(cost)}: must be a number from 0 to {MAX_COST:g}")
    if cost_fn == cost_fp == 0:
        raise ParameterError("cost_fn=0, cost_fp=0: one of them must be above 0")
