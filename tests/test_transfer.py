"""Models that begin with former ones, and critics as features for a classifier."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from augan import AnoGAN, CriticFeatures, FAnoGAN, GANSampler, load
from augan.exceptions import DataError, ModelFileError, ParameterError
from augan.networks.layers import scale_invariant_weights
from augan.training.monitor import sliced_wasserstein
from augan.training.recentring import recentre

DIGITS = np.clip(16 * load_digits().images, 0, 255).astype(np.uint8)
LABELS = load_digits().target
TABLE = load_breast_cancer(as_frame=True).data.iloc[:200, :6]
PRETEXT = {"pretext_steps": 1, "n_folds": 2, "heads": ("data_neighbors",)}
SIZES = {"latent_dim": 8, "width": 8, "random_state": 0}


def _fit(X, n_steps, **params):
    given = {"max_steps": n_steps, "encoder_steps": 1, **PRETEXT, **SIZES, **params}
    return FAnoGAN(**given).fit(X)


@pytest.fixture(scope="module")
def former(tmp_path_factory):
    """A model of the digits from zero to four, after a short training."""
    path = tmp_path_factory.mktemp("models") / "low.augan"
    _fit(DIGITS[LABELS < 5], 60).save(path)
    return str(path)


def _stream():
    return torch.Generator().manual_seed(0)


def _distance(model, X):
    pixels = (part.reshape(400, -1).astype(np.float32) / 255 for part in (X, model.sample(400)))
    real, fake = map(torch.from_numpy, pixels)
    return sliced_wasserstein(real, fake, _stream())


@pytest.mark.slow  # that the weights are taken over: the next test
def test_a_warm_start_needs_fewer_steps(tmp_path):
    high, former = DIGITS[LABELS > 4], str(tmp_path / "low.augan")
    _fit(DIGITS[LABELS < 5], 600).save(former)
    scratch, warm = (_fit(high, 100, warm_start_from=path) for path in (None, former))
    assert _distance(warm, high[:400]) < 0.8 * _distance(scratch, high[:400])


def test_a_warm_start_takes_over_encoding_and_networks(former):
    source, high = load(former), DIGITS[LABELS > 4]
    still = dict.fromkeys(("lr_generator", "lr_critic", "lr_encoder"), 1e-12)
    model = _fit(high, 1, warm_start_from=former, **still)
    assert model.codec_.state() == source.codec_.state()
    own, taken = (m.networks_.critic.state_dict() for m in (source, model))
    assert all(torch.allclose(taken[name], value, atol=1e-6) for name, value in own.items())
    given, made = (m.reconstruct(high[:50]).astype(int) for m in (source, model))
    assert np.abs(made - given).mean() < 2  # batch norm's running figures move


@pytest.mark.slow  # that it may do nothing, by default: the next test
def test_a_generator_begins_with_the_latents_of_the_new_rows():
    new = DIGITS[LABELS == 0]
    model = _fit(DIGITS, 300, encoder_steps=300, n_critic=1)
    generator, encoder = model.networks_.generator, model.networks_.encoder
    rows, z = model.codec_.encode(new), torch.randn(len(new), 8, generator=_stream())

    def distance():
        made = generator(z).flatten(1).detach()
        return sliced_wasserstein(rows.flatten(1), made, _stream())

    before, reconstructed = distance(), generator(encoder(rows)).detach()
    assert recentre(generator, encoder, rows, seed=0)
    assert torch.allclose(generator(encoder(rows)), reconstructed, atol=1e-3)
    assert distance() < 0.9 * before
    latents = encoder(rows)
    assert latents.mean(dim=0).abs().max() < 1e-3 and latents.std() < 1.5


def test_a_generator_of_such_rows_stays_as_it_is():
    model = _fit(DIGITS, 100, encoder_steps=20)
    networks, z = model.networks_, torch.randn(500, 8, generator=_stream())
    own = networks.generator(z).detach()
    assert not recentre(networks.generator, networks.encoder, own, seed=0)
    assert torch.equal(networks.generator(z), own)


def test_spectral_weights_are_as_long_as_new_ones_and_say_the_same(tmp_path):
    path, some = str(tmp_path / "m.augan"), DIGITS[LABELS < 5]
    still = {"gan": "dcgan", "lr_generator": 1e-12, "lr_critic": 1e-12}
    grown = _fit(some, 150, gan="dcgan", lr_critic=0.02)
    grown.save(path)
    new, warm = _fit(some, 1, **still), _fit(some, 1, **still, warm_start_from=path)
    former, new, warm = (model.networks_.critic for model in (grown, new, warm))
    lengths = [
        torch.stack([weights.norm() for weights in scale_invariant_weights(critic)])
        for critic in (former, new, warm)
    ]
    assert lengths[0].norm() > 1.2 * lengths[1].norm()
    assert torch.allclose(lengths[2], lengths[1], rtol=1e-4)
    images = torch.randn(16, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for critic in (former, warm):
            critic.train()
            for _ in range(100):  # power iterations, until both know the largest singular values
                critic(images)
            critic.eval()
        assert torch.allclose(warm(images), former(images), atol=1e-4)


@pytest.mark.filterwarnings("ignore::augan.exceptions.DriftWarning")  # rows are moved on purpose
def test_a_table_is_encoded_as_it_was(tmp_path):
    _fit(TABLE, 5).save(tmp_path / "m.augan")
    shifted = TABLE[:100] + 1
    model = _fit(shifted, 5, warm_start_from=tmp_path / "m.augan")
    source = load(tmp_path / "m.augan")
    assert torch.equal(model.codec_.encode(shifted), source.codec_.encode(shifted))
    assert np.isfinite(model.anomaly_score(shifted)).all()
    other = TABLE.rename(columns={"mean radius": "radius"})
    with pytest.raises(ValueError, match="feature names"):
        _fit(other, 5, warm_start_from=tmp_path / "m.augan")


@pytest.mark.parametrize("n_layers", [0, 1, 2])
def test_frozen_layers_stay_as_they_are(former, n_layers):
    model = _fit(DIGITS[LABELS > 4], 5, warm_start_from=former, freeze_critic=n_layers)
    own, source = (m.networks_.critic.layers_with_weights() for m in (model, load(former)))
    same = [torch.equal(a.weight, b.weight) for a, b in zip(own, source, strict=True)]
    assert same == [i < n_layers for i in range(len(own))]
    assert not any(weights.requires_grad for weights in model.networks_.critic.parameters())


def test_a_warm_start_is_not_kept_in_the_file(former, tmp_path):
    model = _fit(DIGITS[LABELS > 4], 1, warm_start_from=former, freeze_critic=1)
    model.save(tmp_path / "m.augan")
    again = load(tmp_path / "m.augan")
    assert again.warm_start_from is None and again.freeze_critic == 0
    assert np.array_equal(again.anomaly_score(DIGITS[:9]), model.anomaly_score(DIGITS[:9]))


def test_a_search_model_begins_with_one_that_has_an_encoder(former):
    model = AnoGAN(max_steps=1, search_steps=2, warm_start_from=former, **PRETEXT, **SIZES)
    assert np.isfinite(model.fit(DIGITS[:100]).anomaly_score(DIGITS[:5])).all()


@pytest.mark.parametrize(
    ("X", "params", "error", "message"),
    [
        (
            DIGITS,
            {"width": 16},
            ParameterError,
            "it was built with latent_dim=8, width=8, architecture='conv'",
        ),
        (DIGITS, {"spectral_norm": True}, ParameterError, "spectral_norm=False"),
        (DIGITS, {"freeze_critic": 9}, ParameterError, "freeze_critic=9: the critic has 2 layers"),
        (DIGITS[:, :, :7], {}, DataError, "images of shape"),
        (TABLE, {}, DataError, "X holds a table, in training images"),
        (DIGITS, {"warm_start_from": "no.augan"}, ModelFileError, r"no\.augan: no such file"),
        (
            DIGITS,
            {"warm_start_from": None, "freeze_critic": 1},
            ParameterError,
            "freeze_critic=1: needs warm_start_from",
        ),
    ],
)
def test_what_cannot_be_begun_with_is_said(former, X, params, error, message):
    with pytest.raises(error, match=message):
        _fit(X[:60], 1, **{"warm_start_from": former, **params})


def test_a_sampler_is_nothing_to_begin_with(tmp_path):
    sampler = GANSampler(method="data").fit(TABLE[:60], np.repeat([0, 1], 30))
    sampler.save(tmp_path / "s.augan")
    with pytest.raises(ParameterError, match="a GANSampler, not a detector"):
        _fit(TABLE, 1, warm_start_from=tmp_path / "s.augan")


@pytest.mark.slow  # by default of the detector: test_sklearn_contract
@parametrize_with_checks(
    [CriticFeatures(FAnoGAN(max_steps=2, encoder_steps=1, max_categories=1000, **PRETEXT, **SIZES))]
)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def test_classes_can_be_read_off_the_critics_features(former):
    """Ten labels a class; the critic saw no digit of these classes, and no label."""
    high, of = DIGITS[LABELS > 4], LABELS[LABELS > 4]
    features = CriticFeatures(former)
    model = make_pipeline(features, StandardScaler(), LogisticRegression(max_iter=500))
    few = np.concatenate([np.flatnonzero(of == label)[:10] for label in range(5, 10)])
    others = np.setdiff1d(np.arange(len(of)), few)
    assert model.fit(high[few], of[few]).score(high[others], of[others]) > 0.7
    assert cross_val_score(model, high[:200], of[:200], cv=3).min() > 0.7


@pytest.mark.parametrize(("network", "size"), [("critic", 64), ("encoder", 8), ("pretext", 64)])
def test_each_network_has_features(former, network, size):
    detector = load(former)
    if network == "pretext":
        params = {**PRETEXT, "heads": ("pretext_neighbors",)}
        detector = FAnoGAN(max_steps=1, encoder_steps=1, **params, **SIZES).fit(DIGITS[:80])
    features = CriticFeatures(FrozenEstimator(detector), network=network).fit(DIGITS[:80])
    found = features.transform(DIGITS[:5])
    assert found.shape == (5, size) and found.dtype == np.float64
    names = features.get_feature_names_out()
    assert len(names) == size and names[0] == "criticfeatures0"
    if network == "encoder":
        assert np.array_equal(found, detector.encode(DIGITS[:5]))


def test_features_of_a_row_do_not_depend_on_others():
    features = CriticFeatures(FAnoGAN(max_steps=2, encoder_steps=1, **PRETEXT, **SIZES)).fit(TABLE)
    assert np.array_equal(features.transform(TABLE)[7:9], features.transform(TABLE[7:9]))
    assert list(features.feature_names_in_) == list(TABLE)
    frame = features.set_output(transform="pandas").transform(TABLE)
    assert isinstance(frame, pd.DataFrame) and len(frame) == len(TABLE)


def test_wrong_parameters_of_features_are_said(former):
    for given, message in (
        ({"network": "generator"}, "network='generator': must be one of"),
        ({"detector": LogisticRegression()}, "must be a detector of augan"),
        ({"detector": former, "network": "pretext"}, "the detector has no pretext network"),
    ):
        with pytest.raises(ParameterError, match=message):
            CriticFeatures(**given).fit(DIGITS[:60])
    with pytest.raises(ModelFileError, match="no such file"):
        CriticFeatures("no.augan").fit(DIGITS[:60])
