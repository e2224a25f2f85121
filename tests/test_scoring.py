import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load as load_tensors
from scipy.stats import kstest
from sklearn.covariance import LedoitWolf
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from augan import AnoGAN, FAnoGAN
from augan.codecs.image import ImageCodec
from augan.codecs.spec import ImageSpec, Span, VectorSpec
from augan.models.detector_training import split_training_rows
from augan.networks import build_networks, build_pretext, build_restoration
from augan.scoring.calibration import Conformal, NegativeLogP, RobustScale, fuse
from augan.scoring.explainer import Explainer
from augan.scoring.heads import (
    BACKBONE_HEADS,
    HEADS,
    IMAGE_HEADS,
    TABLE_HEADS,
    build_head,
    share_components,
)
from augan.scoring.neighbours import NEGLIGIBLE, SPACING_ROWS, Neighbours
from augan.scoring.paper import AnoGANScore, FAnoGANScore
from augan.scoring.view import View

SPEC = VectorSpec((Span("x", 0, 6, "identity"),))
RANGE_UNITS = torch.tensor([1.0, 2.0, 1.0, 4.0, 1.0, 1.5])


@pytest.fixture
def networks():
    return make_networks(SPEC, (torch.arange(6), torch.arange(6)))


def make_networks(spec, places):
    networks = build_networks(spec, latent_dim=3, width=16)
    (networks.pretext,) = build_pretext(spec, places, width=16, n_networks=1)
    if isinstance(spec, ImageSpec):
        networks.restoration = build_restoration(spec)
    for module in networks.modules().values():
        module.eval().requires_grad_(False)
    return networks


def make_view(networks, x):
    codec = SimpleNamespace(range_units=RANGE_UNITS)
    if x.ndim == 4:
        codec = ImageCodec(detail_size=8).fit(x[:, 0].numpy()).module
    return View(
        x,
        2 * x.flatten(1),
        inversion=networks.encoder,
        generator=networks.generator,
        critic=networks.critic,
        pretext=networks.pretext,
        restoration=networks.restoration,
        codec=codec,
        raw=x,
    )


@pytest.fixture
def train(networks):
    return make_view(networks, torch.randn(300, 6, generator=torch.Generator().manual_seed(0)))


@pytest.fixture
def rows(networks):
    return make_view(networks, torch.randn(40, 6, generator=torch.Generator().manual_seed(1)))


def _fitted(name, train, **kwargs):
    sizes = {"n_neighbors": 5, "memory_size": 1000, "of_images": False} | kwargs
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


OF_COLUMNS = ("surprise",)  # tested with a trained network in tests/test_surprise.py


@pytest.mark.parametrize("name", [n for n in HEADS if n not in IMAGE_HEADS + OF_COLUMNS])
def test_every_head_gives_one_score_a_row_and_far_rows_more(name, networks, train, rows):
    head = _fitted(name, train)
    near, far = head(rows), head(make_view(networks, 30 * rows.x))
    assert near.shape == (40,)
    assert torch.isfinite(near).all()
    assert (far > near).float().mean() > 0.9


UNTRAINED = ("detail_restoration", *BACKBONE_HEADS)  # say nothing before they are trained


@pytest.mark.parametrize("name", [name for name in HEADS if name not in TABLE_HEADS + UNTRAINED])
def test_every_head_of_images_gives_one_score_an_image_and_noise_more(name):
    spec, random = ImageSpec(1, 8, 8), torch.Generator().manual_seed(0)
    networks = make_networks(spec, None)
    flat = torch.rand(200, 1, 1, 1, generator=random).expand(-1, 1, 8, 8)
    even = flat + 0.1 * torch.randn(200, 1, 8, 8, generator=random)
    noise = 5 * torch.randn(40, 1, 8, 8, generator=random)
    head = _fitted(name, make_view(networks, even), of_images=True)
    near, far = head(make_view(networks, even[:40])), head(make_view(networks, noise))
    assert near.shape == far.shape == (40,)
    assert torch.isfinite(near).all() and torch.isfinite(far).all()
    assert far.median() > near.median()


MAHALANOBIS = {
    "critic_mahalanobis": "f_x",
    "pretext_mahalanobis": "pretext_features",
    "quantile_mahalanobis": "x",
}
NEIGHBOURS = {
    "critic_neighbors": "f_x",
    "data_neighbors": "ranged",
    "quantile_neighbors": "x",
    "pretext_neighbors": "pretext_features",
    "repair_neighbors": "repair_error",
}


@pytest.mark.parametrize("name", MAHALANOBIS)
def test_mahalanobis_equals_scikit_learns(name, train, rows):
    ours = _fitted(name, train)(rows)
    fitted_to, queries = (getattr(view, MAHALANOBIS[name]).numpy() for view in (train, rows))
    theirs = LedoitWolf().fit(fitted_to).mahalanobis(queries)
    assert np.allclose(ours.numpy(), theirs, rtol=1e-2)


def test_deviation_equals_that_of_features_standardised_by_scikit_learn(train, rows):
    scaler = StandardScaler().fit(train.pretext_features.numpy())
    expected = (scaler.transform(rows.pretext_features.numpy()) ** 2).mean(axis=1)
    assert np.allclose(_fitted("pretext_deviation", train)(rows).numpy(), expected, rtol=1e-3)


def test_a_feature_that_never_varies_does_not_decide_alone(networks, train, rows):
    head = _fitted("pretext_deviation", train)
    with torch.no_grad():
        networks.pretext.layers[-1].weight[0] = 0
    constant = _fitted("pretext_deviation", make_view(networks, train.x))
    assert constant.deviation.min() > 0
    scores = constant(make_view(networks, rows.x)), head(make_view(networks, rows.x))
    assert scores[0].median() < 2 * scores[1].median()


def _neighbour_scores(train, queries, bank=None, k=1, *, spaced=True):
    """Return the scores of a neighbour head, by a plain loop over the rows."""
    bank = train if bank is None else bank
    spread = np.sqrt(((train - train.mean(axis=0)) ** 2).sum(axis=1).mean())
    found = NearestNeighbors(n_neighbors=min(SPACING_ROWS + 1, len(bank))).fit(bank)
    spacing = found.kneighbors(bank)[0][:, 1:].mean(axis=1) / spread + NEGLIGIBLE
    spacing = spacing if spaced else np.ones(len(bank))
    scores = []
    for row in queries:
        squares = ((bank - row) ** 2).sum(axis=1) / spread**2
        quotients = np.sqrt(squares + NEGLIGIBLE**2) / np.sqrt(spacing)
        scores.append(np.sort(quotients)[:k].mean())
    return np.array(scores)


@pytest.mark.parametrize("n_neighbors", [1, 5])
@pytest.mark.parametrize("name", NEIGHBOURS)
def test_neighbours_equal_a_plain_loop_over_the_memory(name, n_neighbors, train, rows):
    """Distances to rows of the memory by the square root of their spacing."""
    fitted_to, queries = (getattr(view, NEIGHBOURS[name]).numpy() for view in (train, rows))
    head = _fitted(name, train, n_neighbors=n_neighbors)
    expected = _neighbour_scores(fitted_to, queries, k=n_neighbors)
    assert np.allclose(head(rows).numpy(), expected, rtol=1e-3)
    sampled = _fitted(name, train, n_neighbors=n_neighbors, memory_size=60)
    spread = np.sqrt(((fitted_to - fitted_to.mean(axis=0)) ** 2).sum(axis=1).mean())
    bank = sampled.bank.numpy() * spread + fitted_to.mean(axis=0)
    expected = _neighbour_scores(fitted_to, queries, bank, k=n_neighbors)
    assert np.allclose(sampled(rows).numpy(), expected, rtol=1e-3)


@pytest.mark.parametrize("n_neighbors", [1, 5])
@pytest.mark.parametrize("name", NEIGHBOURS)
def test_distances_between_images_are_not_divided_by_the_spacing(name, n_neighbors, train, rows):
    fitted_to, queries = (getattr(view, NEIGHBOURS[name]).numpy() for view in (train, rows))
    distances, _ = NearestNeighbors(n_neighbors=n_neighbors).fit(fitted_to).kneighbors(queries)
    spread = np.sqrt(((fitted_to - fitted_to.mean(axis=0)) ** 2).sum(axis=1).mean())
    head = _fitted(name, train, n_neighbors=n_neighbors, of_images=True)
    assert (head.weights == 1).all()
    assert np.allclose(head(rows).numpy(), distances.mean(axis=1) / spread, rtol=1e-3)


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_the_nearest_rows_are_found_as_the_differences_from_them_tell(name, train, rows):
    fitted_to, queries = (getattr(view, NEIGHBOURS[name]) for view in (train, rows))
    head = _fitted(name, train, n_neighbors=3)
    distances = torch.cdist(queries, fitted_to) / head.unit
    quotients = (distances.square() + NEGLIGIBLE**2).sqrt() * head.weights
    nearest = quotients.topk(3, dim=1, largest=False).indices
    expected = (queries[:, None] - fitted_to[nearest]).abs().mean(dim=1)
    assert torch.allclose(head.difference(rows), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "n_features", "n_components", "of_images"),
    [
        ("data_neighbors", 1100, 299, False),  # one less than the rows
        ("repair_neighbors", 600, 32, False),
        ("data_neighbors", 600, 64, True),
    ],
)
def test_many_features_are_taken_in_their_principal_components(
    networks, name, n_features, n_components, of_images
):
    """Rows of many values that lie in ten dimensions: nothing is lost in the components."""
    random = torch.Generator().manual_seed(0)
    plane = torch.randn(10, n_features, generator=random)
    train, rows = (torch.randn(n, 10, generator=random) @ plane for n in (300, 40))

    def view_of(features):
        view = make_view(networks, torch.zeros(len(features), 6))
        setattr(view, NEIGHBOURS[name], features)
        return view

    head = build_head(name, n_neighbors=5, memory_size=1000, of_images=of_images)
    head.fit(view_of(train), np.random.default_rng(0))
    assert head.bank.shape == (300, n_components + 1)
    scores = head(view_of(rows)).numpy()
    expected = _neighbour_scores(train.numpy(), rows.numpy(), k=5, spaced=not of_images)
    assert np.allclose(scores, expected, rtol=1e-2)
    aside = rows + 9 * torch.randn(40, n_features, generator=random)  # out of all components
    assert head(view_of(aside)).min() > 2 * scores.max()


@pytest.mark.parametrize("n_rows", [300, 20])  # more, and fewer, than the 32 features
def test_neighbours_are_the_same_in_the_components_of_the_mahalanobis_distance(
    networks, train, rows, n_rows
):
    few = make_view(networks, train.x[:n_rows])
    heads = {
        name: build_head(name, n_neighbors=2, memory_size=100, of_images=False)
        for name in ("pretext_mahalanobis", "pretext_neighbors")
    }
    share_components(heads)
    for head in heads.values():
        head.fit(few, np.random.default_rng(0))
    alone = _fitted("pretext_neighbors", few, n_neighbors=2, memory_size=100)
    for view in (rows, make_view(networks, 30 * rows.x)):
        assert np.allclose(heads["pretext_neighbors"](view), alone(view), rtol=1e-3)
        again = heads["pretext_mahalanobis"]
        components, others, rest = view.components[again]
        assert components.shape == (40, min(32, again.directions.shape[1]))
        assert np.allclose(others.square().sum(dim=1), rest, rtol=1e-4)
        features = view.pretext_features - again.mean
        total = components.square().sum(dim=1) + rest
        assert np.allclose(total, features.square().sum(dim=1), rtol=1e-4)


def test_the_latent_cycle_compares_a_latent_with_that_of_its_reconstruction(networks, rows):
    z = networks.encoder(rows.x)
    cycle = networks.encoder(networks.generator(z)) - z
    scores = build_head("latent_cycle", n_neighbors=1, memory_size=1, of_images=False)(rows)
    assert np.allclose(scores.numpy(), (cycle**2).mean(dim=1).numpy(), rtol=1e-5)


def test_the_memory_bank_is_bounded(train, rows):
    head = _fitted("data_neighbors", train, memory_size=50)
    assert isinstance(head, Neighbours)
    assert head.bank.shape == (50, 6)
    again = _fitted("data_neighbors", train, memory_size=50)
    assert torch.equal(head.bank, again.bank)
    few = _fitted("data_neighbors", train, n_neighbors=1000)
    assert few(rows).shape == (40,)


@pytest.mark.parametrize("name", NEIGHBOURS)
def test_a_full_memory_is_a_random_sample_of_the_rows(name, train):
    head = build_head(name, n_neighbors=1, memory_size=48, of_images=False)
    taken = []
    for seed in (0, 0, 1):
        head.fit(train, np.random.default_rng(seed))
        near = torch.cdist(head.bank, head._compared(head.features(train))).min(dim=1)
        assert near.values.max() < 1e-3
        taken.append(near.indices)
    assert torch.equal(taken[0], taken[1])
    assert [len(set(places.tolist())) for places in taken] == [48] * 3
    for places in taken:  # in their order, and from all of them
        assert torch.equal(places, places.sort().values)
        assert places.min() < 60 and places.max() >= 240
    assert 0 < len(set(taken[0].tolist()) & set(taken[2].tolist())) < 24


def test_the_memory_holds_at_most_as_many_rows_as_it_is_given(train):
    head = build_head("quantile_neighbors", n_neighbors=1, memory_size=48, of_images=False)
    sizes = []
    for n_rows in (None, 30, 200, 1000):
        head.fit(train, np.random.default_rng(0), n_rows)
        sizes.append(len(head.bank))
    assert sizes == [48, 30, 48, 48]


def test_equal_rows_in_the_memory_have_a_small_spacing_and_no_division_by_zero(networks):
    rows = make_view(networks, torch.eye(6).repeat(30, 1))
    head = build_head("quantile_neighbors", n_neighbors=1, memory_size=1000, of_images=False)
    head.fit(rows, np.random.default_rng(0))
    assert torch.allclose(head.weights, torch.full((180,), NEGLIGIBLE**-0.5))
    scores = head(make_view(networks, torch.eye(6)))
    assert np.allclose(scores.numpy(), NEGLIGIBLE**0.5, rtol=1e-4)
    assert head(make_view(networks, torch.eye(6) + 0.1)).min() > 1


@pytest.mark.parametrize("name", ["data_neighbors", "quantile_neighbors"])
def test_rows_themselves_count_for_half(name):
    heads = {
        n: build_head(n, n_neighbors=1, memory_size=1, of_images=False).weight
        for n in (name, "repair")
    }
    assert heads == {name: 0.5, "repair": 1.0}


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
    scores = torch.tensor([0.0, 1.0, 2.0, 2.5, 5.0])
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
    some = torch.tensor([1.0, 0.5, 0.5])
    assert fuse(parts, some, "mean").tolist() == [(1 + 2.5 + 1.5) / 2, (0 - 1 - 2) / 2]
    assert fuse(parts, equal, "top2").tolist() == [4.0, -1.0]
    assert fuse(parts, equal, "mean").tolist() == [3.0, -2.0]
    assert fuse(parts, equal, "max").tolist() == [5.0, 0.0]
    assert fuse(parts[:, :1], equal[:1], "top2").tolist() == [1.0, 0.0]
    assert fuse(parts, torch.tensor([1.0, 0.2, 1.0]), "max").tolist() == [3.0, 0.0]


def test_explaining_adds_up_the_channels_of_a_column():
    owners = torch.tensor([0, 0, 1]), torch.tensor([0, 1])
    explainer = Explainer(owners, 2)
    explainer.fit(torch.ones(4, 5))
    row = torch.tensor([[2.0, 4.0, 1.0, 3.0, 9.0]])
    assert explainer(row).tolist() == [[(6 / 2 + 3 / 1) / 2, (1 / 1 + 9 / 1) / 2]]


# by default exports of images are those of test_export_images.py
@pytest.mark.parametrize(
    "name", ["table_detector", pytest.param("image_detector", marks=pytest.mark.slow)]
)
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


# Cross-fitting

TINY = {
    **dict.fromkeys(("max_steps", "pretext_steps"), 20),
    **{"n_critic": 1, "width": 16, "latent_dim": 2, "n_folds": 3, "random_state": 0},
}
NEAREST = [("data_neighbors",), ("pretext_neighbors",)]


def _quick(**params):
    return FAnoGAN(encoder_steps=20, **{**TINY, **params})


def _dependent_rows(n, seed=0):
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(2, n))
    return np.stack([a, b, a + 0.3 * b + 0.2 * random.normal(size=n), a * b], axis=1)


def test_calibration_scores_equal_a_plain_loop_over_the_folds():
    X = _dependent_rows(120)
    detector = _quick(heads=("data_neighbors",), n_neighbors=1).fit(X)
    raw = detector.codec_.prepare(X)
    ranged = detector.scorer_.view(raw).ranged.numpy()
    folds = split_training_rows(detector.model_, raw).folds.numpy()
    assert sorted(np.bincount(folds)) == [40, 40, 40]
    distances = np.empty(len(X))
    for fold in range(3):
        distances[folds == fold] = _neighbour_scores(ranged[folds != fold], ranged[folds == fold])
    scale = NegativeLogP()
    scale.fit(torch.from_numpy(distances[:, None]).float())
    expected = scale(torch.from_numpy(distances[:, None]).float())[:, 0].sort().values
    assert np.allclose(detector.scorer_.conformal.scores.numpy(), expected.numpy(), atol=1e-2)


def test_one_fold_of_held_out_rows_calibrates_by_a_plain_loop():
    """Heads that are fitted to the other rows score them; those that are kept know all rows."""
    X = _dependent_rows(120)
    held_out = {"n_folds": 1, "validation_fraction": 0.25}
    detector = _quick(heads=("data_neighbors",), n_neighbors=1, **held_out).fit(X)
    raw = detector.codec_.prepare(X)
    ranged = detector.scorer_.view(raw).ranged
    rows = split_training_rows(detector.model_, raw)
    assert int(rows.held_out.sum()) == 30 == detector.n_calibration_
    known, unseen = ranged[~rows.held_out].numpy(), ranged[rows.held_out].numpy()
    distances = torch.from_numpy(_neighbour_scores(known, unseen)[:, None]).float()
    scale = NegativeLogP()
    scale.fit(distances)
    expected = scale(distances)[:, 0].sort().values
    assert np.allclose(detector.scorer_.conformal.scores.numpy(), expected.numpy(), atol=1e-2)
    head = detector.scorer_.heads["data_neighbors"]
    assert torch.allclose(head.centre, ranged.mean(dim=0), atol=1e-5)
    assert len(head.bank) == 90  # as many as calibration had


@pytest.mark.parametrize("heads", NEAREST)
def test_no_row_calibrates_against_itself(heads):
    """To the heads that are kept a training row is its own neighbour; in calibration it is not."""
    X = _dependent_rows(120)
    detector = _quick(heads=heads, n_neighbors=1).fit(X)
    calibration = detector.scorer_.conformal.scores.numpy()
    scores = detector.anomaly_score(X)
    assert np.median(scores) == calibration.min() == 0  # below all that calibrate
    assert (scores == 0).mean() > 0.6  # two thirds are in the memory
    assert (calibration == 0).sum() == 1
    assert np.median(calibration) == pytest.approx(np.log(2), abs=0.05)
    with torch.no_grad():
        own = detector.scorer_.heads[heads[0]](detector.scorer_.view(detector.codec_.prepare(X)))
    lowest = detector.scorer_.scale.starts[0, 0].exp() - detector.scorer_.scale.floor
    assert own.median() < 0.5 * lowest.item()


@pytest.mark.parametrize("heads", [*NEAREST, ("pretext_mahalanobis",), "auto"])
def test_an_outlier_among_the_training_rows_is_one_in_calibration(heads):
    X = _dependent_rows(120)
    X[7] = 30, -30, 30, -30
    scores = _quick(heads=heads, n_neighbors=1).fit(X).scorer_.conformal.scores
    assert scores[-1] > 3
    assert scores[-1] > scores[-2] + 0.5


@pytest.mark.parametrize("cls", [FAnoGAN, AnoGAN])
@pytest.mark.parametrize(
    ("params", "n"),
    [
        ({}, 60),
        ({"heads": ("data_neighbors",)}, 60),
        ({"heads": ("pretext_mahalanobis", "data_neighbors")}, 60),
        ({"heads": ("pretext_mahalanobis", "latent")}, 15),
        ({"heads": ("critic_neighbors",)}, 15),
        ({"scoring": "paper"}, 15),
    ],
)
def test_all_rows_calibrate_unless_the_gan_would_have_seen_them(cls, params, n):
    own = {"encoder_steps": 5} if cls is FAnoGAN else {"search_steps": 2}
    quick = {**TINY, "max_steps": 5, "pretext_steps": 5, "validation_fraction": 0.25}
    detector = cls(**quick, **own, **params).fit(_dependent_rows(60))
    assert len(detector.scorer_.conformal.scores) == n


@pytest.mark.parametrize("n_folds", [1, 4])
@pytest.mark.parametrize("heads", ["auto", ("data_neighbors",), ("pretext_mahalanobis", "latent")])
def test_p_values_of_new_normals_are_uniform(heads, n_folds):
    X, fresh = _dependent_rows(800), _dependent_rows(3000, seed=1)
    held_out = {"n_folds": n_folds, "validation_fraction": 0.5}
    detector = _quick(heads=heads, pretext_steps=100, **held_out).fit(X)
    p = detector.p_value(fresh)
    n = len(detector.scorer_.conformal.scores)
    assert kstest(p, "uniform").statistic < 2 / np.sqrt(n)
    for alpha in (0.02, 0.05, 0.2):
        deviation = np.sqrt(alpha * (1 - alpha) * (1 / n + 1 / len(p)))
        assert (p <= alpha).mean() == pytest.approx(alpha, abs=4 * deviation)


def test_the_networks_of_the_folds_do_not_outlive_fit(tmp_path):
    detector = _quick(n_folds=4).fit(_dependent_rows(60))
    assert detector.networks_.pretext is not None
    assert detector.networks_.folds is None
    detector.save(tmp_path / "m.augan")
    with zipfile.ZipFile(tmp_path / "m.augan") as archive:
        tensors = load_tensors(archive.read("weights.safetensors"))
    assert not [name for name in tensors if "folds" in name]
    kept = {name for name in tensors if name.startswith("parts.pretext.")}
    assert kept == {f"parts.pretext.{name}" for name in detector.networks_.pretext.state_dict()}


@pytest.mark.parametrize("params", [{"heads": ("latent", "data_neighbors")}, {"scoring": "paper"}])
def test_there_is_no_pretext_network_when_nothing_asks_for_it(params):
    detector = _quick(**params).fit(_dependent_rows(60))
    assert detector.networks_.pretext is None and detector.networks_.folds is None
    assert {row["phase"] for row in detector.history_} == {"gan", "encoder"}
    assert detector.explain(_dependent_rows(5)).shape == (5, 4)


# Training rows that are left out


@pytest.mark.parametrize(
    "heads",
    [("data_neighbors",), ("pretext_mahalanobis",), ("data_neighbors", "pretext_neighbors")],
)
def test_contamination_leaves_the_oddest_rows_out_of_heads_and_calibration(heads):
    odd = 6 * np.random.default_rng(2).normal(size=(12, 4))
    X = np.concatenate([_dependent_rows(120), odd])
    trimmed = _quick(heads=heads, contamination=0.1).fit(X)
    plain = _quick(heads=heads).fit(X)
    assert len(plain.scorer_.conformal.scores) == 132
    assert len(trimmed.scorer_.conformal.scores) == pytest.approx(0.9 * 132, abs=1)
    assert (trimmed.predict(X)[120:] == -1).mean() > 0.9
    assert (trimmed.predict(X) == -1).sum() == pytest.approx(13, abs=1)
    if heads[0] == "data_neighbors":
        kept, everything = (d.scorer_.heads["data_neighbors"].bank for d in (trimmed, plain))
        assert len(everything) == 88  # as many as without one of three folds
        # four rows of each of three folds are left out
        assert len(kept) == (132 - 12) * 2 // 3
        banked = [_share_in_the_bank(detector, odd) for detector in (trimmed, plain)]
        assert banked[0] < 0.1 < 0.4 < banked[1]


def test_contamination_finds_anomalies_that_are_each_others_neighbours():
    """Sixteen rows of 200 lie close together: to near neighbours they are as normal as any."""
    clump = 4 + 0.05 * np.random.default_rng(2).normal(size=(16, 4))
    X = np.concatenate([_dependent_rows(184), clump])
    quick = {"heads": ("data_neighbors", "pretext_neighbors"), "random_state": 0}
    fitted = [_quick(contamination=c, **quick).fit(X) for c in ("auto", 0.08)]
    truth = np.arange(200) >= 184
    areas = [roc_auc_score(truth, detector.anomaly_score(X)) for detector in fitted]
    assert areas[0] < 0.5 < 0.99 < areas[1]


@pytest.mark.slow
def test_contamination_helps_when_zeros_are_among_the_other_digits():
    """A digit is as dense as the normal ones, and a twentieth of the rows."""
    X, y = load_digits(return_X_y=True)
    areas = {"auto": [], 0.05: []}
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(X))
        others, zeros = order[y[order] != 0], order[y[order] == 0]
        train = np.concatenate([others[:800], zeros[:42]])
        test = np.concatenate([others[800:], zeros[42:]])
        for contamination, found in areas.items():
            quick = {"heads": ("data_neighbors",), "random_state": seed}
            detector = _quick(contamination=contamination, **quick).fit(X[train])
            found.append(roc_auc_score(y[test] == 0, detector.anomaly_score(X[test])))
    assert np.mean(areas[0.05]) > np.mean(areas["auto"]) + 0.1


def test_a_small_cluster_teaches_no_network():
    clump = 4 + 0.05 * np.random.default_rng(2).normal(size=(16, 4))
    X, other = (np.concatenate([_dependent_rows(184), rows]) for rows in (clump, clump[::-1]))
    quick = {"contamination": 0.08, "random_state": 0, "heads": ("critic_mahalanobis", "repair")}
    weights = [_quick(**quick).fit(rows).networks_.modules() for rows in (X, other)]
    for name, module in weights[0].items():
        for key, value in module.state_dict().items():
            assert torch.equal(value, weights[1][name].state_dict()[key]), (name, key)


def _share_in_the_bank(detector, rows):
    head = detector.scorer_.heads["data_neighbors"]
    own = head._compared(detector.scorer_.view(detector.codec_.prepare(rows)).ranged)
    return float((torch.cdist(own, head.bank).min(dim=1).values < 1e-3).float().mean())


@pytest.mark.parametrize("n_folds", [2, 5])
def test_the_kept_heads_learn_from_all_rows_and_bank_as_many_as_calibration_had(n_folds):
    X = _dependent_rows(60)
    detector = _quick(heads=("data_neighbors",), n_folds=n_folds).fit(X)
    head = detector.scorer_.heads["data_neighbors"]
    ranged = detector.scorer_.view(detector.codec_.prepare(X)).ranged
    assert torch.allclose(head.centre, ranged.mean(dim=0), atol=1e-5)
    assert len(head.bank) == 60 - 60 // n_folds
    assert _share_in_the_bank(detector, X) == pytest.approx(1 - 1 / n_folds)


@pytest.mark.parametrize("n", [2, 3, 6])
@pytest.mark.parametrize("contamination", [0.1, 0.5])
def test_few_rows_are_enough_even_when_some_are_left_out(n, contamination):
    """All that is left may be in one fold."""
    for seed in range(3):
        X = _dependent_rows(n, seed)
        quick = {"max_steps": 2, "pretext_steps": 2, "n_folds": 2, "random_state": seed}
        detector = _quick(contamination=contamination, **quick).fit(X)
        assert np.isfinite(detector.anomaly_score(X)).all()
        assert np.isfinite(detector.threshold_)


@pytest.mark.filterwarnings("ignore:images of")  # the odd ones are ten times as bright
@pytest.mark.parametrize("n", [2, 5])
@pytest.mark.parametrize("same", [False, True])
def test_few_images_of_many_pixels_are_enough(n, same):
    """As many pixels as are taken in principal components, of rows that hardly have any."""
    images = np.random.default_rng(0).random((n, 32, 32))
    images = np.repeat(images[:1], n, axis=0) if same else images
    heads = ("pretext_mahalanobis", "pretext_neighbors", "data_neighbors", "critic_mahalanobis")
    quick = {"max_steps": 2, "pretext_steps": 2, "heads": heads, "width": 8}
    detector = _quick(**quick).fit(images)
    odd = images.copy()
    odd[0, 8:24, 8:24] += 9
    scores = detector.anomaly_score(odd)
    assert np.isfinite(scores).all()
    assert scores[0] > scores[1:].max()
