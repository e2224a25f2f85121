"""Relations between columns of rows of which some cells are known and others are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from augan.codecs.bins import Array, Mask
from augan.exceptions import ParameterError
from augan.sampling.relation_set import Relations, Step
from augan.sampling.relations import Determined, Ordered, Relation


class KnownRelations:
    """What relations say of the missing cells of rows; known cells are never changed.

    Parameters
    ----------
    relations : Relations
        Relations of the columns of a table and, last, of its class.
    """

    def __init__(self, relations: Relations) -> None:
        self.relations = relations
        self.parts = [_Part(relations, own) for own in _connected(relations.relations)]

    def complete(self, raw: Array, missing: Mask, *, nearest: bool = False) -> Array:
        """Return rows (n, d) in which missing cells have the values that relations give them.

        Parameters
        ----------
        raw : ndarray of shape (n, d)
            Rows whose missing cells have been drawn.
        missing : ndarray of bool of shape (n, d)
            Which cells these are.
        nearest : bool, default=False
            Whether cells that would better be drawn again are replaced by possible values: a
            number in the wrong order, or a value that determines another than the known one.
        """
        raw = raw.copy()
        for part in self.parts:
            part.complete(raw, missing, nearest=nearest)
        return raw

    def broken(self, raw: Array, missing: Mask) -> Mask:
        """Return in which rows (n,) a missing cell has a value that breaks a relation."""
        found = np.zeros(len(raw), dtype=bool)
        for relation in self.relations.relations:
            places = list(relation.places)
            drawn = missing[:, places].any(1) & ~np.isnan(raw[:, places]).any(1)
            found |= drawn & relation.violated(raw, self.relations.grids)
        return found


@dataclass
class _Part:
    """Relations that have columns in common."""

    relations: Relations
    own: Sequence[Relation]

    def __post_init__(self) -> None:
        self.places = sorted({place for relation in self.own for place in relation.places})
        self.steps = lru_cache(maxsize=1024)(self._steps)

    def complete(self, raw: Array, missing: Mask, *, nearest: bool) -> None:
        """Compute the missing cells of rows (n, d), in place, all rows with the same ones alike."""
        gaps = missing[:, self.places]
        patterns, which = np.unique(gaps, axis=0, return_inverse=True)
        for i, pattern in enumerate(patterns):
            if not pattern.any():
                continue
            rows = np.flatnonzero(which.reshape(-1) == i)
            fixed = frozenset(p for p, gone in zip(self.places, pattern, strict=True) if not gone)
            part = raw[rows]
            for relation, place in self.steps(fixed, nearest):
                self._solve(part, relation, place)
            raw[rows] = part

    def _solve(self, raw: Array, relation: Relation, place: int) -> None:
        """Compute a column of rows (n, d), in place; it stays as drawn where there is no value."""
        found = relation.solve(raw, place, self.relations.grids)
        found = np.where(np.isfinite(found), found, raw[:, place])
        if not isinstance(relation, Determined):
            column = self.relations.columns[place]
            found = column.to_raw(column.from_raw(found))  # as its dtype can hold it
        raw[:, place] = found

    def _steps(self, fixed: frozenset[int], nearest: bool) -> list[Step]:
        """Return what is computed, in this order, if some columns are known."""
        kept: list[Relation] = []
        steps: list[Step] = []
        for relation in self.own:
            if isinstance(relation, Ordered) or fixed.issuperset(relation.places):
                continue
            try:
                steps = Relations((*kept, relation), self.relations.columns).order(fixed)
                kept.append(relation)
            except ParameterError:  # too few of its columns are missing to compute one
                continue
        if not nearest:
            return [step for step in steps if not _is_backwards(step)]
        taken = fixed | {place for _, place in steps}
        orderings = [relation for relation in self.own if isinstance(relation, Ordered)]
        free = [(one, [p for p in one.places if p not in taken]) for one in orderings]
        return [*((one, places[0]) for one, places in free if places), *steps]


def _is_backwards(step: Step) -> bool:
    """Whether a step looks for a value that determines another one."""
    relation, place = step
    return isinstance(relation, Determined) and place != relation.target


def _connected(relations: Sequence[Relation]) -> list[list[Relation]]:
    """Return the relations in groups that have no column in common."""
    groups: list[tuple[set[int], list[Relation]]] = []
    for relation in relations:
        places, own = set(relation.places), [relation]
        for group in [group for group in groups if group[0] & places]:
            groups.remove(group)
            places, own = places | group[0], [*group[1], *own]
        groups.append((places, own))
    return [own for _, own in groups]
