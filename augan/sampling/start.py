"""Real rows that new rows of a column model start from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from augan.codecs.bins import ColumnBins

MASKED = -1  # in place of a code that is drawn


@dataclass(frozen=True)
class Start:
    """Real rows that new ones start from.

    Attributes
    ----------
    codes : Tensor of shape (m, k)
        Codes of the rows.
    bins : sequence of ColumnBins
        The codes of each column.
    spread : float
        Share of a row's cells that are drawn; the others keep their codes.
    step : float
        Standard deviation of the normal steps by which codes that have an order are moved, as a
        share of their range (smoothed bootstrap, Silverman and Young 1987).
    """

    codes: Tensor
    bins: Sequence[ColumnBins]
    spread: float
    step: float

    def picked(self, n: int, random: torch.Generator) -> Tensor:
        """Return which real rows `n` new ones start from: all equally often, in random order.

        If some were picked twice and others not, new rows would form pairs that real rows do not.
        """
        m = len(self.codes)
        rounds = [torch.randperm(m, generator=random) for _ in range(-(-n // m))]
        return torch.cat(rounds)[:n] if rounds else torch.zeros(0, dtype=torch.long)

    def known(self, picked: Tensor, random: torch.Generator) -> Tensor:
        """Return the codes (n, k) of picked rows, with `MASKED` in the cells that are drawn."""
        codes = self.codes[picked]
        drawn = torch.rand(codes.shape, generator=random) < self.spread
        if self.step:
            steps = self.step * torch.randn(codes.shape, generator=random, dtype=torch.float64)
            columns = zip(self.bins, codes.T.numpy(), steps.T.numpy(), strict=True)
            moved = [bins.moved(*column) for bins, *column in columns]
            codes = torch.from_numpy(np.stack(moved, axis=1))
        return codes.masked_fill(drawn, MASKED)
