"""Calibration on held-out normal rows: a common scale of the heads, thresholds, p-values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from augan.networks.fitted import FittedModule

Fusion = Literal["top2", "mean", "max"]

LOG_OFFSET = 0.01  # share of a head's median that is added before taking the logarithm
TAIL = 0.1  # share of the held-out rows to which the tail is fitted
TAIL_ROWS = 10  # least number of them
N_KNOTS = 10  # intervals between quantiles, below the tail
LEAST_MEAN = 0.05  # smallest mean excess of a tail, in logarithms of a score
NARROW = 1e-3  # width of an interval between equal quantiles, as a share of all below the tail
ENDLESS = 1e6  # width of the tail
MOST_DECAY = 27.6  # largest -log of the factor of an extrapolated p-value: 1e-12
MAD_TO_DEVIATION = 1.4826  # median absolute deviation to standard deviation, if normal


class NegativeLogP(FittedModule):
    """Negative logarithm of the p-value of each head's score among held-out normal rows.

    A p-value is the share of the held-out rows with a higher score. It is interpolated between
    quantiles; beyond the highest quantile the scores are taken to have the tail of a Pareto
    distribution, whose exponent is estimated from the held-out rows there (Hill 1975), so that it
    also tells extreme rows apart.
    """

    floor: Tensor
    starts: Tensor
    widths: Tensor
    slopes: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_buffers("floor", "starts", "widths", "slopes")

    def fit(self, parts: Tensor) -> None:
        """Fit quantiles and tails to scores (n, H) of held-out normal rows."""
        self.floor = _offset(parts)
        logs = (parts + self.floor).log()
        share = max(TAIL, min(TAIL_ROWS / len(logs), 0.5))
        levels = torch.linspace(0, 1 - share, N_KNOTS + 1).to(logs)
        knots = _quantiles(logs, levels)  # (K + 1, H)
        excess = (logs - knots[-1]).clamp(min=0)
        mean = excess.sum(dim=0) / (excess > 0).sum(dim=0).clamp(min=1)
        rises = -(1 - levels).log().diff()
        least = NARROW * (knots[-1] - knots[0])
        least = torch.where(least > 0, least, torch.full_like(least, NARROW))
        widths = knots.diff(dim=0).maximum(least)
        endless = torch.full_like(widths[:1], ENDLESS)
        self.starts, self.widths = knots.T.contiguous(), torch.cat([widths, endless]).T.contiguous()
        slopes = torch.cat([rises[:, None] / widths, 1 / mean.clamp(min=LEAST_MEAN)[None]])
        self.slopes = slopes.T.contiguous()

    def forward(self, parts: Tensor) -> Tensor:
        """Return -log p (B, H), at least 0."""
        logs = (parts + self.floor).log().unsqueeze(2)
        inside = (logs - self.starts).clamp(min=0).minimum(self.widths)
        return (inside * self.slopes).sum(dim=2)


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
        self.floor = _offset(parts)
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
    """Conformal p-values and thresholds (Vovk, Gammerman and Shafer 2005).

    Scores above all n held-out ones would all have the p-value 1 / (n + 1), which is guaranteed.
    So that rows are told apart there, and lower rates have thresholds, it falls beyond the highest
    score as in the tail of an exponential distribution with the mean excess of the highest scores
    (Balkema and de Haan 1974); that is an extrapolation.
    """

    scores: Tensor
    decay: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_buffers("scores", "decay")

    def fit(self, scores: Tensor) -> None:
        """Store the scores (n,) of held-out normal rows, sorted, and fit the tail."""
        self.scores = scores.double().sort().values
        n = len(scores)
        n_tail = min(max(TAIL_ROWS, round(TAIL * n)), n - 1)
        excess = self.scores[n - n_tail :] - self.scores[max(n - n_tail - 1, 0)]
        mean = excess.mean() if n_tail > 0 else excess.new_zeros(())
        self.decay = torch.where(mean > 0, 1 / mean, 0.0)  # 0: no tail, as all are equal

    def p_value(self, scores: Tensor) -> Tensor:
        """Return (1 + #{calibration scores >= s}) / (n + 1) for scores s (B,), less in the tail."""
        given = scores.double().contiguous()
        below = torch.searchsorted(self.scores, given)
        p = (1 + len(self.scores) - below).double() / (len(self.scores) + 1)
        beyond = self.decay * (given - self.scores[-1:]).clamp(min=0)
        return p * (-beyond.nan_to_num(0.0).clamp(max=MOST_DECAY)).exp()

    def threshold(self, target_fpr: float | Tensor) -> Tensor:
        """Return the score () that at most `target_fpr` of new normal rows exceed.

        Scores above it have p-values of at most `target_fpr`. If there are too few held-out rows,
        it lies in the tail beyond their highest score.
        """
        n = len(self.scores)
        rate = torch.as_tensor(target_fpr, dtype=torch.float64) * (n + 1) + 1e-9
        place = (n - rate.long().clamp(1, n)).reshape(1)
        known = self.scores.gather(0, place)[0]  # torch 2.11 exports no index that is computed
        beyond = -rate.clamp(max=1).log() / torch.where(self.decay > 0, self.decay, torch.inf)
        return known + beyond


def fuse(parts: Tensor, weights: Tensor, fusion: Fusion, together: Sequence[int] = ()) -> Tensor:
    """Return one score for each row (B,) of calibrated heads (B, H) with weights (H,).

    The mean of -log p is Fisher's combination of tests, divided by their number (Fisher 1932). The
    heads with the indices `together` count as one, with the highest of their values.
    """
    parts = parts * weights
    if len(together) > 1:
        others = [i for i in range(parts.shape[1]) if i not in together]
        highest = parts[:, list(together)].amax(dim=1, keepdim=True)
        parts = torch.cat([highest, parts[:, others]], dim=1)
        weights = torch.cat([torch.ones_like(weights[:1]), weights[others]])
    if fusion == "mean":
        return parts.sum(dim=1) / weights.sum()
    k = min(2 if fusion == "top2" else 1, parts.shape[1])
    return parts.topk(k, dim=1).values.mean(dim=1)


def _offset(parts: Tensor) -> Tensor:
    """Return what is added to the scores (n, H) of each head, so that they have logarithms."""
    usual = torch.where(_median(parts) > 0, _median(parts), parts.mean(dim=0))
    return LOG_OFFSET * torch.where(usual > 0, usual, torch.ones_like(usual))


def _quantiles(values: Tensor, levels: Tensor) -> Tensor:
    """Return quantiles (K, H) of values (n, H), interpolated."""
    ordered = values.sort(dim=0).values
    place = levels * (len(values) - 1)
    below = place.floor().long()
    above = (below + 1).clamp(max=len(values) - 1)
    return torch.lerp(ordered[below], ordered[above], (place - below)[:, None])


def _median(values: Tensor) -> Tensor:
    return values.quantile(0.5, dim=0) if len(values) < 10_000 else values.median(dim=0).values
