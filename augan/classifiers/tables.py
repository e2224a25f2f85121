"""Classifiers of table rows, and the encoder that turns a table into numbers for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
from pandas.api import types as pdt
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from augan.codecs.cells import parse_numbers
from augan.codecs.dtypes import as_plain

MIN_FREQUENCY = 5  # rows of a category; rarer categories share a column
MISSING = "missing"  # category of missing texts

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


def plain(X: pd.DataFrame) -> pd.DataFrame:
    """Return a table of floats and texts, with dates as seconds and missing numbers as NaN."""
    columns = {}
    for name, given in X.items():
        values = as_plain(given)
        if pdt.is_datetime64_any_dtype(values.dtype):
            columns[name] = pd.Series(parse_numbers(values, "time"), index=X.index)
        elif pdt.is_timedelta64_dtype(values.dtype):
            columns[name] = values.dt.total_seconds()
        elif pdt.is_numeric_dtype(values) and not pdt.is_bool_dtype(values):
            columns[name] = values.astype("float64")
        else:
            texts = values.astype(object).where(values.notna(), MISSING)
            columns[name] = texts.map(str).astype(object)
    return pd.DataFrame(columns, index=X.index)


def make_encoder() -> Any:
    """Build the encoder that turns a plain table into numbers for the classifiers."""
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
