"""Distances to the nearest rows of a bank, exact where they are small."""

from __future__ import annotations

import torch
from torch import Tensor


def nearest(rows: Tensor, bank: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the distances (..., n, k) of rows (..., n, F) to the nearest of a bank, and which.

    The bank (K, F) is one for all rows, or (B, K, F) has one for each of rows (B, n, F). Which of
    its rows are near is found by matrix products.
    """
    found = torch.cdist(rows, bank, compute_mode="use_mm_for_euclid_dist")
    chosen = found.topk(min(k, bank.shape[-2]), dim=-1, largest=False).indices
    if bank.ndim == 2:
        return distances_to(rows, bank[chosen]), chosen
    firsts = bank.shape[1] * torch.arange(bank.shape[0], device=bank.device)
    return distances_to(rows, bank.flatten(0, 1)[chosen + firsts[:, None, None]]), chosen


def distances_to(rows: Tensor, others: Tensor) -> Tensor:
    """Return the distances (..., k) of rows (..., F) to others (..., k, F), from differences.

    Those that matrix products give are wrong by the rounding of squares: of a row to itself by a
    thousandth of its length, and differently with every library.
    """
    differences = rows.unsqueeze(-2) - others
    return differences.square().sum(dim=-1).sqrt()
