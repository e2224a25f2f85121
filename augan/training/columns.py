"""The training phase of the any-order column model."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from augan._random import torch_stream
from augan.networks.columns import ColumnNetwork
from augan.training.phases import MAX_HELD_OUT, freeze, set_rate

LR, DECAY = 4e-3, 1e-2  # AdamW's largest learning rate and weight decay
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
        Codes (n, d) of the rows to train on, and of those that the loss is measured on.
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
        network.start_at(train)
        self.optimizer = torch.optim.AdamW(
            network.parameters(), lr=LR, weight_decay=DECAY, fused=True
        )
        self.random = torch_stream(seed, "columns", train.device)

    def step(self, factor: float, done: float = 0.0) -> dict[str, Tensor]:
        """Take one step."""
        self.network.train()
        set_rate(self.optimizer, LR * factor * min(1.0, LOWEST + done * (1 - LOWEST) / WARM_UP))
        device = self.train.device
        index = torch.randint(
            len(self.train), (self.batch_size,), generator=self.random, device=device
        )
        loss = masked_loss(self.network, self.train[index], self.random, dropout=True)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return {"columns_loss": loss.detach()}

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Return the loss on held-out rows."""
        self.network.eval()
        random = torch_stream(self.seed, "measure", self.train.device)
        return {"held_out_loss": float(masked_loss(self.network, self.held_out, random))}

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


def masked_loss(
    network: ColumnNetwork, codes: Tensor, random: torch.Generator, *, dropout: bool = False
) -> Tensor:
    """Return the mean cross-entropy of masked columns of rows with codes (n, d)."""
    masked = random_masks(codes, random)
    sizes = torch.tensor(network.sizes, device=codes.device)
    logits = network(torch.where(masked, sizes, codes), random if dropout else None)
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
