import math

import pytest
import torch

from augan.training.losses import (
    critic_loss,
    feature_matching,
    generator_loss,
    gradient_penalty,
    r1_penalty,
)

REAL = torch.tensor([0.5, -1.5, 3.0])
FAKE = torch.tensor([-0.25, 2.0, 0.0])


def _sigmoid(value):
    return 1 / (1 + math.exp(-value))


def _plain_critic_loss(gan):
    """The papers' equations, one sample at a time."""
    real, fake = REAL.tolist(), FAKE.tolist()
    if gan == "wgan-gp":
        return sum(fake) / 3 - sum(real) / 3
    if gan == "hinge":
        on_real = sum(max(0, 1 - r) for r in real) / 3
        return on_real + sum(max(0, 1 + f) for f in fake) / 3
    on_real = -sum(math.log(_sigmoid(r)) for r in real) / 3
    return on_real - sum(math.log(1 - _sigmoid(f)) for f in fake) / 3


@pytest.mark.parametrize("gan", ["wgan-gp", "gan", "dcgan", "hinge"])
def test_critic_loss_equals_a_plain_loop(gan):
    assert float(critic_loss(gan, REAL, FAKE)) == pytest.approx(_plain_critic_loss(gan), rel=1e-5)


@pytest.mark.parametrize("gan", ["wgan-gp", "gan", "dcgan", "hinge"])
def test_generator_loss_equals_a_plain_loop(gan):
    plain = -sum(FAKE.tolist()) / 3
    if gan in ("gan", "dcgan"):
        plain = -sum(math.log(_sigmoid(f)) for f in FAKE.tolist()) / 3
    assert float(generator_loss(gan, FAKE)) == pytest.approx(plain, rel=1e-5)


@pytest.mark.parametrize("gan", ["wgan-gp", "gan", "dcgan", "hinge"])
def test_a_better_critic_and_a_better_generator_have_lower_losses(gan):
    assert critic_loss(gan, REAL + 1, FAKE - 1) < critic_loss(gan, REAL, FAKE)
    assert generator_loss(gan, FAKE + 1) < generator_loss(gan, FAKE)


@pytest.mark.parametrize("shape", [(5, 4), (5, 3, 4, 4)])
def test_gradient_penalty_of_a_linear_critic_is_known(shape):
    """D(x) = w·x has the gradient w everywhere: the penalty is (|w| - 1)^2."""
    torch.manual_seed(0)
    w = torch.randn(math.prod(shape[1:]))
    real, fake = torch.randn(shape), torch.randn(shape)
    penalty = gradient_penalty(lambda x: x.flatten(1) @ w, real, fake, torch.rand(5))
    assert float(penalty) == pytest.approx(float((w.norm() - 1) ** 2), rel=1e-5)


def test_gradient_penalty_mixes_each_sample_by_one_alpha():
    seen = []

    def critic(x):
        seen.append(x.detach())
        return x.flatten(1).sum(dim=1)

    real, fake = torch.ones(4, 3, 2, 2), torch.zeros(4, 3, 2, 2)
    alpha = torch.tensor([0.0, 0.25, 0.5, 1.0])
    gradient_penalty(critic, real, fake, alpha)
    assert torch.equal(seen[0], alpha.view(4, 1, 1, 1).expand(4, 3, 2, 2))


def test_gradient_penalty_reaches_the_critics_weights():
    critic = torch.nn.Linear(3, 1)
    penalty = gradient_penalty(
        lambda x: critic(x).squeeze(1), torch.randn(4, 3), torch.randn(4, 3), torch.rand(4)
    )
    penalty.backward()
    w = critic.weight.detach()
    expected = 2 * (w.norm() - 1) * w / w.norm()
    assert torch.allclose(critic.weight.grad, expected, atol=1e-5)


def test_r1_of_a_linear_critic_is_known():
    w = torch.tensor([3.0, 4.0])
    assert float(r1_penalty(lambda x: x @ w, torch.randn(6, 2))) == pytest.approx(12.5)


def test_feature_matching_compares_means():
    real = torch.tensor([[0.0, 2.0], [2.0, 4.0]])
    fake = torch.tensor([[1.0, 3.0], [1.0, 3.0]])
    assert float(feature_matching(real, fake)) == 0.0
    assert float(feature_matching(real, fake + 2)) == pytest.approx(4.0)
