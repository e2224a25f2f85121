"""Networks for images: DCGAN (Radford, Metz and Chintala 2016) at any working size."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from augan.codecs.image import n_halvings
from augan.codecs.spec import ImageSpec
from augan.networks.layers import SLOPE, Critic, Layers, class_norm, normalised

MAX_GROWTH = 8  # channels double at every halving, up to `MAX_GROWTH * width`


class ConvGenerator(nn.Module):
    """Latents (n, latent_dim), and conditions if there are classes, to images (n, C, h, w)."""

    def __init__(self, spec: ImageSpec, *, latent_dim: int, width: int, n_classes: int = 0) -> None:
        super().__init__()
        channels = halving_channels(spec, width)[::-1]
        levels = len(channels)
        self.base = (channels[0], spec.height >> levels, spec.width >> levels)
        n_base = self.base[0] * self.base[1] * self.base[2]
        norm = class_norm(nn.BatchNorm1d(n_base), n_classes)
        self.project = Layers(nn.Linear(latent_dim, n_base), norm)
        layers: list[nn.Module] = [nn.ReLU()]
        for size, smaller in pairwise(channels):
            layers += [
                nn.ConvTranspose2d(size, smaller, 4, stride=2, padding=1, bias=False),
                class_norm(nn.BatchNorm2d(smaller), n_classes),
                nn.ReLU(),
            ]
        layers.append(nn.ConvTranspose2d(channels[-1], spec.channels, 4, stride=2, padding=1))
        layers.append(nn.Tanh() if spec.activation == "tanh" else nn.Identity())
        self.layers = Layers(*layers)

    def forward(self, z: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Return generated images."""
        base = self.project(z, conditions).unflatten(1, self.base)
        images: Tensor = self.layers(base, conditions)
        return images


class ConvCritic(Critic):
    """Encoded images (n, C, height, width) to outputs (n,)."""

    def __init__(self, spec: ImageSpec, *, width: int, spectral_norm: bool) -> None:
        layers: list[nn.Module] = []
        before = spec.channels
        channels = halving_channels(spec, width)
        for size in channels:
            conv = nn.Conv2d(before, size, 4, stride=2, padding=1)
            layers += [normalised(conv, spectral_norm), nn.LeakyReLU(SLOPE)]
            before = size
        n_features = n_flat(spec, channels)
        head = normalised(nn.Linear(n_features, 1), spectral_norm)
        super().__init__(nn.Sequential(*layers, nn.Flatten()), head, n_features)


def conv_encoder(spec: ImageSpec, *, latent_dim: int, width: int) -> nn.Module:
    """Return an encoder of images (n, C, height, width) to unbounded latents (n, latent_dim)."""
    layers: list[nn.Module] = []
    before = spec.channels
    channels = halving_channels(spec, width)
    for size in channels:
        layers += [
            nn.Conv2d(before, size, 4, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(size),
            nn.LeakyReLU(SLOPE),
        ]
        before = size
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(n_flat(spec, channels), latent_dim))


def halving_channels(spec: ImageSpec, width: int) -> list[int]:
    """Return the number of channels after each halving."""
    return [width * min(2**i, MAX_GROWTH) for i in range(n_halvings(spec.height, spec.width))]


def n_flat(spec: ImageSpec, channels: list[int]) -> int:
    """Return the number of activations after the last halving."""
    levels = len(channels)
    return channels[-1] * (spec.height >> levels) * (spec.width >> levels)
