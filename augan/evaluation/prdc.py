"""How far generated rows and real ones reach into each other, by their nearest neighbours."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from augan.sampling.filters import distances

Array = NDArray[np.float64]

K = 5  # neighbours that say how far a row reaches
BATCH = 1000  # rows whose distances are taken at once
COPY_QUANTILE = 0.05  # of the hold-out's distances, below which a new row is a near copy


def reach(real: Array, rows: Array) -> dict[str, float]:
    """Return precision, recall, density and coverage of rows (m, d) beside real ones (n, d).

    A row reaches as far as the fifth of its own kind. Precision: rows within the reach of a real
    one; recall: real rows within the reach of one (Kynkaanniemi 2019). Density: real rows whose
    reach a row is in, of those it could be; coverage: real rows with one in reach (Naeem 2020).
    """
    own, given = torch.from_numpy(real), torch.from_numpy(rows)
    reach_own, reach_given = (distances(part, part, K + 1)[:, K] for part in (own, given))
    near = n_inside = 0
    recalled = torch.zeros(len(own), dtype=torch.bool)
    covered = recalled.clone()
    for part, far in zip(given.split(BATCH), reach_given.split(BATCH), strict=True):
        gaps = torch.cdist(part, own)
        inside = gaps <= reach_own
        near += int(inside.sum())
        n_inside += int(inside.any(dim=1).sum())
        covered |= inside.any(dim=0)
        recalled |= (gaps <= far[:, None]).any(dim=0)
    return {
        "precision": n_inside / len(rows),
        "recall": float(recalled.double().mean()),
        "density": near / (K * len(rows)),
        "coverage": float(covered.double().mean()),
    }


def near_copies(train: Array, held_out: Array, rows: Array) -> float:
    """Return the share of rows nearer to a training row than 95 % of held-out ones are."""
    members, strangers, given = (torch.from_numpy(part) for part in (train, held_out, rows))
    closest, usual = (distances(part, members, 1)[:, 0] for part in (given, strangers))
    return float((closest < usual.quantile(COPY_QUANTILE)).double().mean())
