"""Rejection sampling of a column model's rows by a critic of rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional as F

from augan._random import torch_stream
from augan.classifiers.two_samples import two_sample_auc
from augan.networks.row_critic import RowCritic
from augan.sampling.filters import CEILING, N_CEILING_ROWS, check_critic_filter
from augan.sampling.pool import Pool

N_CRITICS = 2  # trained from different seeds; their logits are averaged
N_STEPS, BATCH = 600, 128  # steps, and real rows of a step; as many drawn ones
LR, DECAY = 1e-3, 0.05  # AdamW's first learning rate and weight decay
WIDTH = 256
DRAWN = 5  # drawn rows for each real one
MAX_DRAWN = 20_000
MAX_SCALE = 1.5  # of the logits, by calibration
CHUNK = 4096  # rows

Rows = tuple[Tensor, Tensor]  # encoded rows (n, d), and their classes (n,)


class ColumnCriticFilter:
    """Rejection sampling (Azadi 2019) by critics that were trained on drawn rows.

    The critics see training rows and rows drawn from the column model, and are told the class. A
    logistic regression of held-out rows against other drawn ones calibrates their logits (Turner
    2019): where they say nothing of held-out rows, all drawn rows are accepted. A drawn row is
    accepted with a probability proportional to its odds of being real.

    Parameters
    ----------
    pool : Pool
        Real rows, and the column model.
    spread : float
        Share of its cells that a new row does not take from a real row.
    seed : int
        Seed of the drawn rows and the critics.

    Attributes
    ----------
    scale : float
        What calibration multiplies the logits by; 0: all rows are accepted.
    """

    def __init__(self, pool: Pool, spread: float, seed: int) -> None:
        check_critic_filter(pool.columns is not None, int(pool.held_out.sum()))
        self.pool, self.spread, self.seed = pool, spread, seed
        held_out = pool.held_out
        real = pool.rows[~held_out], pool.labels[~held_out]
        drawn = self._drawn(_counts(real[1], pool.n_classes), "drawn")
        self.critics = [_trained(real, drawn, pool.n_classes, seed + i) for i in range(N_CRITICS)]
        others = pool.rows[held_out], pool.labels[held_out]
        fresh = self._drawn(_counts(others[1], pool.n_classes), "calibration")
        logits = torch.cat([self._logits(*others), self._logits(*fresh)]).numpy()
        is_real = np.repeat([1, 0], [len(others[0]), len(fresh[0])])
        odds = LogisticRegression(class_weight="balanced").fit(logits[:, None], is_real)
        self.scale = float(np.clip(odds.coef_[0, 0], 0.0, MAX_SCALE))
        self.ceilings: dict[int, float] = {}

    def keep(self, rows: Tensor, label: int, random: torch.Generator) -> Tensor:
        """Return a mask (n,) of encoded rows (n, d) that are kept."""
        if label not in self.ceilings:
            own = self._drawn({label: N_CEILING_ROWS}, f"ceiling {label}")
            self.ceilings[label] = float(self._logits(*own).quantile(CEILING))
        labels = torch.full((len(rows),), label)
        excess = self.scale * (self._logits(rows, labels) - self.ceilings[label])
        return torch.rand(len(rows), generator=random) < excess.clamp(max=0).exp()

    def two_sample_aucs(self) -> tuple[float, float]:
        """Return how well gradient boosting tells drawn and accepted rows from held-out ones.

        Both are AUROCs, 0.5 is chance. There are as many rows of each class as held-out ones, and
        the classifier is told the class.
        """
        held_out, seed = self.pool.held_out, self.seed
        labels = self.pool.labels[held_out]
        real = _shuffled(self.pool.rows[held_out], labels, seed)
        wanted = {k: n for k, n in enumerate(torch.bincount(labels).tolist()) if n}
        drawn = _shuffled(*self._drawn(wanted, "before"), seed)
        accepted = _shuffled(*self._accepted(wanted), seed)
        return two_sample_auc(drawn, real, seed), two_sample_auc(accepted, real, seed)

    def _accepted(self, wanted: Mapping[int, int]) -> Rows:
        """Return accepted rows, in the numbers `wanted` of each class."""
        assert self.pool.columns is not None
        random = torch_stream(self.seed, "critic filter after")
        raw = self.pool.draw_kept("critic", self.keep, wanted, self.spread, random)
        return self.pool.columns.encoded(raw), _labels(wanted)

    def _drawn(self, wanted: Mapping[int, int], name: str) -> Rows:
        """Return rows of the column model, in the numbers `wanted` of each class."""
        columns = self.pool.columns
        assert columns is not None
        random = torch_stream(self.seed, f"critic filter {name}")
        raw = self.pool.draw(wanted, self.spread, random)
        return columns.encoded(raw), _labels(wanted)

    @torch.no_grad()
    def _logits(self, rows: Tensor, labels: Tensor) -> Tensor:
        """Return the mean logits (n,) of the critics."""
        parts = list(zip(rows.split(CHUNK), labels.split(CHUNK), strict=True))
        logits = [torch.cat([critic(*part) for part in parts]) for critic in self.critics]
        return torch.stack(logits).mean(dim=0)


def _labels(wanted: Mapping[int, int]) -> Tensor:
    """Return the classes (n,) of rows in the numbers `wanted` of each class."""
    return torch.tensor(list(wanted)).repeat_interleave(torch.tensor([*wanted.values()]))


def _shuffled(rows: Tensor, labels: Tensor, seed: int) -> NDArray[np.float64]:
    """Return rows (n, d + 1) in random order, their classes last."""
    order = torch.randperm(len(rows), generator=torch_stream(seed, "critic filter order"))
    return torch.cat([rows.double(), labels[:, None].double()], dim=1)[order].numpy()


def _counts(labels: Tensor, n_classes: int) -> dict[int, int]:
    """Return how many rows of each class are drawn to compare with real ones."""
    counts = torch.bincount(labels, minlength=n_classes)
    factor = min(DRAWN, MAX_DRAWN / len(labels))
    return {label: int(np.ceil(factor * n)) for label, n in enumerate(counts.tolist()) if n}


def _trained(real: Rows, drawn: Rows, n_classes: int, seed: int) -> RowCritic:
    """Return a critic that was trained to tell real rows from drawn ones.

    The loss is that of a discriminator (Goodfellow 2014), with as many rows of both in a step.
    """
    critic = RowCritic(real[0].shape[1], n_classes, WIDTH, seed)
    optimizer = torch.optim.AdamW(critic.parameters(), LR, weight_decay=DECAY, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, N_STEPS)
    random = torch_stream(seed, "row critic")
    is_real = torch.tensor([1.0, 0.0]).repeat_interleave(BATCH)
    for _ in range(N_STEPS):
        picked = []
        for rows, labels in (real, drawn):
            index = torch.randint(len(rows), (BATCH,), generator=random)
            picked.append((rows[index], labels[index]))
        rows, labels = (torch.cat(parts) for parts in zip(*picked, strict=True))
        loss = F.binary_cross_entropy_with_logits(critic(rows, labels, random), is_real)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return critic.requires_grad_(False).eval()
