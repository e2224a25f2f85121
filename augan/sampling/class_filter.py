"""Rejection sampling of new rows by the probability of their class."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from augan._random import derive_seed, torch_stream
from augan.classifiers.tables import CLASSIFIERS
from augan.sampling.pool import Pool

POWER = 4  # of the probability
CEILING = 0.95  # quantile of the probabilities of drawn rows from which on all are accepted
N_CEILING_ROWS = 1024  # drawn rows for this quantile
CHUNK = 8192  # rows


class ClassFilter:
    """Accepts rows of a column model by the probability of their class.

    New rows of a rare class reach into the other classes, which are larger there. A classifier that
    is trained on as many new rows as others then takes these places for the rare class. So rows
    are made where real rows show the class (Safe-Level-SMOTE [1]_), by rejection sampling.

    The probability is the mean of a logistic regression, a random forest and histogram boosting of
    the real rows. Rows are accepted in proportion to its fourth power: in proportion to the
    probability itself, too many rows of the other classes' places are left where classes overlap.
    The 5 % of the rows with the highest probabilities are all accepted.

    Parameters
    ----------
    pool : Pool
        Real rows, and the column model.
    spread : float
        Share of its cells that a new row does not take from a real row.
    seed : int
        Seed of the classifiers, and of the rows for the ceiling.

    References
    ----------
    .. [1] Bunkhumpornpat, Sinapiromsaran and Lursinsap. "Safe-Level-SMOTE." PAKDD, 2009.
    """

    def __init__(self, pool: Pool, spread: float, seed: int) -> None:
        self.pool, self.spread, self.seed = pool, spread, seed
        own = derive_seed(seed, "class filter") % 2**32
        rows, labels = pool.rows.numpy(), pool.labels.numpy()
        known = np.bincount(labels)[labels] > 1  # boosting holds out rows of each class
        rows, labels = rows[known], labels[known]
        models = [build(own, None) for build in CLASSIFIERS.values()]
        with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):
            several = len(np.unique(labels)) > 1
            self.models = [model.fit(rows, labels) for model in models] if several else []
        self.ceilings: dict[int, float] = {}

    def draw(self, wanted: Mapping[int, int], spread: float, random: torch.Generator) -> Tensor:
        """Return accepted raw rows, sorted by class, in the numbers `wanted` of each class.

        They have another spread, and thus another ceiling, than the filter.
        """
        other = copy.copy(self)
        other.spread, other.ceilings = spread, {}
        return self.pool.draw_kept("label", other.keep, wanted, spread, random)

    def keep(self, rows: Tensor, label: int, random: torch.Generator) -> Tensor:
        """Return a mask (n,) of encoded rows (n, d) that are kept."""
        if label not in self.ceilings:
            self.ceilings[label] = self._ceiling(label)
        accepted = _acceptance(self._probabilities(rows, label), self.ceilings[label])
        return torch.rand(len(rows), generator=random, dtype=torch.float64) < torch.tensor(accepted)

    def _encoded(self, raw: Tensor) -> Tensor:
        assert self.pool.columns is not None
        return self.pool.columns.encoded(raw)

    def _probabilities(self, rows: Tensor, label: int) -> NDArray[np.float64]:
        """Return the mean probability of a class (n,) for encoded rows."""
        if not self.models:
            return np.ones(len(rows))
        parts = [
            np.mean([_probability(model, part.numpy(), label) for model in self.models], axis=0)
            for part in rows.split(CHUNK)
        ]
        return np.concatenate(parts)

    def _ceiling(self, label: int) -> float:
        """Return the probability from which on all rows of a class are accepted."""
        random = torch_stream(self.seed, f"class filter {label}")
        raw = self.pool.draw({label: N_CEILING_ROWS}, self.spread, random)
        return float(np.quantile(self._probabilities(self._encoded(raw), label), CEILING))


def _probability(model: object, rows: NDArray[np.float32], label: int) -> NDArray[np.float64]:
    place = int(np.flatnonzero(model.classes_ == label)[0])  # type: ignore[attr-defined]
    return np.asarray(model.predict_proba(rows)[:, place])  # type: ignore[attr-defined]


def _acceptance(probabilities: NDArray[np.float64], ceiling: float) -> NDArray[np.float64]:
    """Return with which probability rows are accepted."""
    if ceiling <= 0:
        return np.ones(len(probabilities))
    return np.minimum(probabilities / ceiling, 1.0) ** POWER
