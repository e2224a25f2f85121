"""The search for relations between columns in training rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from graphlib import CycleError, TopologicalSorter

import numpy as np
from numpy.typing import NDArray

from augan._random import numpy_stream
from augan.codecs.columns import CategoryColumn, Column, ConstantColumn
from augan.sampling.find_formulas import find_products, find_sums
from augan.sampling.find_multiples import find_multiples
from augan.sampling.relations import Array, Determined, Grid, Mask, Ordered, Relation
from augan.sampling.training_rows import CHANCE, FEWEST, SAMPLE, Rows

FEWEST_ORDERED = 50
MOST_COPIES = 4  # equal rows, on average, that are copies; more are rows of few possible ones
SHARED = 0.5  # share of the rows that have their source value in common with another row
CHANCE_ORDERED = np.log(1e-6)
OVERLAP = 0.05  # share of pairs of independent rows in the wrong order, at least

Codes = NDArray[np.int64]


def find_relations(raw: Array, columns: Sequence[Column]) -> list[Relation]:
    """Return the relations that all training rows obey, and not by chance.

    Columns that another one determines; multiples, sums of up to five columns, products and
    ratios; orderings. Each column is computed once, and none from itself. Repeated rows count
    once, unless the table has few possible rows. Formulas of three or more columns are searched
    among the first 60 numeric columns. Computed columns may leave their range in training.

    Parameters
    ----------
    raw : ndarray (n, d)
        Training rows as `TableCodec.prepare` returns them.
    columns : sequence of Column
        The codec's columns.

    References
    ----------
    Functional dependencies: Huhtala et al., "TANE" (Comput. J. 1999); denial constraints, of
    which orderings are a case: Chu et al., "Discovering Denial Constraints" (VLDB 2013).
    """
    raw = np.asarray(raw, dtype=np.float64)
    codes, first = _codes(raw)
    rows = Rows(raw[first], tuple(columns), tuple(Grid.of(column) for column in columns))
    if len(rows.raw) < FEWEST:
        return []
    found = _Chosen()
    multiples = find_multiples(rows)
    copies = {formula.result for formula in multiples}
    found.add([relation] for relation in multiples)
    kept = Rows(rows.raw, tuple(columns), _without(rows.grids, copies))
    formulas: list[Sequence[Relation]] = [*find_sums(kept), *find_products(kept)]
    found.add(sorted(formulas, key=lambda group: len(group[0].places)))
    found.add(_determined(rows, codes[first], copies))
    return found.relations + found.can_be_kept(_ordered(kept))


class _Chosen:
    """Relations of which each computes another column, and none in a circle."""

    def __init__(self) -> None:
        self.relations: list[Relation] = []
        self.sources: dict[int, tuple[int, ...]] = {}

    def add(self, found: Iterable[Sequence[Relation]]) -> None:
        """Add the first that fits of each of several lists of equivalent relations."""
        for relations in found:
            if (relation := next(filter(self._fits, relations), None)) is not None:
                self.relations.append(relation)
                self.sources[relation.target] = relation.places[1:]

    def _fits(self, relation: Relation) -> bool:
        """Return whether the relation's target can be computed by it."""
        if relation.target in self.sources:
            return False
        try:
            TopologicalSorter(self.sources | {relation.target: relation.places[1:]}).prepare()
        except CycleError:
            return False
        return True

    def can_be_kept(self, orderings: list[Ordered]) -> list[Ordered]:
        """Return the orderings that no other relation implies and that rows can be put in."""
        inputs = {place for places in self.sources.values() for place in places}
        kept = []
        for ordering in orderings:
            low, high = ordering.low, ordering.high
            implied = any(
                {low, high} <= set(r.places) and r.target in (low, high) for r in self.relations
            )
            computed = [place for place in (low, high) if place in self.sources]
            free = [p for p in (low, high) if p not in self.sources and p not in inputs]
            if not implied and (not computed or free):
                kept.append(ordering)
        return kept


def _codes(raw: Array) -> tuple[Codes, NDArray[np.intp]]:
    """Return an integer for each value of a column (n, d), and the rows to search in (m,)."""
    codes = np.empty(raw.shape, dtype=np.int64)
    for i in range(raw.shape[1]):
        codes[:, i] = np.unique(raw[:, i], return_inverse=True)[1].reshape(-1)
    random = numpy_stream(0, "relations/hash").integers(-(2**62), 2**62, raw.shape[1])
    keys = (codes * random).sum(axis=1)  # wraps around
    first = np.sort(np.unique(keys, return_index=True)[1])
    is_discrete = len(first) * MOST_COPIES < len(raw)
    return codes, np.arange(len(raw)) if is_discrete else first


def _without(grids: Sequence[Grid | None], left_out: set[int]) -> list[Grid | None]:
    return [None if i in left_out else grid for i, grid in enumerate(grids)]


def _determined(rows: Rows, codes: Codes, left_out: set[int]) -> list[list[Determined]]:
    """Return what determines each column; the first is the best choice."""
    d = codes.shape[1]
    varying = np.array([not isinstance(c, ConstantColumn) for c in rows.columns])
    varying[list(left_out)] = False
    edges = np.zeros((d, d), dtype=bool)
    for source in np.flatnonzero(varying).tolist():
        edges[source] = _targets(rows, codes, source, varying)
    distinct = np.array([len(np.unique(codes[:, i])) for i in range(d)])
    partial = np.array([_other(rows, i) is not None for i in range(d)])
    found = []
    for target, sources in enumerate(_sources(edges, distinct, partial)):
        others = [_other(rows, s) if _is_mixed(rows, codes, s, target) else None for s in sources]
        both = zip(sources, others, strict=True)
        found.append([Determined.learn(rows.raw, s, target, other) for s, other in both])
    return found


def _other(rows: Rows, place: int) -> float | None:
    """Return the code that rare categories share, if the column has any."""
    column = rows.columns[place]
    rare = isinstance(column, CategoryColumn) and column.rare
    return float(len(column.categories)) if rare else None  # type: ignore[attr-defined]


def _is_mixed(rows: Rows, codes: Codes, source: int, target: int) -> bool:
    """Return whether rare categories, which share a code, have different target values."""
    other = _other(rows, source)
    return other is not None and len(np.unique(codes[rows.raw[:, source] == other, target])) > 1


def _targets(rows: Rows, codes: Codes, source: int, varying: Mask) -> Mask:
    """Return which columns (d,) a column determines."""
    none = np.zeros(len(varying), dtype=bool)
    counts = np.bincount(codes[:, source])
    counts = counts[counts > 0]
    if len(counts) > SHARED * len(codes) or counts[counts > 1].sum() < SHARED * len(codes):
        return none
    if (other := _other(rows, source)) is not None:
        known = rows.raw[:, source] != other
        codes = codes[known]
        if known.mean() < SHARED:
            return none
    candidates = np.flatnonzero(varying)
    candidates = candidates[candidates != source]
    step = max(1, len(codes) // SAMPLE)
    for part in (codes[::step], codes):
        order = np.argsort(part[:, source], kind="stable")
        groups = part[order, source]
        inside = groups[1:] == groups[:-1]
        values = part[order][:, candidates]
        candidates = candidates[~((values[1:] != values[:-1]) & inside[:, None]).any(axis=0)]
    counts = np.bincount(codes[:, source])
    for target in candidates.tolist():
        chance = _log_chance(counts[counts > 1], np.bincount(codes[:, target]))
        none[target] = chance < CHANCE - 2 * np.log(codes.shape[1])
    return none


def _log_chance(groups: Codes, values: Codes) -> float:
    """Return the log probability that independent values agree within each group.

    `groups` are the sizes of the groups, `values` the rows of each target value.
    """
    share = values[values > 0] / values.sum()
    sizes, times = np.unique(groups, return_counts=True)
    logs = np.log(share)
    found = [float(np.logaddexp.reduce(size * logs)) for size in sizes]
    return float(np.dot(times, found))


def _sources(edges: Mask, distinct: Codes, partial: Mask) -> list[list[int]]:
    """Return the sources of each target, the best first.

    Of columns that determine each other, the one with most distinct values is drawn, the first
    of several. Others are computed from the source with fewest distinct values; `partial` are
    columns with rare categories that share a code, which are used where there is nothing else.
    """
    d = len(edges)
    leader = np.arange(d)
    for i in range(d):
        same = np.flatnonzero((edges[i] & edges[:, i]) | (np.arange(d) == i))
        leader[i] = max(same.tolist(), key=lambda k: (distinct[k], -k))
    found = []
    for target in range(d):
        sources = np.flatnonzero(edges[:, target]).tolist()
        if leader[target] == target:
            sources = [s for s in sources if not edges[target, s]]
        key = [(s != leader[target], partial[s], distinct[s], leader[s] != s, s) for s in sources]
        found.append([s for _, s in sorted(zip(key, sources, strict=True))])
    return found


def _ordered(rows: Rows) -> list[Ordered]:
    """Return orderings of columns of the same quantity, without those that others imply."""
    numeric = rows.numeric
    quantity = np.array([rows.columns[i].origin.quantity for i in numeric])
    x, p = rows.raw[:, numeric], len(numeric)
    part = x[:: max(1, len(x) // SAMPLE)]
    holds = (quantity[:, None] == quantity) & ~np.eye(p, dtype=bool)
    if p:
        holds &= np.fmax.reduce(x, axis=0)[:, None] > np.fmin.reduce(x, axis=0)  # ranges overlap
    for a in range(p):
        holds[a] &= ~(part[:, a, None] > part).any(axis=0)
        for b in np.flatnonzero(holds[a]).tolist():
            holds[a, b] = _is_ordered(x[:, a], x[:, b], p * p)
    implied = (holds.astype(int) @ holds.astype(int)) > 0
    return [Ordered(numeric[a], numeric[b]) for a, b in np.argwhere(holds & ~implied).tolist()]


def _is_ordered(low: Array, high: Array, candidates: int) -> bool:
    """Return whether one column is never above another one, and not by chance."""
    both = ~(np.isnan(low) | np.isnan(high))
    low, high = low[both], high[both]
    n = len(low)
    if n < FEWEST_ORDERED or (low > high).any():
        return False
    share = float(np.searchsorted(np.sort(high), low, side="left").mean()) / n
    return share >= OVERLAP and n * np.log1p(-share) < CHANCE_ORDERED - np.log(candidates)
