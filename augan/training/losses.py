"""GAN losses: pure functions of tensors, each with its paper's equation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

GAN = Literal["wgan-gp", "dcgan", "gan", "hinge"]


def critic_loss(gan: GAN, real: Tensor, fake: Tensor) -> Tensor:
    """Return the critic's loss, given its outputs (n,) on real and generated rows."""
    if gan == "wgan-gp":
        # Arjovsky 2017, eq. 2: E[D(x~)] - E[D(x)]
        return fake.mean() - real.mean()
    if gan == "hinge":
        # Lim and Ye 2017: E[max(0, 1 - D(x))] + E[max(0, 1 + D(x~))]
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
    # Goodfellow 2014, eq. 1, on logits: -E[log s(D(x))] - E[log(1 - s(D(x~)))]
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def generator_loss(gan: GAN, fake: Tensor) -> Tensor:
    """Return the generator's loss, given the critic's outputs (n,) on generated rows."""
    if gan in ("wgan-gp", "hinge"):
        # -E[D(x~)]
        return -fake.mean()
    # Goodfellow 2014, section 3, non-saturating: -E[log s(D(x~))]
    return F.softplus(-fake).mean()


def gradient_penalty(
    critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, alpha: Tensor
) -> Tensor:
    """Return E[(|grad D(x^)| - 1)^2] at x^ = alpha x + (1 - alpha) x~ (Gulrajani 2017, eq. 3).

    `alpha` (n,) has one number for each sample, also where samples have several channels.
    """
    alpha = alpha.view(-1, *[1] * (real.ndim - 1))
    between = (alpha * real + (1 - alpha) * fake).detach().requires_grad_()
    norms = _gradient(critic, between).norm(2, dim=1)
    return (norms - 1).square().mean()


def r1_penalty(critic: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """Return E[|grad D(x)|^2] / 2 on real rows (Mescheder 2018, eq. 9)."""
    gradient = _gradient(critic, real.detach().requires_grad_())
    return gradient.square().sum(dim=1).mean() / 2


def feature_matching(real: Tensor, fake: Tensor) -> Tensor:
    """Return |E[f(x)] - E[f(x~)]|^2 / n_f of features (n, n_f) (Salimans 2016, section 3.1)."""
    return (real.mean(dim=0) - fake.mean(dim=0)).square().mean()


def _gradient(critic: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return the critic's gradient at each row, flattened to (n, D)."""
    (gradient,) = torch.autograd.grad(critic(x).sum(), x, create_graph=True)
    return gradient.flatten(1)
