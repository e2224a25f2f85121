"""The training phase of the pretext networks: the one that is kept, and those of the folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from augan._random import torch_stream
from augan.networks import Networks, PretextNetwork
from augan.networks.pretext import SwapPretext
from augan.networks.swap_stack import SwapStack
from augan.training.phases import MAX_HELD_OUT, freeze, set_rate
from augan.training.steps import TrainingConfig, pretext_step

LR_PRETEXT, DECAY_PRETEXT = 1e-3, 1e-2  # AdamW's learning rate and weight decay


@dataclass(frozen=True)
class Member:
    """A network, and the rows that it is trained on: those with the indices `index` of `rows`."""

    network: PretextNetwork
    rows: Tensor
    index: Tensor

    def batch(self, size: int, random: torch.Generator) -> Tensor:
        """Return `size` rows, drawn with replacement."""
        place = self.index.device
        drawn = torch.randint(len(self.index), (size,), generator=random, device=place)
        return self.rows[self.index[drawn]]


class Separate:
    """Networks that are trained side by side, one after the other in each step."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = members
        modules = nn.ModuleList(member.network for member in members)
        self.optimizer = _adamw(list(modules.parameters()))

    def step(self, config: TrainingConfig, random: torch.Generator) -> dict[str, Tensor]:
        """Take one step; return loss and gradient norm."""
        batches = [(m.network, m.batch(config.batch_size, random)) for m in self.members]
        return pretext_step(batches, self.optimizer, random, config.gradient_clip)

    def finish(self) -> None:
        """Freeze the networks."""
        for member in self.members:
            freeze(member.network)


class Stacked:
    """Networks of tables, which a `SwapStack` trains as one."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = [
            Member(member.network, rows, member.index)
            for member, rows in zip(members, _read(members), strict=True)
        ]
        networks = [member.network for member in members]
        self.stack = SwapStack([net for net in networks if isinstance(net, SwapPretext)])
        self.optimizer = _adamw([self.stack.weights])

    def step(self, config: TrainingConfig, random: torch.Generator) -> dict[str, Tensor]:
        """Take one step; return loss and gradient norm."""
        batches = [member.batch(config.batch_size, random) for member in self.members]
        with torch.no_grad():
            loss = self.stack.loss_and_gradient(torch.stack(batches), random)
            gradient = self.stack.gradient
            norm = gradient.norm()
            if config.gradient_clip is not None:
                gradient *= (config.gradient_clip / norm).clamp(max=1)
        self.optimizer.step()
        return {"pretext_loss": loss, "pretext_gradient_norm": norm}

    def finish(self) -> None:
        """Freeze the networks, whose weights become tensors of their own."""
        for member in self.members:
            for weights in member.network.parameters():
                weights.data = weights.data.clone()
            freeze(member.network)


@dataclass(frozen=True)
class Group:
    """Networks that are trained together, in each step or in `every` second one."""

    networks: Separate | Stacked
    every: int


class PretextPhase:
    """Trains the pretext networks: one on all rows, and one without each fold.

    Parameters
    ----------
    networks : Networks
        With `pretext` and `folds`.
    rows : Tensor
        All rows (n, ...), encoded for the pretext networks.
    folds : Tensor
        Fold of each row, (n,); -1 for rows that all networks are trained on.
    config : TrainingConfig
        Batch size and gradient clipping.
    seed : int
        Seed of the phase's random stream.
    by_fold : sequence of Tensor, default=()
        For each fold, the rows in the encoding that was fitted without it, if there is one. The
        network without the first fold is then kept, and none is trained on all rows.
    short_folds : bool, default=False
        Whether the networks of the folds take half as many steps as the one on all rows.
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
        *,
        short_folds: bool = False,
    ) -> None:
        assert networks.pretext is not None and networks.folds is not None
        self.networks, self.config, self.seed = networks, config, seed
        every, folds = torch.arange(len(rows), device=rows.device), folds.to(rows.device)
        left = [every[folds != k] for k in range(len(networks.folds))]
        read = list(by_fold or [rows] * len(left))
        found: Any = zip(networks.folds, read, left, strict=True)
        of_folds = [Member(*one) for one in found]
        self.whole = not by_fold
        kept = [Member(networks.pretext, rows, every)] if self.whole else []
        kind = Stacked if isinstance(networks.pretext, SwapPretext) else Separate
        if kept and short_folds:
            self.groups = [Group(kind(kept), 1), Group(kind(of_folds), 2)]
        else:
            self.groups = [Group(kind([*kept, *of_folds]), 1)]
        self.first_fold = read[0][folds == 0][:MAX_HELD_OUT]
        self.random = torch_stream(seed, "pretext", rows.device)
        self.n_steps = 0

    def step(self, factor: float, done: float = 0.0) -> dict[str, Tensor]:
        """Take one step of the networks whose turn it is."""
        figures: dict[str, Tensor] = {}
        for group in self.groups:
            if self.n_steps % group.every == 0:
                set_rate(group.networks.optimizer, LR_PRETEXT * factor)
                figures = group.networks.step(self.config, self.random) | figures
        self.n_steps += 1
        return figures

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Return the loss on the first fold, of the network that was trained without it."""
        assert self.networks.folds is not None
        network: Any = self.networks.folds[0]
        random = torch_stream(self.seed, "measure", self.first_fold.device)
        return {"held_out_loss": float(network.loss(self.first_fold, random))}

    def rates(self) -> dict[str, float]:
        """Return the learning rate of the last step."""
        return {"pretext_learning_rate": float(self._optimizers()[0].param_groups[0]["lr"])}

    def state_dict(self) -> dict[str, Any]:
        """Return the state of all networks (also frozen ones), optimisers and random stream."""
        return {
            **{name: module.state_dict() for name, module in self.networks.modules().items()},
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers()],
            "random": self.random.get_state(),
            "n_steps": self.n_steps,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state returned by `state_dict`."""
        for name, module in self.networks.modules().items():
            module.load_state_dict(state[name])
        for optimizer, own in zip(self._optimizers(), state["optimizers"], strict=True):
            optimizer.load_state_dict(own)
        self.random.set_state(state["random"].cpu())
        self.n_steps = state["n_steps"]

    def finish(self) -> None:
        """Freeze the networks."""
        for group in self.groups:
            group.networks.finish()
        if not self.whole:
            assert self.networks.pretext is not None and self.networks.folds is not None
            self.networks.pretext.load_state_dict(self.networks.folds[0].state_dict())
            freeze(self.networks.pretext)

    def _optimizers(self) -> list[torch.optim.Optimizer]:
        return [group.networks.optimizer for group in self.groups]


def _adamw(weights: list[nn.Parameter]) -> torch.optim.AdamW:
    return torch.optim.AdamW(weights, lr=LR_PRETEXT, weight_decay=DECAY_PRETEXT, fused=True)


def _read(members: Sequence[Member]) -> list[Tensor]:
    """Return what each member's network sees of its rows; rows of several are read once."""
    found: dict[int, Tensor] = {}
    for member in members:
        assert isinstance(member.network, SwapPretext)
        if id(member.rows) not in found:
            found[id(member.rows)] = member.network.read(member.rows)
    return [found[id(member.rows)] for member in members]
