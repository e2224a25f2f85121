import pytest
import torch
from torch import nn

from augan.codecs.spec import ImageSpec, Span, VectorSpec
from augan.networks import build_class_networks, build_networks
from augan.networks.layers import ClassNorm

VECTOR = VectorSpec(
    (
        Span("a", 0, 1, "identity"),
        Span("a", 1, 4, "softmax"),
        Span("b", 4, 5, "identity"),
        Span("c", 5, 7, "softmax"),
    )
)
SHAPES = {"vector": (7,), "8x8": (1, 8, 8), "20x36": (3, 20, 36), "64x64": (4, 64, 64)}
SPECS = {"vector": VECTOR} | {k: ImageSpec(*v) for k, v in SHAPES.items() if k != "vector"}
ARCHITECTURES = ("dense", "conv", "residual")


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_shapes_follow_the_spec(name, architecture):
    networks = build_networks(SPECS[name], latent_dim=5, width=8, architecture=architecture)
    x = networks.generator(torch.randn(3, 5))
    assert x.shape == (3, *SHAPES[name])
    assert networks.critic(x).shape == (3,)
    assert networks.critic.features(x).shape == (3, networks.critic.n_features)
    assert networks.encoder(x).shape == (3, 5)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("spectral_norm", [False, True])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_critic_has_no_batch_norm_and_no_dropout(name, spectral_norm, architecture):
    kind = {"architecture": architecture, "spectral_norm": spectral_norm}
    critic = build_networks(SPECS[name], latent_dim=5, width=8, **kind).critic
    kinds = {type(module).__name__ for module in critic.modules()}
    assert not any("BatchNorm" in kind or "Dropout" in kind for kind in kinds)
    x = torch.randn(4, *SHAPES[name])
    critic.eval()  # spectral norm's power iteration moves on in training
    together, alone = critic(x), torch.cat([critic(row[None]) for row in x])
    assert torch.allclose(together, alone, atol=1e-5)


def test_the_critics_output_is_a_linear_function_of_its_features():
    critic = build_networks(VECTOR, latent_dim=5, width=8).critic
    assert isinstance(critic.head, nn.Linear)
    x = torch.randn(4, 7)
    assert torch.equal(critic(x), critic.head(critic.features(x)).squeeze(1))


def test_the_generator_ends_each_span_as_the_spec_says():
    x = build_networks(VECTOR, latent_dim=5, width=8).generator(10 * torch.randn(50, 5))
    assert torch.allclose(x[:, 1:4].sum(dim=1), torch.ones(50))
    assert torch.allclose(x[:, 5:7].sum(dim=1), torch.ones(50))
    assert x[:, 0].abs().max() > 1.0  # a number is not bounded
    images = build_networks(SPECS["8x8"], latent_dim=5, width=8).generator(torch.randn(9, 5))
    assert images.abs().max() <= 1.0


def test_the_encoder_is_unbounded():
    """A tanh at its end could not reach the prior's tails."""
    for name, spec in SPECS.items():
        encoder = build_networks(spec, latent_dim=5, width=8).encoder.eval()
        assert encoder(1000 * torch.randn(4, *SHAPES[name])).abs().max() > 10, name


def test_spectral_norm_bounds_every_layer():
    critic = build_networks(VECTOR, latent_dim=5, width=16, spectral_norm=True).critic
    for _ in range(50):
        critic(torch.randn(2, 7))
    layers = [m for m in critic.modules() if isinstance(m, nn.Linear)]
    assert len(layers) == 3
    for layer in layers:
        norm = torch.linalg.matrix_norm(layer.weight.detach(), 2)
        assert float(norm) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_layer_of_an_images_critic_is_normalised(architecture):
    kind = {"architecture": architecture, "spectral_norm": True}
    critic = build_networks(SPECS["20x36"], latent_dim=5, width=8, **kind).critic
    layers = [m for m in critic.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    assert len(layers) >= 3
    assert all(hasattr(layer, "parametrizations") for layer in layers)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_images_of_128_pixels(architecture):
    spec = ImageSpec(3, 128, 128)
    networks = build_networks(spec, latent_dim=5, width=4, architecture=architecture)
    x = networks.generator(torch.randn(2, 5))
    assert x.shape == (2, 3, 128, 128) and networks.critic(x).shape == (2,)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_networks_that_are_told_a_class(architecture):
    spec = SPECS["20x36"]
    networks = build_class_networks(spec, 3, latent_dim=5, width=8, architecture=architecture)
    classes, z = torch.eye(3), torch.randn(1, 5).expand(3, 5)
    x = networks.generator.eval()(z, classes)
    assert x.shape == (3, 3, 20, 36)
    assert not torch.allclose(x[0], x[1])  # of one latent, two classes
    features = networks.critic.features(x[:1].expand(3, -1, -1, -1))
    judged = networks.critic.class_output(features, classes)
    assert len(set(judged.tolist())) == 3


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_norms_are_told_the_class(architecture):
    spec = SPECS["20x36"]
    networks = build_class_networks(spec, 3, latent_dim=5, width=8, architecture=architecture)
    generator, classes = networks.generator.eval(), torch.eye(3)
    z = torch.randn(1, 5).expand(3, 5)
    torch.nn.init.zeros_(generator.embedding)
    untold = generator(z, classes)
    assert torch.allclose(untold[0], untold[1], atol=1e-6)  # norms begin alike for all classes
    for norm in (module for module in generator.modules() if isinstance(module, ClassNorm)):
        torch.nn.init.normal_(norm.of_class, std=0.5)
    told = generator(z, classes)
    assert not torch.allclose(told[0], told[1], atol=0.01)
    nobody = generator(z, 0 * classes)  # of any class
    assert torch.allclose(nobody, untold, atol=1e-6)


def test_same_seed_same_weights_and_the_global_stream_is_left_alone():
    before = torch.get_rng_state()
    one, two, other = (build_networks(VECTOR, latent_dim=5, width=8, seed=s) for s in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    weight = "layers.0.weight"
    assert torch.equal(one.generator.state_dict()[weight], two.generator.state_dict()[weight])
    assert not torch.equal(one.generator.state_dict()[weight], other.generator.state_dict()[weight])


def test_without_an_encoder():
    assert build_networks(VECTOR, latent_dim=5, width=8, with_encoder=False).encoder is None
