"""How many new rows, and how near to real ones: by cross-validation in the training rows.

Of few real rows cross-validation says too little; then there is a number that has helped more
often than not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from augan._random import derive_seed, numpy_stream, torch_stream
from augan.classifiers.tables import CLASSIFIERS, make_encoder, plain
from augan.sampling.pool import Pool

Codes = NDArray[np.intp]
Decode = Callable[[torch.Tensor], Any]

N_FOLDS = 3
FEW = 100  # rows of a class, below which nothing is measured
MAX_ROWS = 5000  # of the classes that get no new rows, to fit classifiers on


@dataclass(frozen=True)
class Candidate:
    """At most `times` as many rows of a class as there are real ones, `spread` times the spread."""

    times: float
    spread: float


OF_FEW = Candidate(10, 1)
CANDIDATES = (Candidate(3, 0.25), Candidate(3, 1), Candidate(10, 1), Candidate(math.inf, 1))


@dataclass(frozen=True)
class Trial:
    """What a candidate is worth: average precision (F1 of images) beyond that of real rows alone.

    Attributes
    ----------
    times, spread : float
        The candidate; its spread is times the sampler's.
    gain, error : float
        Mean over folds, classifiers and classes, and its standard error.
    share : float or None
        Of images: the share of every class that is new, on top of copies.
    symmetry : {"flips", "dihedral"} or None
        Of images: how new ones are reflected.
    """

    times: float
    spread: float
    gain: float
    error: float
    share: float | None = None
    symmetry: str | None = None


def amounts(wanted: Mapping[int, int], counts: NDArray[np.intp], times: float) -> dict[int, int]:
    """Return how many new rows of each class, `wanted` at most, make `times` the real ones."""
    return {
        label: int(min(n, (times - 1) * counts[label] if math.isfinite(times) else n))
        for label, n in wanted.items()
    }


def split_folds(
    codes: Codes, groups: Codes | None, seed: int
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return training and held-out rows of each fold; the rows of a group are on one side.

    There are no folds where groups keep a class from being on both sides of each.
    """
    if groups is None:
        return list(StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed).split(codes, codes))
    pairs = np.unique(np.column_stack([codes, groups]), axis=0)
    if np.bincount(pairs[:, 0]).min() < N_FOLDS:
        return []
    splitter = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=seed)
    folds = list(splitter.split(codes, codes, groups))
    n_classes = len(np.unique(codes))
    complete = all(len(np.unique(codes[side])) == n_classes for fold in folds for side in fold)
    return folds if complete else []


def try_candidates(
    frame: pd.DataFrame,
    pool: Pool,
    wanted: Mapping[int, int],
    counts: Codes,
    decode: Decode,
    *,
    classifier: Any,
    spread: float,
    groups: Codes | None,
    seed: int,
) -> list[Trial]:
    """Measure each candidate on held-out real rows, if there are folds.

    New rows start from those of the training folds alone, but the networks have seen the held-out
    rows and their classes too: gains are on the high side.

    Parameters
    ----------
    frame : DataFrame
        The pool's rows (m, d) as they came.
    pool : Pool
        Draws new rows.
    wanted : mapping of int to int
        How many rows of each class are asked for.
    counts : ndarray of shape (n_classes,)
        How many real rows of each class there are, in the pool or not.
    decode : callable
        Makes a table of encoded rows.
    classifier : "auto" or classifier
        What the rows are for; "auto" is the mean of logistic regression, forest and boosting.
    spread : float
        What a candidate's spread is times of.
    groups : ndarray of shape (m,) or None
        Which of the pool's rows belong together.
    seed : int
        Seed of folds, classifiers and rows.
    """
    codes = pool.labels.numpy()
    targets = [label for label, n in wanted.items() if n]
    n_others = counts.sum() - counts[targets].sum()
    gains: list[list[float]] = []
    for i, (train, test) in enumerate(split_folds(codes, groups, seed)):
        train = _at_most(train, codes, targets, numpy_stream(seed, f"tuning {i}"))
        trial = _Fold(frame, codes, train, test, targets, classifier, seed)
        alone = trial.score(frame.iloc[:0], codes[:0])
        own = np.bincount(codes[train], minlength=pool.n_classes)
        share = (own.sum() - own[targets].sum()) / n_others if n_others else len(train) / len(codes)
        asked = {label: round(wanted[label] * share) for label in targets}
        part = pool.only(torch.from_numpy(np.sort(train)))
        found = []
        for candidate in CANDIDATES:
            new = amounts(asked, own, candidate.times)
            random = torch_stream(seed, f"tuning {i} {candidate}")
            rows = decode(part.draw(new, candidate.spread * spread, random))
            labels = np.repeat(list(new), list(new.values()))
            found.append(trial.score(pd.DataFrame(rows, columns=frame.columns), labels) - alone)
        gains.append(found)
    return [
        Trial(c.times, c.spread, *found)
        for c, found in zip(CANDIDATES, means_and_errors(gains), strict=bool(gains))
    ]


def means_and_errors(gains: list[list[float]]) -> list[tuple[float, float]]:
    """Return mean and standard error of each candidate's gains, a list for each fold."""
    if not gains:
        return []
    table = np.array(gains)
    errors = table.std(axis=0, ddof=1) / math.sqrt(len(table))
    return list(zip(table.mean(axis=0).tolist(), errors.tolist(), strict=True))


def best_of(trials: list[Trial]) -> Trial | None:
    """Return the trial with the highest gain, if it is above its standard error."""
    best = max(trials, key=lambda trial: trial.gain)
    return best if best.gain > best.error else None


class _Fold:
    """Training rows, and held-out ones to score classifiers on."""

    def __init__(
        self,
        frame: pd.DataFrame,
        codes: Codes,
        train: Codes,
        test: Codes,
        targets: list[int],
        classifier: Any,
        seed: int,
    ) -> None:
        given = plain(frame.iloc[train])
        self.encoder = make_encoder().fit(given)
        self.train, self.y_train = self.encoder.transform(given), codes[train]
        self.test, self.y_test = self.encoder.transform(plain(frame.iloc[test])), codes[test]
        self.targets = targets
        if isinstance(classifier, str):
            own = derive_seed(seed, "classifier") % 2**32
            self.models = [build(own, None) for build in CLASSIFIERS.values()]
        else:
            self.models = [classifier]

    def score(self, rows: pd.DataFrame, labels: Codes) -> float:
        """Return the mean average precision of the targets, trained with new `rows`."""
        X, y = self.train, self.y_train
        if len(rows):
            X = np.concatenate([X, self.encoder.transform(plain(rows))])
            y = np.concatenate([y, labels])
        found = []
        for model in self.models:
            fitted = clone(model).fit(X, y)
            scores = fitted.predict_proba(self.test)
            for label in self.targets:
                place = int(np.flatnonzero(fitted.classes_ == label)[0])
                found.append(average_precision_score(self.y_test == label, scores[:, place]))
        return float(np.mean(found))


def _at_most(rows: Codes, codes: Codes, targets: list[int], random: np.random.Generator) -> Codes:
    """Leave out rows of the classes that get none, where they are many."""
    others = rows[~np.isin(codes[rows], targets)]
    if len(others) <= MAX_ROWS:
        return rows
    left = random.choice(others, len(others) - MAX_ROWS, replace=False)
    return np.setdiff1d(rows, left)
