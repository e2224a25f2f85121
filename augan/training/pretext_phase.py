"""The training phase of the pretext networks: one on all rows, and one without each fold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from augan._random import torch_stream
from augan.networks import Networks, PretextNetwork
from augan.training.phases import MAX_HELD_OUT, SingleOptimizerPhase, draw_rows, freeze, set_rate
from augan.training.steps import TrainingConfig, pretext_step

LR_PRETEXT, DECAY_PRETEXT = 1e-3, 1e-2  # AdamW's learning rate and weight decay


class PretextPhase(SingleOptimizerPhase):
    """Trains the pretext networks together: one on all rows, and one without each fold.

    Parameters
    ----------
    networks : Networks
        With `pretext` and `folds`.
    rows : Tensor
        All rows (n, ...), encoded for the pretext networks.
    folds : Tensor
        Fold of each row, (n,).
    config : TrainingConfig
        Batch size and gradient clipping.
    seed : int
        Seed of the phase's random stream.
    by_fold : sequence of Tensor, default=()
        For each fold, the rows in the encoding that was fitted without it, if there is one. The
        network without the first fold is then kept, and none is trained on all rows.
    """

    name = "pretext"
    stops_early = False

    def __init__(
        self,
        networks: Networks,
        rows: Tensor,
        folds: Tensor,
        config: TrainingConfig,
        seed: int,
        by_fold: Sequence[Tensor] = (),
    ) -> None:
        assert networks.pretext is not None and networks.folds is not None
        self.networks, self.rows, self.config, self.seed = networks, rows, config, seed
        every, folds = torch.arange(len(rows), device=rows.device), folds.to(rows.device)
        left = [every[folds != k] for k in range(len(networks.folds))]
        self.whole = not by_fold
        read = list(by_fold or [rows] * len(left))
        members: Any = list(zip(networks.folds, left, read, strict=True))
        if self.whole:
            members = [(networks.pretext, every, rows), *members]
        self.members: list[tuple[PretextNetwork, Tensor, Tensor]] = members
        self.first_fold = read[0][folds == 0][:MAX_HELD_OUT]
        self.modules = nn.ModuleList(module for module, _, _ in self.members)
        self.optimizer = torch.optim.AdamW(
            self.modules.parameters(), lr=LR_PRETEXT, weight_decay=DECAY_PRETEXT, fused=True
        )
        self.random = torch_stream(seed, "pretext", rows.device)

    def step(self, factor: float, done: float = 0.0) -> dict[str, Tensor]:
        """Take one step of each pretext network."""
        set_rate(self.optimizer, LR_PRETEXT * factor)
        return pretext_step(
            [(network, self._batch(*rows)) for network, *rows in self.members],
            self.optimizer,
            self.random,
            self.config.gradient_clip,
        )

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Return the loss on the first fold, of the network that was trained without it."""
        assert self.networks.folds is not None
        network: Any = self.networks.folds[0]
        random = torch_stream(self.seed, "measure", self.rows.device)
        return {"held_out_loss": float(network.loss(self.first_fold, random))}

    def finish(self) -> None:
        """Freeze the networks."""
        freeze(self.modules)
        if not self.whole:
            assert self.networks.pretext is not None and self.networks.folds is not None
            self.networks.pretext.load_state_dict(self.networks.folds[0].state_dict())
            freeze(self.networks.pretext)

    def _batch(self, rows: Tensor, read: Tensor) -> Tensor:
        return read[draw_rows(rows, self.config.batch_size, self.random)]
