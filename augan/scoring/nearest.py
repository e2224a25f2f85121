"""Distances to the nearest rows of a bank, exact where they are small."""

from __future__ import annotations

import torch
from torch import Tensor

SPARE = 3  # further rows that are looked at, beside the nearest by matrix products


def nearest(rows: Tensor, bank: Tensor, k: int, *, spare: int = SPARE) -> tuple[Tensor, Tensor]:
    """Return the distances (..., n, k) of rows (..., n, F) to the nearest of a bank, and which.

    The bank (K, F) is one for all rows, or (B, K, F) has one for each of rows (B, n, F).
    """
    found = torch.cdist(rows, bank, compute_mode="use_mm_for_euclid_dist")
    return nearest_by(found, rows, bank, k, spare=spare)


def nearest_by(
    nearness: Tensor, rows: Tensor, bank: Tensor, k: int, *, spare: int = SPARE
) -> tuple[Tensor, Tensor]:
    """Return what `nearest` does, of rows whose `nearness` (..., n, K) matrix products gave.

    Those are wrong by the rounding of squares: between a row and itself by a thousandth of its
    length, and differently with every library. So some rows more than `k` are chosen by them, and
    their distances taken of differences.
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
