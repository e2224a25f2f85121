"""Deterministic relations between columns: one fixes another, formulas, orderings."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from augan.codecs.columns import Column, NumericColumn
from augan.codecs.rounding import rounded

Mask = NDArray[np.bool_]
Array = NDArray[np.float64]

# relative error of computed numbers by dtype; others: 1e-12, or 1e-9 if they are not rounded
COARSE = {"float32": 1e-6, "Float32": 1e-6, "float16": 2e-3}
TIE = 1e-9  # of a step: numbers so near to the middle of two multiples may be rounded either way


@dataclass(frozen=True)
class Grid:
    """Rounding of the numbers of one column.

    Attributes
    ----------
    step : float
        Numbers are multiples of it; 0: not rounded.
    relative : float
        Relative error of computed numbers that is accepted.
    """

    step: float
    relative: float

    @classmethod
    def of(cls, column: Column) -> Grid | None:
        """Return the grid of a column of numbers or dates; None for other columns."""
        if not isinstance(column, NumericColumn):
            return None
        usual = 1e-12 if column.step else 1e-9
        return cls(column.step or 0.0, COARSE.get(column.origin.dtype, usual))

    def round(self, numbers: Array, *, down: bool = False) -> Array:
        """Return multiples of the step, the nearest or with `down` the next lower ones."""
        if not self.step:
            return numbers
        if down:
            numbers = np.floor(numbers / self.step + TIE) * self.step
        return rounded(numbers, self.step) + 0.0  # no negative zeros


Grids = Sequence[Grid | None]


@dataclass(frozen=True)
class Relation(ABC):
    """A relation between columns, which are given by their indices.

    Subclasses give `kind`, the name in files. The column `target` is computed from the others.
    """

    kind: ClassVar[str]

    @property
    @abstractmethod
    def places(self) -> tuple[int, ...]:
        """Columns of the relation, the computed one first."""

    @property
    def target(self) -> int:
        """Column that is computed."""
        return self.places[0]

    @property
    def solvable(self) -> tuple[int, ...]:
        """Columns that `solve` can compute, the target first."""
        return self.places

    @abstractmethod
    def violated(self, raw: Array, grids: Grids) -> Mask:
        """Return which of the raw rows (n, d) break the relation (n,)."""

    @abstractmethod
    def solve(self, raw: Array, place: int, grids: Grids) -> Array:
        """Return column `place` (n,), computed from the other columns of raw rows (n, d)."""

    @abstractmethod
    def text(self, names: Sequence[str]) -> str:
        """Return the relation in plain words; `names` (d) are those of all columns, quoted."""

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return the fields as JSON values, and those that are arrays."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        arrays = {k: v for k, v in values.items() if isinstance(v, np.ndarray)}
        rest = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
        return {"kind": self.kind} | {k: v for k, v in rest.items() if k not in arrays}, arrays


@dataclass(frozen=True, eq=False)
class Determined(Relation):
    """The value of one column fixes that of another; missing (NaN) counts as a value.

    Source values that did not occur in training are not checked: of numbers, the nearest known
    one is looked up; for others the target stays as it was drawn.

    Attributes
    ----------
    source, result : int
        The column that is drawn, and the one that it determines.
    keys : ndarray (k,)
        Source values, increasing, NaN last.
    values : ndarray (k,)
        Their target values.
    counts : ndarray (k,)
        Their training rows.
    other : float or None
        Code of the rare categories of the source that share it, if their targets differ.
    """

    source: int
    result: int
    keys: Array
    values: Array
    counts: NDArray[np.int64]
    other: float | None = None
    kind = "determined"

    @classmethod
    def learn(cls, raw: Array, source: int, target: int, other: float | None = None) -> Determined:
        """Return the relation with the first target value of each source value in raw rows."""
        keys, first, counts = np.unique(raw[:, source], return_index=True, return_counts=True)
        kept = np.ones(len(keys), bool) if other is None else keys != other
        found = raw[first, target]
        return cls(source, target, keys[kept], found[kept], counts[kept].astype(np.int64), other)

    @property
    def places(self) -> tuple[int, ...]:
        """Columns of the relation, the computed one first."""
        return self.result, self.source

    def _find(self, sources: Array) -> tuple[NDArray[np.intp], Mask]:
        """Return the index of each source value (n,) among the keys, and which are known."""
        index = np.minimum(np.searchsorted(self.keys, sources), len(self.keys) - 1)
        return index, _same(self.keys[index], sources)

    def violated(self, raw: Array, grids: Grids) -> Mask:
        """Return which rows have another target value than training rows of their source."""
        index, known = self._find(raw[:, self.source])
        return known & ~_same(self.values[index], raw[:, self.result])

    def solve(self, raw: Array, place: int, grids: Grids) -> Array:
        """Return the target; or the source, the most frequent one where it does not fit."""
        if place == self.source:
            return self._sources(raw, grids)
        sources = raw[:, self.source]
        index, known = self._find(sources)
        numbers = self.keys[~np.isnan(self.keys)]
        if grids[self.source] is not None and len(numbers):
            left = np.clip(np.searchsorted(numbers, sources) - 1, 0, len(numbers) - 1)
            right = np.minimum(left + 1, len(numbers) - 1)
            nearer = np.abs(numbers[right] - sources) < np.abs(sources - numbers[left])
            index = np.where(known, index, np.where(nearer, right, left))
            known = known | ~np.isnan(sources)
        return np.where(known, self.values[index], raw[:, self.result])

    def _sources(self, raw: Array, grids: Grids) -> Array:
        wrong = self.violated(raw, grids)
        order = np.lexsort((-self.counts, self.values))  # NaN last
        values, first = np.unique(self.values[order], return_index=True)
        targets = raw[:, self.result]
        index = np.minimum(np.searchsorted(values, targets), len(values) - 1)
        wrong &= _same(values[index], targets)
        return np.where(wrong, self.keys[order[first[index]]], raw[:, self.source])

    def allowed_sources(self, target_value: float) -> Array:
        """Return the source values (m,) of a target value, NaN for missing."""
        found = self.keys[_same(self.values, np.float64(target_value))]
        return found if self.other is None else np.append(found, self.other)

    def text(self, names: Sequence[str]) -> str:
        """Return such as "'model' determines 'make'"."""
        return f"{names[self.source]} determines {names[self.result]}"


@dataclass(frozen=True)
class Ordered(Relation):
    """One column is never above another, in rows in which neither is missing."""

    low: int
    high: int
    kind = "ordered"

    @property
    def places(self) -> tuple[int, ...]:
        """The two columns, the higher one first."""
        return self.high, self.low

    def violated(self, raw: Array, grids: Grids) -> Mask:
        """Return which rows are in the wrong order."""
        found: Mask = raw[:, self.low] > raw[:, self.high]
        return found

    def solve(self, raw: Array, place: int, grids: Grids) -> Array:
        """Return the column, replaced by the nearest possible number where the order is wrong."""
        other = raw[:, self.low if place == self.high else self.high]
        return np.where(self.violated(raw, grids), beside(other, grids[place], place == self.high),
                        raw[:, place])  # fmt: skip

    def text(self, names: Sequence[str]) -> str:
        """Return such as "'start' ≤ 'end'"."""
        return f"{names[self.low]} ≤ {names[self.high]}"


def beside(numbers: Array, grid: Grid | None, up: bool) -> Array:
    """Return the nearest multiples of a column's step that are not below (`up`) or above."""
    if grid is None or not grid.step:
        return numbers
    near = grid.round(numbers)
    wrong = near < numbers if up else near > numbers
    return np.where(wrong, grid.round(near + (grid.step if up else -grid.step)), near)


def _same(a: Array, b: Array | np.float64) -> Mask:
    found: Mask = (a == b) | (np.isnan(a) & np.isnan(b))
    return found


def quoted(columns: Sequence[Column]) -> list[str]:
    """Return the columns' names in quotes, as `read_relations` reads them."""
    return ["'" + c.name.replace("\\", "\\\\").replace("'", "\\'") + "'" for c in columns]
