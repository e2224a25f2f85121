"""From a row to its latent: by an encoder (f-AnoGAN) or by gradient search (AnoGAN)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from augan._random import torch_stream
from augan.networks import Critic

NEAR = 7  # pixels a side of the window that says how near to a hole a pixel is (Yeh 2017)
FILL_RATE = 0.03  # Adam's, of the search for a hole's filling
REALISM, USUAL = 0.003, 0.1  # weights of the critic's output, and of the latent's size, in it


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
    """The latent whose generated row comes closest to x, by gradient descent (Schlegl 2017, eq. 3).

    A search starts from that of a few fixed latents whose row is nearest to x. It minimises
    (1 - w) |x - G(z)|_1 + w |f(x) - f(G(z))|_1, each averaged over its dimensions, summed over
    the batch: so every row is searched for alone, whatever stands beside it.
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
        self._networks = (generator, critic)  # a tuple: they are the scorer's, not parts of this
        self.n_steps, self.lr, self.feature_weight = n_steps, lr, feature_weight
        random = torch_stream(seed, "search")
        starts = torch.randn(n_starts, latent_dim, generator=random, device="cpu")
        self.register_buffer("starts", starts)

    def forward(self, x: Tensor) -> Tensor:
        """Return latents (B, latent_dim) of encoded rows (B, ...); no network is changed."""
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
    """Return latents whose images agree with the known pixels of others (Yeh 2017, eqs. 3-6).

    Minimises ``|W (G(z) - x)|_1 / |W|_1 - a D(G(z)) + b |z|^2 / n_z`` for each image alone, with
    weights W of known pixels that are larger the more of those around are in the hole; the last
    term, which the paper has not, keeps the search where the generator was trained.

    Parameters
    ----------
    generator, critic : Module
        Frozen networks.
    images : Tensor
        Encoded images (n, C, h, w).
    known : Tensor
        1 where pixels are known, 0 in the holes, (n, 1, h, w).
    starts : Tensor
        Latents (n, latent_dim) to start from.
    n_steps : int
        Steps of the search.
    """
    near = F.avg_pool2d(1 - known, NEAR, stride=1, padding=NEAR // 2, count_include_pad=False)
    weights = known * (1 + near)
    weights = weights / (images.shape[1] * weights.sum(dim=(1, 2, 3), keepdim=True))
    z = starts.clone().requires_grad_()
    optimizer = torch.optim.Adam([z], lr=FILL_RATE)
    with torch.enable_grad():
        for _ in range(n_steps):
            made = generator(z)
            gap = (weights * (made - images).abs()).sum(dim=(1, 2, 3))
            loss = gap - REALISM * critic(made) + USUAL * z.square().mean(dim=1)
            (z.grad,) = torch.autograd.grad(loss.sum(), z)
            optimizer.step()
    return z.detach()


def truncated_normal(n: int, dim: int, limit: float, random: torch.Generator) -> Tensor:
    """Return `n` latents (n, dim) of normal numbers, none of them larger than `limit`."""
    inside = math.erf(limit / math.sqrt(2))  # share of a normal's draws within the limit
    uniform = 2 * torch.rand(n, dim, generator=random, dtype=torch.float64) - 1
    return (math.sqrt(2) * torch.erfinv(inside * uniform)).clamp(-limit, limit).float()


def spherical_path(start: Tensor, end: Tensor, n: int) -> Tensor:
    """Return `n` latents (n, latent_dim) from one to another, on the arc between them.

    Latents of a normal distribution lie near a sphere; a straight line leaves it (White 2016).
    """
    t = torch.linspace(0, 1, n, dtype=start.dtype)[:, None]
    cosine = F.cosine_similarity(start, end, dim=0).clamp(-1, 1)
    angle = cosine.arccos()
    if min(angle, torch.pi - angle) < 1e-4 or not torch.isfinite(angle):
        return (1 - t) * start + t * end
    return (((1 - t) * angle).sin() * start + (t * angle).sin() * end) / angle.sin()
