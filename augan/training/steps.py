"""One optimisation step of each network; the loop only calls these."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from augan._device import precision_of_products
from augan.networks import Critic, PretextNetwork, RestorationNetwork
from augan.training.losses import (
    GAN,
    critic_loss,
    feature_matching,
    generator_loss,
    gradient_penalty,
    r1_penalty,
)


@dataclass(frozen=True)
class TrainingConfig:
    """Losses, learning rates and batches; the estimators' docstrings document each parameter."""

    gan: GAN = "wgan-gp"
    batch_size: int = 128
    n_critic: int = 5
    gradient_penalty: float = 10.0
    r1: float = 0.0
    feature_matching: float = 0.0
    lr_generator: float = 2e-4
    lr_critic: float = 2e-4
    lr_encoder: float = 1e-3
    betas: tuple[float, float] = (0.5, 0.9)
    gradient_clip: float | None = None
    ema_decay: float = 0.99
    kappa: float = 1.0
    freeze_critic: int = 0


def critic_step(
    critic: Critic,
    generator: nn.Module,
    optimizer: torch.optim.Optimizer,
    real: Tensor,
    z: Tensor,
    alpha: Tensor,
    config: TrainingConfig,
) -> dict[str, Tensor]:
    """Take one step of the critic on `real` (B, ...) and G(`z`), with penalties."""
    with torch.no_grad():
        fake = generator(z)
    on_real, on_fake = critic(real), critic(fake)
    loss = critic_loss(config.gan, on_real, on_fake)
    figures = {"critic_loss": loss.detach(), **_accuracy(config.gan, on_real, on_fake)}
    if config.gan == "wgan-gp" and config.gradient_penalty > 0:
        penalty = gradient_penalty(critic, real, fake, alpha)
        figures["gradient_penalty"] = penalty.detach()
        loss = loss + config.gradient_penalty * penalty
    if config.r1 > 0:
        loss = loss + config.r1 * r1_penalty(critic, real)
    figures["critic_gradient_norm"] = _descend(loss, critic, optimizer, config.gradient_clip)
    return figures


def generator_step(
    critic: Critic,
    generator: nn.Module,
    optimizer: torch.optim.Optimizer,
    real: Tensor,
    z: Tensor,
    config: TrainingConfig,
) -> dict[str, Tensor]:
    """Take one step of the generator; the critic is not changed."""
    moving = [weights for weights in critic.parameters() if weights.requires_grad]
    critic.requires_grad_(False)
    features = critic.features(generator(z))
    loss = generator_loss(config.gan, critic.output(features))
    figures = {"generator_loss": loss.detach()}
    if config.feature_matching > 0:
        matching = feature_matching(critic.features(real), features)
        loss = loss + config.feature_matching * matching
    figures["generator_gradient_norm"] = _descend(loss, generator, optimizer, config.gradient_clip)
    for weights in moving:
        weights.requires_grad_(True)
    return figures


def encoder_step(
    encoder: nn.Module,
    generator: nn.Module,
    critic: Critic,
    optimizer: torch.optim.Optimizer,
    real: Tensor,
    config: TrainingConfig,
) -> dict[str, Tensor]:
    """Take one step of the encoder on the izi_f loss, with frozen generator and critic."""
    loss = izi_f_loss(real, generator(encoder(real)), critic, config.kappa)
    norm = _descend(loss, encoder, optimizer, config.gradient_clip)
    return {"encoder_loss": loss.detach(), "encoder_gradient_norm": norm}


def pretext_step(
    members: list[tuple[PretextNetwork, Tensor]],
    optimizer: torch.optim.Optimizer,
    random: torch.Generator,
    gradient_clip: float | None,
) -> dict[str, Tensor]:
    """Take one step of each pretext network on its own batch.

    Convolutions and products are in bfloat16 where that is fast.
    """
    device = members[0][1].device
    dtype = precision_of_products(device)
    with torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32):
        losses = torch.stack([network.loss(rows, random) for network, rows in members])
    modules = nn.ModuleList(network for network, _ in members)
    norm = _descend(losses.sum(), modules, optimizer, gradient_clip)
    return {"pretext_loss": losses.detach().mean(), "pretext_gradient_norm": norm}


def restoration_step(
    network: RestorationNetwork,
    images: Tensor,
    optimizer: torch.optim.Optimizer,
    random: torch.Generator,
    gradient_clip: float | None,
) -> dict[str, Tensor]:
    """Take one step of the restoration network on images (B, C, h, w) with synthetic defects."""
    loss = network.loss(images, random)
    norm = _descend(loss, network, optimizer, gradient_clip)
    return {"restoration_loss": loss.detach(), "restoration_gradient_norm": norm}


def izi_f_loss(x: Tensor, x_hat: Tensor, critic: Critic, kappa: float) -> Tensor:
    """Return |x - G(E(x))|^2 / n + kappa |f(x) - f(G(E(x)))|^2 / n_f (Schlegl 2019, eq. 4)."""
    features = F.mse_loss(critic.features(x_hat), critic.features(x))
    return F.mse_loss(x_hat, x) + kappa * features


def _descend(
    loss: Tensor,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    clip: float | None,
) -> Tensor:
    """Take one step down the loss; return the gradient's norm before clipping."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    limit = math.inf if clip is None else clip
    norm = nn.utils.clip_grad_norm_(module.parameters(), limit)
    optimizer.step()
    return norm.detach()


def _accuracy(gan: GAN, on_real: Tensor, on_fake: Tensor) -> dict[str, Tensor]:
    """Return the critic's accuracies on real and on generated rows.

    The threshold is 0, or for "wgan-gp" the midpoint between its mean outputs for both.
    """
    on_real, on_fake = on_real.detach(), on_fake.detach()
    middle = (on_real.mean() + on_fake.mean()) / 2 if gan == "wgan-gp" else 0.0
    return {
        "critic_accuracy_real": (on_real > middle).float().mean(),
        "critic_accuracy_fake": (on_fake <= middle).float().mean(),
    }
