"""Thresholds and p-values: what is promised holds, and what cannot be promised is said."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from augan import AnoGAN, FAnoGAN, OnnxDetector, load
from augan.exceptions import CalibrationWarning, DataError, ModelFileError, ParameterError
from augan.scoring.calibration import Conformal
from augan.scoring.rates import check_rate, check_scores, warn_of_few

TINY: dict[str, Any] = {
    **{"max_steps": 2, "encoder_steps": 2, "pretext_steps": 2, "n_critic": 1, "n_folds": 2},
    **{"width": 4, "random_state": 0},
}
NO_RATES = [np.nan, 0, 1, 2, -1, "x", None, True, np.inf, [0.1], "0.1"]


@pytest.fixture(scope="module")
def file(default_file: Path) -> Path:
    return default_file


@pytest.fixture
def detector(default_detector: FAnoGAN) -> FAnoGAN:
    """Return a copy that a test may change."""
    return copy.copy(default_detector)


@pytest.mark.parametrize("rate", NO_RATES)
def test_a_rate_that_is_none_is_refused_by_name(
    rate: Any, default_detector: FAnoGAN, file: Path, mixed_frame: pd.DataFrame
) -> None:
    exported = OnnxDetector(file, providers="cpu")
    rows = mixed_frame[:2]
    for asked in (
        lambda: default_detector.threshold_at(rate),
        lambda: exported.threshold_at(rate),
        lambda: check_rate(rate),
    ):
        with pytest.raises(ParameterError, match=r"target_fpr=.*must be a number above 0, below 1"):
            asked()
    if rate is not None:
        for asked in (
            lambda: default_detector.predict(rows, target_fpr=rate),
            lambda: exported.predict(rows, target_fpr=rate),
            lambda: OnnxDetector(file, providers="cpu", target_fpr=rate).predict(rows),
        ):
            with pytest.raises(ParameterError, match="target_fpr="):
                asked()


@pytest.mark.parametrize("scores", [np.nan, [1.0, np.nan], "x", ["1", "x"], None, [[1], [2, 3]]])
def test_a_score_that_is_no_number_has_no_p_value(scores: Any, default_detector: FAnoGAN) -> None:
    with pytest.raises(DataError, match=r"score.*must be (a )?number"):
        default_detector.p_value_of(scores)


def test_infinite_scores_have_the_extreme_p_values(default_detector: FAnoGAN) -> None:
    above, below = default_detector.p_value_of([np.inf, -np.inf])
    assert above == pytest.approx(1e-12 / (default_detector.n_calibration_ + 1), rel=0.1)
    assert below == 1.0
    assert check_scores(2).shape == ()


def test_predict_takes_a_rate(
    default_detector: FAnoGAN, file: Path, mixed_frame: pd.DataFrame
) -> None:
    scores = default_detector.anomaly_score(mixed_frame)
    exported = OnnxDetector(file, providers="cpu")
    for rate in (0.02, 0.2, 0.7):
        expected = np.where(scores > default_detector.threshold_at(rate), -1, 1)
        np.testing.assert_array_equal(
            default_detector.predict(mixed_frame, target_fpr=rate), expected
        )
        found = exported.predict(mixed_frame, target_fpr=rate)
        limit = exported.threshold_at(rate)
        np.testing.assert_array_equal(
            found, np.where(exported.anomaly_score(mixed_frame) > limit, -1, 1)
        )
        assert (found != expected).sum() <= 2  # whose scores lie at the limit
    assert (
        default_detector.predict(mixed_frame, 0.7).sum()
        < default_detector.predict(mixed_frame).sum()
    )


def test_a_rate_set_after_fit_moves_the_threshold(
    detector: FAnoGAN, mixed_frame: pd.DataFrame, tmp_path: Path
) -> None:
    before, fitted = detector.predict(mixed_frame), detector.threshold_
    detector.set_params(target_fpr=0.3)
    assert detector.threshold_ == detector.threshold_at(0.3) < fitted
    assert detector.offset_ == -detector.threshold_
    np.testing.assert_array_equal(
        detector.predict(mixed_frame), detector.predict(mixed_frame, target_fpr=0.3)
    )
    detector.save(tmp_path / "moved.augan")
    assert load(tmp_path / "moved.augan").threshold_ == detector.threshold_
    detector.target_fpr = 0.05
    assert detector.threshold_ == fitted
    np.testing.assert_array_equal(detector.predict(mixed_frame), before)
    detector.target_fpr = 3
    with pytest.raises(ParameterError, match="target_fpr=3"):
        detector.predict(mixed_frame)


def test_an_offset_that_is_given_counts(detector: FAnoGAN, mixed_frame: pd.DataFrame) -> None:
    detector.offset_ = -1e9
    assert detector.threshold_ == 1e9
    assert (detector.predict(mixed_frame) == 1).all()


@pytest.mark.parametrize("cls", [FAnoGAN, AnoGAN])
def test_contamination_and_a_rate_exclude_each_other(cls: Any) -> None:
    X = np.zeros((30, 2))
    with pytest.raises(ParameterError, match=r"contamination=0.1 and target_fpr=0.2"):
        cls(contamination=0.1, target_fpr=0.2).fit(X)


def test_a_rate_set_after_a_fit_with_contamination_is_refused_but_predict_takes_one() -> None:
    X = np.random.default_rng(0).normal(size=(60, 2))
    detector = FAnoGAN(contamination=0.1, **TINY).fit(X)
    assert (detector.predict(X) == -1).sum() == 6
    assert (detector.predict(X, target_fpr=0.5) == -1).sum() > 6
    detector.set_params(target_fpr=0.2)
    with pytest.raises(ParameterError, match=r"contamination=0.1 and target_fpr=0.2"):
        detector.predict(X)


def test_too_few_calibration_rows_for_a_rate_are_said_with_the_least_there_is(
    default_detector: FAnoGAN, file: Path
) -> None:
    n = default_detector.n_calibration_
    says = rf"rate of 0\.001 .* {n} calibration rows: the least is 1/{n + 1} = 0\.0025"
    for model in (default_detector, OnnxDetector(file, providers="cpu")):
        with pytest.warns(CalibrationWarning, match=says):
            limit = model.threshold_at(0.001)
            highest = default_detector.scorer_.conformal.scores[-1]
            decay = default_detector.scorer_.conformal.decay
            extrapolated = float(highest - np.log(0.001 * (n + 1)) / decay)
            assert limit == pytest.approx(extrapolated, rel=1e-5)
            assert default_detector.p_value_of([limit]) == pytest.approx(0.001, rel=1e-4)
    with pytest.warns(CalibrationWarning):
        OnnxDetector(file, providers="cpu", target_fpr=0.001).threshold_  # noqa: B018


def test_as_many_calibration_rows_as_a_rate_needs_are_no_warning(
    default_detector: FAnoGAN, file: Path
) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for n, rate in ((99, 0.01), (19, 0.05), (999, 0.001), (9, 0.1), (2, 1 / 3)):
            warn_of_few(n, rate)
        default_detector.threshold_at(0.01)
        OnnxDetector(file, providers="cpu").threshold_at(0.01)
        FAnoGAN(**TINY).fit(np.random.default_rng(0).normal(size=(20, 2)))
    assert not told


def test_a_fit_to_a_few_images_says_which_rate_it_can_keep() -> None:
    images = np.random.default_rng(0).integers(0, 255, (10, 96, 96)).astype(np.uint8)
    # the second head calibrates with held-out images only
    heads = ("image_neighbors", "detail_restoration")
    detector = FAnoGAN(target_fpr=0.01, heads=heads, restoration_steps=1, **TINY)
    with pytest.warns(CalibrationWarning, match=r"2 calibration rows: the least is 1/3 = 0\.33"):
        detector.fit(images)
    assert detector.n_calibration_ == 2


def test_an_exported_detector_is_opened_again_for_other_parameters(
    file: Path, mixed_frame: pd.DataFrame
) -> None:
    exported = OnnxDetector(file, providers="cpu")
    scores = exported.anomaly_score(mixed_frame)
    session = exported._opened()
    assert exported._opened() is session
    exported.threads = 1
    assert exported._opened() is not session
    np.testing.assert_array_equal(exported.anomaly_score(mixed_frame), scores)
    for name, value, error in (
        ("path", file.with_name("absent.onnx"), ModelFileError),
        ("providers", "abacus", ParameterError),
        ("threads", 0, ParameterError),
        ("target_fpr", np.nan, ParameterError),
    ):
        with pytest.raises(error):
            copy.copy(exported).set_params(**{name: value}).predict(mixed_frame)


def test_contamination_set_after_fit_is_refused(
    default_detector: FAnoGAN, mixed_frame: pd.DataFrame
) -> None:
    changed = copy.deepcopy(default_detector).set_params(contamination=0.1)
    with pytest.raises(
        ParameterError, match=r"contamination=0\.1: the model was fitted with 'auto'"
    ):
        changed.predict(mixed_frame)


def test_p_values_beyond_all_calibration_scores_fall_as_their_excesses_do() -> None:
    scores = torch.from_numpy(np.random.default_rng(0).exponential(2.0, 400))
    conformal = Conformal()
    conformal.fit(scores)
    ordered = scores.sort().values
    excess = (ordered[-40:] - ordered[-41]).mean()
    assert conformal.decay == pytest.approx(float(1 / excess))
    further = torch.tensor([0.0, 1.0, 5.0], dtype=torch.float64)
    above = ordered[-1] + further
    expected = torch.tensor([2.0, 1.0, 1.0]) / 401 * (-further / excess).exp()
    torch.testing.assert_close(conformal.p_value(above), expected)
    for rate in (1e-3, 1e-5):  # the least that is guaranteed is 1/401
        limit = conformal.threshold(rate)
        assert conformal.p_value(limit[None]).item() == pytest.approx(rate, rel=1e-3)
    within = conformal.p_value(ordered[:-1])
    torch.testing.assert_close(within, (402 - torch.arange(1, 400)).double() / 401)


def test_equal_calibration_scores_have_no_tail() -> None:
    conformal = Conformal()
    conformal.fit(torch.ones(30))
    assert conformal.p_value(torch.tensor([2.0])).item() == pytest.approx(1 / 31)
    assert conformal.threshold(1e-6) == 1.0
