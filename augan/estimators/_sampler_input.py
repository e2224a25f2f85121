"""What a sampler is given: labels, and rows of every kind that imbalanced-learn takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils.multiclass import check_classification_targets

from augan.estimators._input import Data
from augan.exceptions import DataError


def check_labels(y: Any) -> None:
    """Raise DataError where a label is missing, or labels cannot be told apart as classes."""
    labels = np.asarray(y, dtype=object)
    if labels.ndim != 1:
        return  # one column a class, which imbalanced-learn reads
    missing = np.asarray(pd.isna(labels))
    if missing.any():
        raise DataError(f"y has no label in row {int(missing.argmax())}")
    kinds = sorted({"text" if isinstance(label, str) else "number" for label in labels})
    if len(kinds) > 1:
        raise DataError("y has labels of several types: texts and numbers")
    try:
        check_classification_targets(y)
    except ValueError as error:
        raise DataError(f"y: {error}") from error


def dense(X: Any) -> Data:
    """Return what the codecs read."""
    if sparse.issparse(X):
        return np.asarray(X.toarray())
    if isinstance(X, pd.DataFrame):
        thin = [name for name in X if isinstance(X[name].dtype, pd.SparseDtype)]
        return X.astype({name: X[name].dtype.subtype for name in thin}) if thin else X
    return X


def joined(X: Any, data: Data, new: Any) -> Any:
    """Return the originals, as they came, and new rows below them."""
    if sparse.issparse(X):
        return sparse.vstack([X, sparse.csr_matrix(new)], format=X.format, dtype=X.dtype)
    if isinstance(data, pd.DataFrame):
        return pd.concat([data, new], ignore_index=True)
    return np.concatenate([data, new.astype(data.dtype, copy=False)])
