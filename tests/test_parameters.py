"""Every parameter does something, and says so when it is given what it cannot take."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from augan import AnoGAN, FAnoGAN, GANSampler
from augan.checks import ANYTHING
from augan.estimators.reference import reference_page
from augan.exceptions import ParameterError, shown
from augan.models.config import detector_config, n_folds
from augan.models.detector_training import new_codec, split_training_rows
from augan.parameters import parameters_of
from augan.scoring.heads import HEADS, IMAGE_HEADS, TABLE_HEADS
from augan.training.loop import schedule_factor

EVERY_HEAD = tuple(name for name in HEADS if name not in IMAGE_HEADS + TABLE_HEADS)
QUICK: dict[str, Any] = {
    "heads": EVERY_HEAD,  # the default ones ask nothing of the GAN
    "max_steps": 6,
    "pretext_steps": 6,
    "n_folds": 2,
    "n_critic": 2,
    "width": 8,
    "latent_dim": 3,
    "batch_size": 16,
    "random_state": 0,
}
OWN: dict[Any, dict[str, Any]] = {FAnoGAN: {"encoder_steps": 6}, AnoGAN: {"search_steps": 3}}
LABELS = np.repeat([1, 0], [80, 40])

# a value other than the default for each parameter that changes the scores of a table
CHANGES_SCORES: dict[str, Any] = {
    "gan": "hinge",
    "scoring": "paper",
    "kappa": 30.0,
    "feature_weight": 0.9,
    "heads": ("data_residual", "latent"),
    "fusion": "top2",
    "contamination": 0.3,
    "n_neighbors": 3,
    "memory_size": 10,
    "normal_label": 1,
    "latent_dim": 7,
    "width": 12,
    "spectral_norm": True,
    "max_steps": 9,
    "encoder_steps": 9,
    "pretext_steps": 9,
    "n_folds": 3,
    "search_steps": 9,
    "search_lr": 0.5,
    "batch_size": 9,
    "n_critic": 1,
    "gradient_penalty": 0.5,
    "r1": 3.0,
    "feature_matching": 5.0,
    "lr_generator": 1e-2,
    "lr_critic": 1e-2,
    "lr_encoder": 1e-2,
    "betas": (0.1, 0.99),
    "schedule": "constant",
    "gradient_clip": 1e-3,
    "ema_decay": 0.0,
    "validation_fraction": 0.4,
    "max_categories": 2,
    "random_state": 1,
}
# what the others change; each has its own test below
CHANGES_SOMETHING_ELSE = {
    *(
        "target_fpr",
        "pixel_fpr",
        "max_time",
        "n_iter_no_change",
        "image_size",
        "detail_size",
        "restoration_steps",
        "column_steps",  # tests/test_surprise.py
    ),
    *("standardize_images", "callbacks", "checkpoint", "checkpoint_interval", "resume", "device"),
    *("backbone", "backbone_weights", "diff_augment", "warm_start_from", "freeze_critic"),
    *("architecture", "verbose"),
    "generator",  # tests/test_generator.py
}
INVALID: dict[str, list[Any]] = {
    "gan": ["wgan", None, 1],
    "verbose": [-1, 3, 1.5, True, "1", None],
    "scoring": ["both", None],
    "kappa": [-1, 1e300, "1", None, np.nan, np.inf],
    "feature_weight": [-0.1, 1.1, "0.5"],
    "generator": [None, "yes", "Auto", 1, 0, ()],
    "heads": [(), "latent", ("nose",), ("latent", "latent"), None, [1], ([],)],
    "fusion": ["sum", None],
    "n_neighbors": [0, 10**10, 1.5, None, True],
    "memory_size": [0, 10**10, "all", 1.5],
    "contamination": [0, 0.6, "some", None, -0.1, True],
    "target_fpr": [0, 1, 2, "auto", None],
    "pixel_fpr": [0, 1, 2, "auto", None],
    "latent_dim": [0, 10**9, True, np.nan, 2.5, "big", None],
    "width": [0, 10**9, 2.0, np.array([8, 8]), -3, "wide"],
    "architecture": ["mlp", None, 1],
    "spectral_norm": ["yes", 1, None],
    "max_steps": [0, 10**30, "many", 10.0],
    "encoder_steps": [0, None],
    "pretext_steps": [0, None, "many", 2.5],
    "restoration_steps": [0, None, "many", 2.5],
    "column_steps": [0, None, "many", 2.5],
    "n_folds": [10**6, 0, -2, 2.5, None, "all", True],
    "search_steps": [0, 10**12, "auto"],
    "search_lr": [0, -1.0, None, np.inf],
    "max_time": [0, -1, "5m", np.nan],
    "batch_size": [1, 10**12, "large"],
    "n_critic": [0, 10**9, 0.5],
    "gradient_penalty": [-1, 1e200, None],
    "r1": [-1, "1"],
    "feature_matching": [-1, np.nan],
    "lr_generator": [0, 1e30, np.nan, -1e-3, None],
    "lr_critic": [0, "fast"],
    "lr_encoder": [0, True],
    "betas": [0.5, (0.5,), (0.5, 1.0), ("a", 0.9), (-0.1, 0.9), None],
    "schedule": ["step", None],
    "gradient_clip": [0, -1, "none"],
    "ema_decay": [1, -0.1, None],
    "validation_fraction": [0, 1, 0.0, None],
    "n_iter_no_change": [0, -1, 2.5],
    "max_categories": [0, 10**12, None],
    "image_size": [7, 10**6, 0, 16.0, "large"],
    "detail_size": [31, 10**6, 0, 64.0, "large"],
    "standardize_images": [None, "yes", 2],
    "diff_augment": ["yes", 1, None],
    "backbone": ["vgg16", 18, "Auto"],
    "backbone_weights": [1, True, "weights.pt"],  # a file, but no network that it is of
    "warm_start_from": [1, True],
    "freeze_critic": [-1, 1.5, None, True, 2],  # 2: of no model
    "callbacks": [print, [1], "print"],
    "checkpoint": [1, True, 2.5, ["a"]],
    "checkpoint_interval": [-1, None, "1m"],
    "resume": [1, "yes", None, True],  # True: without a checkpoint
    "device": ["gpu", "meta", "cuda:" + "9" * 40, "", 3, None, "cuda:99"],
    "random_state": ["seed", np.nan, 10**30, "0" * 5000, 1.5, -1, [1, 2], 2**32, True],
}
TAKES_ANYTHING = {"normal_label"}


def names_of(cls: Any) -> list[str]:
    return list(inspect.signature(cls).parameters)


ALL = [(cls, name) for cls in (FAnoGAN, AnoGAN) for name in names_of(cls)]


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "a": random.normal(size=120),
            "b": random.exponential(size=120),
            "c": random.choice(list("wxyz"), 120, p=[0.4, 0.3, 0.2, 0.1]),
        }
    )


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (30, 12, 10)).astype("uint8")


def fit(cls: Any, X: Any, **params: Any) -> Any:
    return cls(**{**QUICK, **OWN[cls], **params}).fit(X, LABELS if len(X) == 120 else None)


@pytest.fixture(scope="module")
def usual(frame: pd.DataFrame) -> dict[Any, Any]:
    return {cls: fit(cls, frame) for cls in OWN}


def test_every_parameter_is_covered_here() -> None:
    for cls in OWN:
        for name in names_of(cls):
            covered = (name in CHANGES_SCORES) + (name in CHANGES_SOMETHING_ELSE)
            assert covered == 1, f"{name}: which test shows that it does something?"
            assert (name in INVALID) + (name in TAKES_ANYTHING) == 1, f"{name}: what is invalid?"
    known = {name for _, name in ALL}
    assert CHANGES_SCORES.keys() | CHANGES_SOMETHING_ELSE == known
    for cls in (*OWN, GANSampler):
        found = parameters_of(cls)
        assert list(found) == list(inspect.signature(cls).parameters)
        assert set(found) == set(names_of(cls))
        for name, item in found.items():
            assert f"    {name} : {item.metadata['kind']}, default=" in cls.__doc__
            assert item.metadata["check"] is ANYTHING or item.metadata["check"].holds(item.default)
    free = {
        name for name, item in parameters_of(FAnoGAN).items() if item.metadata["check"] is ANYTHING
    }
    assert free == {"normal_label", "device"}


def _slow_if_shared(cls: Any, name: str) -> Any:
    """Return arguments of a test: parameters of both detectors are tried with one by default."""
    shared = cls is AnoGAN and name in names_of(FAnoGAN)
    return pytest.param(cls, name, marks=pytest.mark.slow if shared else ())


@pytest.mark.parametrize(
    ("cls", "name"), [_slow_if_shared(c, n) for c, n in ALL if n in CHANGES_SCORES]
)
@pytest.mark.filterwarnings("ignore:column 'c' has 4 categories")
def test_it_changes_the_scores(
    cls: Any, name: str, frame: pd.DataFrame, usual: dict[Any, Any]
) -> None:
    value = CHANGES_SCORES[name]
    assert usual[cls].get_params()[name] != value
    changed = fit(cls, frame, **{name: value})
    assert not np.allclose(changed.anomaly_score(frame), usual[cls].anomaly_score(frame))


def test_sizes(usual: dict[Any, Any], frame: pd.DataFrame) -> None:
    wide = fit(FAnoGAN, frame, width=24, latent_dim=5).networks_
    assert wide.generator.layers[0].weight.shape == (24, 5)
    assert wide.encoder.weight.shape[0] == 5
    assert wide.critic.head.weight.shape == (1, 2 * 24)
    assert usual[FAnoGAN].networks_.generator.layers[0].weight.shape == (8, 3)


def documented(name: str) -> str:
    """Return what FAnoGAN's docstring says of a parameter."""
    found = re.search(
        rf"^    {name} : .*\n((?:        .*\n)+)", FAnoGAN.__doc__ or "", re.MULTILINE
    )
    assert found, name
    return found[1]


def test_auto_depends_on_the_kind_of_data(frame: pd.DataFrame, images: np.ndarray) -> None:
    few = {"max_steps": 1, "encoder_steps": 1, "pretext_steps": 1}
    table, image = FAnoGAN(**few).fit(frame), FAnoGAN(**few).fit(images)
    assert table.networks_.latent_dim == 2  # of three columns
    wider = FAnoGAN(**few).fit(np.random.default_rng(0).normal(size=(20, 40)))
    assert wider.networks_.latent_dim == 10
    assert image.networks_.latent_dim == 64
    assert table.networks_.generator.layers[0].out_features == 256
    assert image.get_params()["width"] == "auto"
    names = ("max_steps", "encoder_steps", "pretext_steps", "batch_size", "n_critic")
    usual = FAnoGAN().get_params()
    configs = [detector_config(usual, detector.codec_) for detector in (table, image)]
    for detector, config in zip((table, image), configs, strict=True):
        for name in (*names, "n_neighbors", "memory_size"):
            assert re.search(rf"\b{getattr(config, name)}\b", documented(name)), name
        for name in detector.scorer_.part_names:
            assert re.search(rf"\b{name}\b", documented("heads").split('"auto" is')[1]), name
    for name in names:
        assert getattr(configs[0], name) != getattr(configs[1], name)
    assert detector_config({**usual, "scoring": "paper"}, table.codec_).max_steps == 2 * 1000


def test_the_number_of_folds_depends_on_the_rows(frame: pd.DataFrame, images: np.ndarray) -> None:
    usual = FAnoGAN().get_params()
    large = np.random.default_rng(0).random((12, 80, 80))
    codecs = [new_codec(usual, as_read) for as_read in (frame, images, large)]
    table, image, photograph = (detector_config(usual, codec) for codec in codecs)
    assert [n_folds(table, n) for n in (5, 999, 1000, 10**6)] == [4, 4, 1, 1]
    assert [n_folds(image, n) for n in (5, 999, 1000, 10**6)] == [4, 4, 1, 1]
    assert [n_folds(photograph, n) for n in (5, 999, 1000)] == [10, 10, 10]
    contaminated = detector_config({**usual, "contamination": 0.1}, codecs[0])
    assert [n_folds(contaminated, n) for n in (5, 10**6)] == [4, 4]
    assert contaminated.n_neighbors == 5
    given = detector_config({**usual, "n_folds": 7}, codecs[0])
    assert [n_folds(given, n) for n in (5, 10**6)] == [7, 7]
    for number in (1, 4, 10, 1000):
        assert re.search(rf"\b{number}\b", documented("n_folds"))


def test_steps_and_batches(usual: dict[Any, Any], frame: pd.DataFrame) -> None:
    def last_step(detector: Any, phase: str) -> int:
        return max(row["step"] for row in detector.history_ if row["phase"] == phase)

    assert last_step(usual[FAnoGAN], "gan") == 6
    assert last_step(usual[FAnoGAN], "encoder") == 6
    assert last_step(usual[FAnoGAN], "pretext") == 6
    longer = fit(FAnoGAN, frame, max_steps=11, encoder_steps=13, pretext_steps=17)
    assert last_step(longer, "gan") == 11
    assert last_step(longer, "encoder") == 13
    assert last_step(longer, "pretext") == 17
    assert {row["phase"] for row in usual[AnoGAN].history_} == {"gan", "pretext"}


def test_the_networks_of_the_gan_do_not_depend_on_the_pretext_ones(
    usual: dict[Any, Any], frame: pd.DataFrame
) -> None:
    """So results of the GAN's own heads stay as they are, whatever stands beside them."""
    without = fit(FAnoGAN, frame, heads=("latent",)).networks_
    for name, module in without.modules().items():
        weights = usual[FAnoGAN].networks_.modules()[name].state_dict()
        for key, value in module.state_dict().items():
            assert torch.equal(value, weights[key]), (name, key)


@pytest.mark.parametrize("n_folds", [2, 3, 5])
def test_folds_are_cut_as_evenly_as_can_be(n_folds: int, frame: pd.DataFrame) -> None:
    detector = fit(FAnoGAN, frame[:31], n_folds=n_folds)
    rows = split_training_rows(detector.model_, detector.codec_.prepare(frame[:31]))
    sizes = rows.folds.bincount().tolist()
    assert len(sizes) == n_folds
    assert max(sizes) - min(sizes) <= 1
    assert sum(sizes) == 31


@pytest.mark.parametrize("share", [0.2, 0.5, 0.001])
def test_one_fold_is_that_of_the_held_out_rows(share: float, frame: pd.DataFrame) -> None:
    detector = fit(FAnoGAN, frame[:60], n_folds=1, validation_fraction=share, heads="auto")
    rows = split_training_rows(detector.model_, detector.codec_.prepare(frame[:60]))
    assert set(rows.folds.tolist()) == {0, -1}
    assert torch.equal(rows.folds == 0, rows.held_out)
    n = max(1, round(60 * share))
    assert int(rows.held_out.sum()) == len(detector.scorer_.conformal.scores) == n


@pytest.mark.filterwarnings("ignore::augan.exceptions.DriftWarning")  # six rows know little
def test_more_folds_than_rows_are_as_many_as_rows(frame: pd.DataFrame) -> None:
    detector = fit(FAnoGAN, frame[:6], n_folds=50, batch_size="auto", heads="auto")
    assert len(detector.scorer_.conformal.scores) == 6
    assert np.isfinite(detector.anomaly_score(frame)).all()


@pytest.mark.parametrize("cls", OWN)
@pytest.mark.parametrize("name", IMAGE_HEADS + TABLE_HEADS)
def test_a_head_of_images_is_refused_for_a_table_and_the_other_way_round(
    cls: Any, name: str, frame: pd.DataFrame, images: np.ndarray
) -> None:
    heads, is_of_images = ("data_neighbors", name), name in IMAGE_HEADS
    with pytest.raises(ParameterError) as caught:
        fit(cls, frame if is_of_images else images, heads=heads)
    assert str(caught.value).startswith(f"heads={heads!r}")
    assert f"{name!r} is for {'images' if is_of_images else 'tables'} only" in str(caught.value)


def test_spectral_norm_bounds_the_critic(frame: pd.DataFrame) -> None:
    critic = fit(FAnoGAN, frame, spectral_norm=True).networks_.critic
    layers = [module for module in critic.modules() if isinstance(module, nn.Linear)]
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight, 2) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("gan", ["wgan-gp", "dcgan", "gan", "hinge"])
def test_each_loss_trains(gan: str, frame: pd.DataFrame) -> None:
    detector = fit(FAnoGAN, frame, gan=gan)
    assert np.isfinite(detector.anomaly_score(frame)).all()
    assert ("gradient_penalty" in detector.history_[0]) == (gan == "wgan-gp")


@pytest.mark.parametrize("fusion", ["top2", "mean", "max"])
def test_fusion_is_what_its_name_says(fusion: str, frame: pd.DataFrame) -> None:
    detector = fit(FAnoGAN, frame, fusion=fusion)
    parts = detector.score_parts(frame)
    assert list(parts) == list(EVERY_HEAD)
    inverting = ["data_residual", "feature_residual", "latent", "latent_cycle"]
    weights = pd.Series(1.0, index=parts.columns)
    weights[inverting], weights["data_neighbors"] = 1 / 3, 1 / 2
    weighted = np.sort((parts * weights).to_numpy(), axis=1)
    expected = {
        "top2": weighted[:, -2:].mean(axis=1),
        "mean": weighted.sum(axis=1) / weights.sum(),  # the weighted mean
        "max": weighted[:, -1],
    }[fusion]
    np.testing.assert_allclose(detector.anomaly_score(frame), expected, rtol=1e-5, atol=1e-5)


def test_the_heads_and_the_fusion_depend_on_the_kind_of_data(frame: pd.DataFrame) -> None:
    images = np.random.default_rng(0).normal(size=(40, 8, 8))
    made = {
        kind: fit(FAnoGAN, data, heads="auto").scorer_
        for kind, data in {"mixed": frame, "numbers": frame[["a", "b"]], "images": images}.items()
    }
    assert {kind: scorer.fusion for kind, scorer in made.items()} == {
        "mixed": "mean",
        "numbers": "mean",
        "images": "mean",
    }
    assert set(made["mixed"].heads) - set(made["numbers"].heads) == {"pretext_deviation"}
    assert set(made["numbers"].heads) == {
        *("pretext_mahalanobis", "pretext_neighbors", "repair_neighbors"),
        *("data_neighbors", "quantile_mahalanobis", "quantile_neighbors"),
    }
    assert set(made["images"].heads) == {"transforms", "pretext_neighbors", "data_neighbors"}


def test_heads_and_the_memory_they_keep(frame: pd.DataFrame) -> None:
    detector = fit(FAnoGAN, frame, heads=["latent", "data_neighbors"], memory_size=10)
    assert list(detector.score_parts(frame).columns) == ["latent", "data_neighbors"]
    assert len(detector.scorer_.heads["data_neighbors"].bank) == 10
    paper = fit(FAnoGAN, frame, scoring="paper")
    parts = paper.score_parts(frame)
    assert list(parts.columns) == ["data_residual", "feature_residual"]
    np.testing.assert_allclose(paper.anomaly_score(frame), parts.sum(axis=1), rtol=1e-6)


@pytest.mark.parametrize("cls", OWN)
def test_target_fpr_moves_the_threshold_alone(
    cls: Any, frame: pd.DataFrame, usual: dict[Any, Any]
) -> None:
    scores, thresholds = usual[cls].anomaly_score(frame), [usual[cls].threshold_]
    for target_fpr in (0.2, 0.5):
        detector = fit(cls, frame, target_fpr=target_fpr)
        np.testing.assert_array_equal(detector.anomaly_score(frame), scores)
        thresholds.append(detector.threshold_)
    assert thresholds[0] > thresholds[1] > thresholds[2]


@pytest.mark.parametrize("cls", OWN)
def test_contamination_is_the_share_beyond_the_threshold(cls: Any, frame: pd.DataFrame) -> None:
    for contamination in (0.1, 0.3, 0.5):
        detector = fit(cls, frame, contamination=contamination)
        assert (detector.predict(frame) == -1).sum() == round(contamination * len(frame))


@pytest.mark.parametrize("cls", OWN)
def test_max_time_ends_training(cls: Any, frame: pd.DataFrame) -> None:
    many = dict.fromkeys(("max_steps", "pretext_steps"), 10**6)
    many |= {"encoder_steps": 10**6} if cls is FAnoGAN else {}
    started = time.process_time()
    detector = fit(cls, frame, max_time=0.3, n_iter_no_change=None, **many)
    assert time.process_time() - started < 5
    last = detector.history_[-1]
    assert last["step"] < 10**6
    assert last["seconds"] > 0.2
    assert np.isfinite(detector.score_samples(frame)).all()


@pytest.mark.parametrize("cls", [FAnoGAN, pytest.param(AnoGAN, marks=pytest.mark.slow)])
def test_n_iter_no_change_ends_training(cls: Any, frame: pd.DataFrame) -> None:
    steps = {"max_steps": 200, "n_critic": 1, "lr_generator": 1e-12, "lr_critic": 1e-12}
    early = fit(cls, frame, n_iter_no_change=1, **steps)
    stopped = [row for row in early.history_ if "stopped early" in row.get("event", "")]
    assert stopped[0]["step"] < 200
    never = fit(cls, frame, n_iter_no_change=None, **steps)
    assert max(row["step"] for row in never.history_) == 200


def test_images_have_a_size(images: np.ndarray) -> None:
    usual, small = fit(FAnoGAN, images), fit(FAnoGAN, images, image_size=8)
    assert usual.codec_.resized == (12, 10)
    assert small.codec_.resized == (8, 7)
    assert small.reconstruct(images).shape == images.shape


@pytest.mark.parametrize("cls", OWN)
def test_standardised_images_are_scored_whatever_their_brightness(
    cls: Any, images: np.ndarray
) -> None:
    bright = (images // 2 + 100).astype("uint8")
    plain, standardised = fit(cls, images), fit(cls, images, standardize_images=True)
    even = (2 * (images // 2)).astype("uint8")
    difference = standardised.anomaly_score(bright) - standardised.anomaly_score(even)
    assert np.abs(difference).max() < 1e-2
    assert np.abs(plain.anomaly_score(bright) - plain.anomaly_score(even)).max() > 0.1


@pytest.mark.parametrize("cls", OWN)
def test_callbacks_see_the_history(cls: Any, frame: pd.DataFrame) -> None:
    first: list[Any] = []
    second: list[Any] = []
    detector = fit(cls, frame, callbacks=[first.append, second.append])
    assert first == second == list(detector.history_)


@pytest.mark.parametrize("cls", OWN)
def test_a_checkpoint_is_written_and_resumed(
    cls: Any, frame: pd.DataFrame, tmp_path: Path, usual: dict[Any, Any]
) -> None:
    path = tmp_path / "run.ckpt"
    fit(cls, frame, checkpoint=path)
    assert path.exists()
    resumed = fit(cls, frame, checkpoint=str(path), resume=True)
    expected = usual[cls].anomaly_score(frame)
    np.testing.assert_array_equal(resumed.anomaly_score(frame), expected)
    with pytest.raises(ValueError, match="other settings or data: width"):
        fit(cls, frame, checkpoint=path, resume=True, width=9)


def test_the_interval_between_checkpoints(frame: pd.DataFrame, tmp_path: Path) -> None:
    def writes(interval: float) -> int:
        path, found = tmp_path / f"{interval}.ckpt", set()

        def look(row: Any) -> None:
            found.add(path.stat().st_mtime_ns if path.exists() else 0)

        params = {"max_steps": 250, "encoder_steps": 1, "n_critic": 1, "n_iter_no_change": None}
        fit(
            FAnoGAN,
            frame,
            checkpoint=path,
            checkpoint_interval=interval,
            callbacks=[look],
            **params,
        )
        return len(found)

    assert writes(0.0) >= 5
    assert writes(1e6) <= 3  # none yet, and one at the end of each phase before the last


@pytest.mark.parametrize("cls", OWN)
def test_the_device_is_where_the_networks_are(cls: Any, frame: pd.DataFrame) -> None:
    detector = fit(cls, frame, device="cpu")
    assert {p.device.type for p in detector.networks_.generator.parameters()} == {"cpu"}
    assert detector.device == "cpu"
    if torch.cuda.is_available():
        on_gpu = fit(cls, frame, device="cuda")
        assert {p.device.type for p in on_gpu.networks_.generator.parameters()} == {"cuda"}


def test_device_auto_stays_auto(usual: dict[Any, Any]) -> None:
    assert usual[FAnoGAN].get_params()["device"] == "auto"


def test_schedules_fall_from_one_to_zero() -> None:
    for schedule in ("linear", "cosine"):
        factors = [schedule_factor(schedule, done) for done in np.linspace(0, 1, 11)]  # type: ignore[arg-type]
        assert factors[0] == 1
        assert factors[-1] == pytest.approx(0)
        assert (np.diff(factors) < 0).all()
    assert schedule_factor("constant", 0.7) == 1


@pytest.mark.parametrize(
    ("cls", "name", "value"),
    [(cls, name, value) for cls, name in ALL for value in INVALID.get(name, [])],
)
def test_an_invalid_value_is_named(cls: Any, name: str, value: Any, frame: pd.DataFrame) -> None:
    with pytest.raises(ParameterError) as caught:
        cls(**{name: value}).fit(frame, LABELS)
    message = str(caught.value)
    assert message.startswith(f"{name}={shown(value)}")
    assert len(message.splitlines()) == 1
    names = repr(tuple(HEADS)).strip("()") if name == "heads" else ""
    assert message.endswith(names)
    assert len(f"{name}={shown(value)}") + 10 < len(message)
    assert len(message.removesuffix(names)) < (100 if names else 420)


@pytest.mark.parametrize("cls", OWN)
def test_numpy_numbers_are_numbers(cls: Any, frame: pd.DataFrame, usual: dict[Any, Any]) -> None:
    params: dict[str, Callable[[Any], Any]] = {
        "max_steps": np.int64,
        "width": np.int32,
        "random_state": np.int64,
    }
    given = {name: kind(QUICK[name]) for name, kind in params.items()}
    detector = fit(cls, frame, **given, target_fpr=np.float32(0.05), spectral_norm=np.False_)
    np.testing.assert_array_equal(detector.anomaly_score(frame), usual[cls].anomaly_score(frame))


@pytest.mark.parametrize("cls", OWN)
def test_init_only_assigns(cls: Any) -> None:
    values = {name: object() for name in names_of(cls)}
    assert vars(cls(**values)) == values  # even those that `fit` will refuse
    assert vars(cls("a", "b")) == {**vars(cls()), "gan": "a", "scoring": "b"}


@pytest.mark.parametrize("cls", OWN)
def test_every_parameter_is_documented(cls: Any) -> None:
    documented = inspect.getdoc(cls).split("Attributes\n")[0]
    for name in names_of(cls):
        assert name in documented, name


def test_fit_leaves_the_parameters_alone(usual: dict[Any, Any]) -> None:
    for cls, detector in usual.items():
        given = {**QUICK, **OWN[cls]}
        expected = {**cls().get_params(), **given}
        assert detector.get_params() == expected


def test_the_reference_page_is_that_of_the_parameters() -> None:
    page = Path(__file__).parents[1] / "docs" / "parameters.md"
    assert page.read_text(encoding="utf-8") == reference_page()
    for cls in (*OWN, GANSampler):
        assert all(f"### `{name}`\n" in reference_page() for name in names_of(cls))
