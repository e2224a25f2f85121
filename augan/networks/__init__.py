"""The networks of a model, built from a codec's spec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn

from augan._random import seeded_layers
from augan.codecs.spec import ImageSpec, Spec
from augan.networks import conv, dense, dense_images, residual
from augan.networks.absent import AbsentCritic, AbsentNetwork
from augan.networks.backbone import Backbone
from augan.networks.conditioning import ClassCritic, ClassGenerator
from augan.networks.layers import Critic
from augan.networks.pretext import (
    LINEAR_UP_TO,
    PretextNetwork,
    SwapPretext,
    TransformPretext,
)
from augan.networks.restoration import RestorationNetwork
from augan.networks.surprise import ColumnSurprise

__all__ = [
    "LINEAR_UP_TO",
    "Backbone",
    "ColumnSurprise",
    "Critic",
    "Networks",
    "PretextNetwork",
    "RestorationNetwork",
    "build_backbone",
    "build_class_networks",
    "build_networks",
    "build_pretext",
    "build_restoration",
    "no_networks",
]

Architecture = Literal["dense", "conv", "residual"]

EMBEDDING_DIM = 16  # dimensions of the embedding of a class
RESTORATION_WIDTH = 16  # channels of the first level of the restoration network
IMAGE_NETWORKS: dict[Architecture, tuple[Any, Any]] = {  # generator and critic
    "dense": (dense_images.DenseImageGenerator, dense_images.DenseImageCritic),
    "conv": (conv.ConvGenerator, conv.ConvCritic),
    "residual": (residual.ResidualGenerator, residual.ResidualCritic),
}


@dataclass
class Networks:
    """The networks of a model.

    Networks that a model does not need are None; a generator and a critic that were not trained
    are an `AbsentNetwork` and an `AbsentCritic`.

    Attributes
    ----------
    generator, critic : Module
        The GAN.
    encoder : Module or None
        Inverts the generator. AnoGAN has none, nor has a sampler that does not start from real
        rows.
    latent_dim : int
        Dimensions of a latent.
    pretext : PretextNetwork or None
        Feature extractor trained on a pretext task.
    folds : ModuleList or None
        Pretext networks trained without one fold of the rows each, for cross-fitting; only during
        `fit`.
    restoration : RestorationNetwork or None
        Removes made-up defects from images.
    backbone : Backbone or None
        Pretrained feature extractor; training does not change it, so it is not in `modules`.
    columns : ColumnSurprise or None
        Surprise of the cells of a table. It takes the weights of a column network that is trained
        after the others, so it is not in `modules`.
    """

    generator: nn.Module
    critic: Critic
    encoder: nn.Module | None
    latent_dim: int
    pretext: PretextNetwork | None = None
    folds: nn.ModuleList | None = None
    restoration: RestorationNetwork | None = None
    backbone: Backbone | None = None
    columns: ColumnSurprise | None = None

    def modules(self) -> dict[str, nn.Module]:
        """Return the networks that training changes, by name."""
        named = {
            "generator": self.generator,
            "critic": self.critic,
            "encoder": self.encoder,
            "pretext": self.pretext,
            "folds": self.folds,
            "restoration": self.restoration,
        }
        return {
            name: module
            for name, module in named.items()
            if module is not None and has_weights(module)
        }

    @property
    def has_generator(self) -> bool:
        """Whether there are a generator and a critic."""
        return has_weights(self.generator)


def has_weights(module: nn.Module) -> bool:
    """Return whether a module has parameters."""
    return next(module.parameters(), None) is not None


def no_networks() -> Networks:
    """Return networks without a generator, for a detector that does not use one."""
    return Networks(AbsentNetwork(), AbsentCritic(), encoder=None, latent_dim=0)


def build_networks(
    spec: Spec,
    *,
    latent_dim: int,
    width: int,
    architecture: Architecture = "conv",
    spectral_norm: bool = False,
    with_encoder: bool = True,
    seed: int = 0,
) -> Networks:
    """Return new networks: dense for a `VectorSpec`, of `architecture` for an `ImageSpec`."""
    sizes = {"latent_dim": latent_dim, "width": width}
    with seeded_layers(seed, "networks"):
        if spec.kind == "vector":
            generator: nn.Module = dense.DenseGenerator(spec, **sizes)
            critic: Critic = dense.DenseCritic(spec, width=width, spectral_norm=spectral_norm)
            encoder = dense.dense_encoder(spec, latent_dim=latent_dim) if with_encoder else None
        else:
            make_generator, make_critic = IMAGE_NETWORKS[architecture]
            generator = make_generator(spec, **sizes)
            critic = make_critic(spec, width=width, spectral_norm=spectral_norm)
            encoder = conv.conv_encoder(spec, **sizes) if with_encoder else None
    return Networks(generator, critic, encoder, latent_dim)


def build_class_networks(
    spec: Spec,
    n_classes: int,
    *,
    latent_dim: int,
    width: int,
    architecture: Architecture = "conv",
    spectral_norm: bool = False,
    with_encoder: bool = True,
    seed: int = 0,
) -> Networks:
    """Return new networks as `build_networks` does, with a conditional generator and critic."""
    networks = build_networks(
        spec,
        latent_dim=latent_dim,
        width=width,
        architecture=architecture,
        spectral_norm=spectral_norm,
        with_encoder=with_encoder,
        seed=seed,
    )
    with seeded_layers(seed, "classes"):
        wider = {"latent_dim": latent_dim + EMBEDDING_DIM, "width": width}
        base = (
            dense.DenseGenerator(spec, **wider)
            if spec.kind == "vector"
            else IMAGE_NETWORKS[architecture][0](spec, **wider, n_classes=n_classes)
        )
        networks.generator = ClassGenerator(base, n_classes, EMBEDDING_DIM)
        networks.critic = ClassCritic(networks.critic, n_classes)
    return networks


def build_pretext(
    spec: Spec,
    places: tuple[Tensor, Tensor] | None,
    *,
    width: int,
    n_networks: int,
    seed: int = 0,
    reconstruction_weight: float = 1.0,
    linear_up_to: float = LINEAR_UP_TO,
) -> list[PretextNetwork]:
    """Return new pretext networks.

    `places` are, for tables, `owner` and `varying` of `SwapPretext`, the network of tables;
    `reconstruction_weight` and `linear_up_to` are its other parameters.
    """
    with seeded_layers(seed, "pretext"):
        if spec.kind == "vector":
            assert places is not None
            how = {"reconstruction_weight": reconstruction_weight, "linear_up_to": linear_up_to}
            owner, varying = places
            return [SwapPretext(owner, varying, width=width, **how) for _ in range(n_networks)]
        return [TransformPretext(spec, width=width) for _ in range(n_networks)]


def build_backbone(name: str) -> Backbone:
    """Return a backbone with random weights."""
    with seeded_layers(0, "backbone"):
        return Backbone(name)


def build_restoration(spec: ImageSpec, *, seed: int = 0) -> RestorationNetwork:
    """Return a new network that restores details of images."""
    with seeded_layers(seed, "repair"):  # a stream's name fixes its numbers: it never changes
        return RestorationNetwork(spec.channels, width=RESTORATION_WIDTH)
