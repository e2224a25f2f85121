"""The search for sums, products and ratios of numeric columns in training rows."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from augan.sampling.formulas import Formula, Product, Ratio, Sum
from augan.sampling.relations import Array, Mask
from augan.sampling.training_rows import FEWEST, Rows, checked

MOST_COLUMNS = 60  # numeric columns among which formulas of three or more columns are searched
MOST_TERMS = 5
MOST_CHECKED = 500  # candidates of one kind that pass the sample and are checked in all rows
CHUNK = 16  # rows of the sample that are compared at once
SEEN = 8  # rows of the sample without missing values, of which a candidate must have so many
UNITS = (1.0, 60.0, 3600.0, 86400.0)  # seconds in units of time differences
NULL = 1e-7  # relative singular value of an exact linear relation


def find_sums(rows: Rows) -> list[list[Sum]]:
    """Return sums of two columns, then of up to five, each solved for every column it can be."""
    numeric = rows.numeric[:MOST_COLUMNS]
    sample = rows.sample(numeric)
    found: list[list[Sum]] = []
    for formula, n in (*_triples(rows, sample, numeric), *_time_differences(rows, sample, numeric)):
        found.append(_any_target(formula, rows, n))
    computed = {formulas[0].result for formulas in found if formulas}
    for formula in _longer_sums(rows, [i for i in numeric if i not in computed]):
        found.append(_any_target(formula, rows, len(numeric) ** 3))
    return [formulas for formulas in found if formulas]


def _any_target(formula: Sum, rows: Rows, candidates: int) -> list[Sum]:
    """Return the formula solved for the columns for which it holds, pure sums first."""
    turned = [formula, *(formula.turned(place) for place in formula.terms)]
    turned.sort(key=lambda f: (sum(factor < 0 for factor in f.factors), -f.result))
    every = (checked(f, rows, candidates) for f in turned)
    return [f for f in every if f is not None]


def _triples(rows: Rows, sample: Array, numeric: list[int]) -> list[tuple[Sum, int]]:
    """Return candidates for sums of two columns."""
    p = len(numeric)
    places = np.array([(i, j, k) for i in range(p) for j in range(i) for k in range(j)], dtype=int)
    if not len(places):
        return []
    signs = np.array([(1, 1, -1), (1, -1, 1), (-1, 1, 1), (1, 1, 1)], dtype=float)
    which = np.repeat(np.array(numeric)[places], 4, axis=0)
    factor = np.tile(signs, (len(places), 1))
    kept, middle = _constant_rows(rows, sample, which, factor)
    total = len(which)
    return [
        (_as_sum(rows, which[c], factor[c], middle[c]), total) for c in kept[:MOST_CHECKED].tolist()
    ]


def _time_differences(rows: Rows, sample: Array, numeric: list[int]) -> list[tuple[Sum, int]]:
    """Return candidates for differences of two dates in minutes, hours or days."""
    times = [i for i in numeric if rows.columns[i].origin.quantity == "time"]
    numbers = [i for i in numeric if rows.columns[i].origin.quantity == "number"]
    both = [(a, b) for a in times for b in times if a != b]
    which = np.array([(b, a, t) for a, b in both for t in numbers for _ in UNITS[1:]], dtype=int)
    if not len(which):
        return []
    factor = np.array([(1.0, -1.0, -u) for _ in both for _ in numbers for u in UNITS[1:]])
    kept, middle = _constant_rows(rows, sample, which, factor)
    found = [(which[c], factor[c], middle[c]) for c in kept[:MOST_CHECKED].tolist()]
    return [(_as_sum(rows, *candidate), len(which)) for candidate in found]


def _constant_rows(
    rows: Rows, sample: Array, which: NDArray[np.int_], factor: Array
) -> tuple[NDArray[np.intp], Array]:
    """Return which sums (c, 3) are constant in the sample, up to rounding, and these constants."""
    steps = np.array([g.step if g else 0.0 for g in rows.grids])[which] * np.abs(factor)
    mixed = steps.max(axis=1) > steps.min(axis=1)
    slack = np.where(mixed, steps.max(axis=1) / 2, 0)
    relative = np.array([g.relative if g else 0.0 for g in rows.grids])[which].max(axis=1)
    low, high = np.full(len(which), np.inf), np.full(len(which), -np.inf)
    seen, alive = np.zeros(len(which), int), np.arange(len(which))
    starts = range(0, len(sample) + CHUNK, CHUNK)
    for start, stop in pairwise(starts):
        x = sample[start:stop][:, which[alive]] * factor[alive]
        total = x.sum(axis=2)
        size = np.nanmax(np.abs(x), axis=(0, 2), initial=0.0)
        seen[alive] += (~np.isnan(total)).sum(axis=0)
        low[alive] = np.minimum(low[alive], np.nanmin(total, axis=0, initial=np.inf))
        high[alive] = np.maximum(high[alive], np.nanmax(total, axis=0, initial=-np.inf))
        with np.errstate(invalid="ignore"):
            wide = high[alive] - low[alive] > 2 * slack[alive] + 8 * relative[alive] * size
        alive = alive[~wide]
        if not len(alive):
            break
    kept = alive[seen[alive] >= min(SEEN, len(sample))]
    middle = np.zeros(len(which))
    middle[kept] = (low[kept] + high[kept]) / 2
    return kept, middle


def _as_sum(rows: Rows, which: NDArray[np.int_], factor: Array, constant: float) -> Sum:
    """Return columns whose weighted sum is constant as a sum, solved for the last one."""
    grids = [g for g in map(rows.grids.__getitem__, which.tolist()) if g is not None]
    step, relative = max(g.step for g in grids), max(g.relative for g in grids)
    order = np.argsort(which[:-1])
    factors = -factor[:-1][order] / factor[-1]
    constant = constant / factor[-1]
    error = max(step / 2, 4 * relative * np.nanmax(np.abs(rows.raw[:, which] * factor)))
    for decimals in range(10):
        if abs(round(constant, decimals) - constant) <= error:
            constant = round(constant, decimals)
            break
    terms = tuple(which[:-1][order].tolist())
    return Sum(
        int(which[-1]), terms, factors=tuple(factors.tolist()), constant=float(constant) + 0.0
    )


def _longer_sums(rows: Rows, numeric: list[int]) -> list[Sum]:
    """Return candidates for sums of three to five columns: the null space of complete rows."""
    x = rows.raw[:, numeric]
    share = np.isnan(x).mean(axis=0)
    numeric = [i for i, s in zip(numeric, share, strict=True) if s < 0.5]
    x = rows.raw[:, numeric]
    x = x[~np.isnan(x).any(axis=1)][: 40 * MOST_COLUMNS]
    if len(numeric) < 4 or len(x) < 3 * len(numeric) + FEWEST:
        return []
    scale = np.maximum(x.std(axis=0), 1e-300)
    _, singular, basis = np.linalg.svd((x - x.mean(axis=0)) / scale, full_matrices=False)
    null = basis[singular < NULL * singular[0]] / scale
    found: list[Sum] = []
    for row in reduced(null):
        used = np.flatnonzero(np.abs(row) > 1e-4)
        if 4 <= len(used) <= MOST_TERMS + 1 and np.allclose(np.abs(row[used]), 1, atol=1e-4):
            which = np.array(numeric)[used]
            factor = np.round(row[used])
            found.append(_as_sum(rows, which, factor, float(np.median(x[:, used] @ factor))))
    return found


def reduced(matrix: Array) -> Array:
    """Return the reduced row echelon form, with pivots from the last column on."""
    m, row = matrix[:, ::-1].copy(), 0
    for column in range(m.shape[1]):
        if row == len(m):
            break
        best = row + int(np.abs(m[row:, column]).argmax())
        if abs(m[best, column]) <= 1e-6 * np.abs(m[row:]).max():
            continue
        m[[row, best]] = m[[best, row]]
        m[row] /= m[row, column]
        others = np.arange(len(m)) != row
        m[others] -= np.outer(m[others, column], m[row])
        row += 1
    return m[:, ::-1]


def find_products(rows: Rows) -> list[list[Formula]]:
    """Return columns that are the product or the ratio of two others.

    Formulas of the same three columns are one list: those whose result is not rounded come first,
    then products.
    """
    numeric = [i for i in rows.numeric if rows.columns[i].origin.quantity != "time"]
    numeric = numeric[:MOST_COLUMNS]
    sample = rows.sample(numeric)
    found: dict[tuple[int, ...], list[Formula]] = {}
    for cls in (Product, Ratio):
        which = np.array(
            [
                (t, a, b)
                for a in numeric
                for b in numeric
                for t in numeric
                if len({t, a, b}) == 3 and (a < b or cls is Ratio)
            ],
            dtype=int,
        ).reshape(-1, 3)
        for t, a, b in which[_holding(cls, rows, sample, which)[:MOST_CHECKED]].tolist():
            formula: Formula | None = checked(cls(t, (a, b)), rows, len(which))
            if formula is not None:
                found.setdefault(tuple(sorted(formula.places)), []).append(formula)
    return [sorted(group, key=rows.is_rounded) for group in found.values()]


def _holding(
    cls: type[Formula], rows: Rows, sample: Array, which: NDArray[np.int_]
) -> NDArray[np.intp]:
    """Return which candidates (c, 3) of target and terms hold in the sample."""
    steps = np.array([g.step if g else 0.0 for g in rows.grids])
    relative = np.array([g.relative if g else 0.0 for g in rows.grids])[which].max(axis=1)
    alive, seen = np.arange(len(which)), np.zeros(len(which), int)
    for start in range(0, len(sample), CHUNK):
        t, a, b = np.moveaxis(sample[start : start + CHUNK][:, which[alive]], 2, 0)
        with np.errstate(all="ignore"):
            value = a * b if cls is Product else np.where(b == 0, np.nan, a / b)
            error = relative[alive] * 2 * np.abs(value) + steps[which[alive, 0]] * (0.5 + 1e-9)
            wrong: Mask = (np.abs(value - t) > error).any(axis=0)
        seen[alive] += (~np.isnan(value - t)).sum(axis=0)
        alive = alive[~wrong]
    return alive[seen[alive] >= min(SEEN, len(sample))]
