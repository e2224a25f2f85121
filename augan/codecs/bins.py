"""Codes of the cells of a table: single values, bins of numbers, and missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]

MOST_SINGLE = 100  # columns with at most so many distinct values have no bins
FREQUENT = 0.005  # share of the rows from which on a value has a code of its own
N_BINS = 60
MIN_ORDERED = 12  # codes from which on their order is used
MIN_MEMBERS = 3  # training rows of a bin
TAIL_ROWS = 2.0  # rows at either end where the bins are finest
MAX_MEMBERS = 200  # values that a bin keeps


@dataclass(frozen=True)
class Given:
    """What is known of a column: the range of its raw numbers, or the possible ones.

    Attributes
    ----------
    low, high : float
        Smallest and largest value, equal for a single one; NaN: missing.
    values : tuple of float or None
        The values, NaN for missing; None: all of the range.
    """

    low: float
    high: float
    values: tuple[float, ...] | None = None


@dataclass(frozen=True)
class ColumnBins:
    """The codes of one column of raw numbers.

    A value that is frequent, or one of few, has a code of its own. The other numbers are divided
    into bins of ordered values, which are finer towards both ends. Missing is the last code.

    Attributes
    ----------
    values : ndarray of shape (n_values,)
        Values with codes of their own, increasing: codes from 0.
    edges : ndarray of shape (n_bins - 1,)
        Boundaries of the bins; a bin includes its lower one. Codes from ``n_values``.
    members : ndarray of shape (n_members,)
        Training values of the bins, increasing.
    starts : ndarray of shape (n_bins + 1,)
        Where the members of each bin start and the last ones end.
    positions : ndarray of shape (n_values + n_bins,)
        Place of each code in the order of the values, from 0 to 1; empty for categories and few
        values.
    has_missing : bool
        Whether there is a code for missing values.
    """

    values: Array
    edges: Array
    members: Array
    starts: Codes
    positions: Array
    has_missing: bool

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return len(self.starts) - 1

    @property
    def size(self) -> int:
        """Number of codes."""
        return len(self.values) + self.n_bins + self.has_missing

    @classmethod
    def fit(cls, raw: Array, *, ordered: bool) -> ColumnBins:
        """Return the codes for training values (n,); NaN is missing.

        Values that are not `ordered`, such as categories, all have codes of their own.
        """
        known = raw[~np.isnan(raw)]
        values, counts = np.unique(known, return_counts=True)
        if ordered and len(values) > MOST_SINGLE:
            values = values[counts >= max(FREQUENT * len(raw), 2)]
        rest = np.sort(known[~np.isin(known, values)])
        cuts = _cuts(len(rest))
        edges = np.unique(rest[cuts])
        edges = edges[edges > rest[:1]]  # many smallest values can be equal
        bounds = np.searchsorted(rest, edges)
        parts = [_thinned(part) for part in np.split(rest, bounds)] if len(rest) else []
        starts = np.cumsum([0, *map(len, parts)]).astype(np.int64)
        members = np.concatenate(parts) if parts else rest
        has_missing = bool(len(known) < len(raw))
        bins = cls(values, edges, members, starts, np.zeros(0), has_missing)
        if not ordered or bins.size < MIN_ORDERED:
            return bins
        return cls(values, edges, members, starts, _positions(bins, known), has_missing)

    def encode(self, raw: Array) -> Codes:
        """Return the code of each value (n,); one that no code is for gets the nearest one."""
        codes = np.full(len(raw), self.size - 1, dtype=np.int64)
        known = ~np.isnan(raw)
        cells = raw[known]
        found = len(self.values) + np.searchsorted(self.edges, cells, side="right")
        if len(self.values):
            middles = (self.values[1:] + self.values[:-1]) / 2
            nearest = np.searchsorted(middles, cells, side="right")
            own = (self.values[nearest] == cells) | (self.n_bins == 0)
            found = np.where(own, nearest, found)
        codes[known] = found
        return codes

    def allowed(self, given: Given) -> Mask:
        """Return which codes (size,) have a value of a range or one of the given values."""
        low, high = given.low, given.high
        allowed = np.zeros(self.size, dtype=bool)
        if given.values is not None:
            allowed[self.encode(np.array(given.values))] = True
            return allowed
        if np.isnan(low):
            allowed[-1] = self.has_missing
            return allowed
        n = len(self.values)
        allowed[:n] = (self.values >= low) & (self.values <= high)
        first, end = self._within(np.arange(self.n_bins), low, high)
        allowed[n : n + self.n_bins] = end > first
        return allowed

    def around(self, value: float) -> Given:
        """Return the range of the code of a value: the value itself, or its bin."""
        code = int(self.encode(np.array([value]))[0])
        if code < len(self.values):
            return Given(self.values[code], self.values[code])
        first, end = self.starts[code - len(self.values) :][:2]
        return Given(self.members[first], self.members[end - 1])

    def table(self) -> Array:
        """Return the values of all codes, one code after the other; NaN for missing."""
        return np.concatenate([self.values, self.members, [np.nan] * self.has_missing])

    def choices(self, given: Given | None = None) -> tuple[Codes, Codes]:
        """Return where in `table` the values of each code (size,) start, and their number.

        With `given`, only the values in its range count.
        """
        n, low, high = len(self.values), -np.inf, np.inf
        allowed = np.ones(self.size, dtype=bool)
        if given is not None:
            allowed = self.allowed(given)
            low, high = (low, high) if np.isnan(given.low) else (given.low, given.high)
        first, end = self._within(np.arange(self.n_bins), low, high)
        missing = np.full(int(self.has_missing), n + len(self.members))
        starts = np.concatenate([np.arange(n), n + first, missing])
        counts = np.concatenate([np.ones(n, int), end - first, np.ones(int(self.has_missing), int)])
        return np.where(allowed, starts, 0), np.where(allowed, counts, 0)

    def draw(
        self, codes: Codes, random: Array, low: float = -np.inf, high: float = np.inf
    ) -> Array:
        """Return a value for each code (n,); one of its training values for a bin.

        Parameters
        ----------
        codes : ndarray of shape (n,)
            Codes.
        random : ndarray of shape (n,)
            Uniform numbers from 0 to 1 that choose the members.
        low, high : float
            Range of the members that are chosen.

        Returns
        -------
        ndarray of shape (n,)
            Raw numbers, NaN for missing.
        """
        n = len(self.values)
        raw = np.full(len(codes), np.nan)
        single, binned = codes < n, (codes >= n) & (codes < n + self.n_bins)
        raw[single] = self.values[codes[single]]
        first, end = self._within(codes[binned] - n, low, high)
        raw[binned] = self.members[first + (random[binned] * (end - first)).astype(np.int64)]
        return raw

    def moved(self, codes: Codes, steps: Array) -> Codes:
        """Return codes (n,) near those given, by steps (n,) of their place in the order of values.

        Steps beyond an end are reflected. Codes without a place stay.
        """
        places = self.positions
        ordered = codes < len(places)
        if not len(places) or not ordered.any():
            return codes
        order = np.argsort(places, kind="stable")
        inner = (places[order][1:] + places[order][:-1]) / 2
        aims = np.abs(places[codes[ordered]] + steps[ordered])
        moved = codes.copy()
        moved[ordered] = order[np.searchsorted(inner, np.where(aims > 1, 2 - aims, aims))]
        return moved

    def arrays(self) -> dict[str, Any]:
        """Return the arrays by name."""
        names = ("values", "edges", "members", "starts", "positions")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any], has_missing: bool) -> ColumnBins:
        """Return the codes for arrays of `arrays`.

        Raises
        ------
        ValueError
            If the arrays do not fit together.
        """
        bins = cls(**arrays, has_missing=has_missing)
        n_bins, starts = bins.n_bins, bins.starts
        sizes = np.diff(starts)
        if n_bins < 0 or bins.size < 1 or len(bins.edges) != max(n_bins - 1, 0):
            raise ValueError("numbers of bins and edges differ")
        if starts[0] != 0 or starts[-1] != len(bins.members) or (sizes < 1).any():
            raise ValueError("a bin has no values")
        if len(bins.positions) not in (0, bins.size - has_missing):
            raise ValueError("numbers of positions and codes differ")
        for name in ("values", "edges", "members", "positions"):
            if not np.isfinite(arrays[name]).all():
                raise ValueError(f"{name} of a column are not finite")
        for name in ("values", "edges", "members"):
            if (np.diff(arrays[name]) < 0).any():
                raise ValueError(f"{name} of a column are not in order")
        return bins

    def _within(self, bins: Codes, low: float, high: float) -> tuple[Codes, Codes]:
        """Return the first member of each bin (n,) from `low` on, and the end up to `high`."""
        least = np.searchsorted(self.members, low, side="left")
        most = np.searchsorted(self.members, high, side="right")
        first = np.clip(self.starts[bins], least, None)
        return first, np.clip(self.starts[bins + 1], None, most)


def all_choices(
    bins: Sequence[ColumnBins], given: Mapping[int, Given] | None = None
) -> tuple[Codes, Codes]:
    """Return `ColumnBins.choices` of all columns, of their tables one after the other."""
    firsts, counts, start = [], [], 0
    for j, own in enumerate(bins):
        first, count = own.choices((given or {}).get(j))
        firsts.append(first + start)
        counts.append(count)
        start += len(own.table())
    return np.concatenate(firsts), np.concatenate(counts)


def _cuts(n: int) -> Codes:
    """Return the ranks, of `n` ordered values, at which bins start; the first bin not included."""
    if n < 2 * MIN_MEMBERS:
        return np.zeros(0, dtype=np.int64)
    places = warped((np.arange(n) + 0.5) / n, n)
    starts = np.searchsorted(places, np.arange(1, N_BINS) / N_BINS)
    kept: list[int] = []
    for start in starts.tolist():
        if start - (kept[-1] if kept else 0) >= MIN_MEMBERS and n - start >= MIN_MEMBERS:
            kept.append(start)
    return np.array(kept, dtype=np.int64)


def warped(shares: Array, n: int) -> Array:
    """Return places from 0 to 1 for cumulative shares of `n` rows, spread out at both ends.

    The mean of the share and of its logit, scaled to the unit interval.
    """
    eps = TAIL_ROWS / n
    logit = np.log((shares + eps) / (1 - shares + eps)) / np.log((1 + eps) / eps)
    return shares / 2 + (logit + 1) / 4


def _thinned(members: Array) -> Array:
    """Return at most `MAX_MEMBERS` of a bin's ordered values, at equal distances."""
    n = len(members)
    if n <= MAX_MEMBERS:
        return members
    return members[((np.arange(MAX_MEMBERS) + 0.5) * n / MAX_MEMBERS).astype(np.int64)]


def _positions(bins: ColumnBins, known: Array) -> Array:
    """Return the place of each code in the order of the values."""
    n_codes = len(bins.values) + bins.n_bins
    parts = np.split(bins.members, bins.starts[1:-1]) if bins.n_bins else []
    middles = [np.median(part) for part in parts]
    order = np.argsort(np.concatenate([bins.values, middles]), kind="stable")
    counts = np.bincount(bins.encode(known), minlength=n_codes)[order]
    places = np.empty(n_codes)
    places[order] = warped((np.cumsum(counts) - counts / 2) / len(known), len(known))
    return places
