"""The search for columns that are multiples of another one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from augan.sampling.formulas import Sum
from augan.sampling.relations import Array, Grid
from augan.sampling.training_rows import FEWEST, SAMPLE, Rows, checked

MOST_CHECKED = 2000  # pairs of columns
LIKE = 0.99  # squared correlation of columns that may be multiples of each other


def find_multiples(rows: Rows) -> list[Sum]:
    """Return columns that are another one times a number, plus a number, also rounded down."""
    numeric = [i for i in rows.numeric if len(np.unique(rows.raw[:SAMPLE, i])) > 3]
    distinct = {place: len(np.unique(rows.raw[:, place])) for place in numeric}
    found: dict[int, Sum] = {}
    like = np.argwhere(np.triu(_squared_correlation(rows.raw[:, numeric]), 1) > LIKE).tolist()
    for a, b in like[:MOST_CHECKED]:
        i, j = numeric[a], numeric[b]
        if i in found or j in found:
            continue
        finer, coarser = sorted((i, j), key=lambda place: (-distinct[place], place))
        for source, target in ((finer, coarser), (coarser, finer)):
            formula = _multiple(rows, source, target)
            if formula is not None:
                found[target] = formula
                break
    return list(found.values())


def _squared_correlation(x: Array) -> Array:
    """Return the squared correlations (d, d) of columns in rows without missing values."""
    seen = ~np.isnan(x)
    mask = seen.astype(np.float64)
    with np.errstate(all="ignore"):
        x = np.where(seen, x, 0)
        x = x / np.maximum(np.abs(x).max(axis=0), 1e-300)
        x = np.where(seen, x - x.sum(axis=0) / mask.sum(axis=0), 0)
        n = mask.T @ mask
        mean = (x.T @ mask) / n  # of a column in rows in which another one is present
        square = ((x**2).T @ mask) / n - mean**2
        found: Array = ((x.T @ x) / n - mean * mean.T) ** 2 / (square * square.T)
    return np.where(np.isfinite(found) & (n >= FEWEST), found, 0)


def _multiple(rows: Rows, source: int, target: int) -> Sum | None:
    """Return the shortest factor and constant by which one column gives another."""
    grid = rows.grids[target]
    assert grid is not None
    both = rows.raw[:, [source, target]]
    few = both[:: max(1, len(both) // SAMPLE)]
    if _slope(few, grid) is None or (slope := _slope(both, grid)) is None:
        return None
    both = rows.raw[~np.isnan(both).any(axis=1)]
    x, y = both[:, source], both[:, target]
    size = float(np.abs(y).max() + np.abs(slope * x).max())
    error = grid.step / np.ptp(x) if grid.step else 10 * grid.relative * abs(slope)
    few = both[:: max(1, len(both) // SAMPLE)]
    for factor in _short(slope, error):
        found = [
            (c, down)
            for down in (False, True)
            for c in _constants(y - factor * x, size, grid, down)
        ]
        for constant, down in sorted(found, key=lambda c: len(f"{c[0]:.15g}")):
            if down and not grid.step:
                continue
            formula = Sum(target, (source,), factors=(factor,), constant=constant, down=down)
            if formula.broken(few, rows.grids).any():
                continue
            if (kept := checked(formula, rows, len(rows.columns) ** 2)) is not None:
                return kept
    return None


def _slope(both: Array, grid: Grid) -> float | None:
    """Return the slope of pairs (n, 2) that lie on a line up to rounding; None if they do not."""
    x, y = both[~np.isnan(both).any(axis=1)].T
    if len(x) < FEWEST or np.ptp(x) == 0:
        return None
    centred = (x - x.mean()) / np.ptp(x)
    slope = float(centred @ (y - y.mean()) / (centred @ centred) / np.ptp(x))
    rest = np.ptp(y - y[0] - slope * (x - x[0]))
    return slope if slope and rest <= 2 * grid.step + 8 * grid.relative * np.abs(y).max() else None


def _short(value: float, error: float) -> Iterator[float]:
    """Yield numbers near a value, and inverses of numbers, those with few digits first."""
    seen = set()
    for digits in range(1, 13):
        for factor in (float(f"{value:.{digits}g}"), 1 / float(f"{1 / value:.{digits}g}")):
            near = abs(factor - value) <= max(2 * error, 1e-12 * abs(value))
            if near and factor not in seen:
                seen.add(factor)
                yield factor
    yield value


def _constants(rest: Array, size: float, grid: Grid, down: bool) -> Iterator[float]:
    """Yield constants that may explain the differences (n,) of numbers up to `size`."""
    low, high = float(rest.min()), float(rest.max())
    if down:  # floor(x + c): rest is in (c - step, c]
        middle = (high + low + grid.step) / 2
        width = low + grid.step - high
    else:
        middle, width = (low + high) / 2, max(grid.step - (high - low), 0.0)
    error = width / 2 + 1e-9 * grid.step + 4 * grid.relative * size
    seen = set()
    for decimals in range(-1, 10):
        constant = 0.0 if decimals < 0 else round(middle, decimals)
        if abs(constant - middle) <= error and constant not in seen:
            seen.add(constant)
            yield constant
    yield middle
