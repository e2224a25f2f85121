"""New rows of a table from the any-order column model, drawn column by column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from augan.codecs.bins import ColumnBins, Given
from augan.codecs.columns import Column, NumericColumn
from augan.codecs.table import TableCodec
from augan.codecs.tails import with_fitted_tails
from augan.networks.columns import ColumnNetwork, ColumnWeights
from augan.sampling.conditions import Condition
from augan.sampling.given import allowed_codes, given_columns, varying
from augan.sampling.prefixes import Prefixes
from augan.sampling.start import MASKED, Start

GROUP = 1024  # rows that are drawn in the same order of columns

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """The random numbers of a group of rows.

    Attributes
    ----------
    order : list of int
        The order in which the columns are drawn.
    codes : Tensor of shape (n, k)
        Uniform numbers from 0 to 1 that choose the codes.
    values : ndarray of shape (n, k)
        Uniform numbers from 0 to 1 that choose values of the codes.
    """

    order: list[int]
    codes: Tensor
    values: Array

    @classmethod
    def of(cls, n: int, k: int, random: torch.Generator, first: Iterable[int] = ()) -> Draws:
        """Return the numbers of `n` rows of `k` columns, of which some are drawn `first`."""
        first = list(first)
        order = torch.randperm(k, generator=random).tolist()
        order = [*first, *(place for place in order if place not in first)]
        codes = torch.empty(n, k)
        codes[:, order] = torch.rand(k, n, generator=random).T
        values = torch.rand(n, k, generator=random, dtype=torch.float64).numpy()
        return cls(order, codes, values)


@dataclass
class ColumnModel:
    """The any-order column model of a table and its classes.

    Attributes
    ----------
    codec : TableCodec
        Names and types of the columns.
    bins : list of ColumnBins
        The codes of each column that varies in training, and of the class, which is the last.
    places : ndarray of shape (len(bins) - 1,)
        Which column of the table each of them is.
    network : ColumnNetwork
        Distributions of the codes.
    """

    codec: TableCodec
    bins: list[ColumnBins]
    places: NDArray[np.intp]
    network: ColumnNetwork

    @classmethod
    def untrained(
        cls,
        codec: TableCodec,
        raw: Array,
        labels: NDArray[Any],
        width: int,
        seed: int,
        *,
        fits_tails: bool = False,
    ) -> ColumnModel:
        """Return a model of raw rows (n, d) and their classes (n,), with an untrained network."""
        places = varying(codec.columns)
        bins = [_bins(codec.columns[place], raw[:, place], fits_tails) for place in places]
        bins.append(ColumnBins.fit(labels.astype(np.float64), ordered=False))
        return cls(codec, bins, places, _network(bins, width, seed))

    def encode(self, raw: Array, labels: NDArray[Any]) -> Tensor:
        """Return the codes (n, k) of raw rows (n, d) and their classes (n,)."""
        cells = [*raw[:, self.places].T, labels.astype(np.float64)]
        codes = [bins.encode(column) for bins, column in zip(self.bins, cells, strict=True)]
        return torch.from_numpy(np.stack(codes, axis=1))

    @torch.no_grad()
    def draw(
        self,
        n: int,
        random: torch.Generator,
        given: Mapping[int, Given] | None = None,
        start: Start | None = None,
    ) -> Array:
        """Return new rows (n, k) of raw numbers, the class last.

        Parameters
        ----------
        n : int
            Number of rows.
        random : Generator
            Random stream.
        given : mapping of int to Given, optional
            What is known of columns, by their place in `bins`. These columns are drawn first.
        start : Start, optional
            Real rows that the new ones start from; by default, all cells are drawn.

        Raises
        ------
        DataError
            If no training value of a column is in its range.
        """
        given = given or {}
        weights = ColumnWeights(self.network)
        allowed = self._allowed(given)
        picked = None if start is None else start.picked(n, random)
        rows = []
        for first in range(0, n, GROUP):
            draws = Draws.of(min(GROUP, n - first), len(self.bins), random, allowed)
            if start is None or picked is None:
                codes = self._codes(draws, weights, allowed)
            else:
                known = start.known(picked[first : first + GROUP], random)
                codes = self._completed(known, draws, weights, allowed)
            rows.append(self._values(codes, draws, given))
        return np.concatenate(rows) if rows else np.zeros((0, len(self.bins)))

    @torch.no_grad()
    def drawn(self, draws: Draws, given: Mapping[int, Given] | None = None) -> Array:
        """Return the rows (n, k), as of `draw`, that random numbers give."""
        given = given or {}
        codes = self._codes(draws, ColumnWeights(self.network), self._allowed(given))
        return self._values(codes, draws, given)

    def given(self, conditions: Iterable[Condition]) -> dict[int, Given]:
        """Return what conditions on columns of the table say of the columns in `bins`."""
        return given_columns(conditions, self.codec.columns, self.bins)

    def _allowed(self, given: Mapping[int, Given]) -> dict[int, Tensor]:
        """Return which codes of the given columns are allowed."""
        allowed = allowed_codes(given, self.codec.columns, self.bins)
        return {place: torch.from_numpy(mask) for place, mask in allowed.items()}

    def _codes(self, draws: Draws, weights: ColumnWeights, allowed: Mapping[int, Tensor]) -> Tensor:
        """Return the codes (n, k) of rows, drawn column by column."""
        rows = Prefixes(weights.masked, len(draws.codes))
        codes = torch.empty(draws.codes.shape, dtype=torch.long)
        for place in draws.order:
            totals = rows.spread(self.totals(rows.hidden, place, weights, allowed))
            codes[:, place] = chosen_codes(totals, draws.codes[:, place])
            rows.extend(codes[:, place], weights.inputs[place])
        return codes

    def _completed(
        self, known: Tensor, draws: Draws, weights: ColumnWeights, allowed: Mapping[int, Tensor]
    ) -> Tensor:
        """Return codes (n, k) of which those that are `MASKED`, or are given, have been drawn."""
        codes = known.clone()
        codes[:, list(allowed)] = MASKED
        hidden = weights.hidden(codes)
        for place in draws.order:
            rows = (codes[:, place] == MASKED).nonzero()[:, 0]
            totals = self.totals(hidden.index_select(0, rows), place, weights, allowed)
            chosen = chosen_codes(totals, draws.codes[rows, place])
            codes[rows, place] = chosen
            hidden.index_add_(0, rows, weights.inputs[place].index_select(0, chosen))
        return codes

    def totals(
        self, hidden: Tensor, place: int, weights: ColumnWeights, allowed: Mapping[int, Tensor]
    ) -> Tensor:
        """Return the cumulative shares (n, size) of a column's codes, by the first layer's outputs.

        Columns in `allowed` have only the codes of their masks (size,).
        """
        logits = F.linear(
            self.network.features(hidden), weights.outputs[place], weights.biases[place]
        )
        if place in allowed:
            logits = logits.masked_fill(~allowed[place], -torch.inf)
        return logits.double().softmax(1).cumsum(1)

    def _values(self, codes: Tensor, draws: Draws, given: Mapping[int, Given]) -> Array:
        """Return the raw numbers (n, k) of codes."""
        columns = []
        for j, bins in enumerate(self.bins):
            known = given.get(j)
            ends = () if known is None or np.isnan(known.low) else (known.low, known.high)
            columns.append(bins.draw(codes[:, j].numpy(), draws.values[:, j], *ends))
        return np.stack(columns, axis=1)

    def state(self) -> tuple[list[bool], dict[str, Tensor]]:
        """Return which columns have missing values, and tensors by name."""
        tensors = {f"network.{k}": v.half() for k, v in self.network.state_dict().items()}
        for j, bins in enumerate(self.bins):
            tensors |= {f"{j}.{k}": torch.from_numpy(v) for k, v in bins.arrays().items()}
        return [bins.has_missing for bins in self.bins], tensors

    @classmethod
    def from_state(
        cls, codec: TableCodec, has_missing: Sequence[bool], tensors: Mapping[str, Tensor]
    ) -> ColumnModel:
        """Return the model for what `state` returned.

        Raises
        ------
        ValueError, KeyError, RuntimeError
            If the parts do not fit together.
        """
        places = varying(codec.columns)
        if len(has_missing) != len(places) + 1:
            raise ValueError("numbers of columns differ")
        names = ("values", "edges", "members", "starts", "positions")
        bins = [
            ColumnBins.from_arrays({n: tensors[f"{j}.{n}"].numpy() for n in names}, bool(missing))
            for j, missing in enumerate(has_missing)
        ]
        width = tensors["network.project.bias"].shape[0]
        network = _network(bins, width, seed=0)
        prefix = "network."
        own = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        network.load_state_dict(own)
        network.requires_grad_(False).eval()
        return cls(codec, bins, places, network)


def chosen_codes(totals: Tensor, uniform: Tensor) -> Tensor:
    """Return the codes (n,) that uniform numbers (n,) choose by cumulative shares (n, size)."""
    chosen = uniform[:, None].double() * totals[:, -1:]
    return torch.searchsorted(totals, chosen, right=True)[:, 0].clamp_(max=totals.shape[1] - 1)


def _bins(column: Column, raw: Array, fits_tails: bool) -> ColumnBins:
    """Return the codes of a column of raw numbers (n,)."""
    if not isinstance(column, NumericColumn):
        return ColumnBins.fit(raw, ordered=False)
    bins = ColumnBins.fit(raw, ordered=True)
    return with_fitted_tails(bins, raw, column) if fits_tails else bins


def _network(bins: Sequence[ColumnBins], width: int, seed: int) -> ColumnNetwork:
    return ColumnNetwork([one.size for one in bins], [one.positions for one in bins], width, seed)
