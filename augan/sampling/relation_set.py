"""The relations of one table: which rows break them, and rows that obey them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augan.codecs.columns import Column, NumericColumn
from augan.exceptions import ParameterError, shown
from augan.sampling.formulas import Formula, Product, Ratio, Sum
from augan.sampling.relations import (
    Array,
    Determined,
    Grid,
    Mask,
    Ordered,
    Relation,
    beside,
    quoted,
)

KINDS: dict[str, type[Relation]] = {
    cls.kind: cls for cls in (Determined, Sum, Product, Ratio, Ordered)
}
Step = tuple[Relation, int]  # a relation, and the column that is computed by it


@dataclass(frozen=True)
class Relations:
    """Relations that all rows obey, each computed column by one of them only.

    Parameters
    ----------
    relations : sequence of Relation
        As `find_relations` or `read_relations` returns them.
    columns : sequence of Column
        All columns of the table.

    Raises
    ------
    ParameterError
        If a column is computed twice or from itself.
    """

    relations: tuple[Relation, ...]
    columns: tuple[Column, ...]
    grids: tuple[Grid | None, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "relations", tuple(self.relations))
        object.__setattr__(self, "columns", tuple(self.columns))
        object.__setattr__(self, "grids", tuple(Grid.of(c) for c in self.columns))
        seen: dict[int, Relation] = {}
        for relation in self.computing:
            if (other := seen.setdefault(relation.target, relation)) is not relation:
                raise ParameterError(
                    f"relations: {self.text(relation)} and {self.text(other)} compute one column"
                )
        self._sorted([(relation, relation.target) for relation in self.computing])

    @property
    def computing(self) -> tuple[Relation, ...]:
        """The relations that compute a column: all but orderings."""
        return tuple(r for r in self.relations if not isinstance(r, Ordered))

    @property
    def orderings(self) -> tuple[Ordered, ...]:
        """The orderings."""
        return tuple(r for r in self.relations if isinstance(r, Ordered))

    def text(self, relation: Relation) -> str:
        """Return a relation in plain words, in the syntax that `read_relations` reads."""
        return relation.text(quoted(self.columns))

    def describe(self) -> list[str]:
        """Return each relation in plain words, such as "'start' ≤ 'end'"."""
        return [self.text(relation) for relation in self.relations]

    def violations(self, raw: Array) -> Mask:
        """Return which of the raw rows (n, d) break any relation (n,)."""
        found = np.zeros(len(raw), dtype=bool)
        for relation in self.relations:
            found |= relation.violated(raw, self.grids)
        return found

    def order(self, given: Collection[int] = ()) -> list[Step]:
        """Return which column each relation computes, in the order of computation.

        Parameters
        ----------
        given : collection of int
            Columns that must not change. Relations that compute them are solved for another
            column. Relations of given columns only are left out.

        Raises
        ------
        ParameterError
            If a relation cannot be solved for a column that may change.
        """
        fixed = set(given)
        open_ = [r for r in self.computing if not fixed.issuperset(r.places)]
        owner: dict[int, Relation] = {}
        for relation in sorted(open_, key=lambda r: r.target in fixed):
            if not self._assign(relation, owner, fixed, set()):
                raise ParameterError(
                    f"relations: {self.text(relation)} cannot be solved for a column that is not "
                    "given"
                )
        return self._sorted([(relation, place) for place, relation in owner.items()])

    def complete(self, raw: Array, given: Collection[int] = ()) -> Array:
        """Return raw rows (n, d) that obey the relations, computed from drawn ones.

        Numbers are rounded as in training before and after. Columns in the wrong order are
        exchanged. Solved for a term, a product of integers or a rounded result may have no exact
        solution: such rows stay `violations`, to be drawn again.

        Parameters
        ----------
        raw : ndarray (n, d)
            Rows as `TableCodec.prepare` returns them.
        given : collection of int
            Columns that a condition fixes, which are not changed.

        Raises
        ------
        ParameterError
            If a relation cannot be solved for a column that may change, or given columns break
            it; the message names the relation, the row and the values.
        """
        raw, fixed = np.array(raw, dtype=np.float64), set(given)
        steps = self.order(fixed)
        computed = {place for _, place in steps}
        inputs = {place for relation, _ in steps for place in relation.places}
        for place in {p for r in self.relations for p in r.places} - fixed - computed:
            if (grid := self.grids[place]) is not None:
                raw[:, place] = grid.round(raw[:, place])
        self._arrange(raw, fixed, computed)
        for relation, place in steps:
            raw[:, place] = relation.solve(raw, place, self.grids)
            if isinstance(relation, Determined) and place != relation.target:
                self._refuse(relation, raw)
        self._arrange(raw, fixed | computed | inputs, set())
        for relation in self.relations:
            if fixed.issuperset(relation.places):
                self._refuse(relation, raw)
        return raw

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return the state for a model file: JSON values, and arrays by name."""
        values, arrays = [], {}
        for i, relation in enumerate(self.relations):
            plain, own = relation.state()
            values.append(plain)
            arrays.update({f"{i}.{name}": array for name, array in own.items()})
        return {"relations": values}, arrays

    @classmethod
    def from_state(
        cls,
        values: dict[str, Any],
        arrays: dict[str, NDArray[Any]],
        columns: Sequence[Column],
    ) -> Relations:
        """Rebuild relations from `state`.

        Raises
        ------
        ValueError
            If the state is not one of relations of these columns.
        """
        found = []
        for i, plain in enumerate(values["relations"]):
            own = {k.partition(".")[2]: v for k, v in arrays.items() if k.startswith(f"{i}.")}
            found.append(_from_state(plain, own, columns))
        return cls(tuple(found), tuple(columns))

    def fault(self, relation: Relation, raw: Array) -> str | None:
        """Return the first row that breaks a relation and its values, None if there is none."""
        wrong = relation.violated(raw, self.grids)
        if not wrong.any():
            return None
        row = int(wrong.argmax())
        cells = []
        for place in reversed(relation.places):
            value = self.columns[place].from_raw(raw[row : row + 1, place]).iloc[0]
            plain = value.item() if isinstance(value, np.generic) else value
            cells.append(f"{shown(self.columns[place].name)} is {shown(plain)}")
        return f"row {row}: " + ", ".join(cells)

    def _refuse(self, relation: Relation, raw: Array) -> None:
        """Raise ParameterError if a row breaks a relation."""
        if (fault := self.fault(relation, raw)) is not None:
            raise ParameterError(f"relations: {self.text(relation)} is broken by {fault}")

    def _assign(
        self, relation: Relation, owner: dict[int, Relation], fixed: set[int], tried: set[int]
    ) -> bool:
        """Give a relation a column to compute; others may have to take another one (Kuhn)."""
        targets = {r.target for r in self.computing}
        own = [p for p in relation.solvable if p not in fixed]
        key = {p: (p != relation.target, p in targets, self._coarseness(p)) for p in own}
        for place in sorted(own, key=key.__getitem__):
            if place in tried:
                continue
            tried.add(place)
            if place not in owner or self._assign(owner[place], owner, fixed, tried):
                owner[place] = relation
                return True
        return False

    def _coarseness(self, place: int) -> float:
        """Return the step of a column relative to its range: finer ones are easier to solve for."""
        column, grid = self.columns[place], self.grids[place]
        if grid is None or not isinstance(column, NumericColumn) or column.low == column.high:
            return 0.0
        return grid.step / (column.high - column.low)

    def _sorted(self, steps: list[Step]) -> list[Step]:
        """Return the steps so that columns are computed before they are used."""
        by_place = {place: relation for relation, place in steps}
        graph = {
            place: sorted(p for p in r.places if p != place and p in by_place)
            for place, r in sorted(by_place.items())
        }
        try:
            order = list(TopologicalSorter(graph).static_order())
        except CycleError as error:
            place = error.args[1][0]
            raise ParameterError(
                f"relations: {self.text(by_place[place])} cannot be used to compute "
                f"{shown(self.columns[place].name)}: others compute it in turn"
            ) from None
        return [(by_place[place], place) for place in order]

    def _arrange(self, raw: Array, fixed: set[int], computed: set[int]) -> None:
        """Put columns in order, in place: exchange two, or move the one that is not fixed."""
        orderings = [o for o in self.orderings if not computed & set(o.places)]
        for _ in range(len(orderings) ** 2 + 1):
            changed = False
            for ordering in orderings:
                wrong = ordering.violated(raw, self.grids)
                free = [p for p in ordering.places if p not in fixed]
                if not free or not wrong.any():
                    continue
                changed = True
                low, high = ordering.low, ordering.high
                if len(free) == 1:
                    raw[:, free[0]] = ordering.solve(raw, free[0], self.grids)
                    continue
                lower, higher = raw[wrong, high], raw[wrong, low]
                raw[wrong, low] = beside(lower, self.grids[low], up=False)
                raw[wrong, high] = beside(higher, self.grids[high], up=True)
            if not changed:
                return


def _from_state(
    plain: dict[str, Any], arrays: dict[str, NDArray[Any]], columns: Sequence[Column]
) -> Relation:
    """Rebuild one relation and check it."""
    cls = KINDS.get(plain.get("kind", ""))
    if cls is None:
        raise ValueError(f"relation of kind {shown(plain.get('kind'))}")
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in plain.items() if k != "kind"}
    if set(values) | set(arrays) != {f.name for f in fields(cls)}:
        raise ValueError(f"relation {shown(cls.kind)} has fields {sorted({*values, *arrays})}")
    relation = cls(**values, **arrays)
    for place in relation.places:
        if not isinstance(place, int) or not 0 <= place < len(columns):
            raise ValueError(f"relation {shown(cls.kind)}: no column {shown(place)}")
    if len(set(relation.places)) < len(relation.places):
        raise ValueError(f"relation {shown(cls.kind)} has a column twice")
    if not isinstance(relation, Determined):
        if any(Grid.of(columns[place]) is None for place in relation.places):
            raise ValueError(f"relation {shown(cls.kind)} of a column without numbers")
    elif not len(relation.keys) == len(relation.values) == len(relation.counts) > 0:
        raise ValueError("relation 'determined': keys, values and counts differ in length")
    elif (np.diff(relation.keys) <= 0).any() or np.isnan(relation.keys[:-1]).any():
        raise ValueError("relation 'determined': keys do not increase")
    if isinstance(relation, Sum):
        numbers = [*relation.factors, relation.constant]
        if len(relation.factors) != len(relation.terms) or 0 in relation.factors:
            raise ValueError("relation 'sum': factors do not match the terms")
        if not np.isfinite(numbers).all():
            raise ValueError(f"relation 'sum' has factors {shown(numbers)}")
    elif isinstance(relation, Formula) and len(relation.terms) != 2:
        raise ValueError(f"relation {shown(cls.kind)} of {len(relation.terms)} columns")
    return relation
