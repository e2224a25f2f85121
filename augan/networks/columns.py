"""The network of the any-order column model: distributions of the columns that are masked."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from augan._random import seeded_layers

EMBEDDING = 16  # numbers for each column
N_LAYERS = 3
N_COSINES = 16  # smooth functions of the place of a code in the order of the values
OWN_SCALE = 0.1  # of what a code of an ordered column has for itself, beside the smooth functions

Dropout = tuple[float, torch.Generator]  # share that is set to 0, and random stream


class ColumnNetwork(nn.Module):
    """Distributions of masked columns, given the other columns (Hoogeboom 2022, Tiwald 2025).

    Each code of a column has an embedding, and "masked" has one too. An MLP with residual layers
    reads the embeddings of a row and gives logits for the codes of all columns. Embeddings and
    output weights of ordered codes are sums of cosines of the code's place, and of a small part
    of its own, so that neighbouring codes are alike.

    Parameters
    ----------
    sizes : sequence of int
        Number of codes of each column.
    positions : sequence of ndarray
        For each column the places of the codes in the order of the values, from 0 to 1, or an
        empty array if the codes have no order. Codes without a place follow the others.
    width : int
        Size of the hidden layers.
    seed : int
        Seed of the weights.
    """

    cosines: Tensor
    input_scale: Tensor
    output_scale: Tensor
    offsets: Tensor

    def __init__(
        self, sizes: Sequence[int], positions: Sequence[NDArray[np.float64]], width: int, seed: int
    ) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        n_codes, n_columns = sum(sizes), len(self.sizes)
        with seeded_layers(seed, "columns"):
            self.own_embedding = nn.Parameter(torch.randn(n_codes + n_columns, EMBEDDING))
            cosines = torch.randn(n_columns, N_COSINES, EMBEDDING) * 2 / math.sqrt(N_COSINES)
            self.embedding_of_cosines = nn.Parameter(cosines)
            self.project = nn.Linear(n_columns * EMBEDDING, width)
            self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(N_LAYERS - 1))
            self.own_output = nn.Parameter(torch.zeros(n_codes, width))
            self.output_of_cosines = nn.Parameter(torch.zeros(n_columns, N_COSINES, width))
            self.bias = nn.Parameter(torch.zeros(n_codes))
        self._register(positions)

    def forward(self, codes: Tensor, drop: Dropout | None = None) -> list[Tensor]:
        """Return the logits (n, size) of each column for codes (n, d); ``size`` is "masked"."""
        embedded = F.embedding(codes + self.offsets, self.embeddings()).flatten(1)
        features = self.features(self.project(embedded), drop)
        return list(F.linear(features, self.outputs(), self.bias).split(self.sizes, dim=1))

    def features(self, hidden: Tensor, drop: Dropout | None = None) -> Tensor:
        """Return features (n, width) of the first layer's outputs, with dropout if asked for."""
        share, random = drop or (0.0, None)
        hidden = F.silu(hidden)
        for layer in self.hidden:
            hidden = hidden + dropout(F.silu(layer(hidden)), share, random)
        return dropout(hidden, share, random)

    def embeddings(self) -> Tensor:
        """Return the embeddings of the codes of all columns, each column with "masked" last."""
        smooth = self._smooth(self.embedding_of_cosines, masked=True)
        return self.input_scale[:, None] * self.own_embedding + smooth

    def outputs(self) -> Tensor:
        """Return the output weights (n_codes, width) of the codes of all columns."""
        smooth = self._smooth(self.output_of_cosines, masked=False)
        return self.output_scale[:, None] * self.own_output + smooth

    def start_at(self, codes: Tensor) -> None:
        """Set the biases to the logarithms of the codes' frequencies in training rows (n, d)."""
        with torch.no_grad():
            for j, bias in enumerate(self.bias.split(self.sizes)):
                counts = torch.bincount(codes[:, j], minlength=self.sizes[j]) + 0.5
                bias.copy_((counts / counts.sum()).log())

    def _smooth(self, weights: Tensor, *, masked: bool) -> Tensor:
        """Return the sums of cosines for the codes of all columns, with "masked" if asked for."""
        columns = self.cosines.split(self.sizes)
        sums = [own @ weight for own, weight in zip(columns, weights, strict=True)]
        return torch.cat([F.pad(one, (0, 0, 0, 1)) if masked else one for one in sums])

    def _register(self, positions: Sequence[NDArray[np.float64]]) -> None:
        """Register the cosines of the codes' places, and the scales of what codes have alone."""
        degrees = torch.arange(1, N_COSINES + 1)
        cosines, inputs, outputs = [], [], []
        for size, places in zip(self.sizes, positions, strict=True):
            waves = torch.zeros(size, N_COSINES)
            angles = math.pi * torch.from_numpy(places).float()[:, None] * degrees
            waves[: len(places)] = math.sqrt(2) * angles.cos() / (1 + degrees / 4)
            scale = torch.ones(size + 1)
            scale[: len(places)] = OWN_SCALE
            cosines.append(waves)
            inputs.append(scale)
            outputs.append(scale[:-1])
        starts = np.cumsum([0, *(size + 1 for size in self.sizes[:-1])])
        for name, value in {
            "cosines": torch.cat(cosines),
            "input_scale": torch.cat(inputs),
            "output_scale": torch.cat(outputs),
            "offsets": torch.from_numpy(starts),
        }.items():
            self.register_buffer(name, value, persistent=False)


class ColumnWeights:
    """The network's weights by column, so that a column that is drawn costs one addition.

    The first layer is linear in the embeddings: `masked` is its output if all columns are masked,
    and `inputs` is what each code of a column adds to it.
    """

    def __init__(self, network: ColumnNetwork) -> None:
        sizes = network.sizes
        embeddings = network.embeddings().split([size + 1 for size in sizes])
        projections = network.project.weight.split(embeddings[0].shape[1], dim=1)
        tables = [own @ weight.T for own, weight in zip(embeddings, projections, strict=True)]
        self.inputs = [table[:-1] - table[-1] for table in tables]
        self.masked = network.project.bias + sum(table[-1] for table in tables)
        self.outputs = network.outputs().split(sizes)
        self.biases = network.bias.split(sizes)
        self._with_masked = [F.pad(table, (0, 0, 0, 1)) for table in self.inputs]

    def hidden(self, codes: Tensor) -> Tensor:
        """Return the first layer's outputs (n, width) for codes (n, k); -1 is masked."""
        total = self.masked.expand(len(codes), -1).clone()
        for j, table in enumerate(self._with_masked):
            total += table[codes[:, j]]  # the last row is 0
        return total


def dropout(values: Tensor, share: float, random: torch.Generator | None) -> Tensor:
    """Return the values, with a share of them set to 0 if there is a random stream."""
    if random is None:
        return values
    kept = torch.empty_like(values).bernoulli_(1 - share, generator=random)
    return values * kept / (1 - share)
