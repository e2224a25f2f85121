"""Inversion of a generator: by an encoder (f-AnoGAN) or by gradient descent (AnoGAN)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from augan._random import torch_stream
from augan.networks import Critic

WINDOW = 7  # side of the window of the importance weights (Yeh 2017, eq. 3)
INPAINTING_RATE = 0.03  # Adam's learning rate
PRIOR_WEIGHT = 0.003  # weight of the critic's output in the loss of inpainting
LATENT_WEIGHT = 0.1  # weight of the latent's squared norm in it


class EncoderInversion(nn.Module):
    """z = E(x), unbounded (Schlegl 2019)."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor) -> Tensor:
        """Return latents (B, latent_dim) of encoded rows (B, ...)."""
        z: Tensor = self.encoder(x)
        return z


class SearchInversion(nn.Module):
    """Gradient descent on the latent of each row (Schlegl 2017, eq. 5).

    It starts from the one of `n_starts` fixed random latents whose generated row is nearest to x,
    and minimises (1 - w) |x - G(z)|_1 + w |f(x) - f(G(z))|_1, each norm divided by its number of
    dimensions. The loss is summed over the batch, so the result for a row does not depend on the
    other rows.

    Parameters
    ----------
    generator, critic : Module
        Frozen networks.
    latent_dim : int
        Dimensions of a latent.
    n_steps : int
        Steps of Adam.
    lr : float
        Adam's learning rate.
    feature_weight : float
        The weight w of the feature residual.
    n_starts : int, default=64
        Number of starting points.
    seed : int, default=0
        Seed of the starting points.
    """

    starts: Tensor

    def __init__(
        self,
        generator: nn.Module,
        critic: Critic,
        *,
        latent_dim: int,
        n_steps: int,
        lr: float,
        feature_weight: float,
        n_starts: int = 64,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self._networks = (generator, critic)  # in a tuple, so that they are not submodules
        self.n_steps, self.lr, self.feature_weight = n_steps, lr, feature_weight
        random = torch_stream(seed, "search")
        starts = torch.randn(n_starts, latent_dim, generator=random, device="cpu")
        self.register_buffer("starts", starts)

    def forward(self, x: Tensor) -> Tensor:
        """Return latents (B, latent_dim) of encoded rows (B, ...)."""
        generator, critic = self._networks
        with torch.no_grad():
            rows = generator(self.starts).flatten(1)
            nearest = torch.cdist(x.flatten(1), rows).argmin(dim=1)
            features = critic.features(x)
        with torch.enable_grad():
            z = self.starts[nearest].clone().requires_grad_()
            optimizer = torch.optim.Adam([z], lr=self.lr)
            for _ in range(self.n_steps):
                (z.grad,) = torch.autograd.grad(self._loss(x, features, z), z)
                optimizer.step()
        return z.detach()

    def _loss(self, x: Tensor, features: Tensor, z: Tensor) -> Tensor:
        generator, critic = self._networks
        x_hat = generator(z)
        residual = (x - x_hat).abs().flatten(1).mean(dim=1)
        matching = (features - critic.features(x_hat)).abs().mean(dim=1)
        return ((1 - self.feature_weight) * residual + self.feature_weight * matching).sum()


def fill_latents(
    generator: nn.Module,
    critic: Critic,
    images: Tensor,
    known: Tensor,
    starts: Tensor,
    n_steps: int,
) -> Tensor:
    """Return latents whose images agree with the known pixels of images (Yeh 2017, eqs. 3-6).

    For each image, minimises ``|W (G(z) - x)|_1 / |W|_1 - a D(G(z)) + b |z|^2 / n_z``. The
    importance weight W of a known pixel increases with the share of unknown pixels around it. The
    last term is not in the paper; it keeps latents where the prior has most of its mass.

    Parameters
    ----------
    generator, critic : Module
        Frozen networks.
    images : Tensor
        Encoded images (n, C, h, w).
    known : Tensor
        1 where pixels are known, 0 in the holes, (n, 1, h, w).
    starts : Tensor
        Initial latents (n, latent_dim).
    n_steps : int
        Steps of Adam.

    Returns
    -------
    latents : Tensor
        Latents (n, latent_dim).
    """
    unknown = F.avg_pool2d(
        1 - known, WINDOW, stride=1, padding=WINDOW // 2, count_include_pad=False
    )
    weights = known * (1 + unknown)
    weights = weights / (images.shape[1] * weights.sum(dim=(1, 2, 3), keepdim=True))
    z = starts.clone().requires_grad_()
    optimizer = torch.optim.Adam([z], lr=INPAINTING_RATE)
    with torch.enable_grad():
        for _ in range(n_steps):
            made = generator(z)
            gap = (weights * (made - images).abs()).sum(dim=(1, 2, 3))
            loss = gap - PRIOR_WEIGHT * critic(made) + LATENT_WEIGHT * z.square().mean(dim=1)
            (z.grad,) = torch.autograd.grad(loss.sum(), z)
            optimizer.step()
    return z.detach()


def truncated_normal(n: int, dim: int, limit: float, random: torch.Generator) -> Tensor:
    """Return `n` latents (n, dim) of a normal distribution truncated to [-limit, limit]."""
    inside = math.erf(limit / math.sqrt(2))  # share of a normal's draws within the limit
    uniform = 2 * torch.rand(n, dim, generator=random, dtype=torch.float64) - 1
    return (math.sqrt(2) * torch.erfinv(inside * uniform)).clamp(-limit, limit).float()


def spherical_path(start: Tensor, end: Tensor, n: int) -> Tensor:
    """Return `n` latents (n, latent_dim) from `start` to `end` by spherical interpolation.

    Samples of a normal distribution in many dimensions lie near a sphere, which linear
    interpolation leaves (White 2016).
    """
    t = torch.linspace(0, 1, n, dtype=start.dtype)[:, None]
    cosine = F.cosine_similarity(start, end, dim=0).clamp(-1, 1)
    angle = cosine.arccos()
    if min(angle, torch.pi - angle) < 1e-4 or not torch.isfinite(angle):
        return (1 - t) * start + t * end
    return (((1 - t) * angle).sin() * start + (t * angle).sin() * end) / angle.sin()
