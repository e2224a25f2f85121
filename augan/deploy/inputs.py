"""The inputs of an exported graph: one array per column, or one matrix of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from augan.codecs.cells import (
    BOOL_ALIASES,
    category_key,
    factorized,
    parse_numbers,
    read_numbers,
    undo_categorical,
)
from augan.codecs.columns import Column, ConstantColumn

INNER = "augan/"  # prefix of the names inside a graph
MATRIX = "X"  # name of the only input of models of arrays
IMAGES = "images"
OUTPUTS = ("anomaly_score", "p_value", "is_anomaly", "score_parts", "explanation", "threshold")
SURPRISE = "surprise"  # output of a table's scorer with this head; reserved then
TARGET_FPR, EXPLAIN = "target_fpr", "explain"  # optional inputs
RESERVED = (MATRIX, IMAGES, *OUTPUTS, "heatmap", TARGET_FPR, EXPLAIN, "z", "label")
UNIFORM, GIVEN, ORDER = "uniform", "given", "order"  # inputs of a column model
FIRST, COUNT = "first", "count"
LABEL, VALUES = "label", "values"  # outputs of a column model, besides its rows
OF_COLUMNS = (UNIFORM, GIVEN, ORDER, FIRST, COUNT, VALUES)  # reserved beside `RESERVED`
MISSING_MARKS = ("", "<missing>", "<NA>")  # the first that is not a category is used


def is_text(column: Column) -> bool:
    """Return whether the graph's input of the column is strings; otherwise it is float64."""
    return column.is_text


def takes_matrix(columns: Sequence[Column], array_dtype: str | None) -> bool:
    """Return whether the graph has one matrix as input: if the model was fitted to an array."""
    return array_dtype is not None and not any(map(is_text, columns))


def value_names(columns: Sequence[Column], reserved: Sequence[str] = RESERVED) -> list[str]:
    """Return the names of the columns' inputs or outputs: their own, made unique."""
    names: dict[str, None] = {}
    for column in columns:
        name = portable(column.name)
        while name in reserved or name in names or not name or name.startswith(INNER):
            name = f"column:{name}"
        names[name] = None
    return list(names)


def text_codes(column: Column) -> tuple[dict[str, float], float]:
    """Return the raw number of each text, NaN for missing, and the one of all other texts."""
    codes, missing, other = column.text_codes()
    for key in BOOL_ALIASES:
        if key in codes:
            codes |= dict.fromkeys((key.title(), key.upper()), codes[key])
    codes = {portable(key): code for key, code in codes.items()}
    return codes | {missing_mark(codes): missing}, other


def portable(text: str) -> str:
    """Return a text that can be encoded in UTF-8: lone surrogates are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def missing_mark(codes: Any) -> str:
    """Return the text that means a missing value, given the known texts."""
    return next(mark for mark in MISSING_MARKS if mark not in codes)


def mark_of(column: Column) -> str:
    """Return the text that means a missing value in a column."""
    return missing_mark(column.text_codes()[0])


def to_matrix(columns: Sequence[Column], X: pd.DataFrame | NDArray[Any]) -> NDArray[np.float64]:
    """Return rows of numbers (n, d) as one matrix.

    Raises
    ------
    DataError
        If a value is not a number.
    """
    if isinstance(X, np.ndarray) and X.dtype.kind in "buif":
        matrix = X.astype(np.float64)
        if not np.isinf(matrix).any():
            return matrix
    return np.hstack([to_input(c, v) for c, v in zip(columns, series_of(X), strict=True)])


def to_input(column: Column, values: pd.Series) -> NDArray[Any]:
    """Return a column (n, 1) of float64 (times in seconds since 1970) or of strings.

    Raises
    ------
    DataError
        If a value of a column of numbers is not a number.
    """
    values = column.read(values)
    if not is_text(column):
        if isinstance(column, ConstantColumn):  # other values than the constant need not be numbers
            numbers = parse_numbers(undo_categorical(values), column.origin.quantity)
        else:
            numbers = read_numbers(values, column.name, column.origin.quantity)
        return numbers[:, None]
    index, distinct = factorized(values)
    texts = [portable(category_key(value)) for value in distinct]
    return np.array([*texts, mark_of(column)], dtype=object)[index][:, None]


def raw_of(column: Column, values: NDArray[Any]) -> NDArray[np.float64]:
    """Return raw numbers or codes (n,) of a generator's output for a column: numbers or strings."""
    if is_text(column):
        codes, other = text_codes(column)
        values = np.array([codes.get(text, other) for text in values])
    return values.astype(np.float64)


def series_of(X: pd.DataFrame | NDArray[Any]) -> list[pd.Series]:
    """Return the columns of a table as Series."""
    if isinstance(X, pd.DataFrame):
        return [X.iloc[:, i] for i in range(X.shape[1])]
    frame = pd.DataFrame(X)
    return series_of(frame.infer_objects() if X.dtype == object else frame)
