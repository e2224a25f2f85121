"""Ways to deal with a rare class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC, RandomOverSampler
from numpy.typing import NDArray
from sklearn.base import clone

from augan.classifiers.tables import MISSING, plain
from augan.sampling import FILTERS
from augan.sampling.filters import MIN_HELD_OUT

Labels = NDArray[np.bool_]
Rows = tuple[pd.DataFrame, Labels]

NEIGHBOURS = 5  # of SMOTE
Resample = Callable[[Any, Labels, int], tuple[Any, Labels]]


@dataclass(frozen=True)
class Arm:
    """A way to deal with a rare class.

    Parameters
    ----------
    resample : callable, optional
        Takes rows, labels and a seed; returns them, and what it adds below them.
    class_weight : str, optional
        What the classifiers are given.
    encoded : bool, default=False
        Whether `resample` works on encoded numbers rather than on the table.
    """

    resample: Resample | None = None
    class_weight: str | None = None
    encoded: bool = False


def build_arms(sampler: Any) -> dict[str, Arm]:
    """Return the arms by name; `sampler` makes the rows of those called "augan"."""

    def own(X: pd.DataFrame, y: Labels, seed: int, **params: Any) -> Rows:
        rows, labels = clone(sampler).set_params(**params, random_state=seed).fit_resample(X, y)
        return rows, labels

    def filtered(X: pd.DataFrame, y: Labels, seed: int) -> Rows:
        n_held_out = round(sampler.validation_fraction * max((~y).sum(), y.sum()))
        with_critic = sampler.method != "data" and n_held_out >= MIN_HELD_OUT
        filters = tuple(name for name in FILTERS if name != "critic" or with_critic)
        return own(X, y, seed, filters=filters)

    return {
        "none": Arm(),
        "class weight": Arm(class_weight="balanced"),
        "random oversampling": Arm(_oversampled),
        "SMOTE": Arm(_smote),
        "augan": Arm(own),
        "augan filtered": Arm(filtered),
        "augan tuned": Arm(partial(own, tune_for="auto")),
    }


def complete(X: pd.DataFrame) -> tuple[pd.DataFrame, Callable[[pd.DataFrame], pd.DataFrame]]:
    """Return a plain table without missing values, and what puts them back into one like it.

    Whether a number is missing is one more column of texts, so that it is not lost.
    """
    given = plain(X)
    incomplete = given.columns[given.isna().any()]
    filled = given.fillna(given.select_dtypes("number").median().fillna(0))
    for name in incomplete:
        filled[(MISSING, name)] = given[name].isna().map(str).astype(object)
    filled.columns = [str(i) for i in range(filled.shape[1])]

    def restore(rows: pd.DataFrame) -> pd.DataFrame:
        marks = rows.iloc[:, given.shape[1] :]
        rows = rows.iloc[:, : given.shape[1]].set_axis(given.columns, axis=1)
        for i, name in enumerate(incomplete):
            rows[name] = rows[name].mask(marks.iloc[:, i] == "True")
        return rows

    return filled, restore


def _oversampled(X: pd.DataFrame, y: Labels, seed: int) -> Rows:
    rows, labels = RandomOverSampler(random_state=seed).fit_resample(X, y)
    return rows, labels


def _smote(X: pd.DataFrame, y: Labels, seed: int) -> Rows:
    """Return rows with SMOTE's, SMOTENC's or SMOTEN's, as the columns are, below them."""
    filled, restore = complete(X)
    texts = [name for name in filled if filled[name].dtype == object]
    options = {"random_state": seed, "k_neighbors": min(NEIGHBOURS, int(y.sum()) - 1)}
    sampler = SMOTENC(texts, **options) if texts else SMOTE(**options)
    if len(texts) == filled.shape[1]:
        sampler = SMOTEN(**options)
    rows, labels = sampler.fit_resample(filled, y)
    return restore(rows), labels
