"""The training phase of the any-order column model."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from augan._random import torch_stream
from augan.networks.columns import ColumnNetwork, Dropout
from augan.training.phases import MAX_HELD_OUT, freeze, set_rate

LR, SMALL_LR, DECAY = 4e-3, 2e-3, 1e-2  # AdamW's largest learning rates and weight decay
SMALL, LARGE = 1000, 3000  # training rows of a small table, and of a large one
MOST_DROPOUT, DROPOUT = 0.6, 0.1  # for small tables, and for large ones
WARM_UP = 0.3  # share of the steps in which the learning rate rises (Smith 2019)
LOWEST = 0.04  # first learning rate, relative to the largest


class ColumnPhase:
    """Trains a column network to give the distributions of masked columns.

    In each row a random number of columns, in random places, is masked; the loss is the mean
    cross-entropy of the masked columns (Uria 2014, Hoogeboom 2022).

    Parameters
    ----------
    network : ColumnNetwork
        The network.
    train, held_out : Tensor
        Codes (n, d) of the rows to train on, and of those that the loss is measured on; if there
        are none, it is measured on rows of training.
    batch_size : int
        Rows of a step.
    seed : int
        Seed of the phase's random stream.
    """

    name = "columns"
    stops_early = True

    def __init__(
        self, network: ColumnNetwork, train: Tensor, held_out: Tensor, batch_size: int, seed: int
    ) -> None:
        self.network, self.train, self.batch_size, self.seed = network, train, batch_size, seed
        self.held_out = held_out[:MAX_HELD_OUT]
        self.lr = SMALL_LR if len(train) < SMALL else LR
        self.dropout = dropout_share(len(train))
        network.start_at(train)
        self.optimizer = torch.optim.AdamW(
            network.parameters(), lr=self.lr, weight_decay=DECAY, fused=True
        )
        self.random = torch_stream(seed, "columns", train.device)

    def step(self, factor: float, done: float = 0.0) -> dict[str, Tensor]:
        """Take one step."""
        self.network.train()
        set_rate(
            self.optimizer, self.lr * factor * min(1.0, LOWEST + done * (1 - LOWEST) / WARM_UP)
        )
        device = self.train.device
        index = torch.randint(
            len(self.train), (self.batch_size,), generator=self.random, device=device
        )
        drop = self.dropout, self.random
        loss = masked_loss(self.network, self.train[index], self.random, drop)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return {"columns_loss": loss.detach()}

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Return the loss on held-out rows, or without them on rows of training."""
        self.network.eval()
        random = torch_stream(self.seed, "measure", self.train.device)
        if len(self.held_out):
            return {"held_out_loss": float(masked_loss(self.network, self.held_out, random))}
        rows = self.train[:MAX_HELD_OUT]
        return {"training_loss": float(masked_loss(self.network, rows, random))}

    def rates(self) -> dict[str, float]:
        """Return the learning rate of the last step."""
        return {"columns_learning_rate": float(self.optimizer.param_groups[0]["lr"])}

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the network, the optimiser and the random stream."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": self.random.get_state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state returned by `state_dict`."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.random.set_state(state["random"].cpu())

    def finish(self) -> None:
        """Freeze the network, its weights rounded to half precision, as they are stored."""
        freeze(self.network)
        for weights in self.network.parameters():
            weights.copy_(weights.half())


def dropout_share(n_rows: int) -> float:
    """Return the dropout for a number of training rows: the more, the fewer there are."""
    place = math.log(max(n_rows, 1) / SMALL) / math.log(LARGE / SMALL)
    return MOST_DROPOUT + min(max(place, 0.0), 1.0) * (DROPOUT - MOST_DROPOUT)


def masked_loss(
    network: ColumnNetwork, codes: Tensor, random: torch.Generator, drop: Dropout | None = None
) -> Tensor:
    """Return the mean cross-entropy of masked columns of rows with codes (n, d)."""
    masked = random_masks(codes, random)
    sizes = torch.tensor(network.sizes, device=codes.device)
    logits = network(torch.where(masked, sizes, codes), drop)
    losses = [
        F.cross_entropy(logit, codes[:, j], reduction="none") for j, logit in enumerate(logits)
    ]
    return (torch.stack(losses, dim=1) * masked).sum() / masked.sum()


def random_masks(codes: Tensor, random: torch.Generator) -> Tensor:
    """Return masks (n, d): in each row a random number of columns, from one to all."""
    n, d = codes.shape
    device = codes.device
    n_masked = torch.randint(1, d + 1, (n, 1), generator=random, device=device)
    ranks = torch.rand(n, d, generator=random, device=device).argsort(1).argsort(1)
    return ranks < n_masked
