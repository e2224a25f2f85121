"""Methods compared over several sets (Demšar 2006, "Statistical comparisons of classifiers")."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import friedmanchisquare, rankdata, studentized_range, wilcoxon

Floats = NDArray[np.float64]


def average_ranks(figures: Floats) -> Floats:
    """Return the mean rank of each method of figures (sets, methods), 1 = highest; ties share."""
    return rankdata(-figures, axis=1).mean(axis=0)


def critical_difference(n_methods: int, n_sets: int, alpha: float = 0.05) -> float:
    """Return how far average ranks must lie apart to differ (Nemenyi; Demšar 2006, sec. 3.2.2)."""
    q = studentized_range.ppf(1 - alpha, n_methods, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(n_methods * (n_methods + 1) / (6 * n_sets)))


def friedman(figures: Floats) -> tuple[float, float]:
    """Return chi-squared and p of Friedman's test that all methods (sets, methods) rank alike.

    Raises
    ------
    ValueError
        If there are fewer than 3 methods.
    """
    test = friedmanchisquare(*figures.T)
    return float(test.statistic), float(test.pvalue)


def signed_rank(ours: Floats, theirs: Floats) -> float:
    """Return the two-sided p of Wilcoxon's signed-rank test on paired figures (sets,)."""
    if np.array_equal(ours, theirs):
        return 1.0
    return float(wilcoxon(ours, theirs).pvalue)


def holm(p_values: ArrayLike) -> Floats:
    """Return p-values adjusted for how many there are, step by step (Holm 1979)."""
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p)
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted
