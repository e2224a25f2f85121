"""One column of a table: what `fit` learns of it, and its way to numbers and back."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types as pdt
from scipy.special import ndtri
from sklearn.preprocessing import QuantileTransformer

from augan.exceptions import DataError

Array = NDArray[np.float64]

MAX_MASSES = 5
MASS_SHARE = 0.05  # a value this frequent in a column that is otherwise continuous is a point mass
MIN_DISTINCT_FOR_MASSES = 20
MAX_QUANTILES = 1000
STEPS = tuple(10.0**-decimals for decimals in range(7))
STEPS_OF_TIME = (86400.0, 3600.0, 60.0, *STEPS)  # days, hours, minutes, then decimal seconds
UNEXPECTED = 3.0  # what never happened in training counts as three standard deviations


@dataclass(frozen=True)
class Column:
    """Common part: `name`, the pandas `dtype` it came with, and the layout of its channels."""

    name: str
    dtype: str
    kind: ClassVar[str]

    def spans(self) -> list[tuple[str, int]]:
        """Return (activation, size) of each run of encoded channels."""
        return []

    def state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Split the fields into what JSON can hold and what is an array."""
        values = asdict(self)
        arrays = {k: v for k, v in values.items() if isinstance(v, np.ndarray)}
        rest = {k: v for k, v in values.items() if k not in arrays}
        return {"kind": self.kind, **rest}, arrays

    def stored_as(self) -> str:
        """Return what a file holds the column as; see `augan.io.tables.TableSource.batches`."""
        dtype = _dtype(self.dtype)
        if pdt.is_datetime64_any_dtype(dtype):
            return "time with zone" if getattr(dtype, "tz", None) else "time"
        if pdt.is_timedelta64_dtype(dtype):
            return "duration"
        numeric = pdt.is_numeric_dtype(dtype) and not pdt.is_bool_dtype(dtype)
        return "number" if numeric else "text"

    def missing(self) -> Any:
        """Return the missing value of this column's dtype."""
        return pd.NaT if pdt.is_datetime64_any_dtype(_dtype(self.dtype)) else np.nan


@dataclass(frozen=True)
class ConstantColumn(Column):
    """One value, or none at all, in every training row; raw: 0 as in training, 1 otherwise."""

    value: Any
    kind = "constant"

    def to_raw(self, values: pd.Series) -> Array:
        """Return 1.0 where a row differs from the training rows."""
        missing = values.isna().to_numpy()
        if self.value is None:
            return (~missing).astype(np.float64)
        same = (
            values.map(category_key)
            .eq(category_key(self.value))
            .to_numpy(dtype=bool, na_value=False)
        )
        if (number := _number(self.value)) is not None and not same.all():
            numbers = pd.to_numeric(_plain(values), errors="coerce").to_numpy(np.float64)
            same = same | (numbers == number)
        return (~same | missing).astype(np.float64)

    def from_encoded(self, block: Array) -> pd.Series:
        """Return the constant, once a row."""
        value = self.missing() if self.value is None else self.value
        return _cast(pd.Series([value] * len(block), dtype=object), self.dtype)


@dataclass(frozen=True)
class NumericColumn(Column):
    """Numbers, dates or durations; raw: the number itself, dates as seconds since 1970."""

    knots: Array  # (K,) values, increasing
    normals: Array  # (K,) the normal quantiles they map to
    masses: tuple[float, ...]
    has_missing: bool
    mean: float
    scale: float
    median: float
    step: float | None  # every training value is a multiple of it
    kind = "numeric"

    @property
    def n_modes(self) -> int:
        """Channels that say which of continuous, point masses and missing a row is; 0: none."""
        extra = len(self.masses) + self.has_missing
        return extra + 1 if extra else 0

    @property
    def tail(self) -> float:
        """Scale of the logarithmic tails beyond the outermost knots."""
        return float((self.knots[-1] - self.knots[0]) / (self.normals[-1] - self.normals[0]))

    def spans(self) -> list[tuple[str, int]]:
        """Return (activation, size) of each run of encoded channels."""
        return [("identity", 1)] + ([("softmax", self.n_modes)] if self.n_modes else [])

    def to_raw(self, values: pd.Series) -> Array:
        """Return float64 numbers, NaN where missing."""
        return _numbers(values, self.name, self.dtype)

    def from_encoded(self, block: Array) -> pd.Series:
        """Invert the encoding (n, 1 + n_modes): numbers within bounds, rounded, typed."""
        numbers = np.clip(self.from_normal(block[:, 0]), self.knots[0], self.knots[-1])
        missing = np.zeros(len(block), dtype=bool)
        if self.n_modes:
            mode = block[:, 1:].argmax(axis=1)
            for i, mass in enumerate(self.masses, start=1):
                numbers[mode == i] = mass
            missing = (mode == self.n_modes - 1) & self.has_missing
        if self.step is not None:
            numbers = _rounded(numbers, self.step)
        return _from_numbers(numbers, missing, self.dtype)

    def from_normal(self, normals: Array) -> Array:
        """Map normal quantiles (n,) back to values, the tails by their own inverse."""
        low, high = self.normals[0], self.normals[-1]
        numbers = np.interp(normals, self.normals, self.knots)
        with np.errstate(over="ignore"):
            above = self.knots[-1] + self.tail * np.expm1(np.maximum(normals - high, 0))
            below = self.knots[0] - self.tail * np.expm1(np.maximum(low - normals, 0))
        return np.where(normals > high, above, np.where(normals < low, below, numbers))


@dataclass(frozen=True)
class CategoryColumn(Column):
    """Strings, categories or booleans; raw: the category's index, NaN where missing."""

    categories: tuple[Any, ...]  # those with a channel of their own
    rare: tuple[Any, ...]  # seen in training, share the channel "other" with unseen ones
    has_missing: bool
    all_categories: tuple[Any, ...] | None  # of a pandas categorical, as it came
    ordered: bool
    kind = "category"

    @property
    def n_codes(self) -> int:
        """Channels: the categories, "other", and "missing" where training had any."""
        return len(self.categories) + 1 + self.has_missing

    def spans(self) -> list[tuple[str, int]]:
        """Return (activation, size) of each run of encoded channels."""
        return [("softmax", self.n_codes)]

    def to_raw(self, values: pd.Series) -> Array:
        """Return codes: the category's index, "other" for rare and unseen, NaN for missing."""
        codes = {category_key(value): float(i) for i, value in enumerate(self.categories)}
        plain = _plain(values)
        raw = plain.map(lambda value: codes.get(category_key(value), float(len(codes))))
        return np.where(plain.isna(), np.nan, raw.to_numpy(np.float64, na_value=np.nan))

    def from_encoded(self, block: Array) -> pd.Series:
        """Return the most likely category of each row (n, n_codes), typed as it came."""
        allowed = block.copy()
        if not self.rare:
            allowed[:, len(self.categories)] = -np.inf
        missing = pd.NA if self.dtype == "boolean" else np.nan
        values = np.empty(self.n_codes, dtype=object)
        values[:] = [
            *self.categories,
            self.rare[0] if self.rare else missing,
            *([missing] if self.has_missing else []),
        ]
        decoded = pd.Series(values[allowed.argmax(axis=1)], dtype=object)
        if self.all_categories is not None:
            dtype = pd.CategoricalDtype(list(self.all_categories), self.ordered)
            return decoded.astype(dtype)
        return _cast(decoded, self.dtype)


KINDS: dict[str, type[Column]] = {
    cls.kind: cls for cls in (ConstantColumn, NumericColumn, CategoryColumn)
}


def column_from_state(values: dict[str, Any], arrays: dict[str, Array]) -> Column:
    """Rebuild a column from what `Column.state` returned (tuples come back from JSON as lists)."""
    cls = KINDS[values["kind"]]
    given = {**values, **arrays}
    return cls(**{f.name: _tupled(given[f.name]) for f in fields(cls)})


def fit_column(values: pd.Series, name: str, max_categories: int) -> Column:
    """Learn one column from its training values."""
    dtype = str(values.dtype)
    present = values[values.notna()]
    if not is_numeric(values):
        return _fit_category(values, present, name, dtype, max_categories)
    numbers = _numbers(values, name, dtype)
    seen = numbers[~np.isnan(numbers)]
    if len(seen) == 0 or (len(seen) == len(numbers) and seen.min() == seen.max()):
        return ConstantColumn(name, dtype, _json_value(present.iloc[0]) if len(seen) else None)
    return _fit_numeric(seen, name, dtype, has_missing=len(seen) < len(numbers))


def is_numeric(values: pd.Series) -> bool:
    """Whether a column holds numbers, dates or durations (booleans are categories)."""
    if pdt.is_bool_dtype(values.dtype) or isinstance(values.dtype, pd.CategoricalDtype):
        return False
    return (
        pdt.is_numeric_dtype(values.dtype)
        or pdt.is_datetime64_any_dtype(values.dtype)
        or pdt.is_timedelta64_dtype(values.dtype)
        or (pdt.is_object_dtype(values.dtype) and bool(values.isna().all()))
    )


def _fit_numeric(seen: Array, name: str, dtype: str, *, has_missing: bool) -> Column:
    """Fit the quantile map and the point masses of a column that varies."""
    distinct, counts = np.unique(seen, return_counts=True)
    masses: tuple[float, ...] = ()
    if len(distinct) > MIN_DISTINCT_FOR_MASSES:
        heavy = np.flatnonzero(counts >= MASS_SHARE * len(seen))
        heavy = heavy[np.argsort(-counts[heavy], kind="stable")][:MAX_MASSES]
        masses = tuple(float(distinct[i]) for i in heavy)
    knots, normals = _quantile_map(seen)
    largest = max(float(np.abs(seen).max()), np.finfo(float).tiny)
    spread = float(np.std(seen / largest)) * largest  # scaled first: no overflow
    return NumericColumn(
        name=name,
        dtype=dtype,
        knots=knots,
        normals=normals,
        masses=masses,
        has_missing=has_missing,
        mean=float(np.mean(seen / largest)) * largest,
        scale=spread if spread > 0 else 1.0,
        median=float(np.median(seen)),
        step=_step(distinct, STEPS_OF_TIME if _is_time(dtype) else STEPS),
    )


def _quantile_map(seen: Array) -> tuple[Array, Array]:
    """Return knots (K,) and their normal quantiles; tied values share their middle rank."""
    quantiles = QuantileTransformer(n_quantiles=min(MAX_QUANTILES, len(seen)), subsample=None)
    quantiles.fit(seen.reshape(-1, 1))
    knots, group = np.unique(quantiles.quantiles_[:, 0], return_inverse=True)
    ranks = np.bincount(group, quantiles.references_) / np.bincount(group)
    if len(knots) == 1:  # one value beside missing ones: any map will do
        return np.array([knots[0] - 1.0, knots[0], knots[0] + 1.0]), np.array([-1.0, 0.0, 1.0])
    return knots, ndtri((ranks * len(seen) + 0.5) / (len(seen) + 1))


def _fit_category(
    values: pd.Series, present: pd.Series, name: str, dtype: str, max_categories: int
) -> Column:
    """Keep the most frequent categories; the others share one channel."""
    counts = _plain(present).value_counts(sort=False)
    order = sorted(counts.index, key=lambda value: (-counts[value], category_key(value)))
    if len(order) == 0 or (len(order) == 1 and len(present) == len(values)):
        return ConstantColumn(name, dtype, _json_value(order[0]) if order else None)
    categorical = isinstance(values.dtype, pd.CategoricalDtype)
    return CategoryColumn(
        name=name,
        dtype="category" if categorical else dtype,
        categories=tuple(map(_json_value, sorted(order[:max_categories], key=category_key))),
        rare=tuple(map(_json_value, order[max_categories:][:1])),
        has_missing=len(present) < len(values),
        all_categories=tuple(map(_json_value, values.cat.categories)) if categorical else None,
        ordered=bool(values.cat.ordered) if categorical else False,
    )


def _numbers(values: pd.Series, name: str, dtype: str) -> Array:
    """Return values as float64; name the first that is not a finite number."""
    if _is_time(dtype):
        return _seconds(values, name, _dtype(dtype))
    if _is_time(str(values.dtype)):
        raise DataError(f"column {name!r} holds {values.dtype}, in training it held {dtype}")
    plain = _plain(values)
    numbers = pd.to_numeric(plain, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    bad = np.isnan(numbers) & plain.notna().to_numpy()
    if bad.any():
        row = int(bad.argmax())
        value, label = plain.iloc[row], plain.index[row]
        raise DataError(f"column {name!r}, row {label}: {value!r} is not a number")
    if np.isinf(numbers).any():
        row = int(np.isinf(numbers).argmax())
        label = plain.index[row]
        raise DataError(f"column {name!r}, row {label}: {numbers[row]} is infinity, not a number")
    return numbers


def _seconds(values: pd.Series, name: str, trained: Any) -> Array:
    """Return dates as seconds since 1970 (UTC), durations as seconds, NaN where missing."""
    durations = pdt.is_timedelta64_dtype(trained)
    try:
        if durations:
            times = pd.to_timedelta(values)
            unit = times.dt.as_unit("ns")
        else:
            times = pd.to_datetime(values, utc=True)
            unit = times.dt.as_unit("ns").dt.tz_localize(None)
    except (ValueError, TypeError, OverflowError) as error:
        what = "a duration" if durations else "a date"
        raise DataError(f"column {name!r} holds a value that is not {what}: {error}") from error
    nanoseconds = unit.astype("int64").to_numpy(np.float64)
    return np.where(times.isna(), np.nan, nanoseconds / 1e9)


def _from_numbers(numbers: Array, missing: NDArray[np.bool_], dtype: str) -> pd.Series:
    """Give numbers the dtype that the column had."""
    target = _dtype(dtype)
    if _is_time(dtype):
        micros = pd.Series(np.round(numbers * 1e6).astype("int64"))
        if pdt.is_timedelta64_dtype(target):
            times = pd.to_timedelta(micros, unit="us").astype(target)
        else:
            times = pd.to_datetime(micros, unit="us", utc=True)
            zone = getattr(target, "tz", None)
            times = times.dt.tz_convert(zone) if zone else times.dt.tz_localize(None)
            times = times.astype(target)
        return times.mask(pd.Series(missing))
    if not missing.any():
        return _cast(pd.Series(numbers), dtype)
    if pdt.is_extension_array_dtype(target):
        return pd.Series(numbers, dtype="Float64").mask(pd.Series(missing)).astype(dtype)
    floating = dtype if pdt.is_float_dtype(target) else "float64"
    return pd.Series(np.where(missing, np.nan, numbers)).astype(floating)


def _step(distinct: Array, steps: tuple[float, ...]) -> float | None:
    """Return the coarsest step that every value is a multiple of, if there is one."""
    for step in steps:
        if np.allclose(_rounded(distinct, step), distinct, rtol=1e-12, atol=1e-12):
            return step
    return None


def _rounded(numbers: Array, step: float) -> Array:
    """Round to multiples of `step`; to decimals where it is below one, which is exact."""
    if step < 1:
        return np.round(numbers, round(-np.log10(step)))
    return np.round(numbers / step) * step


def _is_time(dtype: str) -> bool:
    return pdt.is_datetime64_any_dtype(_dtype(dtype)) or pdt.is_timedelta64_dtype(_dtype(dtype))


def _plain(values: pd.Series) -> pd.Series:
    """Undo pandas' categorical dtype, whose `map` works on categories instead of rows."""
    return values.astype(object) if isinstance(values.dtype, pd.CategoricalDtype) else values


def category_key(value: Any) -> str:
    """Name a category the same whether it came as 1, 1.0, np.int64(1), True or their text."""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, str):
        return value.lower() if value.lower() in ("true", "false") else value
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _json_value(value: Any) -> Any:
    """Return a value that JSON can hold; numpy scalars become Python's, the rest text."""
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, (str, int, float, bool)) else str(value)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _dtype(name: str) -> Any:
    return pd.api.types.pandas_dtype(name)


def _cast(values: pd.Series, dtype: str) -> pd.Series:
    target = _dtype(dtype)
    if pdt.is_integer_dtype(target) and not pdt.is_extension_array_dtype(target):
        return values.astype("float64").round().astype(dtype)
    if pdt.is_bool_dtype(target) and values.isna().any():
        return values
    return values.astype(dtype)


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
