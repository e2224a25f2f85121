"""Filters of new rows, each fitted to real rows."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from torch import Tensor
from torch.nn import functional as F

from augan._random import derive_seed, torch_stream
from augan.exceptions import DataError, ParameterError
from augan.networks.conditioning import ClassCritic
from augan.sampling.pool import Pool

BATCH = 1024  # rows
MIN_HELD_OUT = 20  # real rows for the calibration of the critic's outputs
CEILING = 0.95  # quantile of the odds of new rows above which all are accepted (Azadi 2019)
N_CEILING_ROWS = 512  # new rows for this quantile
LABEL_QUANTILE = 0.1  # of the probabilities of real rows; rows below are rejected
COPY_QUANTILE = 0.05  # of the distances between real rows; rows that are nearer are copies
N_FOLDS, N_TREES = 3, 100


class Filter(Protocol):
    """Accepts or rejects new rows of a class."""

    def keep(self, rows: Tensor, label: int, random: torch.Generator) -> Tensor:
        """Return a mask (n,) of encoded rows (n, ...) that are kept."""


class CriticFilter:
    """Rejection sampling by the critic (Azadi 2019) with calibrated outputs (Turner 2019).

    A logistic regression on D(x, y) separates held-out real rows from new ones. A new row is
    accepted with a probability proportional to its odds of being real.
    """

    def __init__(self, pool: Pool, spread: float, seed: int) -> None:
        check_critic_filter(pool.networks is not None, int(pool.held_out.sum()))
        self.pool, self.spread, self.seed = pool, spread, seed
        real, labels = pool.rows[pool.held_out], pool.labels[pool.held_out]
        random = torch_stream(seed, "critic filter")
        counts = torch.bincount(labels, minlength=pool.n_classes)
        wanted = {label: int(n) for label, n in enumerate(counts) if n}
        fake = pool.draw(wanted, spread, random)
        outputs = [self._outputs(real[labels == label], label) for label in wanted] + [
            self._outputs(part, label)
            for part, label in zip(fake.split(list(wanted.values())), wanted, strict=True)
        ]
        is_real = np.repeat([1, 0], [len(real), len(fake)])
        self.odds = LogisticRegression().fit(torch.cat(outputs).numpy()[:, None], is_real)
        self.ceilings: dict[int, float] = {}

    def keep(self, rows: Tensor, label: int, random: torch.Generator) -> Tensor:
        """Return a mask (n,) of encoded rows (n, ...) that are kept."""
        if label not in self.ceilings:
            own = torch_stream(self.seed, f"ceiling {label}")
            drawn = self.pool.draw({label: N_CEILING_ROWS}, self.spread, own)
            self.ceilings[label] = float(np.quantile(self._log_odds(drawn, label), CEILING))
        excess = torch.from_numpy(self._log_odds(rows, label) - self.ceilings[label])
        return torch.rand(len(rows), generator=random) < excess.clamp(max=0).exp()

    def _log_odds(self, rows: Tensor, label: int) -> np.ndarray:
        return self.odds.decision_function(self._outputs(rows, label).numpy()[:, None])

    @torch.no_grad()
    def _outputs(self, rows: Tensor, label: int) -> Tensor:
        """Return the critic's outputs D(x, y) (n,) for rows of a class."""
        assert self.pool.networks is not None
        critic = self.pool.networks.critic
        assert isinstance(critic, ClassCritic)
        device = critic.projection.device
        condition = F.one_hot(torch.tensor([label]), self.pool.n_classes).float().to(device)
        found = [
            critic.class_output(critic.features(part.to(device)), condition.expand(len(part), -1))
            for part in rows.split(BATCH)
        ]
        return torch.cat(found).cpu()


class LabelFilter:
    """Rejects rows that are less typical of their class than most real ones.

    Typical is a high class probability of a random forest; those of real rows are cross-fitted.
    """

    def __init__(self, pool: Pool, seed: int) -> None:
        rows, labels = pool.rows.flatten(1).numpy(), pool.labels.numpy()
        own = derive_seed(seed, "label filter") % 2**32
        self.forest = RandomForestClassifier(
            N_TREES, min_samples_leaf=3, class_weight="balanced", random_state=own
        )
        counts = np.bincount(labels, minlength=pool.n_classes)
        self.lowest = dict.fromkeys(range(pool.n_classes), 0.0)  # of classes with few rows
        known = np.isin(labels, np.flatnonzero(counts >= 2 * N_FOLDS))
        if len(np.unique(labels[known])) > 1:
            folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=own)
            found = cross_val_predict(
                self.forest, rows[known], labels[known], cv=folds, method="predict_proba"
            )
            for place, label in enumerate(np.unique(labels[known])):
                chances = found[labels[known] == label, place]
                self.lowest[int(label)] = float(np.quantile(chances, LABEL_QUANTILE))
        self.forest.fit(rows, labels)

    def keep(self, rows: Tensor, label: int, random: torch.Generator) -> Tensor:
        """Return a mask (n,) of encoded rows (n, ...) that are kept."""
        place = int(np.flatnonzero(self.forest.classes_ == label)[0])
        chances = self.forest.predict_proba(rows.flatten(1).numpy())[:, place]
        return torch.from_numpy(chances >= self.lowest[label])


class CopyFilter:
    """Rejects rows that are nearer to a real row than most real rows are to each other."""

    def __init__(self, pool: Pool) -> None:
        self.rows = pool.rows.flatten(1)
        self.nearest = {}
        for label in range(pool.n_classes):
            own = self.rows[pool.labels == label]
            if len(own):
                gaps = distances(own, self.rows, k=2)[:, 1]
                self.nearest[label] = float(gaps.quantile(COPY_QUANTILE))

    def keep(self, rows: Tensor, label: int, random: torch.Generator) -> Tensor:
        """Return a mask (n,) of encoded rows (n, ...) that are kept."""
        return distances(rows.flatten(1), self.rows, k=1)[:, 0] >= self.nearest[label]


class BandFilter:
    """Accepts rows whose score lies between two quantiles of the real rows' scores.

    The score of a row is the mean distance to its `K` nearest neighbours in its class.
    """

    K = 5

    def __init__(self, pool: Pool, score_range: tuple[float, float]) -> None:
        self.pool = pool
        self.low, self.high = score_range
        self.bands: dict[int, tuple[float, float]] = {}

    def keep(self, rows: Tensor, label: int, random: torch.Generator) -> Tensor:
        """Return a mask (n,) of encoded rows (n, ...) that are kept."""
        own = self.pool.rows[self.pool.labels == label].flatten(1)
        k = min(self.K, len(own) - 1)
        if label not in self.bands:
            scores = distances(own, own, k=k + 1)[:, 1:].mean(dim=1)
            low, high = (float(scores.quantile(share)) for share in (self.low, self.high))
            self.bands[label] = low, high
        low, high = self.bands[label]
        score = distances(rows.flatten(1), own, k=k).mean(dim=1)
        return (score >= low) & (score <= high)


def check_critic_filter(has_critic: bool, n_held_out: int) -> None:
    """Check that the filter "critic" is possible.

    Raises
    ------
    ParameterError
        If there is no critic.
    DataError
        If there are too few held-out rows for its calibration.
    """
    if not has_critic:
        raise ParameterError(
            "filters: 'critic' is not possible with method='data'; give method='columns', 'latent' "
            "or 'gan'"
        )
    if n_held_out < MIN_HELD_OUT:
        raise DataError(
            f"filters: 'critic' needs {MIN_HELD_OUT} held-out rows, there are {n_held_out}; "
            "increase validation_fraction"
        )


def distances(rows: Tensor, others: Tensor, k: int) -> Tensor:
    """Return the distances (n, k) of rows to their `k` nearest `others`, in ascending order."""
    found = [
        torch.cdist(part, others).topk(min(k, len(others)), largest=False).values
        for part in rows.split(BATCH)
    ]
    return torch.cat(found) if found else rows.new_zeros(0, k)
