"""Strategies for a rare class: class weights and the resamplers that are compared."""

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
class Strategy:
    """A strategy for a rare class.

    Parameters
    ----------
    resample : callable, optional
        Called with rows, labels and a seed; returns rows and labels, the new ones last.
    class_weight : str, optional
        `class_weight` of the classifiers.
    encoded : bool, default=False
        Whether `resample` takes encoded numbers rather than the table.
    """

    resample: Resample | None = None
    class_weight: str | None = None
    encoded: bool = False


def build_strategies(sampler: Any) -> dict[str, Strategy]:
    """Return the strategies by name; those called "augan" resample with `sampler`."""

    def own(X: pd.DataFrame, y: Labels, seed: int, **params: Any) -> Rows:
        rows, labels = clone(sampler).set_params(**params, random_state=seed).fit_resample(X, y)
        return rows, labels

    def filtered(X: pd.DataFrame, y: Labels, seed: int) -> Rows:
        n_held_out = round(sampler.validation_fraction * max((~y).sum(), y.sum()))
        with_critic = sampler.method != "data" and n_held_out >= MIN_HELD_OUT
        filters = tuple(name for name in FILTERS if name != "critic" or with_critic)
        return own(X, y, seed, filters=filters)

    return {
        "none": Strategy(),
        "class weight": Strategy(class_weight="balanced"),
        "random oversampling": Strategy(_oversampled),
        "SMOTE": Strategy(_smote),
        "augan": Strategy(own),
        "augan filtered": Strategy(filtered),
        "augan tuned": Strategy(partial(own, tune_for="auto")),
    }


def impute(X: pd.DataFrame) -> tuple[pd.DataFrame, Callable[[pd.DataFrame], pd.DataFrame]]:
    """Return a table without missing values, and a function that puts them back.

    Missing numbers are replaced by the median. For each column with missing numbers, a column of
    texts says where they were.
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
    """Resample with SMOTE, SMOTENC (some columns are texts) or SMOTEN (all are)."""
    filled, restore = impute(X)
    texts = [name for name in filled if filled[name].dtype == object]
    options = {"random_state": seed, "k_neighbors": min(NEIGHBOURS, int(y.sum()) - 1)}
    sampler = SMOTENC(texts, **options) if texts else SMOTE(**options)
    if len(texts) == filled.shape[1]:
        sampler = SMOTEN(**options)
    rows, labels = sampler.fit_resample(filled, y)
    return restore(rows), labels
