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

    @property
    def verdict(self) -> str:
        """What the figures say, in words: of the scores, of the threshold, of the p-values."""
        return " ".join(
            filter(None, (self._of_scores(), self._of_threshold(), self._of_p_values()))
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the report as nested dicts and lists that JSON can hold."""
        checks = [asdict(check) for check in self.p_values]
        return {"verdict": self.verdict} | asdict(self) | {"p_values": checks}

    def _of_scores(self) -> str:
        value, low, high = self.auroc.value, self.auroc.low, self.auroc.high
        interval = "" if low is None else f", {low:.3f} to {high:.3f}"
        auroc = f"(AUROC {value:.3f}{interval})"
        if (value if low is None else low) > 0.5:
            share = f"{100 * value:.0f} of 100 times"
            return f"The scores find anomalies: one is above a normal row {share} {auroc}."
        if (value if high is None else high) < 0.5:
            return f"The scores are the wrong way round: anomalies look more normal {auroc}."
        return f"The scores tell anomalies from normal rows no better than chance {auroc}."

    def _of_threshold(self) -> str:
        if self.recall is None or self.fpr is None or self.precision is None:
            return ""
        found, alarms = f"{self.recall.value:.1%}", f"{self.fpr.value:.1%}"
        flagged = f"The threshold flags {found} of the anomalies and {alarms} of the normal rows"
        if self.recall.value == self.fpr.value == 0:
            return f"{flagged}."
        return f"{flagged}: {self.precision.value:.1%} of what it flags are anomalies."

    def _of_p_values(self) -> str:
        outside = [check for check in self.p_values if not check.within]
        if not outside:
            return "Low p-values are as frequent as they should be." if self.p_values else ""
        check = outside[-1]
        more = "more" if check.share.value > check.expected else "fewer"
        share, expected = f"{check.share.value:.1%}", f"{check.expected:.1%}"
        return (
            f"P-values are off: {share} of the normal rows have one of at most {check.alpha:g}, "
            f"{more} than the {expected} there should be."
        )
