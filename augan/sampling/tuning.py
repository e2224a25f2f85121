"""The number of new rows and their spread, chosen by cross-validation in the training rows.

With few real rows cross-validation is too noisy; a default is used instead.
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
from scipy import stats
from sklearn.base import clone
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from augan._random import derive_seed, numpy_stream, torch_stream
from augan.classifiers.tables import CLASSIFIERS, make_encoder, plain
from augan.sampling.class_filter import ClassFilter
from augan.sampling.pool import Pool

Codes = NDArray[np.intp]
Decode = Callable[[torch.Tensor], Any]

N_FOLDS = 3
FEW = 100  # rows of a class; cross-validation is too noisy with fewer
N_ERRORS = float(stats.t.ppf(0.95, N_FOLDS - 1))  # Student's quantile for gains of tables
MAX_ROWS = 5000  # of the classes that get no new rows, for classifiers


@dataclass(frozen=True)
class Candidate:
    """Up to `times` as many rows of a class as real ones, with `spread` times the spread."""

    times: float
    spread: float


OF_FEW = Candidate(10, 1)
OF_FEW_COLUMNS = Candidate(math.inf, 1)  # for rows of a column model
CANDIDATES = (Candidate(3, 0.25), Candidate(3, 1), Candidate(10, 1), Candidate(math.inf, 1))


@dataclass(frozen=True)
class Trial:
    """Result of a candidate: the gain in average precision (F1 for images) over real rows alone.

    Attributes
    ----------
    times, spread : float
        The candidate; its spread is a multiple of the sampler's.
    gain, error : float
        Mean over folds, classifiers and classes, and its standard error.
    share : float or None
        For images, the share of synthetic images in every class.
    symmetry : {"flips", "dihedral"} or None
        For images, the symmetry of new ones.
    """

    times: float
    spread: float
    gain: float
    error: float
    share: float | None = None
    symmetry: str | None = None


def amounts(wanted: Mapping[int, int], counts: NDArray[np.intp], times: float) -> dict[int, int]:
    """Return the number of new rows of each class for `times` its real rows, at most `wanted`."""
    return {
        label: int(min(n, (times - 1) * counts[label] if math.isfinite(times) else n))
        for label, n in wanted.items()
    }


def split_folds(
    codes: Codes, groups: Codes | None, seed: int
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return training and held-out rows of each fold; groups are not split.

    The list is empty if some fold would lack a class in its training or held-out rows.
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
    by_label: bool = False,
    refit: Callable[[Pool], Pool] | None = None,
) -> list[Trial]:
    """Evaluate each candidate by cross-validation on real rows.

    New rows are made from the training folds only. Without `refit` the networks were trained on the
    held-out rows and their classes too, so that the gains are optimistic.

    Parameters
    ----------
    frame : DataFrame
        The pool's rows (m, d), not encoded.
    pool : Pool
        Source of new rows.
    wanted : mapping of int to int
        Requested number of rows of each class.
    counts : ndarray of shape (n_classes,)
        Number of real rows of each class, in the pool or not.
    decode : callable
        Function from encoded rows to a table.
    classifier : "auto" or classifier
        The classifier; "auto" is the mean of logistic regression, forest and boosting.
    spread : float
        Spread of the sampler.
    groups : ndarray of shape (m,) or None
        Groups of the pool's rows.
    seed : int
        Seed of folds, classifiers and rows.
    by_label : bool, default=False
        Whether rows of a column model pass the filter "label".
    refit : callable, optional
        Returns a pool of the same rows with networks that were trained on them alone.

    Returns
    -------
    trials : list of Trial
        The result of each candidate; empty if there are no folds.
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
        part = part if refit is None else refit(part)
        draw = ClassFilter(part, spread, seed).draw if by_label else part.draw
        found = []
        for candidate in CANDIDATES:
            new = amounts(asked, own, candidate.times)
            random = torch_stream(seed, f"tuning {i} {candidate}")
            rows = decode(draw(new, candidate.spread * spread, random))
            labels = np.repeat(list(new), list(new.values()))
            found.append(trial.score(pd.DataFrame(rows, columns=frame.columns), labels) - alone)
        gains.append(found)
    return [
        Trial(c.times, c.spread, *found)
        for c, found in zip(CANDIDATES, means_and_errors(gains), strict=bool(gains))
    ]


def means_and_errors(gains: list[list[float]]) -> list[tuple[float, float]]:
    """Return mean and standard error of each candidate's gains, given as a list for each fold."""
    if not gains:
        return []
    table = np.array(gains)
    errors = table.std(axis=0, ddof=1) / math.sqrt(len(table))
    return list(zip(table.mean(axis=0).tolist(), errors.tolist(), strict=True))


def best_of(trials: list[Trial], n_errors: float = 1.0) -> Trial | None:
    """Return the trial with the highest gain, None if that is within `n_errors` standard errors."""
    best = max(trials, key=lambda trial: trial.gain)
    return best if best.gain > n_errors * best.error else None


class _Fold:
    """Training and held-out rows of a fold, on which classifiers are evaluated."""

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
        """Return the mean average precision of the targets after training with added `rows`."""
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
    """Return rows, with at most `MAX_ROWS` of the classes that get no new ones."""
    others = rows[~np.isin(codes[rows], targets)]
    if len(others) <= MAX_ROWS:
        return rows
    left = random.choice(others, len(others) - MAX_ROWS, replace=False)
    return np.setdiff1d(rows, left)
