"""Missing cells of a column, replaced by values; the other cells and the dtype stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from augan.codecs.cells import Array, category_key
from augan.codecs.columns import Column
from augan.codecs.dtypes import as_native, as_plain, native_name
from augan.codecs.origin import Origin


def filled(cells: pd.Series, rows: NDArray[np.intp], raw: Array, column: Column) -> pd.Series:
    """Return a column (n,) in which the cells of some rows are replaced.

    Its dtype stays if it can hold the values: a category that it lacks is added to it. If not, a
    column without known cells gets the dtype of training, any other one holds Python objects.

    Parameters
    ----------
    cells : Series
        The column.
    rows : ndarray of shape (m,)
        Positions of the cells.
    raw : ndarray of shape (m,)
        Their values, as numbers of `Column.from_raw`.
    column : Column
        The column in training.
    """
    if not len(rows):
        return cells
    if _is_dictionary(cells.dtype):  # Arrow joins none with other values
        plain = filled(as_plain(cells, keep_blank=True), rows, raw, column)
        return as_native(plain, native_name(cells.dtype))
    values = _values(cells, raw, column)
    if isinstance(cells.dtype, pd.CategoricalDtype):
        new = values[~values.isin(cells.cat.categories)].unique()
        cells = cells.cat.add_categories(new) if len(new) else cells
    try:
        name = native_name(cells.dtype)
        values = values.astype(cells.dtype) if name is None else as_native(values, name)
    except (TypeError, ValueError, OverflowError):
        if len(rows) == len(cells):
            return column.from_raw(raw).set_axis(cells.index).rename(cells.name)
        values, cells = values.astype(object), cells.astype(object)
    places = np.arange(len(cells))
    places[rows] = len(cells) + np.arange(len(rows))
    joined = pd.concat([cells, values], ignore_index=True).iloc[places]
    return joined.set_axis(cells.index).rename(cells.name)


def _values(cells: pd.Series, raw: Array, column: Column) -> pd.Series:
    """Return values (m,), numbers, times and texts as the column has them."""
    own = Origin.of(cells, column.name)
    if own.quantity == column.origin.quantity != "text":
        numbers = column.to_raw(column.from_raw(raw))  # as the dtype of training holds them
        return own.from_numbers(numbers, np.isnan(numbers))
    values = as_plain(column.from_raw(raw), keep_blank=True).astype(object)
    categorical = isinstance(cells.dtype, pd.CategoricalDtype)
    if not categorical and cells.dtype != object:
        return values
    found = cells.cat.categories if categorical else cells.dropna().unique()
    known = {category_key(value): value for value in found}
    return values.map(lambda value: known.get(category_key(value), value)).astype(object)


def _is_dictionary(dtype: Any) -> bool:
    return isinstance(dtype, pd.ArrowDtype) and pa.types.is_dictionary(dtype.pyarrow_dtype)
