"""Checks of the rows and labels of a sampler, of all kinds that imbalanced-learn supports."""

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

from augan._callers import caller_level
from augan.codecs.dtypes import as_plain
from augan.exceptions import DataError, DataWarning, ParameterError, shown
from augan.inputs.columns import remember_columns
from augan.inputs.reading import Data, read_input

USUAL_NAME = "y"  # of labels without a name
MAX_ADDED = 10**9  # new rows of a class
MIN_IDENTIFIED = 30  # rows for the detection of identifiers; in fewer, values may just be distinct


def read_labelled(sampler: Any, X: Any, y: Any) -> tuple[Any, NDArray[Any], bool]:
    """Check X and y as imbalanced-learn does; tables and images are not converted.

    Returns
    -------
    X, y : DataFrame, ndarray or sparse matrix, and ndarray of shape (n,)
        Rows and labels.
    binarized : bool
        Whether the labels were given with one column for each class.

    Raises
    ------
    DataError
        If `X` cannot be read, or `y` has another number of rows.
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
    """Check that labels are classes.

    Raises
    ------
    DataError
        If a label is missing, types are mixed, or labels are continuous.
    """
    labels = np.asarray(y, dtype=object)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        return  # one column for each class; imbalanced-learn reads it
    missing = np.asarray(pd.isna(labels))
    if missing.any():
        raise DataError(f"y has no label in row {int(missing.argmax())}")
    kinds = sorted({"text" if isinstance(label, str) else "number" for label in labels})
    if len(kinds) > 1:
        raise DataError("y has labels of several types: strings and numbers")
    if np.asarray(y).dtype == object and kinds == ["number"]:
        found = type(labels[0]).__name__
        raise DataError(
            f"y holds Python objects, such as {shown(labels[0])} ({found}): convert it, for "
            "example with y.astype(int) or y.astype(str)"
        )
    try:
        check_classification_targets(y)
    except ValueError as error:
        raise DataError(f"y: {error}") from error


def name_of(y: Any) -> str:
    """Return the name of labels, "y" if they have none."""
    if isinstance(y, pd.DataFrame) and y.shape[1] == 1:
        y = y.iloc[:, 0]
    name = y.name if isinstance(y, pd.Series) else None
    return USUAL_NAME if name is None else str(name)


def check_class_sizes(
    classes: NDArray[Any], counts: NDArray[np.intp], strategy: dict[Any, int]
) -> None:
    """Check that classes with a single row get no new ones.

    Raises
    ------
    DataError
        If one does.
    """
    for label, n in zip(classes.tolist(), counts.tolist(), strict=True):
        if n == 1 and strategy.get(label, 0):
            raise DataError(
                f"class {shown(label)} has 1 row: at least 2 are required for new ones; remove the "
                "row, or exclude the class in sampling_strategy"
            )


def check_amounts(added: Mapping[Any, Any], given: str) -> None:
    """Check the numbers of new rows of each class.

    Raises
    ------
    ParameterError
        If a number is not an integer, or too large.
    """
    for label, n in added.items():
        if not isinstance(n, Integral) or int(n) > MAX_ADDED:
            asked = n.item() if isinstance(n, np.generic) else n
            raise ParameterError(
                f"{given}: class {shown(label)} cannot get {shown(asked)} new rows: an integer of "
                f"at most {MAX_ADDED} is required"
            )


def read_groups(groups: Any, n_rows: int) -> NDArray[np.intp] | None:
    """Return the group of each row as numbers (n,) from 0.

    Raises
    ------
    DataError
        If `groups` has another length, or a value is missing or cannot be hashed.
    """
    if groups is None:
        return None
    given = np.asarray(groups, dtype=object)
    if given.shape != (n_rows,):
        raise DataError(f"groups has shape {given.shape} for {n_rows} rows")
    try:
        numbers, _ = pd.factorize(given)
    except TypeError as error:
        raise DataError(f"groups: {error}; a string or number for each row is required") from error
    if (numbers < 0).any():
        raise DataError(f"groups has no value in row {int((numbers < 0).argmax())}")
    return np.asarray(numbers, dtype=np.intp)


def warn_of_columns(data: Data) -> None:
    """Warn of empty columns of a table, and of columns with identifiers of the rows."""
    if not isinstance(data, pd.DataFrame):
        return
    for label, given in data.items():
        name, values = repr(str(label)), as_plain(given)
        if values.isna().all():
            _warn(f"column {name} is empty: it is empty in new rows too")
        elif _numbers_rows(values):
            _warn(f"column {name} numbers the rows: numbers of new rows have no meaning; drop it")


def _numbers_rows(values: pd.Series) -> bool:
    """Whether values are distinct integers, at least half of those in their range."""
    if not pdt.is_integer_dtype(values.dtype) or len(values) < MIN_IDENTIFIED:
        return False
    if not values.is_unique:
        return False
    return int(values.max()) - int(values.min()) < 2 * len(values)


def _warn(message: str) -> None:
    warnings.warn(message, DataWarning, stacklevel=caller_level())


def dense(X: Any) -> Data:
    """Return sparse rows as an array, others unchanged."""
    if sparse.issparse(X):
        return np.asarray(X.toarray())
    return X


def joined(X: Any, data: Data, *added: Any) -> Any:
    """Return the original rows `X` with the `added` rows below them."""
    if sparse.issparse(X):
        rows = [X, *map(sparse.csr_matrix, added)]
        return sparse.vstack(rows, format=X.format, dtype=X.dtype)
    if isinstance(data, pd.DataFrame):
        return pd.concat([data, *added], ignore_index=True)
    return np.concatenate([data, *(rows.astype(data.dtype, copy=False) for rows in added)])
