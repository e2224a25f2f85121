"""Pickle, joblib, cloudpickle and deepcopy: every configuration, with the same scores after."""

from __future__ import annotations

import copy
import io
import multiprocessing
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import joblib
import numpy as np
import pytest
import torch
from sklearn.metrics import make_scorer
from sklearn.model_selection import cross_val_score

from augan import AnoGAN, CriticFeatures, FAnoGAN, GANSampler
from augan.codecs.spec import ImageSpec, Span, VectorSpec
from augan.networks import build_networks
from augan.networks.layers import scale_invariant_weights

TINY = {"max_steps": 3, "pretext_steps": 2, "width": 8, "n_folds": 2, "random_state": 0}
SPECS = {
    "table": VectorSpec((Span("a", 0, 1, "identity"), Span("b", 1, 4, "softmax"))),
    "images": ImageSpec(3, 16, 16),
}


def by_joblib(value: Any) -> Any:
    buffer = io.BytesIO()
    joblib.dump(value, buffer)
    buffer.seek(0)
    return joblib.load(buffer)


COPIES: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "old pickle": lambda value: pickle.loads(pickle.dumps(value, 2)),
    "joblib": by_joblib,
    "cloudpickle": lambda value: pickle.loads(cloudpickle.dumps(value)),
    "deepcopy": copy.deepcopy,
    "pickle of a copy": lambda value: pickle.loads(pickle.dumps(copy.deepcopy(value))),
    "twice": lambda value: pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(value)))),
}


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize(
    ("kind", "architecture"),
    [("table", "dense"), ("images", "dense"), ("images", "conv"), ("images", "residual")],
)
@pytest.mark.usefixtures("untouched_random_state")
def test_networks_with_spectral_norm_come_back_bit_by_bit(
    kind: str, architecture: Any, way: str
) -> None:
    networks = build_networks(
        SPECS[kind], latent_dim=4, width=8, architecture=architecture, spectral_norm=True
    )
    critic = networks.critic
    x = torch.linspace(-1, 1, 3 * 4 * 192).reshape(3, -1)
    x = x[:, :4] if kind == "table" else x[:, :768].reshape(3, 3, 16, 16)
    for mode in (True, False):
        critic.train(mode)
        again = COPIES[way](critic)
        assert [type(a).__name__ for a in again.modules()] == [
            type(a).__name__ for a in critic.modules()
        ]
        assert [m.training for m in again.modules()] == [m.training for m in critic.modules()]
        assert list(again.state_dict()) == list(critic.state_dict())
        assert [n for n, _ in again.named_parameters()] == [n for n, _ in critic.named_parameters()]
        assert len(scale_invariant_weights(again)) == len(scale_invariant_weights(critic)) > 0
        for _ in range(2):  # in training each pass moves the norm's estimate
            assert torch.equal(again(x), critic(x))
        for mine, own in zip(
            again.state_dict().values(), critic.state_dict().values(), strict=True
        ):
            assert torch.equal(mine, own)


@pytest.fixture(scope="module")
def hinge_detector(digits: np.ndarray) -> FAnoGAN:
    """A detector of images whose critic has spectral norm; tests must not change it."""
    return FAnoGAN(gan="hinge", encoder_steps=2, **TINY).fit(digits[:60])


@pytest.mark.parametrize("way", COPIES)
def test_a_detector_with_spectral_norm_scores_the_same_after(
    hinge_detector: FAnoGAN, digits: np.ndarray, way: str
) -> None:
    again = COPIES[way](hinge_detector)
    rows = digits[50:70]
    assert np.array_equal(again.anomaly_score(rows), hinge_detector.anomaly_score(rows))
    assert np.array_equal(again.explain(rows), hinge_detector.explain(rows))
    assert again.networks_.critic is again.scorer_.critic


def test_a_pickled_detector_trains_and_saves_as_the_one_it_came_from(
    hinge_detector: FAnoGAN, digits: np.ndarray, tmp_path: Path
) -> None:
    again = pickle.loads(pickle.dumps(hinge_detector))
    again.save(tmp_path / "a.augan")
    hinge_detector.save(tmp_path / "b.augan")
    assert (tmp_path / "a.augan").stat().st_size == (tmp_path / "b.augan").stat().st_size
    scores = again.fit(digits[:60]).anomaly_score(digits[:9])
    assert np.array_equal(scores, hinge_detector.anomaly_score(digits[:9]))


def note(row: dict[str, Any]) -> None:
    """Take note of nothing."""


@pytest.mark.parametrize("way", COPIES)
def test_estimators_that_are_not_fitted_keep_what_they_were_given(tmp_path: Path, way: str) -> None:
    given = {"callbacks": [note], "random_state": 3}
    detector = FAnoGAN(checkpoint=tmp_path / "c.checkpoint", gan="hinge", **given)
    for estimator in (detector, AnoGAN(**given), GANSampler(**given)):
        assert COPIES[way](estimator).get_params() == estimator.get_params()
    assert COPIES[way](CriticFeatures(detector)).detector.gan == "hinge"


def test_critic_features_and_samplers_with_spectral_norm_are_pickled(digits: np.ndarray) -> None:
    images, y = digits[:40], np.arange(40) % 2
    features = CriticFeatures(AnoGAN(gan="hinge", search_steps=2, **TINY)).fit(images)
    again = pickle.loads(pickle.dumps(features))
    assert np.array_equal(again.transform(images), features.transform(images))
    sampler = GANSampler(gan="hinge", method="gan", max_steps=2, width=8, random_state=0)
    sampler.fit(images, y)
    assert np.array_equal(pickle.loads(pickle.dumps(sampler)).sample(5)[0], sampler.sample(5)[0])


@pytest.mark.slow
def test_a_spawned_process_scores_the_same(hinge_detector: FAnoGAN, digits: np.ndarray) -> None:
    rows = digits[50:70]
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        scores = pool.apply(FAnoGAN.anomaly_score, (hinge_detector, rows))
    assert np.allclose(scores, hinge_detector.anomaly_score(rows), atol=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_cross_validation_side_by_side_is_as_one_after_the_other(digits: np.ndarray) -> None:
    detector = FAnoGAN(gan="hinge", encoder_steps=2, **TINY)
    y = np.ones(60)
    scorer = make_scorer(lambda truth, found: float((truth == found).mean()))
    alone, both = (
        cross_val_score(detector, digits[:60], y, cv=2, n_jobs=n, scoring=scorer) for n in (1, 2)
    )
    assert np.allclose(alone, both)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(20))
def test_random_settings_are_pickled(digits: np.ndarray, seed: int) -> None:
    random = np.random.default_rng(seed)

    def drawn(*values: Any) -> Any:
        return values[random.integers(len(values))]

    images = random.random() < 0.6
    params: dict[str, Any] = {
        "gan": drawn("wgan-gp", "dcgan", "gan", "hinge"),
        "architecture": drawn("auto", "dense", "conv", "residual"),
        "spectral_norm": drawn("auto", True, False),
        "score": drawn("calibrated", "paper"),
        "standardize_images": drawn("auto", True),
        "contamination": drawn("auto", 0.1),
        **TINY,
    }
    detector = FAnoGAN(encoder_steps=2, **params) if seed % 3 else AnoGAN(search_steps=2, **params)
    rows = digits[:60] if images else random.normal(size=(60, 4))
    detector.fit(rows)
    for way in COPIES.values():
        assert np.array_equal(way(detector).anomaly_score(rows), detector.anomaly_score(rows))
