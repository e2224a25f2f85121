"""The columns of a table: stored by `fit`, and compared with those of later tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from augan.exceptions import DataError, listed

MATCH = "The feature names should match those that were passed during fit"


def remember_columns(estimator: Any, data: pd.DataFrame | NDArray[Any]) -> None:
    """Set `n_features_in_`, and `feature_names_in_` if all column names are strings."""
    if data.ndim == 2 and not _are_mixed(data):
        from sklearn.utils.validation import validate_data

        validate_data(estimator, data, skip_check_array=True)
        return
    estimator.n_features_in_ = int(np.prod(data.shape[1:]))
    estimator.__dict__.pop("feature_names_in_", None)


def check_columns(estimator: Any, codec: Any, data: pd.DataFrame | NDArray[Any]) -> None:
    """Check that a table has the columns of training, in the same order.

    Names are compared as strings: 0 is equal to "0", as in a file. If only one of the tables has
    column names other than pandas' default 0, 1, ..., scikit-learn issues a warning.

    Raises
    ------
    DataError, ValueError
        For other names, another order or another number of columns.
    """
    trained = list(codec.labels) if codec.array_dtype is None else None
    given = list(data.columns) if isinstance(data, pd.DataFrame) else None
    if trained and given and not (_are_texts(trained) and _are_texts(given)):
        names, found = [str(name) for name in trained], [str(name) for name in given]
        if names == found:
            return
        if sorted(names) == sorted(found):
            raise DataError(f"{MATCH}, in the same order: {listed(trained)}; X has {listed(given)}")
        pandas_own = (_are_counted(trained), _are_counted(given))
        nameless = pandas_own != (False, False) and (_are_texts(trained) or _are_texts(given))
        if len(names) == len(found) and not nameless:
            raise DataError(f"{MATCH}: {listed(trained)}; X has {listed(given)}")
    n_columns = len(codec.columns)
    both_texts = trained and given and _are_texts(trained) and _are_texts(given)
    if data.shape[1] != n_columns and not both_texts:
        raise DataError(
            f"X has {data.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{n_columns} features as input{of_columns(trained or ())}"
        )
    if given == trained:
        return
    if not hasattr(estimator, "__sklearn_tags__"):  # scikit-learn does not know it
        if both_texts:
            raise DataError(f"{MATCH}: {listed(trained or ())}; X has {listed(given or ())}")
        return
    if not _are_mixed(data):
        from sklearn.utils.validation import validate_data

        validate_data(estimator, data, reset=False, skip_check_array=True)


def of_columns(names: Sequence[Any]) -> str:
    """Return the end of an error message, with the column names of training."""
    named = [name for name in names if isinstance(name, str)]
    usual = named == [f"x{i}" for i in range(len(names))]
    return f"; training had the columns {listed(names)}" if len(names) and not usual else ""


def _are_texts(names: Sequence[Any]) -> bool:
    return all(isinstance(name, str) for name in names)


def _are_counted(names: Sequence[Any]) -> bool:
    """Whether names are 0, 1, ..., pandas' default."""
    whole = all(isinstance(name, (int, np.integer)) for name in names)
    return whole and [int(name) for name in names] == list(range(len(names)))


def _are_mixed(data: pd.DataFrame | NDArray[Any]) -> bool:
    """Whether only some names are strings, which scikit-learn does not allow."""
    if not isinstance(data, pd.DataFrame):
        return False
    texts = [isinstance(name, str) for name in data.columns]
    return any(texts) and not all(texts)
