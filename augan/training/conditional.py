"""The training phases of a class-conditional GAN and encoder, with balanced classes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from augan._random import torch_stream
from augan.networks import Critic, Networks
from augan.networks.conditioning import ClassCritic, ClassGenerator, GivenCritic, GivenGenerator
from augan.training.phases import EncoderPhase, GANPhase
from augan.training.steps import TrainingConfig

CONDITIONING_PHASED_IN = (0.25, 0.5)  # shares of the phase: class conditioning begins, is complete


class ClassRows:
    """Draws rows by class: with the frequencies of the classes, or with equal ones.

    Parameters
    ----------
    labels : Tensor
        Class (n,) of each row, from 0; every class has at least one row.
    """

    def __init__(self, labels: Tensor) -> None:
        self.labels = labels
        self.counts = torch.bincount(labels)
        self.order = torch.argsort(labels, stable=True)
        self.starts = self.counts.cumsum(0) - self.counts

    def draw(self, size: int, balance: float, random: torch.Generator) -> Tensor:
        """Draw indices (size,) with replacement; `balance` 1 makes classes equally frequent."""
        shares = (1 - balance) * self.counts / len(self.labels) + balance / len(self.counts)
        drawn = torch.multinomial(shares, size, replacement=True, generator=random)
        place = torch.rand(
            size, generator=random, device=self.labels.device, dtype=torch.float64
        ).mul(self.counts[drawn])
        return self.order[self.starts[drawn] + place.long()]

    def conditions(self, drawn: Tensor) -> Tensor:
        """Return the classes of rows, one-hot (size, n_classes)."""
        return F.one_hot(self.labels[drawn], len(self.counts)).float()


class ClassGANPhase(GANPhase):
    """Trains an unconditional GAN, in which class conditioning is then phased in.

    The classes become equally frequent at the same time. With conditioning from the start, a GAN
    collapses on small classes (Shahbazi 2022).

    Parameters
    ----------
    networks : Networks
        With a `ClassGenerator` and a `ClassCritic`.
    train, held_out : Tensor
        Encoded rows (n, ...).
    labels, held_out_labels : Tensor
        Their classes (n,), from 0.
    config : TrainingConfig
        Losses, learning rates and sizes of batches.
    seed : int
        Seed of the phase's random stream.
    augmented : bool
        Whether the critic's images are augmented.
    """

    def __init__(
        self,
        networks: Networks,
        train: Tensor,
        held_out: Tensor,
        labels: Tensor,
        held_out_labels: Tensor,
        config: TrainingConfig,
        seed: int,
        *,
        augmented: bool = False,
    ) -> None:
        super().__init__(networks, train, held_out, config, seed, augmented=augmented)
        self.rows = ClassRows(labels)
        self.held_out_conditions = _one_hot(held_out_labels[: len(self.held_out)], self.rows)
        self.weight = 0.0  # of class conditioning, from 0 to 1

    def step(self, factor: float, done: float = 0.0) -> dict[str, Tensor]:
        """Take a step of both networks; `done` sets the weight of class conditioning."""
        start, end = CONDITIONING_PHASED_IN
        self.weight = min(max((done - start) / (end - start), 0.0), 1.0)
        return super().step(factor, done)

    @torch.no_grad()
    def preview(self, n: int) -> Tensor:
        """Return `n` rows, sorted by class; the latents are the same in every call."""
        n_classes = len(self.rows.counts)
        classes = torch.arange(n, device=self.train.device) * n_classes // n
        conditions = self.weight * F.one_hot(classes, n_classes).float()
        latents = self._latents(n, torch_stream(self.seed, "preview", self.train.device))
        rows: Tensor = self.average.module(latents, conditions)
        return rows

    def _draw(self) -> tuple[Critic, nn.Module, Tensor]:
        drawn = self.rows.draw(self.config.batch_size, self.weight, self.random)
        conditions = self.weight * self.rows.conditions(drawn)
        generator, critic = self.networks.generator, self.networks.critic
        assert isinstance(generator, ClassGenerator) and isinstance(critic, ClassCritic)
        given = self._seen(GivenCritic(critic, conditions)), GivenGenerator(generator, conditions)
        return *given, self.train[drawn]

    def _generate(self, n: int, random: torch.Generator) -> Tensor:
        conditions = self.weight * self.held_out_conditions[:n]
        rows: Tensor = self.average.module(self._latents(n, random), conditions)
        return rows


class ClassEncoderPhase(EncoderPhase):
    """Trains the encoder on equally frequent classes, with the conditional generator."""

    def __init__(
        self,
        networks: Networks,
        train: Tensor,
        held_out: Tensor,
        labels: Tensor,
        held_out_labels: Tensor,
        config: TrainingConfig,
        seed: int,
    ) -> None:
        super().__init__(networks, train, held_out, config, seed)
        self.rows = ClassRows(labels)
        self.held_out_conditions = _one_hot(held_out_labels[: len(self.held_out)], self.rows)

    def _draw(self) -> tuple[nn.Module, Tensor]:
        drawn = self.rows.draw(self.config.batch_size, 1.0, self.random)
        return self._of(self.rows.conditions(drawn)), self.train[drawn]

    def _of_held_out(self) -> nn.Module:
        return self._of(self.held_out_conditions)

    def _of(self, conditions: Tensor) -> nn.Module:
        assert isinstance(self.networks.generator, ClassGenerator)
        return GivenGenerator(self.networks.generator, conditions)


def _one_hot(labels: Tensor, rows: ClassRows) -> Tensor:
    return F.one_hot(labels, len(rows.counts)).float()
