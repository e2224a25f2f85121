"""Differentiable augmentation, against overfitting of the critic to few images (Zhao 2020)."""

from __future__ import annotations

import torch
from torch import Tensor

from augan.networks.layers import Critic

SHIFT = 0.125  # largest shift, as a share of an image's height and width
BRIGHTNESS = 0.25  # largest change of brightness, for pixels from -1 to 1
CONTRAST = (0.5, 1.5)  # range of the factor of contrast


def diff_augment(images: Tensor, random: torch.Generator) -> Tensor:
    """Return images (n, C, H, W) with random brightness, contrast and shift.

    These are DiffAugment's colour and translation (Zhao, Liu, Lin, Zhu and Han, NeurIPS 2020);
    gradients flow through them to the generator.
    """
    n, device = len(images), images.device

    def uniform(low: float, high: float) -> Tensor:
        drawn = torch.rand(n, 1, 1, 1, generator=random, device=device)
        return low + (high - low) * drawn

    images = images + uniform(-BRIGHTNESS, BRIGHTNESS)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    images = mean + (images - mean) * uniform(*CONTRAST)
    return shifted(images, random)


def shifted(images: Tensor, random: torch.Generator) -> Tensor:
    """Return images (n, C, H, W), randomly shifted by whole pixels; the edge is replicated."""
    n, _, height, width = images.shape
    device = images.device

    def steps(size: int) -> Tensor:
        most = max(1, round(SHIFT * size))
        moved = torch.randint(-most, most + 1, (n, 1), generator=random, device=device)
        return (torch.arange(size, device=device) + moved).clamp(0, size - 1)

    rows, columns = steps(height), steps(width)
    picked = torch.arange(n, device=device)[:, None, None]
    moved = images.permute(0, 2, 3, 1)[picked, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


class AugmentingCritic(Critic):
    """A critic whose inputs, real and generated images, are randomly augmented."""

    def __init__(self, critic: Critic, random: torch.Generator) -> None:
        super().__init__(critic.backbone, critic.head, critic.n_features)
        self.critic, self.random = critic, random

    def features(self, x: Tensor) -> Tensor:
        """Return the input (n, F) of the head, for augmented images."""
        return self.critic.features(diff_augment(x, self.random))

    def output(self, features: Tensor) -> Tensor:
        """Return the output (n,) of the head for features (n, F)."""
        return self.critic.output(features)
