"""One scale for all heads, a threshold and p-values, all from normals not learned from."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from augan.scoring.head import FittedModule

Fusion = Literal["top2", "mean", "max"]

FLOOR = 0.01  # share of a head's usual value that is added before the logarithm
MAD_TO_DEVIATION = 1.4826  # of a normal distribution


class RobustScale(FittedModule):
    """Heads (B, H) as robust z-scores of their logarithm on unseen normals."""

    floor: Tensor
    centre: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_buffers("floor", "centre", "deviation")

    def fit(self, parts: Tensor) -> None:
        """Learn median and deviation of each head (n, H) on unseen normals."""
        usual = torch.where(_median(parts) > 0, _median(parts), parts.mean(dim=0))
        self.floor = FLOOR * torch.where(usual > 0, usual, torch.ones_like(usual))
        logs = (parts + self.floor).log()
        self.centre = _median(logs)
        spread = MAD_TO_DEVIATION * _median((logs - self.centre).abs())
        fallback = logs.std(dim=0, unbiased=False)
        spread = torch.where(spread > 0, spread, fallback)
        self.deviation = torch.where(spread > 0, spread, torch.ones_like(spread))

    def forward(self, parts: Tensor) -> Tensor:
        """Return robust z-scores (B, H)."""
        return ((parts + self.floor).log() - self.centre) / self.deviation


class Conformal(FittedModule):
    """Conformal p-values and thresholds from the scores of unseen normals (Vovk 2005)."""

    scores: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_buffers("scores")

    def fit(self, scores: Tensor) -> None:
        """Keep the scores (n,) of unseen normals, sorted."""
        self.scores = scores.double().sort().values

    def p_value(self, scores: Tensor) -> Tensor:
        """Return (1 + #{calibration >= s}) / (n + 1) of scores (B,)."""
        below = torch.searchsorted(self.scores, scores.double().contiguous())
        return (1 + len(self.scores) - below).double() / (len(self.scores) + 1)

    def threshold(self, target_fpr: float | Tensor) -> Tensor:
        """Return the score () above which at most `target_fpr` of normal rows lie.

        Above it p <= target_fpr. Where the held-out rows are too few to tell, the largest of
        their scores.
        """
        n = len(self.scores)
        rank = (torch.as_tensor(target_fpr, dtype=torch.float64) * (n + 1) + 1e-9).long()
        return self.scores[n - rank.clamp(1, n)]


def fuse(parts: Tensor, weights: Tensor, fusion: Fusion) -> Tensor:
    """Return one score a row (B,) from calibrated heads (B, H) and their weights (H,)."""
    parts = parts * weights
    if fusion == "mean":
        return parts.mean(dim=1)
    k = min(2 if fusion == "top2" else 1, parts.shape[1])
    return parts.topk(k, dim=1).values.mean(dim=1)


def _median(values: Tensor) -> Tensor:
    return values.quantile(0.5, dim=0) if len(values) < 10_000 else values.median(dim=0).values
