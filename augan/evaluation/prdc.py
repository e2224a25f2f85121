"""Precision, recall, density and coverage (PRDC) of generated rows, and near copies.

A row's radius is the distance to its 5th nearest neighbour among the rows of its own set.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from augan.sampling.filters import distances

Array = NDArray[np.float64]

K = 5  # radius = distance to the 5th nearest neighbour
BATCH = 1000  # rows whose distances are computed at once
COPY_QUANTILE = 0.05  # a near copy is closer to a training row than 95 % of held-out rows are


def prdc(real: Array, generated: Array) -> dict[str, float]:
    """Return precision, recall, density and coverage of generated rows.

    Parameters
    ----------
    real, generated : ndarray of shape (n, d), (m, d)
        Encoded rows, or features of images.

    Returns
    -------
    figures : dict of str to float
        Precision: share of generated rows within the radius of a real row. Recall: share of real
        rows within the radius of a generated row [1]_. Density: real rows within whose radius a
        generated row lies, mean over generated rows, divided by 5. Coverage: share of real rows
        with a generated row within their radius [2]_.

    References
    ----------
    .. [1] Kynkäänniemi et al. "Improved precision and recall metric for assessing generative
       models." NeurIPS, 2019.
    .. [2] Naeem et al. "Reliable fidelity and diversity metrics for generative models." ICML, 2020.
    """
    own, given = torch.from_numpy(real), torch.from_numpy(generated)
    # the nearest neighbour of a row is the row itself
    radius, generated_radius = (distances(part, part, K + 1)[:, K] for part in (own, given))
    n_pairs = n_inside = 0
    recalled = torch.zeros(len(own), dtype=torch.bool)
    covered = recalled.clone()
    for part, part_radius in zip(given.split(BATCH), generated_radius.split(BATCH), strict=True):
        gaps = torch.cdist(part, own)
        inside = gaps <= radius
        n_pairs += int(inside.sum())
        n_inside += int(inside.any(dim=1).sum())
        covered |= inside.any(dim=0)
        recalled |= (gaps <= part_radius[:, None]).any(dim=0)
    return {
        "precision": n_inside / len(generated),
        "recall": float(recalled.double().mean()),
        "density": n_pairs / (K * len(generated)),
        "coverage": float(covered.double().mean()),
    }


def near_copies(train: Array, held_out: Array, rows: Array) -> float:
    """Return the share of rows closer to a training row than 95 % of held-out rows are."""
    members, others, given = (torch.from_numpy(part) for part in (train, held_out, rows))
    closest, usual = (distances(part, members, 1)[:, 0] for part in (given, others))
    return float((closest < usual.quantile(COPY_QUANTILE)).double().mean())
