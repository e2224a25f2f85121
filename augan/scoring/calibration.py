"""Calibration on held-out normal rows: a common scale of the heads, thresholds, p-values."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from augan.networks.fitted import FittedModule

Fusion = Literal["top2", "mean", "max"]

LOG_OFFSET = 0.01  # share of a head's median that is added before taking the logarithm
MAD_TO_DEVIATION = 1.4826  # median absolute deviation to standard deviation, if normal


class RobustScale(FittedModule):
    """Robust z-scores of the logarithm of scores: centred by the median, scaled by the MAD."""

    floor: Tensor
    centre: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_buffers("floor", "centre", "deviation")

    def fit(self, parts: Tensor) -> None:
        """Fit median and MAD of each head to scores (n, H) of held-out normal rows."""
        usual = torch.where(_median(parts) > 0, _median(parts), parts.mean(dim=0))
        self.floor = LOG_OFFSET * torch.where(usual > 0, usual, torch.ones_like(usual))
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
    """Conformal p-values and thresholds (Vovk, Gammerman and Shafer 2005)."""

    scores: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_buffers("scores")

    def fit(self, scores: Tensor) -> None:
        """Store the scores (n,) of held-out normal rows, sorted."""
        self.scores = scores.double().sort().values

    def p_value(self, scores: Tensor) -> Tensor:
        """Return (1 + #{calibration scores >= s}) / (n + 1) for scores s (B,)."""
        below = torch.searchsorted(self.scores, scores.double().contiguous())
        return (1 + len(self.scores) - below).double() / (len(self.scores) + 1)

    def threshold(self, target_fpr: float | Tensor) -> Tensor:
        """Return the score () that at most `target_fpr` of new normal rows exceed.

        Scores above it have p-values of at most `target_fpr`. If there are too few held-out rows,
        it is their highest score.
        """
        n = len(self.scores)
        rank = (torch.as_tensor(target_fpr, dtype=torch.float64) * (n + 1) + 1e-9).long()
        place = (n - rank.clamp(1, n)).reshape(1)
        return self.scores.gather(0, place)[0]  # torch 2.11 exports no index that is computed


def fuse(parts: Tensor, weights: Tensor, fusion: Fusion) -> Tensor:
    """Return one score for each row (B,) of calibrated heads (B, H) with weights (H,)."""
    parts = parts * weights
    if fusion == "mean":
        return parts.mean(dim=1)
    k = min(2 if fusion == "top2" else 1, parts.shape[1])
    return parts.topk(k, dim=1).values.mean(dim=1)


def _median(values: Tensor) -> Tensor:
    return values.quantile(0.5, dim=0) if len(values) < 10_000 else values.median(dim=0).values
