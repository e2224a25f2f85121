"""Residual networks for images (Miyato et al. 2018, after He et al. 2016), up to 128 pixels."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from augan.codecs.spec import ImageSpec
from augan.networks.conv import halving_channels, n_flat
from augan.networks.layers import SLOPE, Critic, Layers, class_norm, normalised, through


def block_channels(spec: ImageSpec, width: int) -> list[int]:
    """Return the number of channels after each halving, half of those of `ConvCritic`."""
    return halving_channels(spec, max(width // 2, 1))


class ResidualGenerator(nn.Module):
    """Latents (n, latent_dim), and conditions if there are classes, to images (n, C, h, w).

    The last upsampling is one transposed convolution; a block at full size would cost more than
    all others together.
    """

    def __init__(self, spec: ImageSpec, *, latent_dim: int, width: int, n_classes: int = 0) -> None:
        super().__init__()
        channels = block_channels(spec, width)[::-1]
        levels = len(channels)
        self.base = (channels[0], spec.height >> levels, spec.width >> levels)
        self.project = nn.Linear(latent_dim, self.base[0] * self.base[1] * self.base[2])
        self.blocks = nn.ModuleList(_UpBlock(*sizes, n_classes) for sizes in pairwise(channels))
        self.last = Layers(
            class_norm(nn.BatchNorm2d(channels[-1]), n_classes),
            nn.ReLU(),
            nn.ConvTranspose2d(channels[-1], spec.channels, 4, stride=2, padding=1),
            nn.Tanh() if spec.activation == "tanh" else nn.Identity(),
        )

    def forward(self, z: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Return generated images."""
        images: Tensor = self.project(z).unflatten(1, self.base)
        for block in self.blocks:
            images = block(images, conditions)
        images = self.last(images, conditions)
        return images


class ResidualCritic(Critic):
    """Encoded images (n, C, height, width) to outputs (n,)."""

    def __init__(self, spec: ImageSpec, *, width: int, spectral_norm: bool) -> None:
        channels = block_channels(spec, width)
        first = nn.Conv2d(spec.channels, channels[0], 4, stride=2, padding=1)
        blocks = [_DownBlock(*sizes, spectral_norm) for sizes in pairwise(channels)]
        n_features = n_flat(spec, channels)
        layers = [normalised(first, spectral_norm), *blocks, nn.LeakyReLU(SLOPE), nn.Flatten()]
        head = normalised(nn.Linear(n_features, 1), spectral_norm)
        super().__init__(nn.Sequential(*layers), head, n_features)


class _UpBlock(nn.Module):
    """Residual block that doubles the size; the shortcut is a 1x1 convolution."""

    def __init__(self, before: int, after: int, n_classes: int) -> None:
        super().__init__()
        self.first_norm = class_norm(nn.BatchNorm2d(before), n_classes)
        self.second_norm = class_norm(nn.BatchNorm2d(after), n_classes)
        self.first = nn.Conv2d(before, after, 3, padding=1)
        self.second = nn.Conv2d(after, after, 3, padding=1)
        self.beside = nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor, conditions: Tensor | None) -> Tensor:
        first = F.relu(through(self.first_norm, x, conditions))
        larger = self.first(F.interpolate(first, scale_factor=2.0))
        changed: Tensor = self.second(F.relu(through(self.second_norm, larger, conditions)))
        return changed + F.interpolate(self.beside(x), scale_factor=2.0)


class _DownBlock(nn.Module):
    """Residual block that halves the size, without batch norm."""

    def __init__(self, before: int, after: int, spectral_norm: bool) -> None:
        super().__init__()
        self.first = normalised(nn.Conv2d(before, after, 3, padding=1), spectral_norm)
        self.second = normalised(nn.Conv2d(after, after, 4, stride=2, padding=1), spectral_norm)
        self.beside = normalised(nn.Conv2d(before, after, 1), spectral_norm)

    def forward(self, x: Tensor) -> Tensor:
        changed = self.first(F.leaky_relu(x, SLOPE))
        halved: Tensor = self.second(F.leaky_relu(changed, SLOPE))
        return halved + self.beside(F.avg_pool2d(x, 2))
