"""Ways to deal with a rare class, and classifiers to try them with."""

from __future__ import annotations

from collections.abc import Callable
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
WEIGHTED = "class weight"
ARMS = ("none", WEIGHTED, "random oversampling", "SMOTE", "augan")


def resampled(arm: str, X: pd.DataFrame, y: Labels, sampler: Any, seed: int) -> Rows:
    """Return what an arm trains on: the real rows, and below them the ones it adds."""
    if arm == "random oversampling":
        rows, labels = RandomOverSampler(random_state=seed).fit_resample(X, y)
    elif arm == "SMOTE":
        rows, labels = _smote(X, y, seed)
    elif arm == "augan":
        rows, labels = clone(sampler).set_params(random_state=seed).fit_resample(X, y)
    else:
        rows, labels = X, y
    return rows, labels


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


def _smote(X: pd.DataFrame, y: Labels, seed: int) -> Rows:
    """Return rows with SMOTE's, SMOTENC's or SMOTEN's, as the columns are, below them.

    Whether a number is missing is one more category, so that it is not lost.
    """
    given = plain(X)
    filled = given.fillna(given.select_dtypes("number").median().fillna(0))
    for name in given.columns[given.isna().any()]:
        filled[(MISSING, name)] = given[name].isna().map(str).astype(object)
    filled.columns = [str(i) for i in range(filled.shape[1])]
    texts = [name for name in filled if filled[name].dtype == object]
    options = {"random_state": seed, "k_neighbors": min(NEIGHBOURS, int(y.sum()) - 1)}
    sampler = SMOTENC(texts, **options) if texts else SMOTE(**options)
    if len(texts) == filled.shape[1]:
        sampler = SMOTEN(**options)
    rows, labels = sampler.fit_resample(filled, y)
    incomplete = given.columns[given.isna().any()]
    marks = rows.iloc[:, given.shape[1] :]
    rows = rows.iloc[:, : given.shape[1]].set_axis(given.columns, axis=1)
    for i, name in enumerate(incomplete):
        rows[name] = rows[name].mask(marks.iloc[:, i] == "True")
    return rows, labels
