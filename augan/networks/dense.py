"""Networks for tables."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from augan.codecs.spec import VectorSpec
from augan.networks.layers import SLOPE, Critic, SteadyLinear, normalised


class DenseGenerator(nn.Module):
    """Latents (n, latent_dim) to encoded rows (n, D), with one activation per span."""

    def __init__(self, spec: VectorSpec, *, latent_dim: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            SteadyLinear(latent_dim, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, spec.size),
        )
        self.softmax_runs = softmax_runs(spec)

    def forward(self, z: Tensor) -> Tensor:
        """Return generated rows (n, D); categories are probabilities."""
        output: Tensor = self.layers(z)
        if not self.softmax_runs:
            return output
        pieces, done = [], 0
        for start, stop, size in self.softmax_runs:
            run = output[:, start:stop]
            if stop - start > size:
                run = run.unflatten(1, (-1, size)).softmax(dim=2).flatten(1)
            else:
                run = run.softmax(dim=1)
            pieces += [output[:, done:start], run]
            done = stop
        return torch.cat([*pieces, output[:, done:]], dim=1)


def softmax_runs(spec: VectorSpec) -> list[tuple[int, int, int]]:
    """Return (start, stop, size) of the softmax spans; adjacent spans of equal size are merged.

    One softmax for all of them is much faster in tables with many binary columns.
    """
    runs: list[tuple[int, int, int]] = []
    for span in spec.spans:
        if span.activation != "softmax":
            continue
        start, stop, size = span.start, span.stop, span.stop - span.start
        if runs and runs[-1][1] == start and runs[-1][2] == size:
            start = runs.pop()[0]
        runs.append((start, stop, size))
    return runs


class DenseCritic(Critic):
    """Encoded rows (n, D) to outputs (n,); both hidden layers are features."""

    def __init__(self, spec: VectorSpec, *, width: int, spectral_norm: bool) -> None:
        first = normalised(SteadyLinear(spec.size, width), spectral_norm)
        second = normalised(nn.Linear(width, width), spectral_norm)
        head = normalised(nn.Linear(2 * width, 1), spectral_norm)
        super().__init__(HiddenLayers(first, second), head, 2 * width)


class HiddenLayers(nn.Module):
    """Two layers, whose activations are concatenated."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first, self.second = first, second
        self.activation = nn.LeakyReLU(SLOPE)

    def forward(self, x: Tensor) -> Tensor:
        """Return activations (n, 2 * width)."""
        lower = self.activation(self.first(x))
        return torch.cat([lower, self.activation(self.second(lower))], dim=1)


def dense_encoder(spec: VectorSpec, *, latent_dim: int) -> nn.Module:
    """Return a linear encoder of rows (n, D) to unbounded latents (n, latent_dim).

    A deeper one learns to invert anomalies too: on the tables of ADBench (Han 2022) the paper's
    score separates anomalies better with a linear encoder than with one or two hidden layers.
    """
    return SteadyLinear(spec.size, latent_dim)
