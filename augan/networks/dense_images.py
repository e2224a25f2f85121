"""Dense networks for images, as in the first GAN (Goodfellow et al. 2014); fast on a CPU."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor, nn

from augan.codecs.spec import ImageSpec
from augan.networks.dense import HiddenLayers
from augan.networks.layers import Critic, Layers, class_norm, normalised

UNITS = 16  # units of a layer, per `width`


class DenseImageGenerator(nn.Module):
    """Latents (n, latent_dim), and conditions if there are classes, to images (n, C, h, w)."""

    def __init__(self, spec: ImageSpec, *, latent_dim: int, width: int, n_classes: int = 0) -> None:
        super().__init__()
        self.shape = (spec.channels, spec.height, spec.width)
        sizes = (latent_dim, UNITS * width, UNITS * width)
        layers: list[nn.Module] = []
        for before, after in pairwise(sizes):
            norm = class_norm(nn.BatchNorm1d(after), n_classes)
            layers += [nn.Linear(before, after), norm, nn.ReLU()]
        layers.append(nn.Linear(sizes[-1], math.prod(self.shape)))
        layers.append(nn.Tanh() if spec.activation == "tanh" else nn.Identity())
        self.layers = Layers(*layers)

    def forward(self, z: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Return generated images."""
        images: Tensor = self.layers(z, conditions).unflatten(1, self.shape)
        return images


class DenseImageCritic(Critic):
    """Encoded images (n, C, height, width) to outputs (n,); both hidden layers are features."""

    def __init__(self, spec: ImageSpec, *, width: int, spectral_norm: bool) -> None:
        units = UNITS * width
        first = nn.Linear(spec.channels * spec.height * spec.width, units)
        hidden = HiddenLayers(
            normalised(first, spectral_norm), normalised(nn.Linear(units, units), spectral_norm)
        )
        head = normalised(nn.Linear(2 * units, 1), spectral_norm)
        super().__init__(nn.Sequential(nn.Flatten(), hidden), head, 2 * units)
