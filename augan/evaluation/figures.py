"""The report of `detection_metrics` and `evaluate_detector`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """A metric and its bootstrap interval.

    Attributes
    ----------
    value : float
        The metric of the rows, not resampled.
    low, high : float or None
        Ends of the interval; None without a bootstrap.
    """

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class PValueCheck:
    """Share of normal rows with a low p-value, and the share to expect.

    Attributes
    ----------
    alpha : float
        The level.
    share : Figure
        Share of normal rows with a p-value of at most `alpha`.
    expected : float
        Its expected value if the p-values are calibrated.
    low, high : float
        It is then between these with a probability of 99 %.
    within : bool
        Whether it is.
    """

    alpha: float
    share: Figure
    expected: float
    low: float
    high: float
    within: bool


@dataclass(frozen=True)
class DetectionReport:
    """Result of `detection_metrics` and `evaluate_detector`.

    Attributes
    ----------
    n_normal, n_anomaly : int
        Number of normal rows and of anomalies.
    prevalence : float
        Share of anomalies, which is also the average precision of random scores.
    auroc : Figure
        Area under the ROC curve: the probability that an anomaly scores higher than a normal row,
        where a tie counts half.
    average_precision : Figure
        Mean of the precision at each anomaly, in order of decreasing score.
    recall_at_1pct_fpr : Figure
        Highest recall of a threshold with a false-positive rate of at most 1 %.
    fpr_at_95pct_recall : Figure
        Lowest false-positive rate of a threshold with a recall of at least 95 %.
    f1_max : Figure
        Highest F1 of any threshold on these rows, an optimistic figure.
    threshold : float or None
        Rows with a higher score are flagged, for the four metrics that follow.
    precision, recall, fpr, f1 : Figure or None
        At `threshold`; None without one. Precision is 0 if nothing is flagged.
    p_values : tuple of PValueCheck
        Calibration of the p-values at 1, 5 and 10 %; empty without p-values.
    by_kind : dict of str to Figure
        AUROC of each kind of anomalies against all normal rows; empty without `kinds`.
    n_bootstrap : int
        Number of bootstrap resamples.
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
        """A summary in sentences: of the scores, the threshold and the p-values."""
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
            pairs = f"an anomaly scores higher than a normal row in {100 * value:.0f} of 100 pairs"
            return f"The scores find anomalies: {pairs} {auroc}."
        if (value if high is None else high) < 0.5:
            return f"The scores are inverted: anomalies score lower than normal rows {auroc}."
        return f"The scores separate anomalies from normal rows no better than chance {auroc}."

    def _of_threshold(self) -> str:
        if self.recall is None or self.fpr is None or self.precision is None:
            return ""
        found, alarms = f"{self.recall.value:.1%}", f"{self.fpr.value:.1%}"
        flagged = f"The threshold flags {found} of the anomalies and {alarms} of the normal rows"
        if self.recall.value == self.fpr.value == 0:
            return f"{flagged}."
        return f"{flagged}; {self.precision.value:.1%} of the flagged rows are anomalies."

    def _of_p_values(self) -> str:
        outside = [check for check in self.p_values if not check.within]
        if not outside:
            return "Low p-values are as frequent as expected." if self.p_values else ""
        check = outside[-1]
        more = "more" if check.share.value > check.expected else "fewer"
        share, expected = f"{check.share.value:.1%}", f"{check.expected:.1%}"
        return (
            f"P-values are not calibrated: {share} of the normal rows have one of at most "
            f"{check.alpha:g}, {more} than the expected {expected}."
        )
