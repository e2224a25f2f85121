"""How much of a real row a new row of a column model may keep."""

from __future__ import annotations

import math
from typing import Any

import torch

from augan._random import torch_stream
from augan.sampling.filters import COPY_QUANTILE, distances
from augan.sampling.near_copies import usual_distance
from augan.sampling.pool import Pool

SPREADS = (0.5, 0.6, 0.7, 0.8, 0.9)
ADDED = 0.5  # spread of rows that are added to the real ones
ADDED_STEP = 0.2  # of their numbers, times the spread
ALL_DRAWN = 1.0  # spread of rows that keep nothing of a real row
MIN_ROWS = 100  # real rows, to compare distances with
N_ROWS = 1000  # that are drawn for each spread


def added_spread(asked: Any, method: str) -> float:
    """Return the spread of rows that are added to the real ones, by the parameter `spread`."""
    if asked != "auto":
        return float(asked)
    return ADDED if method == "columns" else 1.0


def usual_spread(pool: Pool, shares: torch.Tensor, seed: int) -> float:
    """Return the smallest spread with which new rows are no nearer to real rows than these are.

    That is, at most 5 % of them, less the standard error, are nearer to a real row than 95 % of the
    real rows are to another one. With few real rows no cell is kept.

    Parameters
    ----------
    pool : Pool
        Real rows, and the column model.
    shares : Tensor of shape (n_classes,)
        Shares of the classes among the rows that are drawn.
    seed : int
        Seed of these rows.
    """
    assert pool.columns is not None
    if len(pool.rows) < MIN_ROWS:
        return ALL_DRAWN
    usual = usual_distance(pool)
    error = math.sqrt(COPY_QUANTILE * (1 - COPY_QUANTILE) / N_ROWS)
    wanted = {label: round(N_ROWS * share) for label, share in enumerate(shares.tolist())}
    for spread in SPREADS:
        raw = pool.draw(wanted, spread, torch_stream(seed, f"spread {spread}"))
        rows = pool.columns.encoded(raw)
        near = distances(rows, pool.rows, 1)[:, 0] < usual
        if near.double().mean() <= COPY_QUANTILE - error:
            return spread
    return ALL_DRAWN
