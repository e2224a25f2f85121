"""A limit on the share of new rows that are near copies of training rows."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from augan.exceptions import DataError, ParameterError
from augan.sampling.filters import COPY_QUANTILE, distances
from augan.sampling.pool import Pool

MIN_HELD_OUT = 20  # real rows for the usual distance


class NearCopyLimit:
    """Rejects near copies of training rows as far as their share would exceed a limit.

    A near copy is closer to a training row than 95 % of the held-out rows are, as in
    `augan.evaluation.prdc.near_copies`. The share is kept among the first rows of any number.

    Parameters
    ----------
    pool : Pool
        Real rows, of which some were held out of training.
    share : float
        Largest share of near copies, from 0 to 1.

    Raises
    ------
    ParameterError
        For images, whose pixels have no such distances.
    DataError
        If too few rows were held out.
    """

    def __init__(self, pool: Pool, share: float) -> None:
        if pool.spec.kind == "image":
            raise ParameterError("max_copies: only for tables")
        held_out = pool.rows[pool.held_out]
        if len(held_out) < MIN_HELD_OUT:
            raise DataError(
                f"max_copies: needs {MIN_HELD_OUT} held-out rows, there are {len(held_out)}; "
                "increase validation_fraction"
            )
        self.rows, self.share = pool.rows[~pool.held_out], share
        self.usual = float(distances(held_out, self.rows, 1)[:, 0].quantile(COPY_QUANTILE))
        self.kept = self.copies = 0

    def keep(self, rows: Tensor, label: int, random: torch.Generator) -> Tensor:
        """Return a mask (n,) of encoded rows (n, d) that are kept."""
        kept = distances(rows, self.rows, 1)[:, 0] >= self.usual
        before = kept.cumsum(0).tolist()  # rows up to each one that are no copies
        added = 0
        for place in (~kept).nonzero()[:, 0].tolist():
            total = self.kept + before[place] + added + 1
            if self.copies + added + 1 <= math.floor(self.share * total):
                kept[place] = True
                added += 1
        self.kept, self.copies = self.kept + int(kept.sum()), self.copies + added
        return kept
