"""Calibration of p-values: how often normal rows have low ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom, binom

from augan.evaluation.figures import Figure, PValueCheck
from augan.evaluation.resampling import resample_share

Floats = NDArray[np.float64]

ALPHAS = (0.01, 0.05, 0.10)
BAND = 0.99


def check_p_values(
    p_values: Floats,
    n_calibration: int | None,
    *,
    n_bootstrap: int,
    confidence: float,
    seed: int,
) -> tuple[PValueCheck, ...]:
    """Compare the share of normal rows with low p-values (n,) with the expected share."""
    checks = []
    for alpha in ALPHAS:
        share = float((p_values <= alpha).mean())
        drawn = resample_share(share, len(p_values), n_bootstrap, seed, f"p-values {alpha}")
        found = figure(share, drawn, confidence)
        checks.append(_check(alpha, found, len(p_values), n_calibration))
    return tuple(checks)


def figure(value: float, samples: Floats, confidence: float) -> Figure:
    """Return a metric with the percentile interval of its resamples (n,), if there are any."""
    if len(samples) == 0:
        return Figure(value)
    low, high = np.quantile(samples, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Figure(value, float(low), float(high))


def _check(alpha: float, share: Figure, n_normal: int, n_calibration: int | None) -> PValueCheck:
    """Compare the share of normal rows with ``p <= alpha`` with the expected share."""
    count: Any
    if n_calibration is None:
        expected, count = alpha, binom(n_normal, alpha)
    else:
        rank = int(alpha * (n_calibration + 1) + 1e-9)  # p <= alpha: among this many highest scores
        rest = n_calibration + 1 - rank
        expected = rank / (n_calibration + 1)
        count = betabinom(n_normal, rank, rest) if rank else binom(n_normal, 0.0)
    low, high = (max(0.0, float(end)) / n_normal for end in count.interval(BAND))
    return PValueCheck(alpha, share, expected, low, high, within=low <= share.value <= high)
