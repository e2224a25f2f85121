"""Which rows are anomalies, by their labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from augan.exceptions import DataError, DataTypeError, ParameterError, shown

Labels = NDArray[Any]
Mask = NDArray[np.bool_]

N_SHOWN = 5  # labels that a message lists
# Sets of labels that need no `pos_label`, and the label of the anomalies in each.
CONVENTIONS: tuple[tuple[set[int], int], ...] = (({0, 1}, 1), ({-1, 1}, -1))


def anomaly_labels(
    y: Any,
    *,
    pos_label: Any = None,
    normal_label: Any = None,
    n_rows: int | None = None,
    parameter: str = "pos_label",
) -> Mask:
    """Return which labels are those of anomalies.

    Parameters
    ----------
    y : array-like of shape (n,)
        Labels.
    pos_label : object, default=None
        Label of the anomalies; every other label is normal. If None, `normal_label` decides. If
        that is None too, labels have to be 0 and 1 (or booleans), where 1 is an anomaly, or -1
        and 1, where -1 is an anomaly, as scikit-learn's outlier detectors predict.
    normal_label : object, default=None
        Label of normal rows; every other label is an anomaly. Ignored if `pos_label` is given.
    n_rows : int, default=None
        How many labels there have to be.
    parameter : str, default="pos_label"
        Name of `pos_label` in error messages.

    Returns
    -------
    is_anomaly : ndarray of bool of shape (n,)
        True for anomalies. At least one is True and at least one is False.

    Raises
    ------
    DataTypeError
        When `y` is None or a single label.
    DataError
        When `y` is not one-dimensional or of another length, when a label is missing, when
        `pos_label` is None and the labels follow neither convention, or when all rows are
        anomalies or none is.
    ParameterError
        When `pos_label` is not a single label.

    Examples
    --------
    >>> from augan.labels import anomaly_labels
    >>> anomaly_labels([0, 0, 1]).tolist()
    [False, False, True]
    >>> anomaly_labels([1, 1, -1]).tolist()
    [False, False, True]
    >>> anomaly_labels(["ok", "ok", "fraud"], pos_label="fraud").tolist()
    [False, False, True]
    """
    labels = read_labels(y)
    if n_rows is not None and len(labels) != n_rows:
        raise DataError(f"y has {len(labels)} labels for {n_rows} rows")
    if len(labels) == 0:
        raise DataError("y has no labels: anomalies and normal rows are both needed")
    if np.ndim(pos_label) != 0:
        raise ParameterError(f"{parameter}={shown(pos_label)}: must be one label")
    if pos_label is not None:
        label, how = pos_label, f"{parameter}={shown(pos_label)}"
    elif normal_label is not None:
        label, how = normal_label, f"normal_label={shown(normal_label)}"
    else:
        label = _usual_label(labels, parameter)
        how = shown(_plain(labels[0]))  # where all labels are one
    has_label = equal_to(labels, label)
    if has_label.all() or not has_label.any():
        given = pos_label is not None or normal_label is not None
        which = "every" if has_label.any() or not given else "no"
        hint = _other_type(labels, label) if given else ""
        raise DataError(
            f"{which} row has the label {how}; y has {_listed(labels)}{hint}: anomalies and normal "
            "rows are both needed"
        )
    return has_label if pos_label is not None or normal_label is None else ~has_label


def are_kinds(y: Any) -> bool:
    """Return whether labels number kinds: 0 for normal rows, and 1, 2, ... for anomalies."""
    labels = read_labels(y)
    if labels.dtype == object or labels.dtype.kind not in "iuf":
        return False
    return len(set(labels.tolist())) > 2 and labels.min() == 0 and bool((labels % 1 == 0).all())


def read_labels(y: Any, name: str = "y") -> Labels:
    """Return labels (n,) as an array of numbers, or else of objects.

    Raises
    ------
    DataTypeError
        When `y` is None or a single label.
    DataError
        When `y` has more than one column, or a label is missing.
    """
    if y is None:
        raise DataTypeError(f"{name} is missing: give the labels of the rows")
    if np.ndim(y) == 0 or isinstance(y, str):
        raise DataTypeError(f"{name} is {shown(y)}: need one label a row")
    dtype = getattr(y, "dtype", None)
    is_numeric = isinstance(dtype, np.dtype) and dtype.kind in "biuf"
    labels = np.asarray(y, dtype=dtype if is_numeric else object)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise DataError(f"{name} has shape {labels.shape}: need one label a row")
    missing = np.asarray(pd.isna(labels), dtype=bool)
    if isinstance(y, np.ma.MaskedArray):
        missing |= np.ma.getmaskarray(y).reshape(missing.shape)
    if missing.any():
        row = int(missing.argmax())
        label = shown(_plain(labels[row]))
        raise DataError(f"{name}, row {row}{_index_of(y, row)}: {label} is not a label")
    return labels


def equal_to(labels: Labels, wanted: Any) -> Mask:
    """Return which labels (n,) equal the one that is wanted."""
    if labels.dtype != object and isinstance(wanted, (int, float, np.generic)):
        return np.asarray(labels == wanted, dtype=bool)
    return np.fromiter((_is_equal(label, wanted) for label in labels), bool, len(labels))


def _is_equal(label: Any, wanted: Any) -> bool:
    same = label == wanted
    return bool(same) if isinstance(same, (bool, np.bool_)) else False


def _usual_label(labels: Labels, parameter: str) -> int:
    """Return the label of anomalies by convention.

    Raises
    ------
    DataError
        When the labels follow no convention.
    """
    for known, label in CONVENTIONS:
        if all(any(_is_equal(found, one) for one in known) for found in _distinct(labels)):
            return label
    raise DataError(
        f"y has the labels {_listed(labels)}: give {parameter}, the label of the anomalies "
        "(only 0/1 and -1/1 need none: 1 and -1 are the anomalies)"
    )


def _distinct(labels: Labels) -> list[Any]:
    """Return the distinct labels; labels that cannot be hashed are compared as text."""
    try:
        return list(pd.unique(labels))
    except TypeError:
        return list({str(label): label for label in labels}.values())


def _listed(labels: Labels) -> str:
    known = _distinct(labels)
    more = f" and {len(known) - N_SHOWN} more" if len(known) > N_SHOWN else ""
    return ", ".join(shown(_plain(label)) for label in known[:N_SHOWN]) + more


def _plain(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label


def _other_type(labels: Labels, wanted: Any) -> str:
    """Return a hint if a label of another type reads as the one that is wanted."""
    alike = [label for label in _distinct(labels) if str(label) == str(wanted)]
    if not alike or any(_is_equal(label, wanted) for label in alike):
        return ""
    return f" ({shown(_plain(alike[0]))} is of another type)"


def _index_of(y: Any, row: int) -> str:
    """Return what a pandas Series calls a row, if that is not its number."""
    if not isinstance(y, (pd.Series, pd.DataFrame)) or y.index[row] == row:
        return ""
    return f" (index {shown(_plain(y.index[row]))})"
