"""Nearest neighbours in a memory of rows, with distances that are exact if they are small."""

from __future__ import annotations

import torch
from torch import Tensor

SPARE = 3  # candidates in addition to k, whose distances are computed exactly


def nearest(rows: Tensor, bank: Tensor, k: int, *, spare: int = SPARE) -> tuple[Tensor, Tensor]:
    """Return distances (..., n, k) of rows (..., n, F) to their nearest neighbours, and indices.

    The memory `bank` is (K, F), or (B, K, F) with one memory for each of rows (B, n, F).
    """
    found = torch.cdist(rows, bank, compute_mode="use_mm_for_euclid_dist")
    return nearest_by(found, rows, bank, k, spare=spare)


def nearest_by(
    nearness: Tensor, rows: Tensor, bank: Tensor, k: int, *, spare: int = SPARE
) -> tuple[Tensor, Tensor]:
    """Return what `nearest` does, given approximate distances `nearness` (..., n, K).

    Distances from matrix products have rounding errors of up to a thousandth of a row's norm, and
    other ones in every library. So `nearness` only selects k + `spare` candidates; their distances
    are computed from differences.
    """
    n_banked = bank.shape[-2]
    k = min(k, n_banked)
    chosen = nearness.topk(min(k + spare, n_banked), dim=-1, largest=False).indices
    if bank.ndim == 2:
        others = bank[chosen]
    else:
        firsts = n_banked * torch.arange(bank.shape[0], device=bank.device)
        others = bank.flatten(0, 1)[chosen + firsts[:, None, None]]
    exact = (rows.unsqueeze(-2) - others).square().sum(dim=-1).sqrt()
    distances, order = exact.topk(k, dim=-1, largest=False)
    return distances, chosen.gather(-1, order)
