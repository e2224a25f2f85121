"""Original dtype of a column, and conversion of decoded values to it."""

from __future__ import annotations

import datetime
import decimal
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types as pdt

from augan.codecs.cells import PANDAS_2, Array, Quantity, check_cells, is_time
from augan.codecs.dtypes import as_native, as_plain, native_name

# results of pandas' infer_dtype for object columns of numbers or times
OBJECT_NUMBERS = ("integer", "floating", "mixed-integer-float", "decimal")
OBJECT_TIMES = ("date", "datetime", "datetime64")
OBJECT_DURATIONS = ("timedelta", "timedelta64")
END_OF_9999 = 253_402_300_800_000_000  # microseconds since 1970; Python's dates end there
LAST_MICROSECOND = END_OF_9999 - 1
FAR = 2.0**33  # seconds since 1970, beyond which float64 does not resolve microseconds
MOST_NANOSECONDS = 2**63 - 1  # in an int64


@dataclass(frozen=True)
class Origin:
    """The pandas dtype of a column, and details that its name does not tell.

    Attributes
    ----------
    dtype : str
        Name of the dtype; for an object column of times, that of the dtype for times.
    objects : str or None
        Type of the Python objects of an object column, as named by `infer_dtype`.
    categories : tuple or None
        Categories of a pandas categorical, unused ones included.
    categories_dtype : str
        Dtype of those categories.
    ordered : bool
        Whether the categories are ordered.
    native : str or None
        Name of the original dtype, if the codec reads it as another one; see `native_name`.
    """

    dtype: str
    objects: str | None = None
    categories: tuple[Any, ...] | None = None
    categories_dtype: str = "object"
    ordered: bool = False
    native: str | None = None

    @classmethod
    def of(cls, values: pd.Series, name: str) -> Origin:
        """Return the origin of a column; DataTypeError for unsupported cells."""
        check_cells(values, name)
        return replace(cls._of(as_plain(values)), native=native_name(values.dtype))

    @classmethod
    def _of(cls, values: pd.Series) -> Origin:
        """Return the origin of a plain column."""
        if isinstance(values.dtype, pd.CategoricalDtype):
            categories = values.cat.categories
            dtype = native_name(categories.dtype) or str(categories.dtype)
            return cls("category", None, tuple(categories), dtype, bool(values.cat.ordered))
        if values.dtype != object:
            return cls(str(values.dtype))
        objects = pdt.infer_dtype(values, skipna=True)
        if objects in OBJECT_TIMES:
            return cls(_time_dtype(values), objects)
        if objects in OBJECT_DURATIONS:
            return cls("timedelta64[us]", objects)
        return cls("object", objects)

    @property
    def is_whole(self) -> bool:
        """Whether the column holds integers, also as Python objects."""
        return self.objects == "integer" or pdt.is_integer_dtype(pdt.pandas_dtype(self.dtype))

    @property
    def quantity(self) -> Quantity:
        """Kind of the values; booleans and categoricals count as text."""
        return _quantity(self.dtype, self.objects)

    def from_values(self, values: NDArray[Any]) -> pd.Series:
        """Return Python values (n,), None if missing, as a column."""
        return as_native(self._from_values(values), self.native)

    def from_numbers(self, numbers: Array, missing: NDArray[np.bool_]) -> pd.Series:
        """Return numbers (n,), times as seconds since 1970, as a column."""
        return as_native(self._from_numbers(numbers, missing), self.native)

    def _from_values(self, values: NDArray[Any]) -> pd.Series:
        """Return values as a plain column."""
        series = pd.Series(values, dtype=object)
        if self.categories is not None:
            categories = _index(self.categories, self.categories_dtype)
            return series.astype(pd.CategoricalDtype(categories, self.ordered))
        if self.objects is not None:
            return series
        dtype = pdt.pandas_dtype(self.dtype)
        if dtype == np.dtype(str) or (dtype == np.dtype(bool) and series.isna().any()):
            return series  # of pandas 3's "str", pandas 2 makes a type without missing texts
        return series.astype(dtype)

    def _from_numbers(self, numbers: Array, missing: NDArray[np.bool_]) -> pd.Series:
        """Return numbers as a plain column."""
        dtype = pdt.pandas_dtype(self.dtype)
        if is_time(dtype):
            column = _times(numbers, dtype)
        elif self.objects is not None:
            column = pd.Series(numbers)
        elif pdt.is_integer_dtype(dtype):
            column = pd.Series(_integers(numbers, dtype))
        else:
            column = pd.Series(numbers)
        if self.objects is not None:
            convert = _TO_OBJECT[self.objects]
            cells = [None if gone else convert(v) for v, gone in zip(column, missing, strict=True)]
            return pd.Series(cells, dtype=object)
        if missing.any():
            if is_time(dtype):
                return column.mask(missing)
            nullable = {"i": "Int64", "u": "UInt64"}.get(column.dtype.kind, "Float64")
            column = column.astype(nullable)
            column = column.mask(missing)
            if not pdt.is_extension_array_dtype(dtype):
                numpy_dtype = dtype if dtype.kind == "f" else np.dtype(np.float64)
                return pd.Series(column.to_numpy(numpy_dtype, na_value=np.nan))
        return column.astype(dtype)


@cache  # it is asked for each column of every call
def _quantity(dtype: str, objects: str | None) -> Quantity:
    if dtype == "category":
        return "text"
    found = pdt.pandas_dtype(dtype)
    if pdt.is_timedelta64_dtype(found):
        return "duration"
    if pdt.is_datetime64_any_dtype(found):
        return "time"
    if pdt.is_numeric_dtype(found) and not pdt.is_bool_dtype(found):
        return "number"
    return "number" if objects in OBJECT_NUMBERS else "text"


def _index(categories: tuple[Any, ...], dtype: str) -> pd.Index:
    """Return the categories of a column."""
    if dtype.endswith(("[python]", "[pyarrow]")):
        return pd.Index(as_native(pd.Series(categories, dtype=object), dtype))
    return pd.Index(categories, dtype=dtype)


def _time_dtype(values: pd.Series) -> str:
    """Return the pandas dtype for Python dates; UTC if time zones differ."""
    present = values[values.notna()]
    if all(getattr(value, "tzinfo", None) is None for value in present):
        return "datetime64[us]"
    try:
        if PANDAS_2:  # only the zone matters
            present = present.map(lambda value: value.replace(year=2000))
        return str(pd.to_datetime(present).dt.as_unit("us").dtype)
    except (ValueError, TypeError, AttributeError):
        return "datetime64[us, UTC]"


def _times(numbers: Array, dtype: Any) -> pd.Series:
    unit = _unit(dtype)
    a_second = {"s": 1, "ms": 1000}.get(unit, 1_000_000)
    far = np.abs(numbers) >= FAR  # where the product with a million has digits of its own
    counted = np.round(np.where(far, 0, numbers) * a_second).astype("int64")
    counted[far] = [round(decimal.Decimal(repr(x)) * a_second) for x in numbers[far].tolist()]
    micros = pd.Series(counted * (1_000_000 // a_second))
    micros = micros.mask((micros <= END_OF_9999) & (micros > END_OF_9999 - 100), LAST_MICROSECOND)
    if unit == "ns":
        micros = micros.clip(-MOST_NANOSECONDS // 1000 + 1, MOST_NANOSECONDS // 1000)
    if pdt.is_timedelta64_dtype(dtype):
        return micros.astype("timedelta64[us]").astype(dtype)
    times = micros.astype("datetime64[us]").dt.tz_localize("UTC")
    zone = getattr(dtype, "tz", None)
    times = times.dt.tz_convert(zone) if zone else times.dt.tz_localize(None)
    return times.astype(dtype)


def _unit(dtype: Any) -> str:
    """Return the unit of a dtype of dates or durations; seconds for days of Arrow."""
    if isinstance(dtype, pd.ArrowDtype):
        return str(getattr(dtype.pyarrow_dtype, "unit", "s"))
    return str(getattr(dtype, "unit", None) or np.datetime_data(dtype)[0])


def _integers(numbers: Array, dtype: Any) -> NDArray[Any]:
    """Round to integers; those at the very end of the type's range must not wrap around."""
    kind = np.dtype(getattr(dtype, "numpy_dtype", dtype))
    info = np.iinfo(kind)
    rounded = np.round(numbers)
    inside = np.where((rounded >= info.max) | (rounded <= info.min), 0, rounded).astype(kind)
    ends = np.where(rounded >= info.max, kind.type(info.max), kind.type(info.min))
    return np.where((rounded >= info.max) | (rounded <= info.min), ends, inside)


def _same(value: Any) -> Any:
    return value


def _decimal(value: float) -> decimal.Decimal:
    return decimal.Decimal(repr(float(value)))


def _date(value: pd.Timestamp) -> datetime.date:
    return value.date()


_TO_OBJECT: dict[str, Callable[[Any], Any]] = {
    "integer": int,
    "floating": float,
    "mixed-integer-float": float,
    "decimal": _decimal,
    "date": _date,
    "datetime": _same,
    "datetime64": _same,
    "timedelta": _same,
    "timedelta64": _same,
}


def to_json(value: Any) -> Any:
    """Return a value of the state of a column as JSON; see `from_json`."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"type": "float", "value": repr(value)}
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, (tuple, list)):
        return [to_json(inner) for inner in value]
    if isinstance(value, pd.Interval):
        ends = [to_json(value.left), to_json(value.right)]
        return {"type": "Interval", "value": ends, "closed": value.closed}
    if isinstance(value, pd.Period):
        return {"type": "Period", "value": str(value), "freq": value.freqstr}
    if isinstance(value, bytes):
        return {"type": "bytes", "value": value.hex()}
    for name, (cls, write, _) in _WRITTEN.items():
        if isinstance(value, cls):
            return {"type": name, "value": write(value)}
    return str(value)


def from_json(value: Any) -> Any:
    """Undo `to_json`; lists become tuples."""
    if isinstance(value, list):
        return tuple(from_json(inner) for inner in value)
    if not isinstance(value, dict):
        return value
    kind, written = value["type"], value["value"]
    if kind == "Interval":
        return pd.Interval(*map(from_json, written), closed=value["closed"])
    if kind == "Period":
        return pd.Period(written, freq=value["freq"])
    if kind == "bytes":
        return bytes.fromhex(written)
    if kind == "float":
        return float(written)
    return _WRITTEN[kind][2](written)


def _timestamp(written: str) -> pd.Timestamp:
    """Return a date written by `_iso`, also with an offset in seconds, as of historic zones."""
    try:
        return pd.Timestamp(written)
    except ValueError:
        return pd.Timestamp(datetime.datetime.fromisoformat(written))


def _iso(value: Any) -> str:
    return str(value.isoformat())


# type, writer and reader; subclasses come before their base classes
_WRITTEN: dict[str, tuple[type, Callable[[Any], str], Callable[[str], Any]]] = {
    "Timestamp": (datetime.datetime, _iso, _timestamp),
    "date": (datetime.date, _iso, datetime.date.fromisoformat),
    "time": (datetime.time, _iso, datetime.time.fromisoformat),
    "Timedelta": (datetime.timedelta, lambda v: pd.Timedelta(v).isoformat(), pd.Timedelta),
    "Decimal": (decimal.Decimal, str, decimal.Decimal),
}
