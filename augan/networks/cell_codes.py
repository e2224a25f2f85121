"""Codes of the cells of rows, as a module that ONNX can hold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from augan.codecs.bins import ColumnBins
from augan.networks.fitted import FittedModule

UNSEEN = -1  # in place of the code of a value that no training row had
BEYOND = torch.finfo(torch.float64).max  # fills the rows of columns with fewer values or edges


class CellCodes(FittedModule):
    """Codes of raw rows, as those of `ColumnBins`.

    A number without a code of its own gets that of its bin; beyond the training range this is the
    outermost bin. A category that no training row had, and a missing value in a column without
    any in training, are `UNSEEN`.

    Attributes
    ----------
    values : Tensor of shape (d, most_values)
        Values with codes of their own, increasing.
    edges : Tensor of shape (d, most_edges)
        Boundaries of the bins.
    counts : Tensor of shape (d, 4)
        Numbers of values and of bins; 1 if there is a code for missing, else 0; 1 if a value
        without a code is unseen, 0 if it gets the nearest one.
    """

    values: Tensor
    edges: Tensor
    counts: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_buffers("values", "edges", "counts")

    def fit(self, bins: Sequence[ColumnBins], exact: Sequence[bool]) -> None:
        """Take the codes of all columns; the values of those that are `exact` have no order."""
        self.values = _padded([own.values for own in bins], at_least=2)
        self.edges = _padded([own.edges for own in bins], at_least=1)
        counts = [
            (len(own.values), own.n_bins, own.has_missing, one)
            for own, one in zip(bins, exact, strict=True)
        ]
        self.counts = torch.tensor(counts, dtype=torch.float64)

    def forward(self, raw: Tensor) -> Tensor:
        """Return the codes (n, d) of raw rows (n, d) of float64."""
        cells = raw.T.contiguous()  # (d, n)
        n_values, n_bins, has_missing, exact = self.counts.long().unsqueeze(2).unbind(1)
        middles = self.values[:, 1:] / 2 + self.values[:, :-1] / 2
        nearest = torch.searchsorted(middles, cells, right=True)
        nearest = torch.minimum(nearest, n_values - 1).clamp(min=0)
        equal = (self.values.gather(1, nearest) == cells) & (n_values > 0)
        own = equal | ((n_bins == 0) & (n_values > 0) & (exact == 0))
        bins = torch.minimum(torch.searchsorted(self.edges, cells, right=True), n_bins - 1)
        found = torch.where(own, nearest, torch.where(n_bins > 0, n_values + bins, UNSEEN))
        missing = torch.where(has_missing > 0, n_values + n_bins, UNSEEN)
        return torch.where(torch.isnan(cells), missing, found).T

    def sizes(self) -> list[int]:
        """Return the number of codes of each column."""
        sizes: list[int] = self.counts[:, :3].sum(1).long().tolist()
        return sizes

    def check(self, n_columns: int) -> None:
        """Check that stored tensors fit together.

        Raises
        ------
        ValueError
            If they do not.
        """
        shapes = [tuple(part.shape) for part in (self.values, self.edges, self.counts)]
        if [shape[:1] for shape in shapes] != 3 * [(n_columns,)] or {len(s) for s in shapes} != {2}:
            raise ValueError(f"codes of {n_columns} columns have the shapes {shapes}")
        most = torch.tensor([self.values.shape[1], self.edges.shape[1] + 1, 1, 1])
        whole = self.counts.shape[1] == 4 and bool((self.counts == self.counts.round()).all())
        if not whole or bool(((self.counts < 0) | (self.counts > most)).any()):
            raise ValueError("numbers of values and bins of a column do not fit")
        for part in (self.values, self.edges):
            if part.dtype != torch.float64 or part.shape[1] < 1:
                raise ValueError("values or edges of a column are not float64")
            if bool((part[:, 1:] < part[:, :-1]).any()):
                raise ValueError("values or edges of a column are not in order")


def _padded(rows: Sequence[np.ndarray], *, at_least: int) -> Tensor:
    """Return rows of different lengths as one tensor, filled with `BEYOND`."""
    longest = max(at_least, *(len(row) for row in rows))
    table = torch.full((len(rows), longest), BEYOND, dtype=torch.float64)
    for i, row in enumerate(rows):
        table[i, : len(row)] = torch.from_numpy(row)
    return table
