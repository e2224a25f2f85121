"""What users hand in, as a DataFrame, a 2-D array or an array of images."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import Tags, check_array
from sklearn.utils.validation import column_or_1d, validate_data

from augan.exceptions import DataError

Data: TypeAlias = pd.DataFrame | NDArray[Any]

IMAGE_CHANNELS = (1, 3, 4)


def with_any_input(tags: Tags) -> Tags:
    """Return tags that say: tables with texts, categories and missing values, and images."""
    tags.input_tags.allow_nan = True
    tags.input_tags.three_d_array = True
    tags.input_tags.categorical = True
    tags.input_tags.string = True
    return tags


def read_input(X: Any, estimator: object) -> Data:
    """Return `X` as a DataFrame, a 2-D array (numbers or objects), or images (n, H, W[, C])."""
    if isinstance(X, pd.DataFrame):
        if X.empty:
            raise DataError(f"X has {X.shape[0]} rows and {X.shape[1]} columns: nothing to read")
        return X
    if is_image_array(X):
        return _read_images(np.asarray(X))
    if _is_list_of_images(X):
        return _read_images(_stack(X))
    array: NDArray[Any] = check_array(
        X, dtype=None, ensure_all_finite=False, input_name="X", estimator=estimator
    )
    return array.astype(object) if array.dtype.kind in "US" else array


def read_like_training(X: Any, estimator: Any, *, images: bool) -> Data:
    """Return `X` as `read_input` does; DataError, or scikit-learn's, if training had other rows.

    `images` says whether the estimator was trained on images.
    """
    data = read_input(X, estimator)
    holds_images = isinstance(data, np.ndarray) and data.ndim > 2
    if holds_images != images:
        found, trained = ("images", "a table") if holds_images else ("a table", "images")
        raise DataError(f"X holds {found}, in training {trained}")
    if not images:
        validate_data(estimator, data, reset=False, skip_check_array=True)
    return data


def normal_rows(y: Any, n_rows: int, normal_label: Any) -> NDArray[np.bool_]:
    """Return which of `n_rows` labels `y` are `normal_label`."""
    if y is None:
        raise DataError(f"normal_label={normal_label!r} needs y, the labels")
    labels: NDArray[Any] = column_or_1d(y)
    if len(labels) != n_rows:
        raise DataError(f"y has {len(labels)} labels for {n_rows} rows")
    normal = np.asarray(labels == normal_label)
    if normal.shape != labels.shape or not normal.any():
        found = ", ".join(map(repr, pd.unique(labels)[:5].tolist()))
        raise DataError(f"no row has the label normal_label={normal_label!r}; y has {found}")
    return normal


def take(X: Data, rows: NDArray[Any]) -> Data:
    """Return the rows of `X` at `rows` (a mask or indices)."""
    return X.iloc[rows] if isinstance(X, pd.DataFrame) else X[rows]


def is_image_array(X: Any) -> bool:
    """Whether `X` is an array of three or four dimensions."""
    return getattr(X, "ndim", 0) in (3, 4) and hasattr(X, "dtype")


def _read_images(images: NDArray[Any]) -> NDArray[Any]:
    if len(images) == 0:
        raise DataError("X holds no images")
    if images.dtype.kind not in "buif":
        raise DataError(f"images of dtype {images.dtype}: need integers or floats")
    if images.ndim == 4 and images.shape[3] not in IMAGE_CHANNELS:
        raise DataError(
            f"images of shape {images.shape[1:]}: the last axis must have 1, 3 or 4 channels"
        )
    return images


def _is_list_of_images(X: Any) -> bool:
    if not isinstance(X, (list, tuple)) or not X:
        return False
    return all(getattr(item, "ndim", 0) in (2, 3) and hasattr(item, "dtype") for item in X)


def _stack(images: Any) -> NDArray[Any]:
    first = images[0].shape
    for i, image in enumerate(images):
        if image.shape != first:
            raise DataError(f"image {i} has shape {image.shape}, image 0 has {first}")
    return np.stack(images)
