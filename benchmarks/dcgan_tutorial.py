"""The model of PyTorch's DCGAN tutorial, with the methods that an evaluation needs."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from torch import Tensor, nn
from torch.nn import functional as F

from augan.codecs.image import ImageCodec

Images = NDArray[np.uint8]


class Tutorial(BaseEstimator):
    """PyTorch's DCGAN tutorial at 32 pixels: its layers, initial weights, rates and batches."""

    def __init__(self, seconds: float, seed: int) -> None:
        self.seconds, self.seed = seconds, seed

    def fit(self, X: Images) -> Tutorial:
        """Train for `seconds`."""
        self.codec_ = ImageCodec().fit(X)
        images = self.codec_.encode(X)
        with torch.random.fork_rng():
            torch.manual_seed(self.seed)
            self.generator_, critic = _tutorial_generator(), _tutorial_critic()
            networks = (self.generator_, critic)
            for network in networks:
                network.apply(_tutorial_weights)
            of_generator, of_critic = (
                torch.optim.Adam(network.parameters(), lr=2e-4, betas=(0.5, 0.999))
                for network in networks
            )
            self.n_steps_, start = 0, time.monotonic()
            while time.monotonic() - start < self.seconds:
                real = images[torch.randint(len(images), (128,))]
                fake = self.generator_(torch.randn(128, 100, 1, 1))
                on_real, on_fake = critic(real), critic(fake.detach())
                _step(of_critic, F.softplus(-on_real).mean() + F.softplus(on_fake).mean())
                _step(of_generator, F.softplus(-critic(fake)).mean())
                self.n_steps_ += 1
        self.generator_.eval()
        return self

    @torch.no_grad()
    def sample(self, n: int, random_state: Any = None) -> Images:
        """Return new images."""
        random = torch.Generator().manual_seed(int(random_state.randint(2**31 - 1)))
        z = torch.randn(n, 100, 1, 1, generator=random)
        made: Images = self.codec_.decode(torch.cat([self.generator_(p) for p in z.split(500)]))
        return made


def _step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def _tutorial_generator() -> nn.Module:
    layers: list[nn.Module] = [nn.ConvTranspose2d(100, 256, 4, 1, 0, bias=False)]
    for before, after in ((256, 128), (128, 64)):
        layers += [nn.BatchNorm2d(before), nn.ReLU()]
        layers.append(nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False))
    layers += [nn.BatchNorm2d(64), nn.ReLU(), nn.ConvTranspose2d(64, 1, 4, 2, 1, bias=False)]
    return nn.Sequential(*layers, nn.Tanh())


def _tutorial_critic() -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(1, 64, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
    for before, after in ((64, 128), (128, 256)):
        layers.append(nn.Conv2d(before, after, 4, 2, 1, bias=False))
        layers += [nn.BatchNorm2d(after), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(256, 1, 4, 1, 0, bias=False), nn.Flatten(0))


def _tutorial_weights(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
