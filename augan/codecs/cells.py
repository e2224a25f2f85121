"""The cells of a column: their types, their names as categories, their numbers."""

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
YEAR_10000 = 253_402_300_800.0  # in seconds since 1970
LAST_OF_9999 = float(np.nextafter(YEAR_10000, 0))  # the last number below it
FURTHEST = 9.2e12  # seconds that fit an int64 of microseconds
BEYOND_MICROSECONDS = re.compile(r"(\.\d{6})\d+")


def check_cells(values: pd.Series, name: str) -> None:
    """Raise DataTypeError at the first cell that holds a container or an object of its own."""
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
    """Name a category the same whether it came as 1, 1.0, np.int64(1), True or their text."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, str):
        return value.lower() if value.lower() in BOOL_ALIASES else value
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def factorized(values: pd.Series) -> tuple[NDArray[np.intp], list[Any]]:
    """Return, for each row (n,), which of the listed values it has; -1 where it has none.

    Values of one `category_key` are one, whose first appearance stands for them.
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        index, distinct = values.cat.codes.to_numpy(), list(values.cat.categories)
        keys = [category_key(value) for value in distinct]
    elif values.dtype == object:  # by name: 1 and True are equal, and would be one value
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
    """Return the index of each category by its key; booleans also answer to 0 and 1."""
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
        Naming column, row and value of the first cell that is something else.
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
    """Return what `read_numbers` does, and NaN where a cell is something else."""
    textual = pdt.is_object_dtype(plain.dtype) or pdt.is_string_dtype(plain.dtype)
    if quantity == "number":
        if is_time(plain.dtype):
            return np.full(len(plain), np.nan)
        numbers = _from_objects(plain) if textual else plain
        return np.asarray(numbers.to_numpy(np.float64, na_value=np.nan))
    if not textual and not is_time(plain.dtype):  # a bare number is no time: of what unit?
        return np.full(len(plain), np.nan)
    if textual:
        plain = plain.mask(plain.map(lambda value: isinstance(value, Number)).to_numpy(bool))
    return _seconds(plain, quantity, textual=textual)


def _from_objects(plain: pd.Series) -> pd.Series:
    """Return texts and objects as numbers, NaN for others, infinite where too large."""
    try:
        return pd.to_numeric(plain, errors="coerce")
    except OverflowError:
        large = plain.map(lambda value: isinstance(value, int) and value.bit_length() > 1023)
        rest = pd.to_numeric(plain.mask(large.to_numpy(bool), None), errors="coerce")
        return rest.astype(np.float64).mask(large.to_numpy(bool), np.inf)


def _seconds(plain: pd.Series, quantity: Quantity, *, textual: bool) -> Array:
    """Return seconds (n,) to the microsecond, NaN where missing or not a time."""
    times = _times(plain, quantity, textual=textual)
    if times is None:  # dates as durations, or the other way round
        return np.full(len(plain), np.nan)
    seconds = _in_seconds(times)
    if textual:  # nanoseconds in one row leave no room for the year 9999 in another
        wrong = np.isnan(seconds) & plain.notna().to_numpy(bool)
        if wrong.any():
            again = _times(plain[wrong].map(_to_microseconds), quantity, textual=True)
            if again is not None:
                seconds[wrong] = _in_seconds(again)
    return seconds


def _times(plain: pd.Series, quantity: Quantity, *, textual: bool) -> pd.Series | None:
    """Return a column as pandas' durations or as dates in UTC; None where it holds others."""
    try:
        if quantity == "duration":
            return pd.to_timedelta(plain, errors="coerce")
        # "mixed": how a row is read must not depend on the row before
        given = {"format": "mixed"} if textual else {}
        return pd.to_datetime(plain, utc=True, errors="coerce", **given).dt.tz_localize(None)
    except (ValueError, TypeError, OverflowError):
        return None


def _to_microseconds(value: Any) -> Any:
    """Return a time without the digits behind the microsecond."""
    if isinstance(value, str):
        return BEYOND_MICROSECONDS.sub(r"\1", value)
    return value.astype("datetime64[us]") if isinstance(value, np.datetime64) else value


def _in_seconds(times: pd.Series) -> Array:
    """Return times as seconds (n,), NaN where missing or further than microseconds can say."""
    missing = times.isna().to_numpy(bool)
    try:
        counts = times.dt.as_unit("us").astype("int64").to_numpy(np.float64)
        seconds = counts / 1e6
    except (pd.errors.OutOfBoundsDatetime, pd.errors.OutOfBoundsTimedelta):
        ticks = times.astype("int64").to_numpy(np.float64)
        seconds = ticks / {"s": 1.0, "ms": 1e3}[times.dt.unit]
    if (seconds == YEAR_10000).any() and pdt.is_datetime64_any_dtype(times.dtype):
        # a float64 cannot tell the last microsecond of 9999, an "open end", from the next year
        last = (times.dt.year < 10_000).to_numpy(bool)
        seconds = np.where((seconds == YEAR_10000) & last, LAST_OF_9999, seconds)
    return np.where(missing | (np.abs(seconds) > FURTHEST), np.nan, seconds)


def undo_categorical(values: pd.Series) -> pd.Series:
    """Return a categorical column as one of the values that its categories are."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.astype(object).infer_objects()
    return values


def is_time(dtype: Any) -> bool:
    """Whether a dtype is one of dates or durations."""
    return bool(pdt.is_datetime64_any_dtype(dtype) or pdt.is_timedelta64_dtype(dtype))
