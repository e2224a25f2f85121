"""The report of `evaluate_augmentation`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from scipy import stats

from augan.evaluation.fidelity import FIGURES

METRICS = ("average_precision", "recall_at_1pct_fpr", "f1", "brier")


@dataclass(frozen=True)
class AugmentationReport:
    """Result of `evaluate_augmentation`.

    Attributes
    ----------
    positive : object
        The rare class; all others are one.
    n_rows, n_positive : int
        Rows of the table, and of the rare class.
    n_seeds : int
        Splits into training and test rows.
    confidence : float
        Confidence level of the intervals.
    scores : DataFrame
        A row for each seed, strategy and classifier: average precision, recall at 1 % FPR, F1 and
        the Brier score (low is good) on the test rows.
    fidelity : DataFrame
        A row for each seed, each strategy that adds rows and each figure of `fidelity_metrics`,
        computed for the new rows of the rare class and for its test rows in their place.
    """

    positive: Any
    n_rows: int
    n_positive: int
    n_seeds: int
    confidence: float
    scores: pd.DataFrame
    fidelity: pd.DataFrame

    def summary(self) -> pd.DataFrame:
        """Return the means over seeds and classifiers, a row for each strategy.

        `gain` is the average precision minus that of "none", with the ends of its interval over
        the seeds (Student's t of the paired differences).
        """
        means = self.scores.groupby("strategy", sort=False)[list(METRICS)].mean()
        by_seed = self.scores.pivot_table(
            index="seed", columns="strategy", values="average_precision"
        )
        gains = by_seed.sub(by_seed["none"], axis=0)[means.index]
        half = stats.t.ppf((1 + self.confidence) / 2, self.n_seeds - 1) * gains.sem()
        ends = {"gain": gains.mean(), "low": gains.mean() - half, "high": gains.mean() + half}
        return means.assign(**ends)

    def fidelity_summary(self) -> pd.DataFrame:
        """Return the means over seeds, a row for each strategy and one for held-out rows."""
        if self.fidelity.empty:
            return pd.DataFrame()
        names = list(FIGURES)
        table = self.fidelity.pivot_table(
            index="strategy", columns="figure", values="new", sort=False
        )
        usual = self.fidelity.groupby("figure")["held_out"].mean()
        return pd.concat([table, usual.rename("held-out rows").to_frame().T])[names]

    @property
    def verdict(self) -> str:
        """The strategy to use, in a sentence."""
        table = self.summary()
        table = table.drop(index="none").sort_values("gain", ascending=False, kind="stable")
        best, row = table.index[0], table.iloc[0]
        interval = f"{row['gain']:+.3f} average precision ({row['low']:+.3f} to {row['high']:+.3f})"
        if row["low"] > 0:
            return f"use {best}: {interval} over training on the rows as they are"
        if row["gain"] > 0:
            return f"no significant gain: {best} is best with {interval}, which may be chance"
        return "no gain: train on the rows as they are"

    def to_dict(self) -> dict[str, Any]:
        """Return the report as dicts and lists that JSON can hold."""
        table = self.summary().reset_index()
        return {
            "verdict": self.verdict,
            "positive": str(self.positive),
            "n_rows": self.n_rows,
            "n_positive": self.n_positive,
            "n_seeds": self.n_seeds,
            "confidence": self.confidence,
            "strategies": table.to_dict("records"),
            "fidelity": self.fidelity_summary().T.to_dict(),
            "scores": self.scores.to_dict("records"),
        }
