"""Conversion of rows and labels to pandas before resampling, and back to their library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd

from augan.exceptions import DataError
from augan.frames import PANDAS, given_back, is_frame, is_series, library_of, to_pandas


def as_pandas(X: Any, y: Any) -> tuple[Any, Any, Callable[[Any, Any], tuple[Any, Any]]]:
    """Return rows and labels as pandas objects, and a function that converts resampled ones back.

    The original rows of a frame of another library are not converted; new rows are appended.
    """
    given_y = nw.to_native(y, pass_through=True)
    is_foreign = is_series(given_y) and not isinstance(given_y, pd.Series)
    series = nw.from_native(given_y, series_only=True) if is_foreign else None
    of_frame = series is None and library_of(given_y) != PANDAS
    if of_frame:
        series = _only_column(given_y)
    rows = to_pandas(X) if is_frame(X) else X
    labels = y if series is None else pd.Series(series.to_list(), name=series.name)
    library = library_of(X)

    def back(X_new: Any, y_new: Any) -> tuple[Any, Any]:
        if library != PANDAS:
            X_new = _below(X, X_new.iloc[len(rows) :], library)
        if series is None:
            return X_new, y_new
        new = _labels(series, y_new)
        return X_new, (new.to_frame() if of_frame else new).to_native()

    return rows, labels, back


def _below(X: Any, added: pd.DataFrame, library: str) -> Any:
    """Return a frame of another library with rows added below."""
    frame = nw.from_native(nw.to_native(X, pass_through=True))
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    if added.empty:
        return frame.to_native()
    new = nw.from_native(given_back(added, library), eager_only=True)
    changed = {name: dtype for name, dtype in frame.schema.items() if dtype != new.schema[name]}
    new = new.with_columns(nw.col(name).cast(dtype) for name, dtype in changed.items())
    return nw.concat([frame, new.select(frame.columns)], how="vertical").to_native()


def _only_column(y: Any) -> nw.Series[Any]:
    """Return the labels of a frame of another library."""
    frame = nw.from_native(y)
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    if len(frame.columns) != 1:
        raise DataError(f"y has {len(frame.columns)} columns: one label per row is required")
    column: nw.Series[Any] = frame[frame.columns[0]]
    return column


def _labels(series: nw.Series[Any], found: Any) -> nw.Series[Any]:
    """Return labels as a series of the library and dtype of another one."""
    values = np.asarray(found, dtype=object).tolist()
    backend = series.implementation
    return nw.new_series(series.name, values, series.dtype, backend=backend)
