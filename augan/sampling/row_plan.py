"""How rows are made that meet conditions and obey the relations between columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from augan.codecs.columns import Column
from augan.exceptions import DataError, ParameterError, shown
from augan.sampling.conditions import Condition
from augan.sampling.formulas import Formula
from augan.sampling.relation_set import Relations
from augan.sampling.relations import Array, Determined, Mask


@dataclass(frozen=True)
class RowPlan:
    """Which columns of new rows are drawn from which values, and which are computed.

    Attributes
    ----------
    relations : Relations
        Relations of the columns of a table and, last, of its class.
    conditions : tuple of Condition
        What new rows must meet; the range of an exact condition is its single value.
    allowed : dict of int to ndarray
        Values of columns that determine others on which there are conditions.
    fixed : frozenset of int
        Columns that stay as they were drawn.
    refined : frozenset of int
        Those of them that still stay after the others have been computed.
    """

    relations: Relations
    conditions: tuple[Condition, ...]
    allowed: dict[int, Array]
    fixed: frozenset[int]
    refined: frozenset[int]

    @classmethod
    def of(cls, relations: Relations, conditions: Sequence[Condition]) -> RowPlan:
        """Return the plan of rows that meet conditions.

        Raises
        ------
        DataError
            If no training row meets the conditions on columns that determine each other.
        """
        columns = relations.columns
        exact = tuple(_exact(one, columns[one.place]) for one in conditions)
        allowed = _allowed(relations, exact)
        fixed = _fixed(relations, exact, allowed)
        single = {one.place for one in exact if one.low == one.high or np.isnan(one.low)}
        computed = {r.target for r in relations.relations if isinstance(r, Formula)}
        refined = {place for place in fixed if place in single or place not in computed}
        return cls(relations, exact, allowed, frozenset(fixed), frozenset(refined))

    def complete(self, raw: Array) -> Array:
        """Return raw rows (n, d) with the values that conditions and relations give.

        A term is computed from a result for which a range is asked, and then the result again:
        rounding then changes the result, but within its range for most rows.
        """
        raw = raw.copy()
        for place, values in self.allowed.items():
            raw[:, place] = nearest(raw[:, place], values)
        for one in self.conditions:
            if one.low == one.high:
                raw[:, one.place] = one.low
        raw = self.relations.complete(raw, self.fixed)
        if self.refined != self.fixed:
            raw = self.relations.complete(raw, self.refined)
        return self._held(raw)

    def _held(self, raw: Array) -> Array:
        """Return raw rows (n, d) with the computed numbers that the dtypes of columns can hold."""
        numeric = [r for r in self.relations.relations if not isinstance(r, Determined)]
        for place in {place for relation in numeric for place in relation.places}:
            column = self.relations.columns[place]
            finite = np.where(np.isinf(raw[:, place]), 0.0, raw[:, place])
            raw[:, place] = column.to_raw(column.from_raw(finite))
        return raw

    def faults(self, raw: Array) -> dict[str, Mask]:
        """Return which of the raw rows (n, d) are not as asked, by what is wrong with them."""
        found = {}
        for relation in self.relations.relations:
            wrong = relation.violated(raw, self.relations.grids)
            found[f"relations: {self.relations.text(relation)} is broken"] = wrong
        for one in self.conditions:
            found[self._unmet(one)] = ~one.holds(raw)
        return found

    def _unmet(self, condition: Condition) -> str:
        """Return the text for rows that do not meet a condition."""
        name = shown(self.relations.columns[condition.place].name)
        by = [r for r in self.relations.relations if condition.place in r.places]
        texts = " and ".join(self.relations.text(relation) for relation in by)
        return f"where: {name} is not as asked{f', as {texts}' if by else ''},"


def _exact(condition: Condition, column: Column) -> Condition:
    """Return a condition whose range is its single value, if it has one."""
    if not condition.exact:
        return condition
    raw = float(column.to_raw(pd.Series([condition.value]))[0])
    return Condition(condition.place, raw, raw)


def _allowed(relations: Relations, conditions: Sequence[Condition]) -> dict[int, Array]:
    """Return the values of columns that determine others, for conditions on these.

    From the last determined column to the first, so that conditions pass through chains.
    """
    asked = {one.place: one for one in conditions}
    allowed: dict[int, Array] = {}
    for relation, target in reversed(relations.order()):
        if not isinstance(relation, Determined) or not {target} & {*asked, *allowed}:
            continue
        values = _as_asked(np.unique(relation.values), target, asked, allowed)
        sources = [relation.allowed_sources(value) for value in values.tolist()]
        if relation.other is not None:
            sources.append(np.array([relation.other]))
        found = np.unique(np.concatenate(sources)) if sources else np.zeros(0)
        found = _as_asked(found, relation.source, asked, allowed)
        if not len(found):
            raise DataError(
                f"where: no training row meets the conditions, as {relations.text(relation)}"
            )
        allowed[relation.source] = found
    return allowed


def _as_asked(
    values: Array, place: int, asked: dict[int, Condition], allowed: dict[int, Array]
) -> Array:
    """Return the values (m,) of a column that meet its condition and are allowed."""
    kept = np.ones(len(values), dtype=bool)
    if place in asked:
        kept &= Condition(0, asked[place].low, asked[place].high).holds(values[:, None])
    if place in allowed:
        kept &= is_among(values, allowed[place])
    return values[kept]


def _fixed(
    relations: Relations, conditions: Sequence[Condition], allowed: dict[int, Array]
) -> set[int]:
    """Return the columns that stay as drawn: those with conditions, as far as others can follow.

    Determined columns follow from their sources, whose values are restricted instead. Columns
    with a single value come first. Rows in which another one is not as asked are drawn again.
    """
    determined = {r.target for r in relations.relations if isinstance(r, Determined)}
    ranges = [one.place for one in conditions if one.low != one.high]
    fixed: set[int] = set()
    for place in [*(one.place for one in conditions if one.low == one.high), *ranges, *allowed]:
        if place not in determined and _can_follow(relations, fixed | {place}):
            fixed.add(place)
    return fixed


def _can_follow(relations: Relations, fixed: set[int]) -> bool:
    """Return whether the other columns can be computed if some stay as they were drawn."""
    if any(fixed.issuperset(relation.places) for relation in relations.relations):
        return False
    try:
        steps = relations.order(fixed)
    except ParameterError:
        return False
    return all(not isinstance(r, Determined) or place == r.target for r, place in steps)


def is_among(cells: Array, values: Array) -> Mask:
    """Return which cells (n,) are among the values (m,); missing counts as a value."""
    found: Mask = np.isin(cells, values)
    return found | (np.isnan(cells) & bool(np.isnan(values).any()))


def nearest(cells: Array, values: Array) -> NDArray[np.float64]:
    """Return the nearest of the allowed values (m,) for each cell (n,).

    A cell that is missing stays so if that is allowed.
    """
    numbers = np.sort(values[~np.isnan(values)])
    if not len(numbers):
        return np.full(len(cells), np.nan)
    kept = is_among(cells, values)
    right = np.clip(np.searchsorted(numbers, cells), 0, len(numbers) - 1)
    left = np.maximum(right - 1, 0)
    near = np.abs(numbers[right] - cells) < np.abs(cells - numbers[left])
    return np.where(kept, cells, np.where(near, numbers[right], numbers[left]))
