"""One trial of a strategy: split, resample, train classifiers, score them on real rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import (
    average_precision_score,
    brier_score_loss,
    f1_score,
    precision_recall_curve,
    roc_curve,
)
from sklearn.model_selection import train_test_split

from augan.classifiers.tables import CLASSIFIERS, make_encoder, plain
from augan.evaluation.fidelity import MIN_ROWS as FIDELITY_ROWS
from augan.evaluation.fidelity import fidelity_metrics
from augan.evaluation.resampling import MAX_FPR
from augan.evaluation.strategies import Labels, Strategy

TEST_SHARE = 0.4
VALIDATION_SHARE = 0.2  # of the training rows; the threshold for F1 is chosen on them


@dataclass(frozen=True)
class Parts:
    """Real rows and labels: to train on, to choose a threshold on, and to test on."""

    train: pd.DataFrame
    y_train: Labels
    validation: pd.DataFrame
    y_validation: Labels
    test: pd.DataFrame
    y_test: Labels


def split_rows(frame: pd.DataFrame, labels: Labels, seed: int, n_rare: int | None = None) -> Parts:
    """Split a table; keep at most `n_rare` of the positive training rows."""

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


def try_strategy(
    strategy: Strategy, parts: Parts, seed: int
) -> tuple[list[dict[str, Any]], pd.DataFrame | None]:
    """Return the figures of each classifier, and the new rows that a strategy adds if any."""
    encoder = make_encoder().fit(plain(parts.train))
    encoded, labels, new = _training_rows(strategy, parts, encoder, seed)
    validation, test = (encoder.transform(plain(part)) for part in (parts.validation, parts.test))
    found = []
    for name, build in CLASSIFIERS.items():
        model = build(seed, strategy.class_weight).fit(encoded, labels)
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


def try_fidelity(new: pd.DataFrame | None, parts: Parts, seed: int) -> list[dict[str, Any]]:
    """Return the fidelity of new rows, and of the rare class's test rows in their place."""
    train, test = parts.train[parts.y_train], parts.test[parts.y_test]
    if new is None or min(len(train), len(test), len(new)) < FIDELITY_ROWS:
        return []
    figures = fidelity_metrics(train, test, new, random_state=seed)
    return [{"figure": name} | values for name, values in figures.items()]


def _training_rows(
    strategy: Strategy, parts: Parts, encoder: Any, seed: int
) -> tuple[Any, Labels, pd.DataFrame | None]:
    """Return encoded rows, their labels, and the new ones among them as a table if any."""
    if strategy.resample is None:
        return encoder.transform(plain(parts.train)), parts.y_train, None
    if strategy.encoded:
        encoded = encoder.transform(plain(parts.train))
        return *strategy.resample(encoded, parts.y_train, seed), None
    rows, labels = strategy.resample(parts.train, parts.y_train, seed)
    return encoder.transform(plain(rows)), labels, rows[len(parts.train) :]


def _best_threshold(labels: Labels, scores: NDArray[np.float64]) -> float:
    """Return the threshold with the highest F1; scores at it are flagged too."""
    precision, recall, thresholds = precision_recall_curve(labels, scores)
    both = np.maximum(precision + recall, np.finfo(float).tiny)
    return float(thresholds[(2 * precision * recall / both)[:-1].argmax()])
