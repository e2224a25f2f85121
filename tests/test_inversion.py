import torch

from augan.codecs.spec import Span, VectorSpec
from augan.inversion import EncoderInversion, SearchInversion
from augan.networks import build_networks

SPEC = VectorSpec((Span("x", 0, 6, "identity"),))


def _search(n_steps=60, feature_weight=0.1, **kwargs):
    networks = build_networks(SPEC, latent_dim=3, width=16, with_encoder=False)
    for module in networks.modules().values():
        module.eval().requires_grad_(False)
    inversion = SearchInversion(
        networks.generator,
        networks.critic,
        latent_dim=3,
        n_steps=n_steps,
        lr=0.05,
        feature_weight=feature_weight,
        **kwargs,
    )
    return networks, inversion


def _error(networks, z, x):
    return (networks.generator(z) - x).abs().mean(dim=1)


def test_search_finds_rows_that_the_generator_can_make():
    networks, inversion = _search(n_steps=200)
    x = networks.generator(torch.randn(20, 3))
    start = _error(networks, inversion.starts, x[:1]).min()
    assert _error(networks, inversion(x), x).mean() < 0.1 * x.std()
    assert _error(networks, inversion(x[:1]), x[:1]) < start


def test_more_steps_come_closer():
    x = _search()[0].generator(torch.randn(20, 3))
    errors = []
    for n_steps in (1, 30, 200):
        networks, inversion = _search(n_steps=n_steps)
        errors.append(float(_error(networks, inversion(x), x).mean()))
    assert errors[0] > errors[1] > errors[2]


def test_every_row_gets_its_own_latent_and_twins_get_the_same():
    _, inversion = _search()
    x = torch.randn(10, 6)
    z = inversion(torch.cat([x, x]))
    assert torch.allclose(z[:10], z[10:], atol=1e-6)
    assert torch.pdist(z[:10]).min() > 1e-3


def test_search_does_not_depend_on_the_batch():
    _, inversion = _search()
    x = torch.randn(9, 6)
    together = inversion(x)
    assert torch.allclose(together, torch.cat([inversion(row[None]) for row in x]), atol=1e-3)
    order = torch.randperm(9)
    assert torch.allclose(together[order], inversion(x[order]), atol=1e-3)


def test_search_leaves_networks_and_random_state_alone():
    networks, inversion = _search()
    before = {k: v.clone() for k, v in networks.generator.state_dict().items()}
    state = torch.get_rng_state()
    with torch.no_grad():
        z = inversion(torch.randn(4, 6, generator=torch.Generator().manual_seed(0)))
    assert not z.requires_grad
    assert all(torch.equal(before[k], v) for k, v in networks.generator.state_dict().items())
    assert all(p.grad is None for m in networks.modules().values() for p in m.parameters())
    assert torch.equal(state, torch.get_rng_state())


def test_the_encoder_is_all_there_is_to_inversion_by_encoder():
    encoder = build_networks(SPEC, latent_dim=3, width=16).encoder
    x = torch.randn(5, 6)
    assert torch.equal(EncoderInversion(encoder)(x), encoder(x))
