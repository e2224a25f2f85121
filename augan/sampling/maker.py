"""New rows in exact numbers: drawn from a pool, filtered and decoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from augan._random import torch_stream
from augan.codecs.codec import Codec
from augan.codecs.table import TableCodec
from augan.exceptions import DataError, shown
from augan.sampling.batches import Block, block_rows, blocks_of, check_memory, rebatched
from augan.sampling.build_filters import build_filters
from augan.sampling.conditions import Conditions
from augan.sampling.drawing import Check, draw_passing
from augan.sampling.filters import BandFilter, Filter
from augan.sampling.near_copies import NearCopyLimit
from augan.sampling.pool import Pool
from augan.sampling.sources import Source


class RowMaker:
    """Draws rows of a pool until enough of them pass the filters.

    Parameters
    ----------
    pool : Pool
        Source of encoded rows.
    codec : Codec
        Decodes them.
    names : list
        Labels of the classes.
    filters : sequence of str
        Names of the filters.
    spread : float
        Distance from real rows, as the parameter of `GANSampler`.
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
        """The filters, fitted when they are first used."""
        if self._filters is None:
            self._filters = build_filters(self.filter_names, self.pool, self.spread, self.seed)
        return self._filters

    def starts(self, conditions: Conditions | None) -> Tensor | None:
        """Return a mask (m,) of the pool's rows that meet the conditions, if rows start there."""
        if conditions is None or self.pool.columns is not None:
            return None
        return self._hold(conditions, self.pool.rows)

    def shares(self, shares: Tensor, conditions: Conditions | None) -> Tensor:
        """Return the shares of the classes (k,) among rows that meet the conditions.

        Raises
        ------
        DataError
            If no training row meets the conditions.
        """
        columns = self.pool.columns
        if columns is not None and conditions is not None:
            random = torch_stream(self.seed, "shares")
            return columns.label_shares(conditions.conditions, random)
        starts = self.starts(conditions)
        if starts is None:
            return shares
        counts = torch.bincount(self.pool.labels, minlength=self.pool.n_classes)
        met = torch.bincount(self.pool.labels[starts], minlength=self.pool.n_classes)
        if not met.any():
            raise DataError("where: no training row meets the conditions")
        return shares * met / counts.clamp(min=1)

    def check_memory(self, n: int) -> None:
        """Check that `n` rows, drawn and decoded, fit into the computer's memory.

        Raises
        ------
        ParameterError
            If they do not.
        """
        drawn = 8 * self.codec.width if isinstance(self.codec, TableCodec) else 0
        check_memory(n, 2 * max(drawn, self.pool.rows[:1].nbytes))

    def make(
        self,
        wanted: Mapping[int, int],
        random: torch.Generator,
        *,
        conditions: Conditions | None = None,
        score_range: tuple[float, float] | None = None,
        max_copies: float | None = None,
    ) -> tuple[Any, dict[str, int]]:
        """Return rows, sorted by class, and the number of rows that each filter rejected.

        Raises
        ------
        DataError
            If a class has too few real rows, or too few new rows are accepted.
        """
        refused: Counter[str] = Counter()
        blocks = self._blocks(wanted, random, refused, conditions, score_range, max_copies)
        pieces = [rows for _, rows in blocks]
        rows = self.decode(torch.cat(pieces) if pieces else self.pool.rows[:0])
        return (rows if conditions is None else conditions.assign(rows)), dict(refused)

    def batches(
        self,
        wanted: Mapping[int, int],
        random: torch.Generator,
        size: int,
        refused: Counter[str],
        *,
        conditions: Conditions | None = None,
        score_range: tuple[float, float] | None = None,
        max_copies: float | None = None,
    ) -> Iterator[tuple[Any, NDArray[np.intp]]]:
        """Yield the rows of `make`, `size` at a time, and their classes; update `refused`.

        Raises
        ------
        DataError
            As `make` does.
        """
        blocks = self._blocks(wanted, random, refused, conditions, score_range, max_copies)
        for raw, labels in rebatched(blocks, size):
            rows = self.decode(raw)
            yield (rows if conditions is None else conditions.assign(rows)), labels

    def _blocks(
        self,
        wanted: Mapping[int, int],
        random: torch.Generator,
        refused: Counter[str],
        conditions: Conditions | None,
        score_range: tuple[float, float] | None,
        max_copies: float | None,
    ) -> Iterator[Block]:
        """Yield encoded or raw rows that pass the filters, a block of one class at a time."""
        filters = dict(self.filters)
        if score_range is not None:
            band = BandFilter(self.pool, score_range)
            filters["score_range"] = self._bands.setdefault((band.low, band.high), band)
        if max_copies is not None:  # last, as it counts the rows that are kept
            filters["max_copies"] = NearCopyLimit(self.pool, max_copies)
        starts = self.starts(conditions)
        raw = self.pool.columns is not None  # as raw rows, which meet the conditions
        size = block_rows(self.pool.rows[:1].numel())
        for label, n in wanted.items():
            if not n:
                continue
            self._check(label, starts)
            source = self._source(label, starts, conditions)
            checks: dict[str, Check] = {}
            if conditions is not None and not raw:
                checks["where"] = partial(self._hold, conditions)
            for name, filter_ in filters.items():
                checks[name] = partial(self._keep, filter_, label=label, random=random)
            what = f"class {shown(self.names[label])}: "
            draw = partial(self._draw, source, random, as_decoded=bool(checks) and not raw)
            for part in blocks_of(n, size):
                yield label, draw_passing(part, draw, checks, refused, what)

    def _draw(self, source: Source, random: torch.Generator, n: int, *, as_decoded: bool) -> Tensor:
        """Return `n` rows of a source, as they are after decoding if asked for."""
        rows = source.draw(n, random)
        return self.codec.as_decoded(rows) if as_decoded else rows

    def _keep(self, filter_: Filter, rows: Tensor, label: int, random: torch.Generator) -> Tensor:
        """Return a mask (n,) of encoded or raw rows that a filter keeps."""
        if self.pool.columns is not None:
            rows = self.pool.columns.encoded(rows)
        return filter_.keep(rows, label, random)

    def decode(self, rows: Tensor) -> Any:
        """Return decoded rows for those of the pool's sources, which are encoded or raw."""
        if self.pool.columns is None or not len(rows):
            return self.codec.decode(rows)
        assert isinstance(self.codec, TableCodec)
        return self.codec.from_raw(rows.numpy())

    def _source(self, label: int, starts: Tensor | None, conditions: Conditions | None) -> Source:
        """Return the source of a class's rows; sources of all rows are cached."""
        if self.pool.columns is not None and conditions is not None:
            return self.pool.column_source(label, self.spread, conditions.conditions)
        if starts is not None:
            return self.pool.source(label, self.spread, starts)
        if label not in self._sources:
            self._sources[label] = self.pool.source(label, self.spread)
        return self._sources[label]

    def _hold(self, conditions: Conditions, rows: Tensor) -> Tensor:
        """Return a mask (n,) of the encoded rows that meet the conditions."""
        raw = self.codec.prepare(self.codec.decode(rows))
        return torch.from_numpy(conditions.hold(raw.numpy()))

    def _check(self, label: int, starts: Tensor | None) -> None:
        name, own = repr(self.names[label]), self.pool.labels == label
        if int(own.sum()) < 2:
            raise DataError(f"class {name} has 1 row: at least 2 are required for new ones")
        if starts is not None and not starts[own].any():
            raise DataError(f"where: no training row of class {name} meets the conditions")
