"""Missing cells of rows, drawn from a column model given the cells that are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from augan.codecs.bins import Array, Mask
from augan.networks.columns import ColumnWeights
from augan.sampling.columns import GROUP, ColumnModel, chosen_codes
from augan.sampling.known_relations import KnownRelations
from augan.sampling.start import MASKED

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
        self.allowed = {  # a drawn cell is not missing
            j: torch.arange(bins.size) < bins.size - 1
            for j, bins in enumerate(self.model.bins)
            if bins.has_missing
        }

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
            weights = ColumnWeights(self.model.network)
            for start in range(0, len(rows), GROUP):
                group = rows[start : start + GROUP]
                filled[group] = self._obeying(raw[group], missing[group], weights, random)
        return filled

    def _obeying(
        self, raw: Array, missing: Mask, weights: ColumnWeights, random: torch.Generator
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

    def _drawn(
        self, raw: Array, missing: Mask, weights: ColumnWeights, random: torch.Generator
    ) -> Array:
        """Return the cells (n, k) of the model's columns, of which missing ones are drawn."""
        model, cells, gaps = self.model, raw[:, self.places], missing[:, self.places]
        n, k = cells.shape
        order = torch.randperm(k, generator=random).tolist()
        uniform = torch.rand(n, k, generator=random)
        within = torch.rand(n, k, generator=random, dtype=torch.float64).numpy()
        codes = model.encode(raw[:, :-1], raw[:, -1])
        known = torch.from_numpy(~gaps & ~self._unknown(cells))
        hidden = weights.hidden(codes.masked_fill(~known, MASKED))
        for step, place in enumerate(order):
            needed = gaps[:, place]
            if place == k - 1:  # a class that no column is drawn after says nothing
                needed = needed & gaps[:, order[step + 1 :]].any(1)
            rows = torch.from_numpy(np.flatnonzero(needed))
            if not len(rows):
                continue
            own = hidden[rows]
            totals = model.totals(own, place, weights, self.allowed)
            code = chosen_codes(totals, uniform[rows, place])
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
