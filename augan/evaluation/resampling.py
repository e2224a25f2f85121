"""Detection metrics of many bootstrap resamples at once, from the number of times rows are drawn.

Rows are sorted by score, highest first, and grouped into steps. Rows with equal scores share a
step, so that ties count as in scikit-learn. Adjacent steps without an anomaly are merged, as no
metric changes within them; with few anomalies there are few steps.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from augan._random import numpy_stream

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]

MAX_FPR = 0.01
MIN_RECALL = 0.95
CELLS = 500_000  # resamples times steps, computed at once


def resample_figures(
    anomaly: Mask, score: Floats, threshold: float | None, n_resamples: int, seed: int
) -> dict[str, Floats]:
    """Return each metric (n_resamples,) of stratified resamples of rows (n,)."""
    steps, n_flagged = score_steps(anomaly, score, threshold)
    n_steps = int(steps.max()) + 1
    chunk = max(1, CELLS // n_steps)
    sizes = [min(chunk, n_resamples - start) for start in range(0, n_resamples, chunk)] or [0]
    normals, anomalies = (
        _draws(np.bincount(steps[rows], minlength=n_steps), sizes, seed, name)
        for rows, name in ((~anomaly, "normal"), (anomaly, "anomaly"))
    )
    drawn = zip(normals, anomalies, strict=True)
    chunks = [figures_of_counts(*counts, n_flagged) for counts in drawn]
    return {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}


def resample_share(share: float, n_rows: int, n_resamples: int, seed: int, name: str) -> Floats:
    """Return bootstrap resamples (n_resamples,) of a share of `n_rows`."""
    random = numpy_stream(seed, f"bootstrap {name}")
    return random.binomial(n_rows, share, size=n_resamples) / n_rows


def score_steps(anomaly: Mask, score: Floats, threshold: float | None) -> tuple[Counts, int | None]:
    """Return the step of each row (n,), and the number of steps above the threshold."""
    negated, tie = np.unique(-score, return_inverse=True)
    has_anomaly = np.bincount(tie, weights=anomaly) > 0
    flagged = np.zeros(len(negated), dtype=bool) if threshold is None else -negated > threshold
    new = has_anomaly[1:] | has_anomaly[:-1] | (flagged[1:] != flagged[:-1])
    step_of_tie = np.concatenate([[0], new.cumsum()])
    n_flagged = len(np.unique(step_of_tie[flagged]))
    return step_of_tie[tie], None if threshold is None else n_flagged


def figures_of_counts(
    normals: Counts, anomalies: Counts, n_flagged: int | None
) -> dict[str, Floats]:
    """Return each metric (B,) from the number of normals and anomalies in each step (B, S)."""
    fp, tp = normals.cumsum(axis=1), anomalies.cumsum(axis=1)  # (B, S)
    n_normal, n_anomaly = fp[:, -1], tp[:, -1]  # (B,)
    fpr, recall = fp / n_normal[:, None], tp / n_anomaly[:, None]
    precision = tp / np.maximum(tp + fp, 1)
    pairs = (normals * (tp - anomalies / 2)).sum(axis=1)  # anomaly above normal; a tie is half
    figures = {
        "auroc": pairs / (n_normal * n_anomaly),
        "average_precision": (anomalies * precision).sum(axis=1) / n_anomaly,
        "recall_at_1pct_fpr": np.where(fpr <= MAX_FPR, recall, 0.0).max(axis=1),
        "fpr_at_95pct_recall": np.where(recall >= MIN_RECALL, fpr, 1.0).min(axis=1),
        "f1_max": (2 * tp / (tp + fp + n_anomaly[:, None])).max(axis=1),
    }
    if n_flagged is not None:
        above = np.arange(fp.shape[1]) < n_flagged
        flagged = (normals @ above, anomalies @ above)
        figures |= _verdict_figures(*flagged, n_normal, n_anomaly)
    return figures


def _verdict_figures(
    fp: Counts, tp: Counts, n_normal: Counts, n_anomaly: Counts
) -> dict[str, Floats]:
    """Return the metrics (B,) of the rows above a threshold; precision is 0 if there are none."""
    return {
        "precision": tp / np.maximum(tp + fp, 1),
        "recall": tp / n_anomaly,
        "fpr": fp / n_normal,
        "f1": 2 * tp / (tp + fp + n_anomaly),
    }


def _draws(counts: Counts, sizes: list[int], seed: int, name: str) -> Iterator[Counts]:
    """Yield resamples of the rows of one class, as counts per step (B, S), `sizes` at a time.

    Each class has its own random stream, so that the metrics do not depend on the sizes.
    """
    random = numpy_stream(seed, f"bootstrap {name}")
    present, n_rows = np.flatnonzero(counts), int(counts.sum())
    for size in sizes:
        drawn = np.zeros((size, len(counts)), dtype=np.int64)
        drawn[:, present] = random.multinomial(n_rows, counts[present] / n_rows, size=size)
        yield drawn
