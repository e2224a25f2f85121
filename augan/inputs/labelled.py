"""What a sampler is given: labels, and rows of every kind that imbalanced-learn takes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from imblearn.utils import check_target_type
from numpy.typing import NDArray
from pandas.api import types as pdt
from scipy import sparse
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from augan.codecs.dtypes import as_plain
from augan.exceptions import DataError, DataWarning, ParameterError, shown
from augan.inputs.columns import remember_columns
from augan.inputs.reading import Data, read_input

ROWS = 10**9  # new rows of a class, at most
MIN_NAMED = 30  # rows from which on distinct values are no chance
MOSTLY_DISTINCT = 0.9  # share of distinct texts from which on they name the rows


def read_labelled(sampler: Any, X: Any, y: Any) -> tuple[Any, NDArray[Any], bool]:
    """Return X and y, checked as imbalanced-learn does, but tables and images as they are.

    Also whether the labels came as one column a class.
    """
    given = y.to_numpy() if isinstance(y, pd.DataFrame) and y.shape[1] > 1 else y
    labels, binarized = check_target_type(given, indicate_one_vs_all=True)
    labels = np.asarray(labels)
    if sparse.issparse(X):
        return *validate_data(sampler, X=X, y=labels, accept_sparse=["csr", "csc"]), binarized
    data = read_input(X, sampler)
    remember_columns(sampler, data)
    if len(labels) != len(data):
        raise DataError(f"y has {len(labels)} labels for {len(data)} rows")
    return data, labels, binarized


def check_labels(y: Any) -> None:
    """Raise DataError where a label is missing, or labels cannot be told apart as classes."""
    labels = np.asarray(y, dtype=object)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        return  # one column a class, which imbalanced-learn reads
    missing = np.asarray(pd.isna(labels))
    if missing.any():
        raise DataError(f"y has no label in row {int(missing.argmax())}")
    kinds = sorted({"text" if isinstance(label, str) else "number" for label in labels})
    if len(kinds) > 1:
        raise DataError("y has labels of several types: texts and numbers")
    if np.asarray(y).dtype == object and kinds == ["number"]:
        found = type(labels[0]).__name__
        raise DataError(
            f"y holds Python objects, such as {shown(labels[0])} ({found}): give it a type, "
            "such as y.astype(int) or y.astype(str)"
        )
    try:
        check_classification_targets(y)
    except ValueError as error:
        raise DataError(f"y: {error}") from error


def check_class_sizes(
    classes: NDArray[Any], counts: NDArray[np.intp], strategy: dict[Any, int]
) -> None:
    """Raise DataError where a class (n_classes,) of one row is to get more."""
    for label, n in zip(classes.tolist(), counts.tolist(), strict=True):
        if n == 1 and strategy.get(label, 0):
            raise DataError(
                f"class {shown(label)} has 1 row: it takes at least 2 to make more; leave the row "
                "out, or name other classes in sampling_strategy"
            )


def check_amounts(added: Mapping[Any, Any], given: str) -> None:
    """Raise ParameterError where a class is to get what is no number of rows."""
    for label, n in added.items():
        if not isinstance(n, Integral) or int(n) > ROWS:
            asked = n.item() if isinstance(n, np.generic) else n
            raise ParameterError(
                f"{given}: class {shown(label)} cannot get {shown(asked)} new rows: a whole "
                f"number of at most {ROWS} is required"
            )


def read_groups(groups: Any, n_rows: int) -> NDArray[np.intp] | None:
    """Return which rows belong together as numbers (n,) from 0 on.

    Raises
    ------
    DataError
        Where there are not as many as rows, or one is missing.
    """
    if groups is None:
        return None
    given = np.asarray(groups, dtype=object)
    if given.shape != (n_rows,):
        raise DataError(f"groups has shape {given.shape} for {n_rows} rows")
    try:
        numbers, _ = pd.factorize(given)
    except TypeError as error:
        raise DataError(f"groups: {error}; one text or number a row is required") from error
    if (numbers < 0).any():
        raise DataError(f"groups has no value in row {int((numbers < 0).argmax())}")
    return np.asarray(numbers, dtype=np.intp)


def warn_of_columns(data: Data) -> None:
    """Warn of columns of a table that hold nothing, or that number or name the rows."""
    if not isinstance(data, pd.DataFrame):
        return
    for label, given in data.items():
        name, values = repr(str(label)), as_plain(given)
        if values.isna().all():
            _warn(f"column {name} is empty: so it is in new rows")
        elif _numbers_rows(values):
            _warn(
                f"column {name} numbers the rows: new ones get numbers that mean nothing; drop it"
            )
        elif _names_rows(values):
            _warn(f"column {name} has another text in every row: new rows repeat them; drop it")


def _numbers_rows(values: pd.Series) -> bool:
    """Whether whole numbers are all distinct, and nearly all of those in their range are there."""
    if not pdt.is_integer_dtype(values.dtype) or len(values) < MIN_NAMED or not values.is_unique:
        return False
    return int(values.max()) - int(values.min()) < 2 * len(values)


def _names_rows(values: pd.Series) -> bool:
    if pdt.is_numeric_dtype(values.dtype) or pdt.is_datetime64_any_dtype(values.dtype):
        return False
    given = values.dropna()
    texts = len(given) >= MIN_NAMED and isinstance(given.iloc[0], str)
    return texts and given.nunique() > MOSTLY_DISTINCT * len(given)


def _warn(message: str) -> None:
    warnings.warn(message, DataWarning, stacklevel=6)


def dense(X: Any) -> Data:
    """Return what the codecs read."""
    if sparse.issparse(X):
        return np.asarray(X.toarray())
    return X


def joined(X: Any, data: Data, *added: Any) -> Any:
    """Return the originals, as they came, and what is added below them."""
    if sparse.issparse(X):
        rows = [X, *map(sparse.csr_matrix, added)]
        return sparse.vstack(rows, format=X.format, dtype=X.dtype)
    if isinstance(data, pd.DataFrame):
        return pd.concat([data, *added], ignore_index=True)
    return np.concatenate([data, *(rows.astype(data.dtype, copy=False) for rows in added)])
