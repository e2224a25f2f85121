"""Columns of a table: their parameters, learned in training, and conversion to numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types as pdt

from augan.codecs.cells import (
    Array,
    category_codes,
    check_cells,
    codes_by_key,
    parse_numbers,
    read_numbers,
    undo_categorical,
)
from augan.codecs.dtypes import as_plain, is_blank
from augan.codecs.origin import Origin, to_json
from augan.codecs.rounding import power_of_two

LINEAR_TAIL = 10.0  # units beyond the training range up to which a number keeps its distance
MOST_FEW = 100  # columns with at most so many distinct numbers have no others
UNEXPECTED = 3.0  # standard deviations that a value counts which never occurred in training


@dataclass(frozen=True)
class Column:
    """Base class of columns.

    Attributes
    ----------
    name : str
        Name of the column.
    origin : Origin
        Its dtype in training.
    missing_share : float or None
        Share of missing values in training.
    """

    name: str
    origin: Origin
    kind: ClassVar[str]
    missing_share: float | None = field(default=None, kw_only=True)  # of the training rows

    @property
    def dtype(self) -> str:
        """Name of the pandas dtype of the column in training."""
        return self.origin.dtype if self.origin.objects is None else "object"

    def spans(self) -> list[tuple[str, int]]:
        """Return (activation, size) of each run of encoded channels."""
        return []

    @property
    def varies(self) -> bool:
        """Whether rows differ in what is encoded of them."""
        return bool(self.spans())

    def read(self, values: pd.Series) -> pd.Series:
        """Return a column (n,) with a plain dtype, blank texts as missing values."""
        check_cells(values, self.name)
        return as_plain(values, keep_blank=self.keeps_blank)

    @property
    def keeps_blank(self) -> bool:
        """Whether an empty text is a category, as in older models, instead of missing."""
        return False

    def to_raw(self, values: pd.Series) -> Array:
        """Return one number for each row (n,), the input of the encoding."""
        raise AssertionError("implemented by subclasses")  # pragma: no cover

    def from_raw(self, raw: Array) -> pd.Series:
        """Return the column (n,), with its dtype in training, for numbers of `to_raw`."""
        raise AssertionError("implemented by subclasses")  # pragma: no cover

    def is_missing(self, raw: Array, values: pd.Series) -> NDArray[np.bool_]:
        """Return which of the values (n,), whose raw numbers are `raw`, are missing."""
        return np.isnan(raw)

    def is_unseen(self, raw: Array, values: pd.Series) -> NDArray[np.bool_]:
        """Return which of the values (n,) no training row has, where this can be told."""
        return np.zeros(len(raw), dtype=bool)

    def text_codes(self) -> tuple[dict[str, float], float, float]:
        """Return the raw number of each known text, of a missing value and of any other text."""
        raise AssertionError("a column of numbers has no texts")  # pragma: no cover

    @property
    def is_text(self) -> bool:
        """Whether the column holds texts, categories or booleans."""
        return self.origin.quantity == "text"

    def largest_integer(self) -> float:
        """Return the magnitude of the largest integer in training; 0 if there are none."""
        return 0.0

    def state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return the fields as JSON values, and those that are arrays."""
        values = {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if f.name != "origin" and getattr(self, f.name) is not f.default
        }
        arrays = {k: v for k, v in values.items() if isinstance(v, np.ndarray)}
        rest = {k: to_json(v) for k, v in values.items() if k not in arrays}
        origin = {k: to_json(v) for k, v in asdict(self.origin).items()}
        if self.origin.native is None:
            del origin["native"]
        return {"kind": self.kind, "origin": origin, **rest}, arrays

    def stored_as(self) -> str:
        """Return the kind of the column in files, as in `augan.io.tables.TableSource.batches`."""
        quantity = self.origin.quantity
        zone = quantity == "time" and getattr(pdt.pandas_dtype(self.origin.dtype), "tz", None)
        return "time with zone" if zone else quantity


@dataclass(frozen=True)
class ConstantColumn(Column):
    """The same value, or only missing values, in training. Raw: 0 for this value, else 1."""

    value: Any
    kind = "constant"

    def to_raw(self, values: pd.Series) -> Array:
        """Return 1.0 for rows that differ from the training rows, else 0.0."""
        values = self.read(values)
        missing = values.isna().to_numpy(bool)
        if self.value is None:
            return (~missing).astype(np.float64)
        codes = category_codes(values, codes_by_key((self.value,)), 1)
        return (~((codes == 0) | self._same_number(values)) | missing).astype(np.float64)

    def from_raw(self, raw: Array) -> pd.Series:
        """Return the constant for each row."""
        values = np.empty(len(raw), dtype=object)
        values[:] = [self.value] * len(raw)
        return self.origin.from_values(values)

    def is_missing(self, raw: Array, values: pd.Series) -> NDArray[np.bool_]:
        """Return which of the values (n,) are missing, which the raw numbers do not tell."""
        return self.read(values).isna().to_numpy(bool)

    def is_unseen(self, raw: Array, values: pd.Series) -> NDArray[np.bool_]:
        """Return which of the values (n,) are present and differ from the constant."""
        return (raw != 0) & ~self.is_missing(raw, values)

    def text_codes(self) -> tuple[dict[str, float], float, float]:
        """Return the raw number of each known text, of a missing value and of any other text."""
        if self.value is None:
            return {}, 0.0, 1.0
        return dict.fromkeys(codes_by_key((self.value,)), 0.0), 1.0, 1.0

    def largest_integer(self) -> float:
        """Return the magnitude of the constant, if it is an integer."""
        whole = isinstance(self.value, (int, np.integer)) and self.origin.quantity == "number"
        return abs(float(self.value)) if whole else 0.0

    @property
    def keeps_blank(self) -> bool:
        """Whether the constant is an empty text."""
        return is_blank(self.value)

    def _same_number(self, values: pd.Series) -> Any:
        """Whether each row holds the same number or time, in any format."""
        quantity = self.origin.quantity
        if quantity == "text":
            return np.zeros(len(values), dtype=bool)
        own = parse_numbers(pd.Series([self.value]), quantity)[0]
        return parse_numbers(undo_categorical(values), quantity) == own


@dataclass(frozen=True)
class NumericColumn(Column):
    """Numbers, dates or durations. Raw: the number, or seconds (since 1970, for dates)."""

    knots: Array  # (K,) values, increasing
    normals: Array  # (K,) the normal quantiles they map to, exact in float32
    masses: tuple[float, ...]
    has_missing: bool
    low: float  # bounds of the training values
    high: float
    mean: float
    scale: float
    median: float
    step: float | None  # of which all training values are multiples
    few: tuple[float, ...] = ()  # the distinct training values, if they are few
    edges: tuple[float, ...] = ()  # normal quantiles between neighbouring ones
    usual: tuple[float, float] | None = None  # range of the middle 90 % of the training values
    kind = "numeric"

    @property
    def n_modes(self) -> int:
        """Number of channels for "continuous", each point mass, and missing; 0 if not needed."""
        extra = len(self.masses) + self.has_missing
        return extra + 1 if extra else 0

    @property
    def tail(self) -> float:
        """Unit of the tails beyond the outermost knots."""
        width = self.normals[-1] - self.normals[0]
        return float(self.knots[-1] / width - self.knots[0] / width)

    @property
    def unit(self) -> float:
        """Divisor of the values, before differences are computed."""
        return power_of_two(self.knots)

    def spans(self) -> list[tuple[str, int]]:
        """Return (activation, size) of each run of encoded channels."""
        return [("identity", 1)] + ([("softmax", self.n_modes)] if self.n_modes else [])

    def to_raw(self, values: pd.Series) -> Array:
        """Return float64 numbers, NaN where missing."""
        values = self.read(values)
        return read_numbers(values, self.name, self.origin.quantity)

    def is_unseen(self, raw: Array, values: pd.Series) -> NDArray[np.bool_]:
        """Return which of the values (n,) are new, of columns with few distinct numbers."""
        if not self.few:
            return super().is_unseen(raw, values)
        return ~(np.isin(raw, self.few) | np.isnan(raw))

    def largest_integer(self) -> float:
        """Return the magnitude of the largest integer in training; 0 for other numbers."""
        return max(-self.low, self.high) if self.origin.is_whole else 0.0

    def from_raw(self, raw: Array) -> pd.Series:
        """Return numbers with the dtype of training; NaN is missing."""
        missing = np.isnan(raw)
        return self.origin.from_numbers(np.where(missing, self.low, raw), missing)


@dataclass(frozen=True)
class CategoryColumn(Column):
    """Texts, categories or booleans. Raw: the index of the category, NaN if missing."""

    categories: tuple[Any, ...]  # each with its own channel
    rare: tuple[Any, ...]  # an example of the channel "other", shared with unseen categories
    has_missing: bool
    kind = "category"

    @property
    def n_codes(self) -> int:
        """Number of channels: the categories, "other", and "missing" if training had any."""
        return len(self.categories) + 1 + self.has_missing

    def spans(self) -> list[tuple[str, int]]:
        """Return (activation, size) of each run of encoded channels."""
        return [("softmax", self.n_codes)]

    @property
    def keeps_blank(self) -> bool:
        """Whether an empty text is one of the categories."""
        return any(map(is_blank, (*self.categories, *self.rare)))

    def to_raw(self, values: pd.Series) -> Array:
        """Return the index of the category, "other" for rare and unseen, NaN for missing."""
        values = self.read(values)
        return category_codes(values, codes_by_key(self.categories), len(self.categories))

    def is_unseen(self, raw: Array, values: pd.Series) -> NDArray[np.bool_]:
        """Return which of the values (n,) are new, unless rare categories share their code."""
        if self.rare:
            return super().is_unseen(raw, values)
        return raw == len(self.categories)

    def text_codes(self) -> tuple[dict[str, float], float, float]:
        """Return the raw number of each known text, of a missing value and of any other text."""
        return dict(codes_by_key(self.categories)), np.nan, float(len(self.categories))

    def from_raw(self, raw: Array) -> pd.Series:
        """Return the categories of codes; the first rare one represents "other"."""
        values = np.empty(len(self.categories) + 2, dtype=object)  # None: missing
        values[: len(self.categories)] = self.categories
        values[-2] = self.rare[0] if self.rare else None
        codes = np.where(np.isnan(raw), len(values) - 1, raw).astype(np.intp)
        return self.origin.from_values(values[codes])
