"""Fitting of one column: its kind, quantiles and categories."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri
from sklearn.preprocessing import QuantileTransformer

from augan.codecs.cells import Array, category_key, factorized, read_numbers
from augan.codecs.columns import (
    MOST_FEW,
    CategoryColumn,
    Column,
    ConstantColumn,
    NumericColumn,
)
from augan.codecs.dtypes import as_plain
from augan.codecs.identifiers import MIN_DISTINCT, MIN_ROWS, IdentifierColumn
from augan.codecs.origin import Origin
from augan.codecs.rounding import power_of_two, rounded

MAX_MASSES = 5
MASS_SHARE = 0.05  # share of a single value that makes it a point mass of a continuous column
MIN_DISTINCT_FOR_MASSES = 20
MAX_QUANTILES = 1000
REPEATS = 5  # rows per value on average, or at least two for each
STEPS = tuple(10.0**-decimals for decimals in range(7))
STEPS_OF_TIME = (86400.0, 3600.0, 60.0, *STEPS)  # days, hours, minutes, then decimal seconds
MICROSECOND = 2.5e-7  # tolerance of a microsecond in float64 seconds since 1970


def fit_column(values: pd.Series, name: str, max_categories: int) -> Column:
    """Fit one column to its training values."""
    origin = Origin.of(values, name)
    values = as_plain(values)
    column = _fit_kind(values, name, origin, max_categories)
    return replace(column, missing_share=float(values.isna().mean()))


def _fit_kind(values: pd.Series, name: str, origin: Origin, max_categories: int) -> Column:
    """Fit a column of the kind of its values."""
    if origin.quantity == "text":
        return _fit_category(values, name, origin, max_categories)
    numbers = read_numbers(values, name, origin.quantity)
    seen = numbers[~np.isnan(numbers)]
    if len(seen) == 0 or (len(seen) == len(numbers) and seen.min() == seen.max()):
        return ConstantColumn(name, origin, values.iloc[0] if len(seen) else None)
    return _fit_numeric(seen, name, origin, has_missing=len(seen) < len(numbers))


def _fit_numeric(seen: Array, name: str, origin: Origin, *, has_missing: bool) -> Column:
    """Fit the quantile map and the point masses of a column that varies."""
    distinct, counts = np.unique(seen, return_counts=True)
    masses: tuple[float, ...] = ()
    if len(distinct) > MIN_DISTINCT_FOR_MASSES:
        heavy = np.flatnonzero(counts >= MASS_SHARE * len(seen))
        heavy = heavy[np.argsort(-counts[heavy], kind="stable")][:MAX_MASSES]
        masses = tuple(float(distinct[i]) for i in heavy)
    unit = power_of_two(distinct)
    if len(distinct) == 1:  # and missing values: any map will do
        normals = np.array([-1.0, 0.0, 1.0])
        knots = distinct + max(1.0, abs(distinct[0]) * 2.0**-20) * normals
    else:
        knots, normals = _quantile_map(seen / unit)
        knots = knots * unit
    few, edges = _few_values(distinct, counts, knots, normals)
    spread = float(np.std(seen / unit)) * unit
    return NumericColumn(
        name=name,
        origin=origin,
        knots=knots,
        normals=normals,
        masses=masses,
        has_missing=has_missing,
        low=float(distinct[0]),
        high=float(distinct[-1]),
        mean=float(np.mean(seen / unit)) * unit,
        scale=spread if spread > 0 else 1.0,
        median=float(np.median(seen / unit)) * unit,
        step=_step(distinct, origin),
        few=few,
        edges=edges,
        usual=_usual(seen / unit, unit),
    )


def _few_values(
    distinct: Array, counts: NDArray[np.intp], knots: Array, normals: Array
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the values of a column with few repeated values, and the edges between them.

    Normal quantiles between two edges decode to one value. The share of each value is that of its
    rows, so that new rows have the same values with about the same frequencies.
    """
    n = int(counts.sum())
    rare = n < REPEATS * len(distinct) and counts.min() < 2
    if len(distinct) > MOST_FEW or rare:
        return (), ()
    unit = power_of_two(distinct)
    encoded = np.interp(distinct / unit, knots / unit, normals).astype(np.float32)
    places = encoded.astype(np.float64)
    if (np.diff(places) <= 0).any():  # not distinct in float32
        return (), ()
    edges = ndtri((np.cumsum(counts)[:-1] + 0.5) / (n + 1))
    middles = (places[:-1] + places[1:]) / 2
    outside = (edges <= places[:-1]) | (edges >= places[1:])
    edges = np.where(outside, middles, edges)
    return tuple(distinct.tolist()), tuple(edges.tolist())


def _quantile_map(seen: Array) -> tuple[Array, Array]:
    """Return knots (K,) and their normal quantiles; tied values share their middle rank.

    The quantiles are float32 numbers, so that a training value at a knot decodes to itself.
    """
    quantiles = QuantileTransformer(n_quantiles=min(MAX_QUANTILES, len(seen)), subsample=None)
    quantiles.fit(seen.reshape(-1, 1))
    knots, group = np.unique(quantiles.quantiles_[:, 0], return_inverse=True)
    ranks = np.bincount(group, quantiles.references_) / np.bincount(group)
    normals = ndtri((ranks * len(seen) + 0.5) / (len(seen) + 1))
    return knots, normals.astype(np.float32).astype(np.float64)


def _fit_category(values: pd.Series, name: str, origin: Origin, max_categories: int) -> Column:
    """Keep the most frequent categories; the others share one channel."""
    index, distinct = factorized(values)
    counts = np.bincount(index[index >= 0], minlength=len(distinct))
    has_missing = bool((index < 0).any())
    present = np.flatnonzero(counts)
    found = sorted(present, key=lambda i: (-counts[i], category_key(distinct[i])))
    order = [distinct[i] for i in found]
    if len(order) == 0 or (len(order) == 1 and not has_missing):
        return ConstantColumn(name, origin, order[0] if order else None)
    if _names_rows(order, counts, origin):
        return IdentifierColumn.of(order, name, origin, has_missing=has_missing)
    return CategoryColumn(
        name=name,
        origin=origin,
        categories=tuple(sorted(order[:max_categories], key=category_key)),
        rare=tuple(order[max_categories:][:1]),
        has_missing=has_missing,
    )


def _names_rows(distinct: list[Any], counts: NDArray[np.intp], origin: Origin) -> bool:
    """Whether nearly all rows have a string of their own, and new strings can be made."""
    n = int(counts.sum())
    if n < MIN_ROWS or len(distinct) <= MIN_DISTINCT * n or origin.dtype == "category":
        return False
    return all(isinstance(value, str) for value in distinct)


def _step(distinct: Array, origin: Origin) -> float | None:
    """Return the largest step of which all values are multiples, if there is one."""
    is_float32 = origin.dtype in ("float32", "float16")
    if origin.quantity == "number":  # for 0.1 + 0.2 != 0.3
        steps, allowed = STEPS, 0.0 if is_float32 else 1e-15 * np.abs(distinct)
    else:
        steps, allowed = STEPS_OF_TIME, np.full(len(distinct), MICROSECOND)
    for step in steps:
        multiples = rounded(distinct, step)
        if is_float32:
            multiples = multiples.astype(origin.dtype).astype(np.float64)
        if (np.abs(multiples - distinct) <= np.minimum(allowed, step / 4)).all():
            return step
    return None


def _usual(seen: Array, unit: float) -> tuple[float, float]:
    """Return the range of the middle 90 % of the values; both ends are values."""
    low, high = np.quantile(seen, (0.05, 0.95), method="nearest") * unit
    return float(low), float(high)
