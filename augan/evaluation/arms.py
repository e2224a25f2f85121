"""Ways to deal with a rare class, and classifiers to try them with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC, RandomOverSampler
from numpy.typing import NDArray
from pandas.api import types as pdt
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

Labels = NDArray[np.bool_]
Rows = tuple[pd.DataFrame, Labels]

NEIGHBOURS = 5  # of SMOTE
MIN_FREQUENCY = 5  # rows that a category needs for a column of its own
MISSING = "missing"  # a category's name where there is none

CLASSIFIERS: dict[str, Callable[..., Any]] = {
    "logistic regression": lambda seed, weight: LogisticRegression(
        max_iter=1000, class_weight=weight
    ),
    "random forest": lambda seed, weight: RandomForestClassifier(
        200, random_state=seed, class_weight=weight
    ),
    "histogram boosting": lambda seed, weight: HistGradientBoostingClassifier(
        random_state=seed, class_weight=weight
    ),
}
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
    """Return the arms by name; `sampler` makes the rows of the arm "augan"."""

    def own(X: pd.DataFrame, y: Labels, seed: int) -> Rows:
        rows, labels = clone(sampler).set_params(random_state=seed).fit_resample(X, y)
        return rows, labels

    return {
        "none": Arm(),
        "class weight": Arm(class_weight="balanced"),
        "random oversampling": Arm(_oversampled),
        "SMOTE": Arm(_smote),
        "augan": Arm(own),
    }


def plain(X: pd.DataFrame) -> pd.DataFrame:
    """Return a table of floats and texts: dates as seconds, missing values as NaN."""
    columns = {}
    for name, values in X.items():
        if pdt.is_datetime64_any_dtype(values):
            columns[name] = (values - pd.Timestamp(0, tz=values.dt.tz)).dt.total_seconds()
        elif pdt.is_timedelta64_dtype(values):
            columns[name] = values.dt.total_seconds()
        elif pdt.is_numeric_dtype(values) and not pdt.is_bool_dtype(values):
            columns[name] = values.astype("float64")
        else:
            texts = values.astype(object).where(values.notna(), MISSING)
            columns[name] = texts.map(str).astype(object)
    return pd.DataFrame(columns, index=X.index)


def make_encoder() -> Any:
    """Build what turns a plain table into numbers for the classifiers."""
    imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    numbers = make_pipeline(imputer, StandardScaler())
    texts = OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=MIN_FREQUENCY, sparse_output=False
    )
    return ColumnTransformer(
        [
            ("numbers", numbers, make_column_selector(dtype_include="number")),
            ("texts", texts, make_column_selector(dtype_exclude="number")),
        ]
    )


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
