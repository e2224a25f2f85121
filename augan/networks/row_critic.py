"""The network that tells real rows of a table from drawn ones."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from augan._random import seeded_layers
from augan.networks.columns import dropout

N_FREQUENCIES = 8  # of each number of a row
FREQUENCY = 0.3  # standard deviation of the first frequencies
DROPOUT = 0.2


class RowCritic(nn.Module):
    """Logits of rows being real, given their classes.

    An MLP reads the encoded row, its class, and sines and cosines of them with learned
    frequencies, by which it sees details of the distribution of a number (Gorishniy 2022, "On
    embeddings for numerical features in tabular deep learning").

    Parameters
    ----------
    n_features : int
        Size of an encoded row.
    n_classes : int
        Number of classes.
    width : int
        Size of the hidden layers.
    seed : int
        Seed of the weights.
    """

    def __init__(self, n_features: int, n_classes: int, width: int, seed: int) -> None:
        super().__init__()
        self.n_classes = n_classes
        n_inputs = n_features + n_classes
        with seeded_layers(seed, "row critic"):
            self.frequencies = nn.Parameter(torch.randn(n_inputs, N_FREQUENCIES) * FREQUENCY)
            self.layers = nn.ModuleList(
                [nn.Linear(n_inputs * (1 + 2 * N_FREQUENCIES), width), nn.Linear(width, width)]
            )
            self.head = nn.Linear(width, 1)

    def forward(
        self, rows: Tensor, labels: Tensor, random: torch.Generator | None = None
    ) -> Tensor:
        """Return the logits (n,) of encoded rows (n, d) and their classes (n,).

        With a random stream there is dropout.
        """
        inputs = torch.cat([rows.float(), F.one_hot(labels, self.n_classes)], dim=1)
        angles = 2 * math.pi * inputs[:, :, None] * self.frequencies
        hidden = torch.cat([inputs, angles.sin().flatten(1), angles.cos().flatten(1)], dim=1)
        for layer in self.layers:
            hidden = dropout(F.silu(layer(hidden)), DROPOUT, random)
        logits: Tensor = self.head(hidden)[:, 0]
        return logits
