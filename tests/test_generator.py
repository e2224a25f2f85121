"""Detectors with and without a generator: what asks for one, and what works without it."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from augan_cli.app import app
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from typer.testing import CliRunner

from augan import AnoGAN, FAnoGAN, OnnxDetector, load
from augan.exceptions import ParameterError
from augan.io.archive import read_manifest
from augan.models.generator_use import GAN_DEFAULTS, asks_for_generator
from augan.networks import Networks, has_weights, no_networks
from augan.networks.absent import HOW, AbsentCritic, AbsentNetwork
from augan.scoring.heads import HEADS, IMAGE_HEADS, TABLE_HEADS

OWN: dict[str, Any] = {"FAnoGAN": FAnoGAN, "AnoGAN": AnoGAN}
PLAIN: dict[str, Any] = {"pretext_steps": 20, "width": 16, "n_folds": 2, "random_state": 0}
FEW_STEPS: dict[str, Any] = {"max_steps": 3, "encoder_steps": 3}
OTHER_VALUES: dict[str, Any] = {  # than those of GAN_DEFAULTS
    **{"latent_dim": 4, "max_steps": 10, "encoder_steps": 10, "n_critic": 1},
    **{"spectral_norm": True, "lr_generator": 1e-3, "lr_critic": 1e-3, "betas": (0.1, 0.9)},
    **{"gan": "hinge", "architecture": "dense", "gradient_penalty": 1.0, "r1": 1.0},
    **{"feature_matching": 1.0, "ema_decay": 0.9, "lr_encoder": 1e-2, "kappa": 2.0},
    **{"diff_augment": True, "freeze_critic": 1, "scoring": "paper"},
    **{"feature_weight": 0.2, "search_steps": 10, "search_lr": 0.1},
}
OF_OTHER_PARTS: dict[str, Any] = {  # parameters that say nothing of a GAN
    **{"width": 16, "batch_size": 32, "pretext_steps": 10, "n_folds": 3, "contamination": 0.1},
    **{
        "fusion": "max",
        "n_neighbors": 3,
        "memory_size": 50,
        "target_fpr": 0.1,
        "schedule": "constant",
    },
    **{"random_state": 3, "validation_fraction": 0.3, "max_categories": 5, "verbose": 1},
    **{"device": "cpu", "max_time": 60.0, "n_iter_no_change": None, "gradient_clip": 1.0},
}
METHODS = {
    "sample": lambda model, X: model.sample(3),
    "reconstruct": lambda model, X: model.reconstruct(X),
    "encode": lambda model, X: model.encode(X),
    "generate": lambda model, X: model.generate(np.zeros((2, 3))),
    "interpolate": lambda model, X: model.interpolate(X[:1], X[1:2]),
    "direction": lambda model, X: model.direction(X, np.arange(len(X)) % 2),
    "edit": lambda model, X: model.edit(X, np.zeros(3), 1.0),
    "inpaint": lambda model, X: model.inpaint(X, np.ones(X.shape[:3], dtype=bool)),
}


def dependent_rows(n: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(2, n))
    return np.stack([a, b, a + 0.3 * b + 0.05 * random.normal(size=n)], axis=1)


@pytest.fixture(scope="module")
def X() -> np.ndarray:
    return dependent_rows(150)


@pytest.fixture(scope="module")
def without(X: np.ndarray) -> FAnoGAN:
    return FAnoGAN(**PLAIN).fit(X)


@pytest.fixture(scope="module")
def with_one(X: np.ndarray) -> FAnoGAN:
    return FAnoGAN(**PLAIN, **FEW_STEPS, generator=True).fit(X)


@pytest.fixture(scope="module")
def image_model(digits: np.ndarray) -> FAnoGAN:
    return FAnoGAN(**{**PLAIN, "width": 8}).fit(digits[:100])


def phases(detector: Any) -> list[str]:
    return list(dict.fromkeys(row["phase"] for row in detector.history_))


# What asks for a generator


def test_the_defaults_of_the_gan_are_those_of_the_constructors() -> None:
    found: dict[str, Any] = {}
    for cls in OWN.values():
        given = {name: item.default for name, item in inspect.signature(cls).parameters.items()}
        assert given["generator"] == "auto"
        for name in GAN_DEFAULTS.keys() & given.keys():
            assert given[name] == GAN_DEFAULTS[name], name
            assert type(given[name]) is type(GAN_DEFAULTS[name]), name
            found[name] = given[name]
        assert not asks_for_generator(given)
    assert found == GAN_DEFAULTS


def test_each_parameter_of_the_gan_asks_for_it() -> None:
    assert OTHER_VALUES.keys() == GAN_DEFAULTS.keys()
    for cls in OWN.values():
        usual = cls().get_params()
        for name, value in OTHER_VALUES.items():
            if name in usual:
                assert usual[name] != value
                assert asks_for_generator({**usual, name: value}), name


def test_other_parameters_do_not_ask_for_a_gan() -> None:
    for cls in OWN.values():
        usual = cls().get_params()
        for name, value in OF_OTHER_PARTS.items():
            assert usual[name] != value, name
            assert not asks_for_generator({**usual, name: value}), name


def test_heads_of_the_gan_ask_for_it_and_no_others() -> None:
    usual = FAnoGAN().get_params()
    asking = {name for name in HEADS if asks_for_generator({**usual, "heads": ("repair", name)})}
    assert asking == {
        *("data_residual", "feature_residual", "latent", "latent_cycle"),
        *("critic_mahalanobis", "critic_neighbors"),
    }
    assert not asking & {*IMAGE_HEADS, *TABLE_HEADS}


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize(
    ("params", "trained"),
    [
        ({}, False),
        ({"generator": False}, False),
        ({"generator": np.False_, "max_steps": 3}, False),
        ({"heads": ("data_neighbors", "quantile_mahalanobis")}, False),
        ({"max_steps": 3}, True),
        ({"generator": True, "max_steps": 3}, True),
        ({"heads": ("latent",), "max_steps": 3}, True),
        ({"scoring": "paper", "max_steps": 3}, True),
    ],
)
def test_gan_and_encoder_are_trained_if_they_are_asked_for(
    name: str, params: dict[str, Any], trained: bool, X: np.ndarray
) -> None:
    own: dict[str, Any] = {}
    if trained:
        own = {"encoder_steps": 3} if name == "FAnoGAN" else {"search_steps": 2}
    detector = OWN[name](**PLAIN, **params, **own).fit(X[:80])
    expected = ["gan"] * trained + ["encoder"] * (trained and name == "FAnoGAN")
    heads = params.get("heads", ())
    if params.get("scoring") != "paper" and not heads:
        expected.append("pretext")
    assert phases(detector) == expected
    networks = detector.networks_
    assert networks.has_generator == trained == detector.model_.config.generator
    assert has_weights(networks.generator) == has_weights(networks.critic) == trained
    assert isinstance(networks.generator, AbsentNetwork) != trained
    assert isinstance(networks.critic, AbsentCritic) != trained
    assert (networks.encoder is not None) == (trained and name == "FAnoGAN")
    assert {"generator", "critic"} <= set(networks.modules()) or not trained
    assert {"generator", "critic", "encoder"}.isdisjoint(networks.modules()) or trained
    assert np.isfinite(detector.anomaly_score(X)).all()
    assert detector.get_params()["generator"] == params.get("generator", "auto")


def test_absent_networks_say_how_to_get_them() -> None:
    networks: Networks = no_networks()
    assert not networks.has_generator and networks.modules() == {}
    z = torch.zeros(2, 3)
    for call in (networks.generator, networks.critic, networks.critic.features):
        with pytest.raises(ParameterError, match="generator=True"):
            call(z)


@pytest.mark.parametrize("params", [{"heads": ("repair", "latent")}, {"scoring": "paper"}])
@pytest.mark.parametrize("name", OWN)
def test_heads_that_need_the_gan_are_refused_without_it(
    name: str, params: dict[str, Any], X: np.ndarray
) -> None:
    """Before anything is trained."""
    seen: list[Any] = []
    detector = OWN[name](**PLAIN, **params, generator=False, callbacks=[seen.append])
    with pytest.raises(ParameterError) as caught:
        detector.fit(X)
    assert str(caught.value).startswith("generator=False")
    assert len(str(caught.value).splitlines()) == 1
    assert not seen


# Without one


def test_scores_do_not_depend_on_whether_there_is_a_generator(
    without: FAnoGAN, with_one: FAnoGAN, X: np.ndarray
) -> None:
    fresh = dependent_rows(70, seed=1)
    assert phases(with_one) == ["gan", "encoder", "pretext"]
    for method in ("anomaly_score", "p_value", "predict", "score_parts"):
        ours, theirs = (getattr(model, method)(fresh) for model in (without, with_one))
        assert_array_equal(np.asarray(ours), np.asarray(theirs))
    assert without.threshold_ == with_one.threshold_
    assert without.n_calibration_ == with_one.n_calibration_


@pytest.mark.parametrize("method", METHODS)
def test_what_needs_a_generator_says_how_to_get_one(
    method: str, without: FAnoGAN, image_model: FAnoGAN, X: np.ndarray, digits: np.ndarray
) -> None:
    for model, data in ((without, X), (image_model, digits)):
        with pytest.raises(ParameterError) as caught:
            METHODS[method](model, data)
        message = f"{method}: the detector was fitted without a generator; {HOW}"
        assert str(caught.value) == message
    with pytest.raises(NotFittedError):
        METHODS[method](FAnoGAN(), digits)


@pytest.mark.parametrize("method", [name for name in METHODS if name != "inpaint"])
def test_with_a_generator_they_work(method: str, with_one: FAnoGAN, X: np.ndarray) -> None:
    dim = with_one.networks_.latent_dim
    if method == "generate":
        assert np.isfinite(with_one.generate(np.zeros((2, dim)))).all()
    elif method == "edit":
        assert with_one.edit(X, np.zeros(dim), 1.0).shape == X.shape
    else:
        assert np.isfinite(METHODS[method](with_one, X)).all()


def test_a_detector_is_saved_and_loaded_without_a_generator(
    without: FAnoGAN, image_model: FAnoGAN, X: np.ndarray, digits: np.ndarray, tmp_path: Path
) -> None:
    for model, data in ((without, X), (image_model, digits)):
        model.save(path := tmp_path / "m.augan")
        assert read_manifest(path)["params"]["generator"] == "auto"
        with zipfile.ZipFile(path) as archive:
            header = archive.read("weights.safetensors")[:100_000]
        for absent in (b"generator", b"critic", b"inversion", b"encoder"):
            assert b"parts." + absent not in header
        again = load(path)
        assert not again.model_.config.generator
        assert_array_equal(again.anomaly_score(data), model.anomaly_score(data))
        assert_array_equal(again.explain(data), model.explain(data))
        with pytest.raises(ParameterError, match="fitted without a generator"):
            again.sample(3)
        other = pickle.loads(pickle.dumps(model))
        assert_array_equal(other.anomaly_score(data), model.anomaly_score(data))


def test_a_file_without_a_generator_is_not_read_as_one_with_it(
    without: FAnoGAN, tmp_path: Path
) -> None:
    from augan.exceptions import ModelFileError

    changed = copy.copy(without).set_params(generator=True)
    changed.save(tmp_path / "m.augan")
    with pytest.raises(ModelFileError, match=r"m\.augan"):
        load(tmp_path / "m.augan")


# Explanations


def test_a_row_is_explained_by_its_nearest_rows_and_its_repair(
    without: FAnoGAN, X: np.ndarray
) -> None:
    """The mean of two differences, each a multiple of the usual one."""
    rows = dependent_rows(20, seed=1)
    scorer, encoder = without.scorer_, without.codec_.module
    with torch.no_grad():
        view = scorer.view(without.codec_.prepare(rows))
        head = scorer.heads["data_neighbors"]
        ranged = view.ranged.double()
        # the last component of the memory is 0: the channels for missing values are constant
        bank = head.bank[:, :-1].double() @ head.basis.double().T * head.unit + head.centre
        distances = torch.cdist(ranged, bank) * head.weights
        nearest = bank[distances.argmin(dim=1)]
        parts = torch.stack([(ranged - nearest).abs(), view.repair_error.double().abs()])
    columns = torch.zeros(2, len(rows), 3, dtype=torch.float64)
    columns.index_add_(2, encoder.standard_owner, parts)
    usual = scorer.explainer.usual.double().view(2, 1, 3)
    assert scorer.explainer.n_kinds == 2
    expected = (columns / usual).mean(dim=0)
    assert_allclose(without.explain(rows), expected.numpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore::augan.exceptions.DriftWarning")
@pytest.mark.parametrize(
    "heads", ["auto", ("quantile_mahalanobis",), ("data_neighbors",), ("pretext_mahalanobis",)]
)
def test_the_changed_cell_is_the_most_unusual_one(heads: Any) -> None:
    """Also if no head finds the nearest rows: they are stored for explanations."""
    normal, rows, others = np.split(np.random.default_rng(0).normal(size=(760, 3)), [400, 460])
    detector = FAnoGAN(**PLAIN, heads=heads).fit(normal)
    own = detector.scorer_.own_closest
    assert (own is None) == (heads in ("auto", ("data_neighbors",)))
    usual = detector.explain(rows).to_numpy()
    for column in range(3):
        odd = rows.copy()
        odd[:, column] += 8
        found = detector.explain(odd).to_numpy()
        assert (found.argmax(axis=1) == column).mean() > 0.9
        assert np.median(found[:, column]) > 5 * np.median(usual[:, column])
    assert detector.explain(others).to_numpy().mean() == pytest.approx(1, abs=0.2)


@pytest.mark.filterwarnings("ignore::augan.exceptions.DriftWarning")
def test_all_kinds_of_columns_are_explained(mixed_frame: pd.DataFrame) -> None:
    detector = FAnoGAN(**PLAIN).fit(mixed_frame)
    usual = detector.explain(mixed_frame)
    assert list(usual.columns) == list(mixed_frame.columns)
    assert np.isfinite(usual.to_numpy()).all() and (usual.to_numpy() >= 0).all()
    odd = mixed_frame[:20].assign(country="XX", comment=1.0)
    times = detector.explain(odd)
    assert (times[["country", "comment"]] > usual[["country", "comment"]][:20]).all(axis=None)


@pytest.mark.filterwarnings("ignore::augan.exceptions.DriftWarning")
@pytest.mark.parametrize(
    "params",
    [
        {"heads": ("data_neighbors",)},
        {"heads": ("repair",)},
        {"heads": ("latent",), **FEW_STEPS},
        {"scoring": "paper", **FEW_STEPS},
    ],
)
def test_a_last_column_that_never_varied_is_explained_as_well(
    params: dict[str, Any], X: np.ndarray
) -> None:
    rows = np.column_stack([X, np.full(len(X), 7.0)])
    detector = FAnoGAN(**PLAIN, **params).fit(rows)
    usual = detector.explain(rows)
    assert usual.shape == rows.shape
    rows[:, 3] = 8
    changed = detector.explain(rows)
    assert changed.shape == rows.shape
    if "scoring" not in params and params["heads"] != ("latent",):
        assert (changed.to_numpy()[:, 3] > usual.to_numpy()[:, 3]).all()


def test_pixels_are_explained_by_the_nearest_images(
    image_model: FAnoGAN, digits: np.ndarray
) -> None:
    odd = digits[100:140].copy()
    usual = image_model.explain(odd)
    odd[:, 2:5, 0:3] = 16 - odd[:, 2:5, 0:3]
    found = image_model.explain(odd)
    assert found.shape == (40, 8, 8) and np.isfinite(found).all()
    rise = (found - usual).mean(axis=0)
    inside = np.zeros((8, 8), dtype=bool)
    inside[2:5, 0:3] = True
    assert rise[inside].mean() > 1 and rise[inside].mean() > 3 * np.abs(rise[~inside]).mean()
    assert found.mean(axis=0).argmax() in np.flatnonzero(inside)


# Other uses


def test_the_exported_scorer_agrees(without: FAnoGAN, X: np.ndarray, tmp_path: Path) -> None:
    fresh = dependent_rows(80, seed=1)
    report = without.export_onnx(path := tmp_path / "m.onnx", X=fresh)
    assert report.found.agrees and report.found.difference < 1e-3
    assert report.found.n_other == 0 and report.found.n_rows > 1000
    exported = OnnxDetector(path, providers="cpu")
    assert_allclose(exported.anomaly_score(fresh), without.anomaly_score(fresh), rtol=1e-3)
    assert_allclose(exported.explain(fresh), without.explain(fresh), rtol=1e-2, atol=1e-3)
    assert exported.threshold_ == without.threshold_


@pytest.mark.slow
def test_the_exported_scorer_of_images_agrees(
    image_model: FAnoGAN, digits: np.ndarray, tmp_path: Path
) -> None:
    report = image_model.export_onnx(path := tmp_path / "m.onnx")
    assert report.found.agrees and report.found.n_other == 0
    exported = OnnxDetector(path, providers="cpu")
    ours, theirs = image_model.anomaly_score(digits), exported.anomaly_score(digits)
    assert_allclose(theirs, ours, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("part", ["generator", "encoder"])
def test_an_absent_part_is_not_exported(part: str, without: FAnoGAN, tmp_path: Path) -> None:
    with pytest.raises(ParameterError) as caught:
        without.export_onnx(tmp_path / "m.onnx", part=part)
    message = f"part={part!r}: the detector was fitted without a generator; {HOW}"
    assert str(caught.value) == message
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, {"pretext": 20}),
        ({"generator": False}, {"pretext": 20}),
        ({"heads": ("data_neighbors",)}, {}),
        ({"generator": True}, {"gan": 1000, "encoder": 1000, "pretext": 20}),
        ({"max_steps": 500}, {"gan": 500, "encoder": 1000, "pretext": 20}),
        ({"heads": ("latent",)}, {"gan": 1000, "encoder": 1000}),
    ],
)
def test_a_dry_run_has_the_phases_of_the_fit(
    params: dict[str, Any], expected: dict[str, int], X: np.ndarray
) -> None:
    facts = FAnoGAN(**PLAIN, **params).dry_run(X)
    assert facts["steps"] == expected
    assert set(facts["seconds"]) == {*expected, "training"}
    own = {"generator", "critic", "encoder"} if "gan" in expected else set()
    own |= {"pretext", "folds"} if "pretext" in expected else set()
    assert set(facts["parameters"]) == own


def test_a_warm_start_needs_no_generator(without: FAnoGAN, X: np.ndarray, tmp_path: Path) -> None:
    without.save(tmp_path / "m.augan")
    shifted = dependent_rows(100, seed=3)
    warm = FAnoGAN(**{**PLAIN, "pretext_steps": 1}, warm_start_from=tmp_path / "m.augan")
    assert phases(warm.fit(shifted)) == ["pretext"]
    cold = FAnoGAN(**{**PLAIN, "pretext_steps": 1}).fit(shifted)

    def distance(detector: FAnoGAN) -> float:
        own, former = (d.networks_.pretext.layers[1].weight for d in (detector, without))
        return float((own - former).norm())

    assert distance(warm) < 0.5 * distance(cold)


def test_commands_say_what_is_missing(without: FAnoGAN, X: np.ndarray, tmp_path: Path) -> None:
    without.save(tmp_path / "m.augan")
    table = tmp_path / "rows.csv"
    pd.DataFrame(X, columns=["a", "b", "c"]).to_csv(table, index=False)
    out = str(tmp_path / "new.csv")
    command = ["sample", str(tmp_path / "m.augan"), "-n", "3", "--out", out]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 1 and not Path(out).exists()
    assert "fitted without a generator" in " ".join(result.output.split())
    quick = ["pretext_steps=2", "n_folds=2", "width=8", "max_steps=2", "encoder_steps=2"]
    advice = re.fullmatch(r"fit with generator=True \(augan fit --set (generator=.*)\)", HOW)
    assert advice is not None
    for asked, sampled in ((advice[1], True), ("generator=False", False)):
        out = str(tmp_path / "n.augan")
        sets = [word for text in [*quick, asked] for word in ("--set", text)]
        result = CliRunner().invoke(app, ["fit", str(table), "--out", out, *sets])
        assert result.exit_code == 0, result.output
        assert load(out).networks_.has_generator == sampled
