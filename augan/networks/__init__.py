"""Generator, critic and encoder, built from a codec's spec."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from augan._random import seeded_layers
from augan.codecs.spec import Spec, VectorSpec
from augan.networks import conv, dense
from augan.networks.layers import Critic

__all__ = ["Critic", "Networks", "build_networks"]


@dataclass
class Networks:
    """The three networks of a model; a detector that searches for latents has no encoder."""

    generator: nn.Module
    critic: Critic
    encoder: nn.Module | None
    latent_dim: int

    def modules(self) -> dict[str, nn.Module]:
        """Return the networks by name."""
        named = {"generator": self.generator, "critic": self.critic, "encoder": self.encoder}
        return {name: module for name, module in named.items() if module is not None}


def build_networks(
    spec: Spec,
    *,
    latent_dim: int,
    width: int,
    spectral_norm: bool = False,
    with_encoder: bool = True,
    seed: int = 0,
) -> Networks:
    """Build dense networks for a `VectorSpec`, convolutional ones for an `ImageSpec`."""
    sizes = {"latent_dim": latent_dim, "width": width}
    with seeded_layers(seed, "networks"):
        if isinstance(spec, VectorSpec):
            generator: nn.Module = dense.DenseGenerator(spec, **sizes)
            critic: Critic = dense.DenseCritic(spec, width=width, spectral_norm=spectral_norm)
            encoder = dense.dense_encoder(spec, latent_dim=latent_dim) if with_encoder else None
        else:
            generator = conv.ConvGenerator(spec, **sizes)
            critic = conv.ConvCritic(spec, width=width, spectral_norm=spectral_norm)
            encoder = conv.conv_encoder(spec, **sizes) if with_encoder else None
    return Networks(generator, critic, encoder, latent_dim)
