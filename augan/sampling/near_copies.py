"""A limit on the share of new rows that are near copies of training rows."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from augan.exceptions import DataError, ParameterError
from augan.sampling.filters import COPY_QUANTILE, distances
from augan.sampling.pool import Pool

MIN_ROWS = 20  # real rows for the usual distance
MAX_ROWS = 2000  # real rows whose distances are computed


class NearCopyLimit:
    """Rejects near copies of training rows as far as their share would exceed a limit.

    A near copy is closer to a training row than 95 % of real rows are to the nearest other one. The
    share is kept among the first rows of any number.

    Parameters
    ----------
    pool : Pool
        Real rows.
    share : float
        Largest share of near copies, from 0 to 1.

    Raises
    ------
    ParameterError
        For images, whose pixels have no such distances.
    DataError
        If there are too few real rows.
    """

    def __init__(self, pool: Pool, share: float) -> None:
        if pool.spec.kind == "image":
            raise ParameterError("max_copies: only for tables")
        if len(pool.rows) < MIN_ROWS:
            raise DataError(
                f"max_copies: needs {MIN_ROWS} training rows, there are {len(pool.rows)}"
            )
        self.rows, self.share = pool.rows, share
        self.usual = usual_distance(pool)
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


def usual_distance(pool: Pool) -> float:
    """Return the distance to the nearest other real row that 95 % of real rows exceed.

    It is that of rows that no model has seen, as each real row is compared with the others.
    """
    step = max(1, len(pool.rows) // MAX_ROWS)
    nearest = distances(pool.rows[::step], pool.rows, 2)[:, 1]  # the first is the row itself
    return float(nearest.quantile(COPY_QUANTILE))
