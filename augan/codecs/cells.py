"""Cells of a column: their types, and conversion to categories and numbers."""

from __future__ import annotations

import datetime
import decimal
import re
from numbers import Number
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pandas.api import types as pdt

from augan.exceptions import DataError, DataTypeError, shown

Array = NDArray[np.float64]
Quantity = Literal["number", "time", "duration", "text"]

CELL_TYPES = (
    *(str, bytes, Number, np.generic, decimal.Decimal),
    *(datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64),
    *(pd.Period, pd.Interval, type(None), type(pd.NaT), type(pd.NA)),
)
BOOL_ALIASES = {"true": "1", "false": "0"}
PANDAS_2 = pd.__version__.startswith("2.")  # which reads times as nanoseconds, 1677 to 2262
YEAR_10000 = 253_402_300_800.0  # in seconds since 1970
LAST_OF_9999 = float(np.nextafter(YEAR_10000, 0))  # the last number below it
FURTHEST = 9.2e12  # seconds; more do not fit an int64 of microseconds
BEYOND_MICROSECONDS = re.compile(r"(\.\d{6})\d+")


def check_cells(values: pd.Series, name: str) -> None:
    """Check that all cells are texts, numbers, dates or other scalars.

    Raises
    ------
    DataTypeError
        Naming the first cell that holds anything else, such as a list or a complex number.
    """
    if pdt.is_complex_dtype(values.dtype):
        raise DataTypeError(f"column {shown(name)} holds complex numbers, not real ones")
    if isinstance(values.dtype, pd.ArrowDtype) and pa.types.is_nested(values.dtype.pyarrow_dtype):
        raise DataTypeError(
            f"column {shown(name)} holds {shown(values.dtype.pyarrow_dtype)}: a cell's argument "
            "must be a string or a number"
        )
    if values.dtype != object:
        return
    kinds = values.map(type)
    odd = {kind for kind in kinds.unique() if not issubclass(kind, CELL_TYPES)}
    if not odd and not kinds.isin([complex, np.complex128]).any():
        return
    row = int(kinds.isin([*odd, complex, np.complex128]).to_numpy().argmax())
    raise DataTypeError(
        f"column {shown(name)}, row {values.index[row]}: a cell's argument must be a string or a "
        f"number, not {shown(kinds.iloc[row].__name__)}"
    )


def category_key(value: Any) -> str:
    """Return the name of a category, the same for 1, 1.0, np.int64(1) and "1"."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, str):
        return value.lower() if value.lower() in BOOL_ALIASES else value
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def factorized(values: pd.Series) -> tuple[NDArray[np.intp], list[Any]]:
    """Return the index of each row (n,) in a list of distinct values, -1 if missing, and the list.

    Values with the same `category_key` count as one, represented by the first.
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        index, distinct = values.cat.codes.to_numpy(), list(values.cat.categories)
        keys = [category_key(value) for value in distinct]
    elif values.dtype == object:  # by name, since 1 == True
        names = values.map(category_key).where(values.notna(), None).astype(object)
        index, found = pd.factorize(names)
        keys = list(found)
        distinct = [None] * len(keys)
        for row, code in zip(*np.unique(index, return_index=True)[::-1], strict=True):
            if code >= 0:
                distinct[code] = values.iloc[row]
    else:
        index, found = pd.factorize(values)
        distinct = list(found)
        keys = [category_key(value) for value in distinct]
    firsts = {key: i for i, key in reversed(list(enumerate(keys)))}
    merged = np.array([*(firsts[key] for key in keys), -1], dtype=np.intp)
    return merged[index], distinct


def codes_by_key(categories: tuple[Any, ...]) -> dict[str, int]:
    """Return the index of each category by its key; 0 and 1 are also keys of booleans."""
    codes = {category_key(value): i for i, value in enumerate(categories)}
    if all(isinstance(value, (bool, np.bool_)) for value in categories):
        codes |= {alias: codes[key] for key, alias in BOOL_ALIASES.items() if key in codes}
    return codes


def category_codes(values: pd.Series, codes: dict[str, int], other: int) -> Array:
    """Return the code of each row (n,), `other` for unknown categories, NaN for missing ones."""
    index, distinct = factorized(values)
    table = [codes.get(category_key(value), other) for value in distinct]
    return np.array([*table, np.nan], dtype=np.float64)[index]


def read_numbers(values: pd.Series, name: str, quantity: Quantity) -> Array:
    """Return numbers, seconds since 1970 (UTC) or seconds (n,), NaN where missing.

    Raises
    ------
    DataError
        Naming column, row and value of the first cell that is not a number, date or duration.
    """
    plain = undo_categorical(values)
    numbers = parse_numbers(plain, quantity)
    wrong = np.isnan(numbers) & plain.notna().to_numpy(bool)
    if wrong.any() or np.isinf(numbers).any():
        row = int((wrong | np.isinf(numbers)).argmax())
        what = {"time": "a date", "duration": "a duration"}.get(quantity, "a finite number")
        value = plain.iloc[row]
        value = value.item() if isinstance(value, np.generic) else value
        raise DataError(
            f"column {shown(name)}, row {plain.index[row]}: {shown(value)} is not {what}"
        )
    return numbers


def parse_numbers(plain: pd.Series, quantity: Quantity) -> Array:
    """Return numbers as `read_numbers` does, but NaN for cells that are none."""
    textual = pdt.is_object_dtype(plain.dtype) or pdt.is_string_dtype(plain.dtype)
    if quantity == "number":
        if is_time(plain.dtype):
            return np.full(len(plain), np.nan)
        numbers = _from_objects(plain) if textual else plain
        return np.asarray(numbers.to_numpy(np.float64, na_value=np.nan))
    if not textual and not is_time(plain.dtype):  # the unit of a plain number is unknown
        return np.full(len(plain), np.nan)
    if textual:
        plain = plain.mask(plain.map(lambda value: isinstance(value, Number)).to_numpy(bool))
    return _seconds(plain, quantity, textual=textual)


def _from_objects(plain: pd.Series) -> pd.Series:
    """Return texts and objects as numbers: NaN for others, infinity if too large."""
    try:
        return pd.to_numeric(plain, errors="coerce")
    except OverflowError:
        large = plain.map(lambda value: isinstance(value, int) and value.bit_length() > 1023)
        rest = pd.to_numeric(plain.mask(large.to_numpy(bool), None), errors="coerce")
        return rest.astype(np.float64).mask(large.to_numpy(bool), np.inf)


def _seconds(plain: pd.Series, quantity: Quantity, *, textual: bool) -> Array:
    """Return seconds (n,) to the microsecond, NaN where missing or not a time."""
    times = _times(plain, quantity, textual=textual)
    if times is None:  # dates instead of durations, or vice versa
        return np.full(len(plain), np.nan)
    seconds = _in_seconds(times)
    if textual:  # with nanoseconds in one row, the year 9999 of another overflows
        wrong = np.isnan(seconds) & plain.notna().to_numpy(bool)
        if wrong.any():
            again = _far_times(plain[wrong].map(_to_microseconds), quantity)
            if again is not None:
                seconds[wrong] = _in_seconds(again)
    return seconds


def _times(plain: pd.Series, quantity: Quantity, *, textual: bool) -> pd.Series | None:
    """Return a column as durations or as dates in UTC; None if it holds anything else."""
    try:
        if quantity == "duration":
            return pd.to_timedelta(plain, errors="coerce")
        if PANDAS_2 and isinstance(plain.dtype, pd.ArrowDtype) and not textual:
            return pd.Series(pa.chunked_array(plain.array.__arrow_array__()).to_numpy())
        # "mixed": a row is read independently of the row before
        given = {"format": "mixed"} if textual else {}
        return pd.to_datetime(plain, utc=True, errors="coerce", **given).dt.tz_localize(None)
    except (ValueError, TypeError, OverflowError):
        return None


def _far_times(cells: pd.Series, quantity: Quantity) -> pd.Series | None:
    """Return texts and objects as `_times` does, in microseconds also with pandas 2."""
    if not PANDAS_2:
        return _times(cells, quantity, textual=True)
    convert = _duration if quantity == "duration" else _date
    return pd.Series(np.array([convert(cell) for cell in cells]))


def _duration(value: Any) -> Any:
    try:
        if type(value) is datetime.timedelta:
            value = np.timedelta64(value // datetime.timedelta(microseconds=1), "us")
        return pd.Timedelta(value).as_unit("us").to_timedelta64()
    except (ValueError, TypeError, OverflowError):
        return np.timedelta64("NaT", "us")


def _date(value: Any) -> Any:
    try:
        return pd.Timestamp(value).as_unit("us").to_datetime64()
    except (ValueError, TypeError, OverflowError):
        return np.datetime64("NaT", "us")


def _to_microseconds(value: Any) -> Any:
    """Return a time truncated to microseconds."""
    if isinstance(value, str):
        return BEYOND_MICROSECONDS.sub(r"\1", value)
    return value.astype("datetime64[us]") if isinstance(value, np.datetime64) else value


def _in_seconds(times: pd.Series) -> Array:
    """Return times as seconds (n,), NaN if missing or beyond the range of microseconds."""
    missing = times.isna().to_numpy(bool)
    try:
        counts = times.dt.as_unit("us").astype("int64").to_numpy(np.float64)
        seconds = counts / 1e6
    except (pd.errors.OutOfBoundsDatetime, pd.errors.OutOfBoundsTimedelta):
        ticks = times.astype("int64").to_numpy(np.float64)
        seconds = ticks / {"s": 1.0, "ms": 1e3}[times.dt.unit]
    if (seconds == YEAR_10000).any() and pdt.is_datetime64_any_dtype(times.dtype):
        # in float64, the last microsecond of 9999, an "open end", equals the year 10000
        last = (times.dt.year < 10_000).to_numpy(bool)
        seconds = np.where((seconds == YEAR_10000) & last, LAST_OF_9999, seconds)
    return np.where(missing | (np.abs(seconds) > FURTHEST), np.nan, seconds)


def undo_categorical(values: pd.Series) -> pd.Series:
    """Return a categorical column with the dtype of its categories."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.astype(object).infer_objects()
    return values


def is_time(dtype: Any) -> bool:
    """Whether a dtype holds dates or durations."""
    return bool(pdt.is_datetime64_any_dtype(dtype) or pdt.is_timedelta64_dtype(dtype))
