import numpy as np
import pytest
import torch
from sklearn.covariance import LedoitWolf
from sklearn.neighbors import NearestNeighbors

from augan.codecs.spec import Span, VectorSpec
from augan.networks import build_networks
from augan.scoring.calibration import Conformal, RobustScale, fuse
from augan.scoring.heads import HEADS, Neighbours, build_head
from augan.scoring.scorer import AnoGANScore, Explainer, FAnoGANScore
from augan.scoring.view import View

SPEC = VectorSpec((Span("x", 0, 6, "identity"),))


@pytest.fixture
def networks():
    networks = build_networks(SPEC, latent_dim=3, width=16)
    for module in networks.modules().values():
        module.requires_grad_(False)
    return networks


def make_view(networks, x):
    return View(
        x,
        2 * x,
        inversion=networks.encoder,
        generator=networks.generator,
        critic=networks.critic,
    )


@pytest.fixture
def train(networks):
    return make_view(networks, torch.randn(300, 6, generator=torch.Generator().manual_seed(0)))


@pytest.fixture
def rows(networks):
    return make_view(networks, torch.randn(40, 6, generator=torch.Generator().manual_seed(1)))


def _fitted(name, train, **kwargs):
    sizes = {"n_neighbors": 5, "memory_size": 1000} | kwargs
    head = build_head(name, **sizes)
    head.fit(train, np.random.default_rng(0))
    return head


def test_the_papers_scores_are_their_equations_and_nothing_else(networks, rows):
    x, x_hat = rows.x.numpy(), networks.generator(networks.encoder(rows.x)).numpy()
    f, f_hat = (networks.critic.features(torch.from_numpy(a)).numpy() for a in (x, x_hat))
    residual, discrimination = FAnoGANScore(kappa=0.7)(rows)
    expected = ((x - x_hat) ** 2).mean(1) + 0.7 * ((f - f_hat) ** 2).mean(1)
    assert np.allclose((residual + discrimination).numpy(), expected, rtol=1e-5)
    residual, discrimination = AnoGANScore(feature_weight=0.1)(rows)
    expected = 0.9 * np.abs(x - x_hat).sum(1) + 0.1 * np.abs(f - f_hat).sum(1)
    assert np.allclose((residual + discrimination).numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize("name", HEADS)
def test_every_head_gives_one_score_a_row_and_far_rows_more(name, networks, train, rows):
    head = _fitted(name, train)
    near, far = head(rows), head(make_view(networks, 30 * rows.x))
    assert near.shape == (40,)
    assert torch.isfinite(near).all()
    assert (far > near).float().mean() > 0.9


def test_mahalanobis_equals_scikit_learns(train, rows):
    ours = _fitted("critic_mahalanobis", train)(rows)
    theirs = LedoitWolf().fit(train.f_x.numpy()).mahalanobis(rows.f_x.numpy())
    assert np.allclose(ours.numpy(), theirs, rtol=1e-2)


@pytest.mark.parametrize("name", ["critic_neighbors", "data_neighbors"])
def test_neighbours_equal_scikit_learns(name, train, rows):
    head = _fitted(name, train)
    bank, queries = head.rows(train).numpy(), head.rows(rows).numpy()
    distances, _ = NearestNeighbors(n_neighbors=5).fit(bank).kneighbors(queries)
    assert np.allclose(head(rows).numpy(), distances.mean(axis=1), rtol=1e-3)


def test_the_memory_bank_is_bounded(train, rows):
    head = _fitted("data_neighbors", train, memory_size=50)
    assert isinstance(head, Neighbours)
    assert head.bank.shape == (50, 6)
    few = _fitted("data_neighbors", train, n_neighbors=1000)
    assert few(rows).shape == (40,)


def test_scale_is_the_median_and_mad_of_the_logarithm():
    parts = torch.exp(torch.randn(999, 2, generator=torch.Generator().manual_seed(0)))
    scale = RobustScale()
    scale.fit(parts)
    scaled = scale(parts).numpy()
    assert np.allclose(np.median(scaled, axis=0), 0, atol=1e-5)
    mad = 1.4826 * np.median(np.abs(scaled - np.median(scaled, axis=0)), axis=0)
    assert np.allclose(mad, 1, atol=1e-4)


def test_scale_copes_with_heads_that_are_mostly_or_always_the_same():
    parts = torch.zeros(100, 3)
    parts[:30, 1] = torch.rand(30)
    parts[:, 2] = 5.0
    scale = RobustScale()
    scale.fit(parts)
    assert torch.isfinite(scale(parts)).all()
    higher = scale(parts + 1)
    assert (higher > scale(parts)).all()


def test_p_values_equal_a_plain_loop():
    calibration = torch.tensor([3.0, 1.0, 2.0, 2.0, 5.0])
    conformal = Conformal()
    conformal.fit(calibration)
    scores = torch.tensor([0.0, 1.0, 2.0, 2.5, 5.0, 6.0])
    expected = [(1 + sum(c >= s for c in calibration.tolist())) / 6 for s in scores.tolist()]
    assert conformal.p_value(scores).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2, 0.5])
def test_beyond_the_threshold_means_a_p_value_of_at_most_alpha(alpha):
    conformal = Conformal()
    conformal.fit(torch.randn(400, generator=torch.Generator().manual_seed(0)))
    scores = torch.linspace(-4, 4, 2001)
    beyond = scores.double() > conformal.threshold(alpha)
    assert torch.equal(beyond, conformal.p_value(scores) <= alpha)


def test_fusion():
    parts = torch.tensor([[1.0, 5.0, 3.0], [0.0, -2.0, -4.0]])
    equal = torch.ones(3)
    assert fuse(parts, equal, "top2").tolist() == [4.0, -1.0]
    assert fuse(parts, equal, "mean").tolist() == [3.0, -2.0]
    assert fuse(parts, equal, "max").tolist() == [5.0, 0.0]
    assert fuse(parts[:, :1], equal[:1], "top2").tolist() == [1.0, 0.0]
    assert fuse(parts, torch.tensor([1.0, 0.2, 1.0]), "max").tolist() == [3.0, 0.0]


def test_explaining_adds_up_the_channels_of_a_column():
    owners = torch.tensor([0, 0, 1]), torch.tensor([0, 1])
    explainer = Explainer(owners)
    explainer.fit(torch.ones(4, 5))
    row = torch.tensor([[2.0, 4.0, 1.0, 3.0, 9.0]])
    assert explainer(row).tolist() == [[(6 / 2 + 3 / 1) / 2, (1 / 1 + 9 / 1) / 2]]


@pytest.mark.parametrize("name", ["table_detector", "image_detector"])
def test_the_scorer_is_one_graph_from_raw_rows_to_scores(name, request, mixed_frame, digits):
    """Encoding, inversion, heads and calibration are all inside what can be exported."""
    detector = request.getfixturevalue(name)
    raw = detector.codec_.prepare(mixed_frame if name == "table_detector" else digits)
    n = torch.export.Dim("n", min=2, max=500)
    exported = torch.export.export(detector.scorer_, (raw[:50],), dynamic_shapes=({0: n},)).module()
    with torch.no_grad():
        score, parts = exported(raw[:120])
        expected, expected_parts = detector.scorer_(raw[:120])
    assert torch.allclose(score, expected, atol=1e-4)
    assert torch.allclose(parts, expected_parts, atol=1e-3)
