"""From a row to its latent: by an encoder (f-AnoGAN) or by gradient search (AnoGAN)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from augan._random import torch_stream
from augan.networks import Critic


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
