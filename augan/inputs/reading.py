"""Reading of `X`: a DataFrame, a 2-D array or an array of images."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from augan.exceptions import DataError, DataTypeError, shown
from augan.frames import is_frame, is_series, to_pandas
from augan.inputs.columns import check_columns, of_columns
from augan.inputs.images import (
    is_list_of_images,
    read_images,
    stacked,
    warn_of_range,
)

if TYPE_CHECKING:  # scikit-learn is imported where it is used: that takes a second
    from sklearn.utils import Tags

Data: TypeAlias = pd.DataFrame | NDArray[Any]

SHOWN_LABELS = 5


def with_any_input(tags: Tags) -> Tags:
    """Return tags for tables with strings, categories and missing values, and for images."""
    tags.input_tags.allow_nan = True
    tags.input_tags.three_d_array = True
    tags.input_tags.categorical = True
    tags.input_tags.string = True
    return tags


def read_input(X: Any, estimator: object, *, columns: Sequence[Any] = ()) -> Data:
    """Return `X` as a DataFrame, a 2-D array (numbers or objects), or images (n, H, W[, C]).

    Frames of other libraries and structured arrays become DataFrames.

    Parameters
    ----------
    X : frame, array-like, or images
        Rows or images.
    estimator : object
        Estimator or its name, for error messages.
    columns : sequence, default=()
        Columns of training, for error messages.

    Raises
    ------
    DataError
        If `X` is not a table or an array of images, or is empty.
    """
    if is_frame(X):
        frame = to_pandas(X)
        if frame.empty:
            rows, width = frame.shape
            raise DataError(f"X is empty: it has {rows} rows and {width} columns")
        return frame
    if is_image_array(X):
        return read_images(np.asarray(_without_mask(X)))
    if is_list_of_images(X):
        return read_images(stacked([_without_mask(image) for image in X]))
    if getattr(getattr(X, "dtype", None), "names", None) and X.ndim == 1:
        return read_input(_of_fields(X), estimator, columns=columns)
    _check_shape(X, columns)
    if type(X) is np.ndarray and X.ndim == 2 and X.size and X.dtype.kind in "fiub":
        return X
    from sklearn.utils import check_array

    try:
        array: NDArray[Any] = check_array(
            _without_mask(X),
            dtype=None,
            ensure_all_finite=False,
            input_name="X",
            estimator=estimator,
        )
    except ValueError as error:  # scikit-learn's messages show the whole array
        kind = DataTypeError if isinstance(error, TypeError) else DataError
        raise kind(str(error).splitlines()[0].rstrip(":")) from error
    return array.astype(object) if array.dtype.kind in "US" else array


def read_like_training(X: Any, estimator: Any, codec: Any) -> Data:
    """Return `X` as `read_input` does, after a comparison with the training data.

    Parameters
    ----------
    X : array-like
        Rows or images.
    estimator : object
        An estimator with `n_features_in_`, as for scikit-learn's ``validate_data``.
    codec : object
        The codec of the training data, with `kind`, and for tables with `labels`.

    Raises
    ------
    DataError, ValueError
        If training had other columns or another kind of data.
    """
    images = codec.kind == "image"
    data = read_input(X, estimator, columns=() if images else codec.labels)
    holds_images = isinstance(data, np.ndarray) and data.ndim > 2
    if holds_images != images:
        found, trained = ("images", "a table") if holds_images else ("a table", "images")
        raise DataError(f"X holds {found}, in training {trained}")
    if isinstance(data, np.ndarray) and images:
        warn_of_range(data, codec)
    else:
        check_columns(estimator, codec, data)
    return data


def normal_rows(y: Any, n_rows: int, normal_label: Any) -> NDArray[np.bool_]:
    """Return a mask (n_rows,) of the labels `y` that are `normal_label`; missing ones are not.

    Raises
    ------
    DataError
        If there are no labels, or not one for each row, or none is `normal_label`.
    """
    if y is None:
        raise DataError(f"normal_label={shown(normal_label)} needs y, the labels")
    if np.ndim(normal_label) == 0 and pd.isna(normal_label):
        raise DataError(f"normal_label={shown(normal_label)}: a missing label is not a class")
    if np.ndim(y) == 0 or isinstance(y, str):
        raise DataError(f"y is {shown(y)}: one label per row is required")
    from sklearn.utils.validation import column_or_1d

    labels = np.asarray(column_or_1d(np.asarray(y, dtype=object)))
    if len(labels) != n_rows:
        raise DataError(f"y has {len(labels)} labels for {n_rows} rows")
    there = ~np.asarray(pd.isna(labels), dtype=bool)
    if not there.any():
        raise DataError("y has no label in any row")
    normal = there.copy()
    normal[there] = [_is_label(label, normal_label) for label in labels[there]]
    if not normal.any():
        known = pd.unique(labels[there]).tolist()
        alike = [label for label in known if str(label) == str(normal_label)]
        hint = f" ({shown(alike[0])} is another type)" if alike else ""
        found = ", ".join(map(shown, known[:SHOWN_LABELS]))
        more = f" and {len(known) - SHOWN_LABELS} more" if len(known) > SHOWN_LABELS else ""
        raise DataError(
            f"no row has the label normal_label={shown(normal_label)}; y has {found}{more}{hint}"
        )
    return normal


def take(X: Data, rows: NDArray[Any]) -> Data:
    """Return the rows of `X` at `rows` (a mask or indices)."""
    return X.iloc[rows] if isinstance(X, pd.DataFrame) else X[rows]


def is_image_array(X: Any) -> bool:
    """Whether `X` is an array of three or four dimensions."""
    return getattr(X, "ndim", 0) in (3, 4) and hasattr(X, "dtype")


def is_sparse(X: Any) -> bool:
    """Whether `X` is a sparse matrix or array; scipy is not imported to find out."""
    sparse = sys.modules.get("scipy.sparse")  # without it there are none
    return sparse is not None and bool(sparse.issparse(X))


def _is_label(label: Any, wanted: Any) -> bool:
    """Whether a label equals the wanted one; False for lists."""
    same = label == wanted
    return bool(same) if isinstance(same, (bool, np.bool_)) else False


def _check_shape(X: Any, columns: Sequence[Any]) -> None:
    """Raise DataError if `X` is not a table, for example a single row."""
    if is_sparse(X):
        raise DataTypeError("X is a sparse matrix, but dense data is required: give X.toarray()")
    wanted = of_columns(columns)
    if is_series(X):
        raise DataError(f"X is a {type(X).__name__}, one column: a table is required{wanted}")
    if isinstance(X, (str, bytes, dict, set)) or X is None or callable(X):
        raise DataError(f"X is {shown(X)}: a table or images are required{wanted}")
    ndim = getattr(X, "ndim", 2)
    if isinstance(X, (list, tuple)):
        ndim = 2 if any(hasattr(row, "__len__") and not isinstance(row, str) for row in X) else 1
    if ndim == 1:
        raise DataError(
            "Expected 2D array, got 1D array. Reshape your data: one row is [X], one column "
            f"X.reshape(-1, 1){wanted}"
        )
    if ndim != 2:
        raise DataError(f"Expected 2D array, got one of {ndim} dimensions{wanted}")


def _without_mask(X: Any) -> Any:
    """Return an array in which masked cells are missing; images cannot have masked pixels."""
    if not isinstance(X, np.ma.MaskedArray):
        return X
    if not np.ma.is_masked(X):
        return np.asarray(X.data)
    if X.ndim > 2:
        raise DataError(
            f"X has {int(np.ma.count_masked(X))} masked pixels: images must be complete"
        )
    mask, kind = np.ma.getmaskarray(X), X.dtype.kind
    wider = {"i": np.float64, "u": np.float64, "f": X.dtype, "c": X.dtype, "m": X.dtype}
    filled = np.array(X.data, dtype=wider.get(kind, object))
    filled[mask] = "NaT" if kind == "m" else None if filled.dtype == object else np.nan
    return filled


def _of_fields(X: NDArray[Any]) -> pd.DataFrame:
    """Return a structured array as a DataFrame with a column for each field."""
    assert X.dtype.names is not None
    columns = {}
    for name in X.dtype.names:
        if X[name].ndim != 1:
            raise DataError(f"field {shown(name)} holds arrays: one value per row is required")
        columns[name] = _without_mask(X[name])
    return pd.DataFrame(columns)
