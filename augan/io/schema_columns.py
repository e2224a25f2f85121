"""Schemas of the states of columns, checked before these are built."""

from __future__ import annotations

import base64
import math
import warnings
from typing import Annotated, Literal, Self

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from augan.codecs.cells import category_key
from augan.codecs.columns import MOST_FEW, Column
from augan.codecs.kinds import column_from_state
from augan.codecs.origin import (
    OBJECT_DURATIONS,
    OBJECT_NUMBERS,
    OBJECT_TIMES,
    from_json,
)
from augan.codecs.text_form import MOST_BITS, MOST_SHAPES, PLACEHOLDERS
from augan.exceptions import shown
from augan.io.schema_types import (
    MOST_COLUMNS,
    Dtype,
    Finite,
    Native,
    Part,
    Positive,
    Scalar,
    Scalars,
    within,
)

MAX_MASSES = 64  # point masses of a column
OBJECTS = (  # what pandas' infer_dtype calls the objects of a column
    *OBJECT_NUMBERS,
    *OBJECT_TIMES,
    *OBJECT_DURATIONS,
    *("string", "bytes", "mixed-integer", "complex", "categorical", "boolean", "time"),
    *("period", "interval", "mixed", "empty", "unknown-array"),
)
MOST_SECONDS = 2**63 / 1e6  # that microseconds since 1970 can count
KNOTS = {"knots": np.empty(0), "normals": np.empty(0)}  # placeholders

Text = Annotated[str, Field(max_length=2**16)]


class OriginState(Part):
    """State of an `Origin`."""

    dtype: Dtype
    objects: Annotated[str, Field(max_length=40)] | None = None
    categories: Scalars | None = None
    categories_dtype: Dtype | Native = "object"
    ordered: bool = False
    native: Native | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.dtype == "category") != (self.categories is not None):
            raise ValueError(f"categories of dtype {shown(self.dtype)}")
        if self.categories is None and self.ordered:
            raise ValueError("ordered, but not categorical")
        times = self.objects in (*OBJECT_TIMES, *OBJECT_DURATIONS)
        if self.objects is not None and self.objects not in OBJECTS:
            raise ValueError(f"objects {shown(self.objects)} are unknown")
        if self.objects is not None and not times and self.dtype != "object":
            raise ValueError(f"objects {shown(self.objects)} of dtype {shown(self.dtype)}")
        return self


PLAIN = [OriginState(dtype=name) for name in ("int64", "float64", "float32")]  # need no test


class ColumnState(Part):
    """State that all kinds of columns have."""

    name: Annotated[str, Field(max_length=2**16)]
    origin: OriginState
    missing_share: Annotated[float, Field(ge=0, le=1)] | None = None

    def trial(self) -> list[float]:
        """Return raw numbers to decode as a test."""
        return [0.0]

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        """Build the column and decode a few numbers as a test."""
        if isinstance(self, NumericState) and self.origin in PLAIN:
            self._check(column_from_state(self.model_dump(), KNOTS))
            return self
        arrays = KNOTS if isinstance(self, NumericState) else {}
        try:
            with warnings.catch_warnings(action="ignore"):
                column = column_from_state(self.model_dump(), arrays)
                self._check_decoded(column.from_raw(np.array(self.trial(), dtype=np.float64)))
                column.to_raw(column.from_raw(np.array(self.trial()[:1])))
        except Exception as error:  # pandas raises many types of errors
            raise ValueError(f"its values are not of dtype {shown(self.origin.dtype)}") from error
        self._check(column)
        return self

    def _check(self, column: Column) -> None:
        """Raise ValueError if fields contradict each other."""

    def _check_decoded(self, values: pd.Series) -> None:
        """Raise ValueError if the test numbers were decoded to wrong values."""


class ConstantState(ColumnState):
    """State of a `ConstantColumn`."""

    kind: Literal["constant"]
    value: Scalar


class NumericState(ColumnState):
    """State of a `NumericColumn`, without its knots and quantiles."""

    kind: Literal["numeric"]
    masses: Annotated[list[Finite], Field(max_length=MAX_MASSES)]
    has_missing: bool
    low: Finite
    high: Finite
    mean: Finite
    scale: Positive
    median: Finite
    step: Annotated[float, Field(ge=1e-12, le=1e12)] | None
    few: Annotated[list[Finite], Field(default_factory=list, max_length=MOST_FEW)]
    edges: Annotated[list[Finite], Field(default_factory=list, max_length=MOST_FEW)]
    usual: Annotated[list[Finite], Field(min_length=2, max_length=2)] | None = None

    def trial(self) -> list[float]:
        """Return the bounds and a missing value."""
        return [self.low, self.high, *([math.nan] if self.has_missing else [])]

    def _check(self, column: Column) -> None:
        if column.origin.quantity == "text":
            raise ValueError(f"dtype {shown(self.origin.dtype)} holds no numbers")
        if column.origin.quantity != "number" and max(-self.low, self.high) > MOST_SECONDS:
            raise ValueError("low or high is not a time")
        if self.usual and not self.low <= self.usual[0] <= self.usual[1] <= self.high:
            raise ValueError("usual is not between low and high")
        if self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}")
        for name in ("mean", "median"):
            if not within(getattr(self, name), self.low, self.high):
                raise ValueError(f"{name} {getattr(self, name):g} is not between low and high")
        if self.scale > max(1.0, self.high / 2 - self.low / 2) * (1 + 1e-6):
            raise ValueError(f"scale {self.scale:g} is too large for values from low to high")
        if len(set(self.masses)) < len(self.masses):
            raise ValueError("masses has duplicates")
        if not all(self.low <= mass <= self.high for mass in self.masses):
            raise ValueError("one of masses is not between low and high")
        if len(self.edges) != max(len(self.few) - 1, 0) or sorted(self.edges) != self.edges:
            raise ValueError("edges do not lie between the values of few")
        if sorted(set(self.few)) != self.few:
            raise ValueError("few is not in ascending order")
        if not all(self.low <= value <= self.high for value in self.few):
            raise ValueError("one of few is not between low and high")


class CategoryState(ColumnState):
    """State of a `CategoryColumn`."""

    kind: Literal["category"]
    categories: Annotated[Scalars, Field(min_length=1)]
    rare: Annotated[Scalars, Field(max_length=1)]
    has_missing: bool

    def trial(self) -> list[float]:
        """Return all codes and a missing value."""
        codes = range(len(self.categories) + len(self.rare))
        return [*map(float, codes), *([math.nan] if self.has_missing else [])]

    def _check_decoded(self, values: pd.Series) -> None:
        own = [category_key(from_json(value)) for value in (*self.categories, *self.rare)]
        if [category_key(value) for value in values[: len(own)]] != own:
            raise ValueError("other values than its categories")

    def _check(self, column: Column) -> None:
        if column.origin.quantity != "text":
            raise ValueError(f"dtype {shown(self.origin.dtype)} holds no categories")
        values = [from_json(value) for value in (*self.categories, *self.rare)]
        if None in values:
            raise ValueError("a category is missing")
        if len(set(map(category_key, values))) < len(values):
            raise ValueError("categories has duplicates")


class FormState(Part):
    """State of a `TextForm`."""

    prefix: Text
    suffix: Text
    shapes: Annotated[list[Text], Field(min_length=1, max_length=MOST_SHAPES)]
    letters: Annotated[list[Text], Field(min_length=4, max_length=4)]
    seen: Annotated[str, Field(min_length=4, max_length=MOST_BITS // 4)]

    @model_validator(mode="after")
    def _can_be_drawn(self) -> Self:
        pairs = list(zip(PLACEHOLDERS, self.letters, strict=True))
        if not any(self.letters):
            raise ValueError("letters: there are none")
        empty = [place for place, own in pairs if not own and place in "".join(self.shapes)]
        if empty:
            raise ValueError(f"letters: there are none for {shown(empty[0])}")
        try:
            base64.b64decode(self.seen, validate=True)
        except ValueError as error:
            raise ValueError("seen is not in Base64") from error
        return self


class IdentifierState(ColumnState):
    """State of an `IdentifierColumn`."""

    kind: Literal["identifier"]
    categories: Annotated[Scalars, Field(max_length=0)]
    rare: Annotated[list[Text], Field(min_length=1, max_length=1)]
    has_missing: bool
    form: FormState

    def trial(self) -> list[float]:
        """Return a code and a missing value."""
        return [0.0, *([math.nan] if self.has_missing else [])]

    def _check(self, column: Column) -> None:
        if column.origin.quantity != "text" or column.origin.categories is not None:
            raise ValueError(f"dtype {shown(self.origin.dtype)} holds no texts")


AnyColumn = Annotated[
    ConstantState | NumericState | CategoryState | IdentifierState, Field(discriminator="kind")
]
Columns = Annotated[list[AnyColumn], Field(fail_fast=True, min_length=1, max_length=MOST_COLUMNS)]
