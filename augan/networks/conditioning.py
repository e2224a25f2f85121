"""Conditional networks: class embeddings for the generator, a projection in the critic."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from augan.networks.dense import DenseGenerator
from augan.networks.layers import Critic


class ClassGenerator(nn.Module):
    """G(z, y): the latent is concatenated with the embedding of the class.

    Batch norms of image generators are conditional too.

    Parameters
    ----------
    base : Module
        A generator whose latents have ``latent_dim + embedding_dim`` dimensions; one of images
        takes the conditions as well.
    n_classes, embedding_dim : int
        Number of classes, and dimensions of their embeddings.
    """

    def __init__(self, base: nn.Module, n_classes: int, embedding_dim: int) -> None:
        super().__init__()
        self.base = base
        self.embedding = nn.Parameter(torch.randn(n_classes, embedding_dim))

    def forward(self, z: Tensor, conditions: Tensor) -> Tensor:
        """Return generated rows (B, ...) of latents (B, latent_dim).

        `conditions` (B, n_classes) are one-hot, multiplied by the weight of the class; zeros are
        unconditional.
        """
        latents = torch.cat([z, conditions @ self.embedding], dim=1)
        dense = isinstance(self.base, DenseGenerator)  # has no norms
        rows: Tensor = self.base(latents) if dense else self.base(latents, conditions)
        return rows


class ClassCritic(Critic):
    """D(x, y) = psi(f(x)) + <v_y, f(x)> (Miyato and Koyama 2018, eq. 3)."""

    def __init__(self, base: Critic, n_classes: int) -> None:
        super().__init__(base.backbone, base.head, base.n_features)
        spread = 1 / math.sqrt(base.n_features)
        self.projection = nn.Parameter(spread * torch.randn(n_classes, base.n_features))

    def class_output(self, features: Tensor, conditions: Tensor) -> Tensor:
        """Return outputs (B,) for features (B, F); `conditions` as in `ClassGenerator`."""
        return self.output(features) + (features * (conditions @ self.projection)).sum(dim=1)


class GivenGenerator(nn.Module):
    """G(., y) for the classes y of one batch."""

    def __init__(self, generator: ClassGenerator, conditions: Tensor) -> None:
        super().__init__()
        self.generator, self.conditions = generator, conditions

    def forward(self, z: Tensor) -> Tensor:
        """Return generated rows (B, ...) of the batch's classes."""
        rows: Tensor = self.generator(z, self.conditions)
        return rows


class GivenCritic(Critic):
    """D(., y) for the classes y of one batch; `conditions` as in `ClassGenerator`."""

    def __init__(self, critic: ClassCritic, conditions: Tensor) -> None:
        super().__init__(critic.backbone, critic.head, critic.n_features)
        self.critic, self.conditions = critic, conditions

    def output(self, features: Tensor) -> Tensor:
        """Return outputs (B,) for features (B, F) of rows of the batch's classes."""
        return self.critic.class_output(features, self.conditions)
