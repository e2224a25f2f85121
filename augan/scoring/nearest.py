"""Nearest neighbours in a memory of rows, with distances that are exact if they are small."""

from __future__ import annotations

import torch
from torch import Tensor

SPARE = 3  # candidates in addition to k, whose distances are computed exactly
GROUP = 64  # groups of values, in `smallest`
SPACED_AT_ONCE = 1024  # rows
ROUNDING = 2.0**-22  # of a product in single precision, as a share of a row's squared norm


def nearest(rows: Tensor, bank: Tensor, k: int, *, spare: int = SPARE) -> tuple[Tensor, Tensor]:
    """Return distances (..., n, k) of rows (..., n, F) to their nearest neighbours, and indices.

    The memory `bank` is (K, F), or (B, K, F) with one memory for each of rows (B, n, F).
    """
    found = torch.cdist(rows, bank, compute_mode="use_mm_for_euclid_dist")
    return nearest_by(found, rows, bank, k, spare=spare)


def smallest(values: Tensor, k: int) -> Tensor:
    """Return the indices (n, k) of the smallest values (n, K) of each row, in no order.

    Every `GROUP`-th value is of the same group. The k smallest values are in the k groups with the
    smallest minima, so most groups are left out after one pass, which is faster than to sort. K is
    a multiple of `GROUP`, or small.
    """
    n_values = values.shape[1]
    if n_values % GROUP or n_values <= GROUP * k:
        return values.topk(min(k, n_values), dim=1, largest=False).indices
    if k == 1 and torch.compiler.is_exporting():
        return _smallest_of_runs(values)
    grouped = values.unflatten(1, (-1, GROUP))  # (n, M, GROUP)
    found = _lowest(grouped.amin(dim=1), k)
    inside = grouped.gather(2, found.unsqueeze(1).expand(-1, grouped.shape[1], -1)).flatten(1)
    place = _lowest(inside, k)
    if k == 1:
        return place * GROUP + found
    return place // k * GROUP + found.gather(1, place % k)


def _smallest_of_runs(values: Tensor) -> Tensor:
    """Return the indices (n, 1) of the smallest values (n, K), in groups of consecutive values.

    ONNX Runtime is faster with these, torch with the groups of `smallest`.
    """
    runs = values.unflatten(1, (-1, GROUP))
    found = runs.amin(dim=2).argmin(dim=1)
    places = torch.arange(values.shape[0], device=values.device) * runs.shape[1] + found
    inside = runs.flatten(0, 1).index_select(0, places)
    return (found * GROUP + inside.argmin(dim=1)).unsqueeze(1)


def _lowest(values: Tensor, k: int) -> Tensor:
    """Return the indices (n, k) of the smallest values (n, K) of each row."""
    if k == 1:  # much faster
        return values.argmin(dim=1, keepdim=True)
    return values.topk(k, dim=1, largest=False).indices


def to_others(bank: Tensor, k: int) -> Tensor:
    """Return the distances (K, k) of each row of a memory (K, F) to its k nearest others, sorted.

    With fewer rows, to all others.
    """
    found = [nearest(rows, bank, k + 1, spare=0)[0] for rows in bank.split(SPACED_AT_ONCE)]
    return torch.cat(found)[:, 1:]  # the first one is that to the row itself


def spacing(others: Tensor, floor: float) -> Tensor:
    """Return the mean (K,) of each row's distances (K, k) to others, of which there may be none.

    `floor` is added, so that it is not 0 where rows are equal.
    """
    return others.sum(dim=1) / max(others.shape[1], 1) + floor


def rounding_error(bank: Tensor, others: Tensor, floor: float) -> float:
    """Return the largest relative error of small squared distances from products.

    It is that of products in single precision, whose errors are proportional to the squared norms
    of the rows. The small distances are those between rows of a memory (K, F): `others` (K, k) are
    their distances to their nearest others. Distances below `floor` need not be told apart.
    """
    error = ROUNDING * bank.shape[1] ** 0.5 * bank.square().sum(dim=1, keepdim=True)
    relative = error / (others[:, :1].square() + floor**2)  # (K, 1), or nothing with one row
    return float(relative.max()) if relative.numel() else 1.0


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
