"""Whether new rows of a rare class make a classifier better, on real rows that nobody made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    f1_score,
    precision_recall_curve,
    roc_curve,
)
from sklearn.model_selection import train_test_split

from augan._random import draw_seed
from augan.classifiers.tables import CLASSIFIERS, make_encoder, plain
from augan.evaluation.fidelity import FIGURES, fidelity_metrics
from augan.evaluation.fidelity import MIN_ROWS as FIDELITY_ROWS
from augan.evaluation.resampling import MAX_FPR
from augan.evaluation.strategies import Arm, Labels, build_arms
from augan.exceptions import DataError, ParameterError, shown
from augan.frames import is_frame, to_pandas

TEST_SHARE = 0.4
VALIDATION_SHARE = 0.2  # of the training rows: real ones, where the threshold for F1 is found
MIN_ROWS = 10  # of each class
MOST = 10**6  # splits, or rare rows, that can be asked for
METRICS = ("average_precision", "recall_at_1pct_fpr", "f1", "brier")


@dataclass(frozen=True)
class AugmentationReport:
    """What each way to deal with a rare class is worth.

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
        A row for each seed, arm and classifier: average precision, recall at 1 % FPR, F1 and the
        Brier score (low is good) on the test rows.
    fidelity : DataFrame
        A row for each seed, each arm that adds rows and each figure of `fidelity_metrics`: of
        the rare class's new rows, and of its test rows in their place.
    """

    positive: Any
    n_rows: int
    n_positive: int
    n_seeds: int
    confidence: float
    scores: pd.DataFrame
    fidelity: pd.DataFrame

    def summary(self) -> pd.DataFrame:
        """Return the means over seeds and classifiers, a row for each arm.

        `gain` is the average precision above "none", with the ends of its interval over the
        seeds (Student's t of the paired differences).
        """
        means = self.scores.groupby("arm", sort=False)[list(METRICS)].mean()
        by_seed = self.scores.pivot_table(index="seed", columns="arm", values="average_precision")
        gains = by_seed.sub(by_seed["none"], axis=0)[means.index]
        half = stats.t.ppf((1 + self.confidence) / 2, self.n_seeds - 1) * gains.sem()
        ends = {"gain": gains.mean(), "low": gains.mean() - half, "high": gains.mean() + half}
        return means.assign(**ends)

    def fidelity_summary(self) -> pd.DataFrame:
        """Return the means over seeds, a row for each arm, and one for held-out rows."""
        if self.fidelity.empty:
            return pd.DataFrame()
        names = list(FIGURES)
        table = self.fidelity.pivot_table(index="arm", columns="figure", values="new", sort=False)
        usual = self.fidelity.groupby("figure")["held_out"].mean()
        return pd.concat([table, usual.rename("held-out rows").to_frame().T])[names]

    @property
    def verdict(self) -> str:
        """What to do, in words."""
        table = self.summary()
        table = table.drop(index="none").sort_values("gain", ascending=False, kind="stable")
        best, row = table.index[0], table.iloc[0]
        interval = f"{row['gain']:+.3f} average precision ({row['low']:+.3f} to {row['high']:+.3f})"
        if row["low"] > 0:
            return f"use {best}: {interval} over training on the rows as they are"
        if row["gain"] > 0:
            return f"no sure gain: {best} is best with {interval}, which may be chance"
        return "no gain here: train on the rows as they are"

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
            "arms": table.to_dict("records"),
            "fidelity": self.fidelity_summary().T.to_dict(),
            "scores": self.scores.to_dict("records"),
        }


def evaluate_augmentation(
    X: Any,
    y: Any,
    *,
    positive: Any = None,
    sampler: Any = None,
    arms: Sequence[str] | None = None,
    n_rare: int | None = None,
    n_seeds: int = 5,
    confidence: float = 0.95,
    random_state: Any = 0,
    callback: Callable[[int, int], None] | None = None,
) -> AugmentationReport:
    """Train classifiers with and without new rows of the rare class; test them on real ones.

    Rows are split first. New rows, encoding and thresholds come from the training part alone;
    the test part stays as it is, at its own prevalence.

    Parameters
    ----------
    X : DataFrame or array-like of shape (n, d)
        A table.
    y : array-like of shape (n,)
        Its classes.
    positive : object, optional
        The class to find; the rarest if not given.
    sampler : GANSampler, optional
        What makes the new rows of the arms "augan"; ``GANSampler()`` if not given.
    arms : sequence of str, optional
        Out of "none" (always run), "class weight", "random oversampling", "SMOTE" (SMOTENC or
        SMOTEN where there are categories), "augan", "augan filtered" (by all filters) and "augan
        tuned" (as many rows as help in cross-validation); all if not given.
    n_rare : int, optional
        Rows of the rare class to train on, where it has more: what if there were so few?
    n_seeds : int, default=5
        Splits, at least 2.
    confidence : float, default=0.95
        Confidence level of the intervals, above 0 and below 1.
    random_state : int, RandomState or None, default=0
        Seed of splits, classifiers and samplers.
    callback : callable, optional
        Called with how many fits are done, and of how many.

    Returns
    -------
    report : AugmentationReport
        Figures of each arm, and a verdict.

    Raises
    ------
    DataError
        When the table has too few rows of a class, or labels are missing.
    ParameterError
        When another parameter has a value that it cannot have.
    """
    from augan.estimators.sampler import GANSampler

    chosen = _check_arms(build_arms(sampler or GANSampler()), arms, n_seeds, confidence, n_rare)
    frame, labels, positive = _read(X, y, positive)
    first = draw_seed(random_state)
    total = n_seeds * len(chosen) * len(CLASSIFIERS)
    records: list[dict[str, Any]] = []
    fidelity: list[dict[str, Any]] = []
    for seed in range(first, first + n_seeds):
        parts = split_rows(frame, labels, seed, n_rare)
        for name, arm in chosen.items():
            figures, new = try_arm(arm, parts, seed)
            records += [{"seed": seed, "arm": name} | figure for figure in figures]
            fidelity += [{"seed": seed, "arm": name} | f for f in _fidelity(new, parts, seed)]
            if callback is not None:
                callback(len(records), total)
    counts = len(frame), int(labels.sum()), n_seeds
    tables = pd.DataFrame(records), pd.DataFrame(fidelity)
    return AugmentationReport(positive, *counts, confidence, *tables)


@dataclass(frozen=True)
class Parts:
    """Real rows and labels to train on, to find a threshold on, and to test on."""

    train: pd.DataFrame
    y_train: Labels
    validation: pd.DataFrame
    y_validation: Labels
    test: pd.DataFrame
    y_test: Labels


def split_rows(frame: pd.DataFrame, labels: Labels, seed: int, n_rare: int | None = None) -> Parts:
    """Split a table; of the positive rows to train on keep at most `n_rare`."""

    def cut(rows: NDArray[np.intp], share: float) -> Any:
        return train_test_split(rows, test_size=share, stratify=labels[rows], random_state=seed)

    train, test = cut(np.arange(len(frame)), TEST_SHARE)
    train, validation = cut(train, VALIDATION_SHARE)
    if n_rare is not None:
        rare = np.random.default_rng(seed).permutation(train[labels[train]])
        train = np.setdiff1d(train, rare[n_rare:])
    pieces: list[Any] = []
    for rows in (train, validation, test):
        pieces += [frame.iloc[rows].reset_index(drop=True), labels[rows]]
    return Parts(*pieces)


def try_arm(arm: Arm, parts: Parts, seed: int) -> tuple[list[dict[str, Any]], Any]:
    """Return the figures of each classifier, trained as an arm would have it, and its new rows."""
    encoder = make_encoder().fit(plain(parts.train))
    encoded, labels, new = _rows_to_train_on(arm, parts, encoder, seed)
    validation, test = (encoder.transform(plain(part)) for part in (parts.validation, parts.test))
    found = []
    for name, build in CLASSIFIERS.items():
        model = build(seed, arm.class_weight).fit(encoded, labels)
        tuned, scores = (model.predict_proba(part)[:, 1] for part in (validation, test))
        flagged = scores >= _best_threshold(parts.y_validation, tuned)
        fpr, recall, _ = roc_curve(parts.y_test, scores)
        figures = {
            "average_precision": average_precision_score(parts.y_test, scores),
            "recall_at_1pct_fpr": recall[fpr <= MAX_FPR].max(),
            "f1": f1_score(parts.y_test, flagged, zero_division=0),
            "brier": brier_score_loss(parts.y_test, scores),
        }
        plain_figures = {key: float(value) for key, value in figures.items()}
        found.append({"classifier": name} | plain_figures)
    return found, new


def _rows_to_train_on(arm: Arm, parts: Parts, encoder: Any, seed: int) -> tuple[Any, Labels, Any]:
    """Return encoded rows, their labels, and the new ones among them as a table if there are."""
    if arm.resample is None:
        return encoder.transform(plain(parts.train)), parts.y_train, None
    if arm.encoded:
        encoded = encoder.transform(plain(parts.train))
        return *arm.resample(encoded, parts.y_train, seed), None
    rows, labels = arm.resample(parts.train, parts.y_train, seed)
    return encoder.transform(plain(rows)), labels, rows[len(parts.train) :]


def _fidelity(new: Any, parts: Parts, seed: int) -> list[dict[str, Any]]:
    """Return the figures of new rows beside those of the rare class's test rows."""
    train, test = parts.train[parts.y_train], parts.test[parts.y_test]
    if new is None or min(len(train), len(test), len(new)) < FIDELITY_ROWS:
        return []
    figures = fidelity_metrics(train, test, new, random_state=seed)
    return [{"figure": name} | values for name, values in figures.items()]


def _best_threshold(labels: Labels, scores: NDArray[np.float64]) -> float:
    """Return the score from which on flagging gives the highest F1."""
    precision, recall, thresholds = precision_recall_curve(labels, scores)
    both = np.maximum(precision + recall, np.finfo(float).tiny)
    return float(thresholds[(2 * precision * recall / both)[:-1].argmax()])


def _read(X: Any, y: Any, positive: Any) -> tuple[pd.DataFrame, Labels, Any]:
    """Return a table, which of its rows are positive, and the class that these have."""
    frame = to_pandas(X) if is_frame(X) else pd.DataFrame(np.asarray(X))
    classes = pd.Series(np.asarray(y))
    if len(classes) != len(frame):
        raise DataError(f"y has {len(classes)} labels for {len(frame)} rows")
    if classes.isna().any():
        raise DataError(f"y has no label in row {int(classes.isna().to_numpy().argmax())}")
    if frame.empty:
        raise DataError(f"X has {len(frame)} rows and {frame.shape[1]} columns: nothing to read")
    counts = classes.value_counts()
    if positive is None:
        positive = counts.index[-1]
    labels = (classes == positive).to_numpy(bool)
    for n, name in ((labels.sum(), repr(positive)), ((~labels).sum(), "the others")):
        if n < MIN_ROWS:
            raise DataError(f"{n} rows of class {name}: an evaluation needs at least {MIN_ROWS}")
    frame = frame.rename(columns=str).reset_index(drop=True)
    return frame, labels, positive


def _check_arms(
    known: dict[str, Arm], names: Sequence[str] | None, n_seeds: Any, confidence: Any, n_rare: Any
) -> dict[str, Arm]:
    """Return the arms to run, "none" first."""
    for name in names or ():
        if name not in known:
            raise ParameterError(f"arms: {shown(name)} is none of {', '.join(map(shown, known))}")
    for parameter, value in (("n_seeds", n_seeds), ("n_rare", n_rare)):
        if value is None and parameter == "n_rare":
            continue
        is_integer = isinstance(value, Integral) and not isinstance(value, bool)
        if not is_integer or not 2 <= value <= MOST:
            must = f"an integer of at least 2, at most {MOST}"
            raise ParameterError(f"{parameter}={shown(value)}: must be {must}")
    if not 0 < confidence < 1:
        raise ParameterError(f"confidence={shown(confidence)}: must be above 0 and below 1")
    return {name: arm for name, arm in known.items() if not names or name in ("none", *names)}
