"""The detectors keep scikit-learn's contract, with its own checks and in its own tools."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_outlier_detector
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from augan import AnoGAN, FAnoGAN
from augan.exceptions import CalibrationWarning, DataError, DataWarning

TINY: dict[str, Any] = {
    **{"max_steps": 3, "n_critic": 1, "width": 8, "latent_dim": 2, "batch_size": 8},
    **{"pretext_steps": 3, "n_folds": 4},
}
CHECKED = [
    FAnoGAN(encoder_steps=3, max_categories=1000, **TINY),
    AnoGAN(search_steps=2, max_categories=1000, **TINY),
]
BOTH = [FAnoGAN(encoder_steps=3, **TINY), AnoGAN(search_steps=2, **TINY)]


@parametrize_with_checks(CHECKED[:1])
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.slow  # AnoGAN differs from FAnoGAN in how latents are found
@parametrize_with_checks(CHECKED[1:])
def test_scikit_learns_own_checks_of_anogan(estimator: Any, check: Any) -> None:
    check(estimator)


def test_score_is_the_auroc_of_the_anomalies(blobs: Any) -> None:
    X, y = blobs
    detector = clone(BOTH[0]).set_params(random_state=0).fit(X[y == 1])
    expected = roc_auc_score(y == -1, detector.anomaly_score(X))
    assert expected > 0.9
    for labels in (y, (y == -1).astype(int), y == -1, np.where(y == -1, 1.0, 0.0)):
        assert detector.score(X, labels) == expected
    kinds = np.where(y == -1, 1 + np.arange(240) % 3, 0)
    assert detector.score(X, kinds) == expected
    words = np.where(y == -1, "scratch", "good")
    assert detector.set_params(normal_label="good").score(X, words) == expected
    detector.set_params(normal_label=None)
    with pytest.raises(TypeError, match="needs y, the labels"):
        detector.score(X)
    with pytest.raises(DataError, match="pos_label"):
        detector.score(X, words)
    with pytest.raises(DataError, match="y has 3 labels for 240 rows"):
        detector.score(X, [0, 1, 1])
    with pytest.raises(DataError, match="both"):
        detector.score(X, np.zeros(240))


@pytest.fixture(scope="module")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    """Rows, and labels 1 (normal) or -1 (far away)."""
    random = np.random.default_rng(0)
    normal, odd = random.normal(size=(200, 3)), random.normal(8, 1, size=(40, 3))
    order = random.permutation(240)
    return np.vstack([normal, odd])[order], np.repeat([1, -1], [200, 40])[order]


@pytest.mark.parametrize("estimator", BOTH)
def test_clone_and_params(estimator: Any) -> None:
    copy = clone(estimator)
    assert copy is not estimator
    assert copy.get_params() == estimator.get_params()
    assert copy.set_params(gan="hinge") is copy
    assert copy.gan == "hinge"
    with pytest.raises(ValueError, match="Invalid parameter 'nonsense'"):
        copy.set_params(nonsense=1)
    assert not hasattr(copy, "scorer_")
    assert "max_steps=3" in repr(copy)
    assert is_outlier_detector(copy)


@pytest.mark.parametrize("estimator", BOTH)
@pytest.mark.parametrize(
    "method",
    [
        *("predict", "score_samples", "anomaly_score", "decision_function", "p_value"),
        *("p_value_of", "score_parts", "explain", "surprise", "reconstruct", "sample", "save"),
    ],
)
def test_methods_before_fit_say_so(estimator: Any, method: str) -> None:
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(clone(estimator), method)(1 if method == "sample" else np.zeros((3, 2)))


def test_the_threshold_before_fit_says_so() -> None:
    with pytest.raises(NotFittedError):
        FAnoGAN().threshold_  # noqa: B018


@pytest.mark.parametrize("estimator", BOTH)
def test_the_four_methods_agree(estimator: Any, blobs: Any) -> None:
    X, _ = blobs
    detector = clone(estimator).set_params(random_state=0).fit(X)
    scores = detector.score_samples(X)
    assert scores.shape == (240,)
    assert scores.dtype == np.float64
    np.testing.assert_array_equal(scores, -detector.anomaly_score(X))
    decision = detector.decision_function(X)
    np.testing.assert_array_equal(decision, scores - detector.offset_)
    predicted = detector.predict(X)
    assert predicted.dtype == np.int64
    np.testing.assert_array_equal(predicted, np.where(decision < 0, -1, 1))
    np.testing.assert_array_equal(predicted == -1, -scores > detector.threshold_)
    assert detector.threshold_ == -detector.offset_
    assert set(predicted) == {1, -1}
    np.testing.assert_array_equal(
        detector.p_value(X), detector.p_value_of(detector.anomaly_score(X))
    )


@pytest.mark.parametrize("contamination", [0.05, 0.1, 0.25, 0.5])
def test_contamination_is_the_share_of_training_rows_beyond(
    contamination: float, blobs: Any
) -> None:
    X = blobs[0][:200]
    detector = FAnoGAN(contamination=contamination, encoder_steps=3, random_state=0, **TINY)
    assert (detector.fit_predict(X) == -1).sum() == 200 * contamination


@pytest.mark.parametrize("target_fpr", [0.02, 0.1, 0.5])
@pytest.mark.parametrize(("heads", "n"), [("auto", 1000), (("latent", "data_neighbors"), 500)])
def test_target_fpr_is_the_share_of_calibration_rows_beyond(
    target_fpr: float, heads: Any, n: int
) -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(1000, 3))
    detector = FAnoGAN(
        target_fpr=target_fpr,
        heads=heads,
        validation_fraction=0.5,
        encoder_steps=3,
        random_state=0,
        **TINY,
    ).fit(X)
    calibration = detector.scorer_.conformal.scores.numpy()
    assert len(calibration) == n
    assert (calibration > detector.threshold_).mean() <= target_fpr
    assert (calibration >= detector.threshold_).mean() >= target_fpr - 1 / n
    fresh, deviation = random.normal(size=(4000, 3)), (target_fpr * (1 - target_fpr) / n) ** 0.5
    assert (detector.predict(fresh) == -1).mean() == pytest.approx(target_fpr, abs=deviation * 4)
    far = detector.p_value(X) < target_fpr
    assert (detector.predict(X)[far] == -1).all()


def test_few_held_out_rows_put_the_threshold_beyond_the_highest() -> None:
    """By the mean excess of the highest ten: p falls there as e^(-excess / mean)."""
    X = np.random.default_rng(0).normal(size=(20, 2))
    detector = FAnoGAN(target_fpr=0.01, encoder_steps=3, random_state=0, **TINY)
    with pytest.warns(CalibrationWarning, match=r"least is 1/21 = 0\.048"):
        detector.fit(X)
    scores = detector.scorer_.conformal.scores.numpy()
    assert len(scores) == 20
    mean = (scores[-10:] - scores[-11]).mean()
    expected = scores[-1] + mean * np.log(1 / 21 / 0.01)
    assert detector.threshold_ == pytest.approx(expected, rel=1e-6)
    assert detector.p_value_of([detector.threshold_])[0] == pytest.approx(0.01, rel=1e-6)
    assert detector.threshold_at(1 / 21) == pytest.approx(scores[-1], rel=1e-6)


def test_normal_label_trains_on_those_rows_alone(blobs: Any) -> None:
    X, y = blobs
    params = {"encoder_steps": 20, "random_state": 0, **TINY, "max_steps": 20}
    labelled = FAnoGAN(normal_label=1, **params)
    predicted = labelled.fit_predict(X, y)
    plain = FAnoGAN(**params).fit(X[y == 1])
    np.testing.assert_array_equal(labelled.score_samples(X), plain.score_samples(X))
    np.testing.assert_array_equal(predicted, plain.predict(X))
    assert predicted.shape == y.shape
    assert (predicted[y == -1] == -1).all()
    ignored = FAnoGAN(**params).fit(X, y)
    np.testing.assert_array_equal(
        ignored.score_samples(X),
        FAnoGAN(**params).fit(X).score_samples(X),
    )


@pytest.mark.parametrize(
    "labels",
    [pd.Series(["ok"] * 30 + ["bad"] * 10, index=range(5, 45)), ["ok"] * 30 + ["bad"] * 10],
)
def test_labels_may_be_text_and_rows_a_frame_of_any_index(labels: Any) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(40, 2)), columns=["a", "b"], index=[0, 1] * 20)
    detector = FAnoGAN(normal_label="ok", encoder_steps=3, random_state=0, **TINY)
    detector.fit(frame, labels)
    plain = clone(detector).set_params(normal_label=None).fit(frame[:30])
    np.testing.assert_array_equal(detector.score_samples(frame), plain.score_samples(frame))


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "normal_label=1 needs y"),
        ([0] * 240, r"no row has the label normal_label=1; y has 0"),
        ([1] * 239, "239 labels for 240 rows"),
        ([1] + [0] * 239, "at least 2 rows, got n_samples = 1"),
    ],
)
def test_labels_that_cannot_be_used(y: Any, message: str, blobs: Any) -> None:
    with pytest.raises(DataError, match=message):
        FAnoGAN(normal_label=1).fit(blobs[0], y)


def test_in_a_pipeline(blobs: Any) -> None:
    X, y = blobs
    detector = FAnoGAN(encoder_steps=3, random_state=0, normal_label=1, **TINY)
    pipeline = Pipeline([("scale", StandardScaler()), ("detect", detector)]).fit(X, y)
    scaled = StandardScaler().fit_transform(X)
    alone = clone(detector).fit(scaled, y)
    np.testing.assert_array_equal(pipeline.score_samples(X), alone.score_samples(scaled))
    np.testing.assert_array_equal(pipeline.predict(X), alone.predict(scaled))
    np.testing.assert_array_equal(pipeline.decision_function(X), alone.decision_function(scaled))


def test_a_frame_goes_through_a_pipeline(mixed_frame: pd.DataFrame) -> None:
    detector = FAnoGAN(encoder_steps=3, random_state=0, **TINY)
    pipeline = make_pipeline("passthrough", detector).fit(mixed_frame)
    assert pipeline.score_samples(mixed_frame).shape == (len(mixed_frame),)
    assert list(pipeline[-1].feature_names_in_) == list(mixed_frame.columns)


@pytest.mark.parametrize("scoring", ["roc_auc", "average_precision"])
def test_grid_search_on_labelled_rows(scoring: str, blobs: Any) -> None:
    X, y = blobs
    detector = FAnoGAN(normal_label=1, encoder_steps=20, random_state=0, **TINY)
    grid = {"scoring": ["calibrated", "paper"], "n_neighbors": [3, 9]}
    search = GridSearchCV(detector, grid, scoring=scoring, cv=2, refit=True).fit(X, y)
    assert search.best_score_ > 0.95
    assert not np.isnan(search.cv_results_["mean_test_score"]).any()
    assert roc_auc_score(y, search.decision_function(X)) > 0.95
    assert set(search.predict(X)) == {1, -1}
    assert search.best_estimator_.n_features_in_ == 3


def test_cross_validation(blobs: Any) -> None:
    X, y = blobs
    detector = FAnoGAN(normal_label=1, encoder_steps=20, random_state=0, **TINY)
    predicted = cross_val_predict(detector, X, y, cv=2)
    assert (predicted[y == -1] == -1).all()
    assert cross_val_score(detector, X, y, cv=2, scoring="roc_auc").min() > 0.95


def test_feature_names(mixed_frame: pd.DataFrame, table_detector: FAnoGAN) -> None:
    assert list(table_detector.feature_names_in_) == list(mixed_frame.columns)
    assert table_detector.n_features_in_ == mixed_frame.shape[1]
    with pytest.raises(ValueError, match="same order"):
        table_detector.predict(mixed_frame[mixed_frame.columns[::-1]])
    with pytest.raises(ValueError, match="unseen at fit time:\n- cash"):
        table_detector.predict(mixed_frame.rename(columns={"amount": "cash"}))
    with pytest.raises(ValueError, match="missing:\n- day"):
        table_detector.predict(mixed_frame.drop(columns="day"))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        table_detector.predict(mixed_frame.to_numpy(dtype=object))


def test_arrays_have_no_feature_names(blobs: Any) -> None:
    X = blobs[0]
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    detector = FAnoGAN(encoder_steps=3, random_state=0, **TINY).fit(frame)
    assert hasattr(detector, "feature_names_in_")
    detector.fit(X)
    assert not hasattr(detector, "feature_names_in_")
    assert detector.n_features_in_ == 3
    with pytest.raises(ValueError, match="X has 2 features, but FAnoGAN is expecting 3"):
        detector.predict(X[:, :2])
    assert list(detector.explain(X).columns) == ["x0", "x1", "x2"]


def test_a_list_is_an_array(blobs: Any) -> None:
    X = blobs[0][:50]
    detector = FAnoGAN(encoder_steps=3, random_state=0, **TINY).fit(X.tolist())
    np.testing.assert_array_equal(detector.predict(X.tolist()), detector.predict(X))
    assert isinstance(detector.reconstruct(X.tolist()), np.ndarray)


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (9, 12, 3)])
def test_images_as_an_array_and_as_a_list(shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).integers(0, 256, (20, *shape)).astype("uint8")
    detector = FAnoGAN(encoder_steps=3, random_state=0, **TINY).fit(images)
    scores = detector.score_samples(images)
    assert scores.shape == (20,)
    assert detector.n_features_in_ == np.prod(shape)
    as_list = [image for image in images]  # noqa: C416
    if len(shape) == 2 or shape[2] != 1:
        np.testing.assert_array_equal(detector.score_samples(as_list), scores)
    assert detector.explain(images).shape == (20, *shape[:2])
    assert detector.reconstruct(images).shape == images.shape
    assert detector.sample(3).dtype == np.uint8
    with pytest.raises(DataError, match="X holds a table, in training images"):
        detector.predict(images.reshape(20, -1))


def test_a_table_detector_refuses_images(table_detector: FAnoGAN) -> None:
    with pytest.raises(DataError, match="X holds images, in training a table"):
        table_detector.predict(np.zeros((3, 8, 8)))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (pd.DataFrame(), "X is empty: it has"),
        (pd.DataFrame({"a": []}), "X is empty: it has"),
        (np.zeros((0, 3)), "0 sample"),
        (np.zeros(5), "1D array"),
        (np.zeros((2, 2, 2, 2, 2)), "dim"),
        ([], "Expected 2D array"),
        (pd.DataFrame({"a": [1.0]}), "at least 2 rows"),
        (pd.DataFrame({"a": [1.0, 1.0]}), "no column varies"),
    ],
)
def test_what_cannot_be_trained_on(X: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FAnoGAN().fit(X)


def test_two_rows_are_enough() -> None:
    detector = FAnoGAN(encoder_steps=3, random_state=0, **TINY)
    with pytest.warns(DataWarning, match="batch_size=8 is more than the 1 training rows"):
        detector.fit([[0.0], [1.0]])
    assert np.isfinite(detector.score_samples([[0.0], [5.0]])).all()


@pytest.mark.filterwarnings("ignore:images of")  # others are brighter than any in training
def test_images_that_are_all_the_same_are_enough() -> None:
    images = np.full((12, 8, 8), 7, dtype="uint8")
    detector = FAnoGAN(encoder_steps=3, random_state=0, **TINY).fit(images)
    odd = images.copy()
    odd[0, :4] = 200
    scores = detector.anomaly_score(odd)
    assert np.isfinite(scores).all()
    assert scores[0] > scores[1:].max()
