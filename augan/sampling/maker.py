"""New rows, exactly as many as are asked for: drawn, filtered, decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from augan.codecs.codec import Codec
from augan.exceptions import DataError, shown
from augan.sampling.conditions import Conditions
from augan.sampling.drawing import Check, draw_passing
from augan.sampling.filters import BandFilter, Filter, build_filters
from augan.sampling.pool import Pool
from augan.sampling.sources import Source


class RowMaker:
    """Draws rows of a pool until enough of them pass the filters.

    Parameters
    ----------
    pool : Pool
        Draws encoded rows.
    codec : Codec
        Makes rows of them.
    names : list
        What the classes are called.
    filters : sequence of str
        Which filters are asked.
    spread : float
        How far from real rows to go.
    seed : int
        Seed of the filters.
    """

    def __init__(
        self,
        pool: Pool,
        codec: Codec,
        names: list[Any],
        *,
        filters: Sequence[str],
        spread: float,
        seed: int,
    ) -> None:
        self.pool, self.codec, self.names = pool, codec, names
        self.filter_names, self.spread, self.seed = tuple(filters), spread, seed
        self._filters: dict[str, Filter] | None = None
        self._sources: dict[int, Source] = {}  # of all rows of a class
        self._bands: dict[tuple[float, float], BandFilter] = {}

    @property
    def filters(self) -> dict[str, Filter]:
        """The filters, built when they are first asked."""
        if self._filters is None:
            self._filters = build_filters(self.filter_names, self.pool, self.spread, self.seed)
        return self._filters

    def starts(self, conditions: Conditions | None) -> Tensor | None:
        """Return a mask (m,) of the pool's rows that meet the conditions."""
        if conditions is None:
            return None
        return conditions.hold(self.codec.decode(self.pool.rows))

    def shares(self, shares: Tensor, conditions: Conditions | None) -> Tensor:
        """Return how frequent each class (k,) is among rows that meet the conditions."""
        starts = self.starts(conditions)
        if starts is None:
            return shares
        counts = torch.bincount(self.pool.labels, minlength=self.pool.n_classes)
        met = torch.bincount(self.pool.labels[starts], minlength=self.pool.n_classes)
        if not met.any():
            raise DataError("where: no training row is like that")
        return shares * met / counts.clamp(min=1)

    def make(
        self,
        wanted: Mapping[int, int],
        random: torch.Generator,
        *,
        conditions: Conditions | None = None,
        score_range: tuple[float, float] | None = None,
    ) -> tuple[Any, dict[str, int]]:
        """Return rows, one class after the other, and how many each filter refused.

        Raises
        ------
        DataError
            When a class has too few rows to start from, or too few new ones pass.
        """
        refused: Counter[str] = Counter()
        filters = dict(self.filters)
        if score_range is not None:
            band = BandFilter(self.pool, score_range)
            filters["score_range"] = self._bands.setdefault((band.low, band.high), band)
        starts = self.starts(conditions)
        pieces = []
        for label, n in wanted.items():
            if n:
                self._check(label, starts)
                source = self._source(label, starts)
                checks: dict[str, Check] = {}
                if conditions is not None:
                    checks["where"] = lambda rows: conditions.hold(self.codec.decode(rows))
                for name, filter_ in filters.items():
                    checks[name] = partial(filter_.keep, label=label, random=random)
                what = f"class {shown(self.names[label])}: "

                def draw(n: int, source: Source = source, checked: bool = bool(checks)) -> Tensor:
                    rows = source.draw(n, random)
                    return self._as_decoded(rows) if checked else rows

                pieces.append(draw_passing(n, draw, checks, refused, what))
        rows = self.codec.decode(torch.cat(pieces) if pieces else self.pool.rows[:0])
        return (rows if conditions is None else conditions.assign(rows)), dict(refused)

    def _source(self, label: int, starts: Tensor | None) -> Source:
        """Return what draws rows of a class; it takes time to build, so it is kept."""
        if starts is not None:
            return self.pool.source(label, self.spread, starts)
        if label not in self._sources:
            self._sources[label] = self.pool.source(label, self.spread)
        return self._sources[label]

    def _as_decoded(self, rows: Tensor) -> Tensor:
        """Return encoded rows as they are after rounding, within bounds: what filters judge."""
        return self.codec.as_decoded(rows)

    def _check(self, label: int, starts: Tensor | None) -> None:
        name, own = repr(self.names[label]), self.pool.labels == label
        if int(own.sum()) < 2:
            raise DataError(f"class {name} has 1 row: it takes at least 2 to make more")
        if starts is not None and not starts[own].any():
            raise DataError(f"where: no training row of class {name} is like that")
