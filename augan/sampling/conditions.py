"""Conditions on new rows: a value of a column, or a range of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from augan.codecs.cells import category_key, codes_by_key
from augan.codecs.columns import CategoryColumn, Column, ConstantColumn, NumericColumn
from augan.exceptions import ParameterError, listed, shown

Mask = NDArray[np.bool_]
Array = NDArray[np.float64]

NEAR = 0.05  # share of the training values around a requested number that are accepted
PRECISION = 1e-7  # relative difference of equal numbers, in single precision
SHOWN = 5  # values in an error message


class Described(Protocol):
    """What has columns: a codec, or the description of a table in an exported file."""

    @property
    def kind(self) -> str:
        """Kind of the data: "table" or "image"."""

    @property
    def columns(self) -> Sequence[Column]:
        """The columns of a table; none of images."""


@dataclass(frozen=True)
class Condition:
    """A condition on a column: the raw numbers that are accepted, and their replacement.

    Parameters
    ----------
    place : int
        Index of the column.
    low, high : float
        Smallest and largest raw number; NaN: missing.
    value : object
        With `exact`, the value that replaces the generated one.
    exact : bool
        Whether accepted values are replaced: for a number within a range of accepted ones, or a
        category without a channel of its own.
    """

    place: int
    low: float
    high: float
    value: Any = None
    exact: bool = False

    def holds(self, raw: Array) -> Mask:
        """Return a mask (n,) of the raw rows (n, d) that meet the condition."""
        cells = raw[:, self.place]
        if np.isnan(self.low):
            return np.isnan(cells)
        with np.errstate(invalid="ignore"):
            met: Mask = (cells >= self.low) & (cells <= self.high)
        return met


class Conditions:
    """The conditions on several columns.

    Parameters
    ----------
    where : mapping of str to object
        For each column a value, or a tuple (low, high) of numbers or dates, either None for no
        bound. None or NaN: missing.
    columns : sequence of Column
        The columns of the training rows.

    Raises
    ------
    ParameterError
        For a column or value that does not occur in the training rows, or an invalid range.
    """

    def __init__(self, where: Mapping[str, Any], columns: Sequence[Column]) -> None:
        names = [column.name for column in columns]
        self.conditions = []
        for name, value in where.items():
            if str(name) not in names:
                raise ParameterError(f"where: no column {shown(name)}; columns: {listed(names)}")
            place = names.index(str(name))
            self.conditions.append(_condition(columns[place], place, value))

    def hold(self, raw: Array) -> Mask:
        """Return a mask (n,) of the raw rows (n, d) that meet all conditions."""
        met: Mask = np.logical_and.reduce([one.holds(raw) for one in self.conditions])
        return met

    def assign(self, rows: Any) -> Any:
        """Return a copy of a table with the exact values of the conditions."""
        rows = rows.copy()
        for condition in filter(lambda condition: condition.exact, self.conditions):
            if isinstance(rows, pd.DataFrame):
                name = rows.columns[condition.place]
                cells = pd.Series([condition.value] * len(rows), index=rows.index)
                rows[name] = cells.astype(rows[name].dtype)
            else:
                rows[:, condition.place] = condition.value
        return rows


def read_conditions(where: Mapping[str, Any] | None, table: Described) -> Conditions | None:
    """Return the conditions of `where`, None if there are none.

    Raises
    ------
    ParameterError
        If `where` is not a mapping, or has invalid conditions, or the model is one of images.
    """
    if where is not None and not isinstance(where, Mapping):
        raise ParameterError(f"where={shown(where)}: must be a mapping of columns to values")
    if not where:
        return None
    if table.kind == "image":
        raise ParameterError("where: images have no columns")
    return Conditions(where, table.columns)


def _condition(column: Column, place: int, value: Any) -> Condition:
    if isinstance(value, tuple):
        return _range(column, place, value)
    if isinstance(column, ConstantColumn):
        if _raw(column, value) != 0:
            raise _unseen(column, value, [column.value])
        return Condition(place, 0.0, 0.0)
    if np.isscalar(value) is False and value is not None and not hasattr(value, "isoformat"):
        raise ParameterError(
            f"where: column {shown(column.name)}: {shown(value)} is not a single value"
        )
    if pd.isna(value):
        if not column.has_missing:  # type: ignore[attr-defined]
            raise ParameterError(
                f"where: column {shown(column.name)} has no missing values in training"
            )
        return Condition(place, np.nan, np.nan)
    raw = _raw(column, value)
    if isinstance(column, NumericColumn):
        return _number(column, place, raw, value)
    assert isinstance(column, CategoryColumn)
    if raw < len(column.categories):
        return Condition(place, raw, raw)
    rare = codes_by_key(column.rare)
    key = category_key(value)
    if key not in rare:
        raise _unseen(column, value, [*column.categories, *column.rare])
    return Condition(place, raw, raw, column.rare[rare[key]], exact=True)


def _number(column: NumericColumn, place: int, raw: float, value: Any) -> Condition:
    """Return a condition that accepts rows near a number, and replaces theirs by it."""
    if not column.low <= raw <= column.high:
        raise _outside(column, value)
    if raw in column.masses:
        return Condition(place, raw, raw)
    low, high = _near(column, raw)
    cell = column.origin.from_numbers(np.array([raw]), np.array([False])).iloc[0]
    if abs(_raw(column, cell) - raw) > PRECISION * max(column.high - column.low, abs(raw)):
        near = cell.item() if isinstance(cell, np.generic) else cell
        raise ParameterError(
            f"where: column {shown(column.name)} cannot hold {shown(value)}: the nearest possible "
            f"value is {shown(near)}"
        )
    return Condition(place, min(low, raw), max(high, raw), cell, exact=True)


def _near(column: NumericColumn, raw: float) -> tuple[float, float]:
    """Return the range of the training values near a number; in exported files the number."""
    if not len(column.knots):
        return raw, raw
    middle = ndtr(np.interp(raw, column.knots, column.normals))
    ends = ndtri([max(middle - NEAR / 2, 1e-9), min(middle + NEAR / 2, 1 - 1e-9)])
    low, high = np.interp(ends, column.normals, column.knots)
    return float(low), float(high)


def _range(column: Column, place: int, ends: tuple[Any, ...]) -> Condition:
    if len(ends) != 2:
        raise ParameterError(
            f"where: column {shown(column.name)}: {shown(ends)} is not a range (low, high)"
        )
    if not isinstance(column, NumericColumn):
        raise ParameterError(
            f"where: column {shown(column.name)}: {shown(ends)} is a range, but the column does "
            "not hold numbers or dates"
        )
    low, high = (
        infinite if end is None else _raw(column, end)
        for end, infinite in zip(ends, (-np.inf, np.inf), strict=True)
    )
    if not low <= high:
        raise ParameterError(
            f"where: column {shown(column.name)}: {shown(ends[0])} is above {shown(ends[1])}"
        )
    if low > column.high or high < column.low:
        raise _outside(column, ends)
    return Condition(place, low, high)


def _raw(column: Column, value: Any) -> float:
    try:
        return float(column.to_raw(pd.Series([value]))[0])
    except (TypeError, ValueError) as error:
        raise ParameterError(
            f"where: column {shown(column.name)} cannot hold {shown(value)}"
        ) from error


def _outside(column: NumericColumn, value: Any) -> ParameterError:
    low, high = (
        column.origin.from_numbers(np.array([end]), np.array([False])).iloc[0]
        for end in (column.low, column.high)
    )
    return ParameterError(
        f"where: column {shown(column.name)} has no {shown(value)} in training, only {low} to "
        f"{high}"
    )


def _unseen(column: Column, value: Any, known: list[Any]) -> ParameterError:
    found = ", ".join(map(shown, known[:SHOWN])) + (", ..." if len(known) > SHOWN else "")
    return ParameterError(
        f"where: column {shown(column.name)} has no {shown(value)} in training; it has {found}"
    )
