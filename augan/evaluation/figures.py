"""What an evaluation finds: figures, their intervals, and the report that holds them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """A figure and its bootstrap interval.

    Attributes
    ----------
    value : float
        The figure of the rows as they are.
    low, high : float or None
        Ends of the interval; None without a bootstrap.
    """

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class PValueCheck:
    """Whether as many normal rows have a low p-value as should.

    Attributes
    ----------
    alpha : float
        The level.
    share : Figure
        Share of normal rows with a p-value of at most `alpha`.
    expected : float
        What it is on average if the p-values are right.
    low, high : float
        Between these it then lies in 99 % of cases.
    within : bool
        Whether it does.
    """

    alpha: float
    share: Figure
    expected: float
    low: float
    high: float
    within: bool


@dataclass(frozen=True)
class DetectionReport:
    """How well anomaly scores tell anomalies from normal rows.

    Attributes
    ----------
    n_normal, n_anomaly : int
        Rows of each kind.
    prevalence : float
        Share of anomalies, which is also the average precision of random scores.
    auroc : Figure
        Chance that an anomaly scores higher than a normal row, ties counting half.
    average_precision : Figure
        Mean of the precision at each anomaly, walking down from the highest score.
    recall_at_1pct_fpr : Figure
        Largest share of anomalies that a threshold finds which flags at most 1 % of normal rows.
    fpr_at_95pct_recall : Figure
        Smallest share of normal rows flagged by a threshold that finds at least 95 % of anomalies.
    f1_max : Figure
        F1 of the threshold that is best for these rows: what could be had, not what is.
    threshold : float or None
        Rows with a higher score count as flagged in the four figures that follow.
    precision, recall, fpr, f1 : Figure or None
        At `threshold`; None without one. Precision is 0 where nothing is flagged.
    p_values : tuple of PValueCheck
        Calibration of the p-values at 1, 5 and 10 %; empty without p-values.
    by_kind : dict of str to Figure
        AUROC of each kind of anomalies against all normal rows; empty where they have no kinds.
    n_bootstrap : int
        Resamples that the intervals come from.
    confidence : float
        Confidence level of the intervals.
    """

    n_normal: int
    n_anomaly: int
    prevalence: float
    auroc: Figure
    average_precision: Figure
    recall_at_1pct_fpr: Figure
    fpr_at_95pct_recall: Figure
    f1_max: Figure
    threshold: float | None
    precision: Figure | None
    recall: Figure | None
    fpr: Figure | None
    f1: Figure | None
    p_values: tuple[PValueCheck, ...]
    n_bootstrap: int
    confidence: float
    by_kind: dict[str, Figure] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as nested dicts and lists that JSON can hold."""
        return asdict(self) | {"p_values": [asdict(check) for check in self.p_values]}
