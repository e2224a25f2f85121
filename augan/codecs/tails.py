"""Values beyond those of training, from tails that are fitted to the outermost ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.stats import genpareto

from augan.codecs.bins import MAX_MEMBERS, Array, ColumnBins
from augan.codecs.columns import NumericColumn
from augan.codecs.rounding import rounded

TAIL_SHARE = 0.1  # of the values of a column, which a tail is fitted to
MIN_TAIL = 20  # values that a tail is fitted to
MOST_SHAPE = 0.5  # with a larger one the variance is infinite


def with_fitted_tails(bins: ColumnBins, raw: Array, column: NumericColumn) -> ColumnBins:
    """Return codes whose outermost bins have values of fitted tails instead of training values.

    The largest tenth of the values that have no code of their own, less a threshold, is taken to
    have a generalised Pareto distribution (Pickands 1975); so are the smallest ones. A column
    without negative values gets none, and one whose extreme value is frequent ends there.

    Parameters
    ----------
    bins : ColumnBins
        Codes of the column.
    raw : ndarray of shape (n,)
        Training values, NaN where missing.
    column : NumericColumn
        The column.
    """
    known = raw[~np.isnan(raw)]
    values = np.sort(known[~np.isin(known, bins.values)])
    parts = np.split(bins.members, bins.starts[1:-1])
    if len(values) < 2 * MIN_TAIL or len(parts) < 2:
        return bins
    low, high = known.min(), known.max()
    if high not in bins.values:
        found = _tail(values, int((values >= bins.edges[-1]).sum()))
        parts[-1] = np.maximum(_held(found, column), parts[-1][0])
    if low not in bins.values:
        n_below = int((values < bins.edges[0]).sum())
        found = -_tail(-values[::-1], n_below)[::-1]
        bottom = min(low, 0.0) if low >= 0 else -np.inf
        parts[0] = np.clip(_held(found, column), bottom, parts[0][-1])
    starts = np.cumsum([0, *map(len, parts)]).astype(np.int64)
    return replace(bins, members=np.concatenate(parts), starts=starts)


def _tail(values: Array, n: int) -> Array:
    """Return values at equal shares of the tail that the largest `n` of ordered values are of."""
    k = min(max(round(TAIL_SHARE * len(values)), MIN_TAIL, n), len(values) - 1)
    threshold = values[-k - 1]
    above = values[-k:] - threshold
    unit = above.mean()
    if not unit > 0:
        return values[-n:]
    shape, _, scale = genpareto.fit(above / unit, floc=0)
    shares = (np.arange(MAX_MEMBERS, 0, -1) - 0.5) / MAX_MEMBERS * n / k
    return threshold + unit * genpareto.isf(shares, min(shape, MOST_SHAPE), scale=scale)


def _held(values: Array, column: NumericColumn) -> Array:
    """Return values as the column can hold them."""
    finite = np.clip(values, -np.finfo(float).max, np.finfo(float).max)
    stepped = finite if column.step is None else rounded(finite, column.step)
    return np.sort(column.to_raw(column.from_raw(stepped)))
