"""Missing cells of rows, drawn from a column model given the cells that are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from augan.codecs.bins import Array, ColumnBins, Mask
from augan.sampling.columns import GROUP, ColumnModel, ColumnWeights, chosen_codes
from augan.sampling.known_relations import KnownRelations

TRIES = 5  # draws of a row that breaks a relation


@dataclass
class Imputer:
    """Draws the missing cells of raw rows (n, d + 1), of which the class is the last column.

    Parameters
    ----------
    model : ColumnModel
        The column model.
    relations : KnownRelations
        The relations of the columns and the class.
    """

    model: ColumnModel
    relations: KnownRelations

    def __post_init__(self) -> None:
        self.places = np.append(self.model.places, self.model.codec.width)

    def impute(self, raw: Array, missing: Mask, random: torch.Generator) -> Array:
        """Return the rows with their missing cells drawn; known cells stay.

        Rows are drawn in groups of `GROUP`, each with a random order of the columns. A row that
        breaks a relation is drawn again, at most `TRIES` times in all. Cells of columns that do
        not vary in training stay as they are, and so may missing classes.

        Parameters
        ----------
        raw : ndarray of shape (n, d + 1)
            Rows; cells that are missing are not read.
        missing : ndarray of bool of shape (n, d + 1)
            Which cells are missing.
        random : Generator
            Random stream.
        """
        filled = raw.copy()
        rows = np.flatnonzero(missing[:, self.model.places].any(1))
        with torch.inference_mode():
            weights = _Known(ColumnWeights(self.model.network), self.model.bins)
            for start in range(0, len(rows), GROUP):
                group = rows[start : start + GROUP]
                filled[group] = self._obeying(raw[group], missing[group], weights, random)
        return filled

    def _obeying(
        self, raw: Array, missing: Mask, weights: _Known, random: torch.Generator
    ) -> Array:
        """Return a group of rows with their missing cells, by the relations where it can be."""
        filled, open_ = raw.copy(), np.arange(len(raw))
        for _ in range(TRIES):
            drawn = raw[open_].copy()
            drawn[:, self.places] = self._drawn(raw[open_], missing[open_], weights, random)
            filled[open_] = self.relations.complete(drawn, missing[open_])
            broken = self.relations.broken(filled[open_], missing[open_])
            if not broken.any():
                return filled
            open_ = open_[broken]
        filled[open_] = self.relations.complete(filled[open_], missing[open_], nearest=True)
        return filled

    def _drawn(self, raw: Array, missing: Mask, weights: _Known, random: torch.Generator) -> Array:
        """Return the cells (n, k) of the model's columns, of which missing ones are drawn."""
        model, cells, gaps = self.model, raw[:, self.places], missing[:, self.places]
        n, k = cells.shape
        order = torch.randperm(k, generator=random).tolist()
        uniform = torch.rand(n, k, generator=random)
        within = torch.rand(n, k, generator=random, dtype=torch.float64).numpy()
        codes = model.encode(raw[:, :-1], raw[:, -1])
        known = torch.from_numpy(~gaps & ~self._unknown(cells))
        hidden = weights.hidden(codes, known)
        for step, place in enumerate(order):
            needed = gaps[:, place]
            if place == k - 1:  # a class that no column is drawn after says nothing
                needed = needed & gaps[:, order[step + 1 :]].any(1)
            rows = torch.from_numpy(np.flatnonzero(needed))
            if not len(rows):
                continue
            own = hidden[rows]
            code = chosen_codes(weights.totals(model, own, place), uniform[rows, place])
            hidden[rows] = own + weights.inputs[place][code]
            picked = rows.numpy()
            cells[picked, place] = model.bins[place].draw(code.numpy(), within[picked, place])
        return cells

    def _unknown(self, cells: Array) -> Mask:
        """Return which cells (n, k) hold categories that have no code, as in no training row."""
        columns = self.model.codec.columns
        unknown = np.zeros(cells.shape, dtype=bool)
        for j, place in enumerate(self.model.places):
            if columns[place].kind == "category":
                unknown[:, j] = ~np.isin(cells[:, j], self.model.bins[j].values)
        return unknown


class _Known:
    """The weights by column; no code is "missing", as that is masked."""

    def __init__(self, weights: ColumnWeights, bins: list[ColumnBins]) -> None:
        self.weights, self.bins = weights, bins
        self.inputs = [F.pad(table, (0, 0, 0, 1)) for table in weights.inputs]  # last: masked

    def hidden(self, codes: Tensor, known: Tensor) -> Tensor:
        """Return the first layer's outputs (n, width) for codes (n, k), of which some are known."""
        total = self.weights.masked.expand(len(codes), -1).clone()
        for j, table in enumerate(self.inputs):
            total += table[torch.where(known[:, j], codes[:, j], len(table) - 1)]
        return total

    def totals(self, model: ColumnModel, hidden: Tensor, place: int) -> Tensor:
        """Return the cumulative shares (n, size) of a column's codes, of which "missing" has 0."""
        weights, bias = self.weights.outputs[place], self.weights.biases[place]
        logits = F.linear(model.network.features(hidden), weights, bias)
        if self.bins[place].has_missing:
            logits = logits[:, :-1]
        return logits.double().softmax(1).cumsum(1)
