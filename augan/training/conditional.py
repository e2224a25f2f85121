"""The GAN's and the encoder's phase where rows have classes, some of them rare."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from augan.networks import Critic, Networks
from augan.networks.conditioning import ClassCritic, ClassGenerator, GivenCritic, GivenGenerator
from augan.training.phases import EncoderPhase, GANPhase
from augan.training.steps import TrainingConfig

RAMP = (0.25, 0.5)  # shares of the steps between which the class comes to count


class ClassGANPhase(GANPhase):
    """First a GAN of all rows; then the class comes in, and the classes become equally frequent.

    Trained with classes from the start, a GAN collapses on the small ones (Shahbazi 2022).

    Parameters
    ----------
    networks : Networks
        With a `ClassGenerator` and a `ClassCritic`.
    train, held_out : Tensor
        Encoded rows (n, ...).
    labels, held_out_labels : Tensor
        Their classes (n,), from 0 on.
    config : TrainingConfig
        How to train.
    n_steps : int
        Of the whole phase, which the ramp is a share of.
    seed : int
        Seed of the phase's random stream.
    """

    def __init__(
        self,
        networks: Networks,
        train: Tensor,
        held_out: Tensor,
        labels: Tensor,
        held_out_labels: Tensor,
        config: TrainingConfig,
        n_steps: int,
        seed: int,
    ) -> None:
        super().__init__(networks, train, held_out, config, seed)
        self.labels, self.held_out_labels = labels, held_out_labels[: len(self.held_out)]
        self.n_classes = int(labels.max()) + 1
        self.ramp = tuple(share * n_steps for share in RAMP)

    @property
    def progress(self) -> float:
        """How much the class counts, from 0 to 1."""
        start, end = self.ramp
        return min(max((self.n_steps - start) / max(end - start, 1), 0.0), 1.0)

    def _draw(self) -> tuple[Critic, nn.Module, Tensor]:
        drawn = draw_by_class(self.labels, self.config.batch_size, self.progress, self.random)
        conditions = self._conditions(self.labels[drawn])
        generator, critic = self.networks.generator, self.networks.critic
        assert isinstance(generator, ClassGenerator) and isinstance(critic, ClassCritic)
        given = GivenCritic(critic, conditions), GivenGenerator(generator, conditions)
        return *given, self.train[drawn]

    def _generate(self, n: int, random: torch.Generator) -> Tensor:
        conditions = self._conditions(self.held_out_labels[:n])
        rows: Tensor = self.average.module(self._latents(n, random), conditions)
        return rows

    def _conditions(self, labels: Tensor) -> Tensor:
        return self.progress * F.one_hot(labels, self.n_classes).float()


class ClassEncoderPhase(EncoderPhase):
    """The encoder, on rows of each class equally often, through the generator of their class."""

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
        self.labels, self.held_out_labels = labels, held_out_labels[: len(self.held_out)]
        self.n_classes = int(labels.max()) + 1

    def _draw(self) -> tuple[nn.Module, Tensor]:
        drawn = draw_by_class(self.labels, self.config.batch_size, 1.0, self.random)
        return self._of(self.labels[drawn]), self.train[drawn]

    def _of_held_out(self) -> nn.Module:
        return self._of(self.held_out_labels)

    def _of(self, labels: Tensor) -> nn.Module:
        assert isinstance(self.networks.generator, ClassGenerator)
        conditions = F.one_hot(labels, self.n_classes).float()
        return GivenGenerator(self.networks.generator, conditions)


def draw_by_class(labels: Tensor, size: int, balance: float, random: torch.Generator) -> Tensor:
    """Draw indices (size,) with replacement: classes as frequent as they are, or all equally.

    `balance` mixes the two: 0 for the first, 1 for the second.
    """
    counts = torch.bincount(labels).float()
    equally = 1 / (counts.count_nonzero() * counts.clamp(min=1))
    weights = (1 - balance) / len(labels) + balance * equally
    return torch.multinomial(weights[labels], size, replacement=True, generator=random)
