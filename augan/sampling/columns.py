"""New rows of a table from the any-order column model, drawn column by column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from augan.codecs.bins import ColumnBins, Given
from augan.codecs.columns import NumericColumn
from augan.codecs.table import TableCodec
from augan.exceptions import DataError, shown
from augan.networks.columns import ColumnNetwork
from augan.sampling.conditions import Condition

N_SHARES = 4096  # rows that are drawn to find the shares of the classes
GROUP = 1024  # rows that are drawn in the same order of columns

Array = NDArray[np.float64]


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
        cls, codec: TableCodec, raw: Array, labels: NDArray[Any], width: int, seed: int
    ) -> ColumnModel:
        """Return a model of raw rows (n, d) and their classes (n,), with an untrained network."""
        places = np.flatnonzero([bool(column.spans()) for column in codec.columns])
        numeric = [isinstance(codec.columns[place], NumericColumn) for place in places]
        bins = [
            ColumnBins.fit(raw[:, place], ordered=ordered)
            for place, ordered in zip(places, numeric, strict=True)
        ]
        bins.append(ColumnBins.fit(labels.astype(np.float64), ordered=False))
        return cls(codec, bins, places, _network(bins, width, seed))

    def encode(self, raw: Array, labels: NDArray[Any]) -> Tensor:
        """Return the codes (n, k) of raw rows (n, d) and their classes (n,)."""
        cells = [*raw[:, self.places].T, labels.astype(np.float64)]
        codes = [bins.encode(column) for bins, column in zip(self.bins, cells, strict=True)]
        return torch.from_numpy(np.stack(codes, axis=1))

    @torch.no_grad()
    def draw(
        self, n: int, random: torch.Generator, given: Mapping[int, Given] | None = None
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

        Raises
        ------
        DataError
            If no training value of a column is in its range.
        """
        given = given or {}
        weights = _Weights(self.network)
        allowed = {}
        for place, known in given.items():
            allowed[place] = torch.from_numpy(self.bins[place].allowed(known.low, known.high))
            if not allowed[place].any():
                raise DataError(
                    f"where: column {shown(self.codec.columns[self.places[place]].name)} has no "
                    "training value in the range"
                )
        rows = []
        for start in range(0, n, GROUP):
            codes = self._codes(min(GROUP, n - start), random, weights, allowed)
            rows.append(self._values(codes, random, given))
        return np.concatenate(rows) if rows else np.zeros((0, len(self.bins)))

    def source(self, label: int, given: Mapping[int, Given] | None = None) -> ColumnSource:
        """Return the source of a class's new rows, of which `given` is known."""
        own = {len(self.bins) - 1: Given(float(label), float(label))}
        return ColumnSource(self, own | dict(given or {}))

    def given(self, conditions: Iterable[Condition]) -> dict[int, Given]:
        """Return what conditions on columns of the table say of the columns in `bins`."""
        known = {}
        for condition in conditions:
            found = np.flatnonzero(self.places == condition.place)
            if len(found):
                known[int(found[0])] = self._known(condition)
        return known

    def label_shares(self, given: Mapping[int, Given], random: torch.Generator) -> Tensor:
        """Return the shares (n_classes,) of the classes among rows of which `given` is known."""
        labels = torch.from_numpy(self.draw(N_SHARES, random, given)[:, -1]).long()
        return torch.bincount(labels, minlength=self.bins[-1].size) / N_SHARES

    def _known(self, condition: Condition) -> Given:
        """Return the range of raw numbers of a condition; of its single value, if it has one."""
        bins = self.bins[int(np.flatnonzero(self.places == condition.place)[0])]
        if not condition.exact:
            return Given(condition.low, condition.high)
        column = self.codec.columns[condition.place]
        raw = column.to_raw(pd.Series([condition.value]))
        return bins.around(float(raw[0]))

    def encoded(self, rows: Array) -> Tensor:
        """Return drawn rows (n, k), without the class, in the encoding of the codec."""
        raw = np.zeros((len(rows), self.codec.width))
        raw[:, self.places] = rows[:, :-1]
        encoded: Tensor = self.codec.module(torch.from_numpy(raw))[0]
        return encoded

    def _codes(
        self, n: int, random: torch.Generator, weights: _Weights, allowed: Mapping[int, Tensor]
    ) -> Tensor:
        """Return the codes (n, k) of rows, drawn in a random order of the columns."""
        order = torch.randperm(len(self.bins), generator=random).tolist()
        order = [*allowed, *(place for place in order if place not in allowed)]
        hidden = weights.masked.expand(n, -1).clone()
        codes = torch.empty(n, len(self.bins), dtype=torch.long)
        for place in order:
            logits = F.linear(
                self.network.features(hidden), weights.outputs[place], weights.biases[place]
            )
            if place in allowed:
                logits = logits.masked_fill(~allowed[place], -torch.inf)
            chosen = torch.rand(n, 1, generator=random)
            totals = logits.double().softmax(1).cumsum(1)
            code = (totals <= chosen * totals[:, -1:]).sum(1).clamp(max=logits.shape[1] - 1)
            codes[:, place] = code
            hidden += weights.inputs[place][code]
        return codes

    def _values(self, codes: Tensor, random: torch.Generator, given: Mapping[int, Given]) -> Array:
        """Return the raw numbers (n, k) of codes."""
        places = torch.rand(codes.shape, generator=random, dtype=torch.float64).numpy()
        columns = []
        for j, bins in enumerate(self.bins):
            known = given.get(j)
            ends = () if known is None or np.isnan(known.low) else (known.low, known.high)
            columns.append(bins.draw(codes[:, j].numpy(), places[:, j], *ends))
        return np.stack(columns, axis=1)

    def state(self) -> tuple[list[bool], dict[str, Tensor]]:
        """Return which columns have missing values, and tensors by name."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
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
        places = np.flatnonzero([bool(column.spans()) for column in codec.columns])
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


class ColumnSource:
    """New rows of a column model, of which something is known."""

    def __init__(self, model: ColumnModel, given: Mapping[int, Given]) -> None:
        self.model, self.given = model, given

    def draw(self, n: int, random: torch.Generator) -> Tensor:
        """Return `n` encoded rows."""
        return self.model.encoded(self.model.draw(n, random, self.given))


class _Weights:
    """The network's weights by column, so that a column that is drawn costs one addition.

    The first layer is linear in the embeddings: `masked` is its output if all columns are masked,
    and `inputs` is what each code of a column adds to it.
    """

    def __init__(self, network: ColumnNetwork) -> None:
        sizes = network.sizes
        embeddings = network.embeddings().split([size + 1 for size in sizes])
        projections = network.project.weight.split(embeddings[0].shape[1], dim=1)
        tables = [own @ weight.T for own, weight in zip(embeddings, projections, strict=True)]
        self.inputs = [table[:-1] - table[-1] for table in tables]
        self.masked = network.project.bias + sum(table[-1] for table in tables)
        self.outputs = network.outputs().split(sizes)
        self.biases = network.bias.split(sizes)


def _network(bins: Sequence[ColumnBins], width: int, seed: int) -> ColumnNetwork:
    return ColumnNetwork([one.size for one in bins], [one.positions for one in bins], width, seed)
