"""Which training rows are trusted, which the GAN does not see, and how they are cut into folds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy.stats import rankdata
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from augan._random import numpy_stream
from augan.networks.pretext import compress

DISTRUST = 2.0  # rows that are left out for each that may be an anomaly
MOST_LEFT_OUT = 0.5
REFERENCE_ROWS = 4096  # among which broad neighbours are sought


@dataclass(frozen=True)
class TrainingRows:
    """Raw rows (n, ...) and, for each of them (n,), what it is used for.

    Attributes
    ----------
    raw : Tensor
        The rows.
    trusted : Tensor
        Whether networks and heads learn from it. Calibration has the others as well.
    held_out : Tensor
        Whether the GAN does not see it, for early stopping and calibration.
    folds : Tensor
        Its part in cross-fitting.
    """

    raw: Tensor
    trusted: Tensor
    held_out: Tensor
    folds: Tensor

    def __getitem__(self, chosen: Tensor) -> TrainingRows:
        """Return the chosen rows."""
        parts = (self.raw, self.trusted, self.held_out, self.folds)
        return TrainingRows(*(part[chosen] for part in parts))


def split_rows(
    raw: Tensor,
    standard: Tensor,
    *,
    contamination: float | Literal["auto"],
    validation_fraction: float,
    n_folds: int,
    seed: int,
) -> TrainingRows:
    """Split raw rows at random, and those that are left out as suspicious in the same shares."""
    n = len(raw)
    trusted = torch.ones(n, dtype=torch.bool)
    if contamination != "auto":
        trusted = trust(standard, contamination, numpy_stream(seed, "trust"))
    order = torch.from_numpy(numpy_stream(seed, "split").permutation(n))
    learned, left_out = order[trusted[order]], order[~trusted[order]]
    held_out, folds = torch.zeros(n, dtype=torch.bool), torch.empty(n, dtype=torch.long)
    n_held_out = round(validation_fraction * len(learned))
    held_out[learned[: min(max(1, n_held_out), len(learned) - 1)]] = True
    held_out[left_out[: round(validation_fraction * len(left_out))]] = True
    for part in (learned, left_out):
        folds[part] = torch.arange(len(part)) % min(n_folds, len(learned))
    return TrainingRows(raw, trusted, held_out, folds)


def trust(standard: Tensor, contamination: float, random: np.random.Generator) -> Tensor:
    """Return which standardised rows (n, S) to learn from, when some may be anomalies.

    Anomalies that resemble each other are near neighbours of one another, so what is suspicious
    is judged from afar: by an isolation forest (Liu 2008), and by the distance to as many
    neighbours as there may be anomalies. Twice that share is left out, at most half: an anomaly
    that stays does more harm than a normal row that goes.
    """
    rows = compress(standard.flatten(1)).cpu().numpy()
    n = len(rows)
    n_left_out = min(round(min(DISTRUST * contamination, MOST_LEFT_OUT) * n), n - 2)
    forest = IsolationForest(random_state=int(random.integers(2**31))).fit(rows)
    kept = random.permutation(n)[:REFERENCE_ROWS]
    n_neighbors = min(max(1, round(contamination * len(kept))) + 1, len(kept))
    neighbors = NearestNeighbors(n_neighbors=n_neighbors).fit(rows[kept])
    distances = neighbors.kneighbors(rows)[0][:, -1]
    suspicion = rankdata(-forest.score_samples(rows)) + rankdata(distances)
    trusted = torch.ones(n, dtype=torch.bool)
    trusted[torch.from_numpy(np.argsort(suspicion, kind="stable")[n - n_left_out :].copy())] = False
    return trusted
