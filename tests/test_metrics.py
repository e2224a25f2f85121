"""Scorers for cross-validation: the anomaly is the positive class, whatever its label."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.covariance import EllipticEnvelope
from sklearn.datasets import make_blobs
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score, cross_validate
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import OneClassSVM

from augan import FAnoGAN
from augan.exceptions import DataError, ParameterError
from augan.labels import anomaly_labels
from augan.metrics import average_precision_scorer, roc_auc_scorer

FRAUD = np.arange(60) % 6 == 0
X = make_blobs(60, centers=[[0.0, 0.0, 0.0]], random_state=0)[0] + 9.0 * FRAUD[:, None]
FOREST = IsolationForest(n_estimators=10, random_state=0)
SCORERS = {"roc_auc": roc_auc_scorer, "average_precision": average_precision_scorer}
TINY: dict[str, Any] = {"max_steps": 1, "pretext_steps": 1, "encoder_steps": 1, "width": 8}
TINY |= {"heads": ("data_neighbors",), "n_folds": 2, "random_state": 0}
FOLDS = StratifiedKFold(2)


@pytest.mark.parametrize("scorer", SCORERS.values(), ids=SCORERS)
@pytest.mark.parametrize(
    "y",
    [FRAUD.astype(int), FRAUD, FRAUD.astype(float), list(map(int, FRAUD)), np.where(FRAUD, -1, 1)],
    ids=["0/1", "bool", "float", "list", "-1/1"],
)
def test_a_perfect_detector_gets_one(scorer: Any, y: Any) -> None:
    detector = IsolationForest(random_state=0).fit(X[~FRAUD])
    assert scorer(detector, X, y) == 1.0


def test_scikit_learns_own_scorer_has_the_other_sign() -> None:
    """The reason for these: with 1 for the anomalies a good detector gets nearly 0."""
    scores = cross_val_score(FOREST, X, FRAUD.astype(int), cv=FOLDS, scoring="roc_auc")
    own = cross_val_score(FOREST, X, FRAUD.astype(int), cv=FOLDS, scoring=roc_auc_scorer)
    assert scores.max() < 0.05 and np.allclose(own, 1 - scores)


def test_the_values_are_those_of_scikit_learns_metrics() -> None:
    y, noisy = FRAUD, X + np.random.default_rng(0).normal(0, 9, X.shape)
    detector = FOREST.fit(noisy)
    score = -detector.score_samples(noisy)
    assert roc_auc_scorer(detector, noisy, y) == roc_auc_score(y, score) < 1
    found = average_precision_scorer(detector, noisy, y)
    assert found == average_precision_score(y, score) < 1


@pytest.mark.parametrize(
    "detector",
    [
        EllipticEnvelope(random_state=0),
        OneClassSVM(),
        LocalOutlierFactor(novelty=True),
        make_pipeline(StandardScaler(), FOREST),
    ],
    ids=lambda detector: type(detector).__name__,
)
def test_every_outlier_detector_is_scored(detector: Any) -> None:
    detector.fit(X[~FRAUD])
    assert roc_auc_scorer(detector, X, FRAUD) > 0.95


def test_what_is_no_outlier_detector_is_refused() -> None:
    y = FRAUD.astype(int)
    for estimator in (LogisticRegression().fit(X, y), LocalOutlierFactor().fit(X), X):
        with pytest.raises(ParameterError, match="is not an outlier detector with score_samples"):
            roc_auc_scorer(estimator, X, y)


def test_the_label_of_the_anomalies_can_be_given() -> None:
    y = pd.Series(np.where(FRAUD, "fraud", "fine"))
    named = roc_auc_scorer(pos_label="fraud")
    assert cross_val_score(FOREST, X, y, cv=FOLDS, scoring=named).min() > 0.95
    assert repr(named) == "roc_auc_scorer(pos_label='fraud')"
    assert repr(average_precision_scorer) == "average_precision_scorer"
    assert pickle.loads(pickle.dumps(named)) == named != roc_auc_scorer
    assert roc_auc_scorer(FOREST.fit(X), X, y, pos_label="fine") < 0.05
    kinds = np.where(FRAUD, "fraud", np.where(np.arange(60) % 2, "a", "b"))
    assert roc_auc_scorer(pos_label="fraud")(FOREST.fit(X), X, kinds) > 0.95


def test_normal_label_of_a_detector_says_which_rows_are_anomalies() -> None:
    y = np.where(FRAUD, np.where(np.arange(60) % 4 == 0, "fraud", "theft"), "fine")
    detector = FAnoGAN(normal_label="fine", **TINY)
    grid = {"fanogan__n_neighbors": [1]}
    search = GridSearchCV(make_pipeline(StandardScaler(), detector), grid, cv=FOLDS)
    search.set_params(scoring=roc_auc_scorer).fit(X, y)
    assert search.best_score_ > 0.95
    assert search.score(X, y) == roc_auc_scorer(search, X, y) > 0.95
    assert roc_auc_scorer(search, X, y, pos_label="fine") < 0.05


def test_grid_search_and_cross_validation_of_a_forest() -> None:
    y = FRAUD.astype(int)
    grid = {"n_estimators": [5, 10]}
    search = GridSearchCV(FOREST, grid, cv=FOLDS, scoring=SCORERS, refit="roc_auc").fit(X, y)
    assert search.best_score_ > 0.95 and "roc_auc_scorer" in repr(search)
    table = cross_validate(FOREST, X, y, cv=FOLDS, scoring=SCORERS, return_estimator=True)
    assert table["test_roc_auc"].min() > 0.95 and table["test_average_precision"].min() > 0.9


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of joblib's processes
def test_scores_are_the_same_in_two_processes() -> None:
    y = np.where(FRAUD, "fraud", "fine")
    alone, both = (
        cross_val_score(FOREST, X, y, cv=FOLDS, n_jobs=n, scoring=roc_auc_scorer(pos_label="fraud"))
        for n in (1, 2)
    )
    assert np.array_equal(alone, both)


def test_in_cross_validation_one_class_is_a_warning_that_says_so() -> None:
    """As scikit-learn has it: NaN for the fold, and the message of the error."""
    y = (np.arange(60) == 7).astype(int)
    folds = [(np.arange(30), np.arange(30, 60)), (np.arange(30, 60), np.arange(30))]
    with pytest.warns(UserWarning, match="every row has the label 0; y has 0"):
        found = cross_val_score(FOREST, X, y, cv=folds, scoring=roc_auc_scorer)
    assert np.isnan(found).tolist() == [True, False]
    with pytest.raises(DataError, match="anomalies and normal rows are both needed"):
        cross_val_score(FOREST, X, y, cv=folds, scoring=roc_auc_scorer, error_score="raise")


@pytest.mark.parametrize(
    ("y", "given", "error", "says"),
    [
        (["a", "b"], {}, DataError, "y has the labels 'a', 'b': give pos_label, the label of"),
        ([0, 1, 2], {}, DataError, "y has the labels 0, 1, 2: give pos_label"),
        ([-1, 0, 1], {}, DataError, "y has the labels -1, 0, 1: give pos_label"),
        (["0", "1"], {}, DataError, "y has the labels '0', '1': give pos_label"),
        ([1, 1], {}, DataError, "every row has the label 1; y has 1: anomalies and normal rows"),
        ([0, 0], {}, DataError, "every row has the label 0; y has 0"),
        ([], {}, DataError, "y has no labels"),
        ([0, None, 1], {}, DataError, "y, row 1: None is not a label"),
        ([0.0, 1.0, np.nan], {}, DataError, "y, row 2: nan is not a label"),
        (pd.Series([1.0, np.nan], index=["a", "b"]), {}, DataError, "y, row 1 .index 'b'.: nan"),
        (np.ma.masked_array([0, 1, 1], [0, 0, 1]), {}, DataError, "y, row 2: "),
        ([[0, 1], [1, 0]], {}, DataError, r"y has shape \(2, 2\)"),
        (None, {}, TypeError, "y is missing"),
        ("fraud", {}, TypeError, "y is 'fraud': need one label a row"),
        (["a", "b"], {"pos_label": "c"}, DataError, "no row has the label pos_label='c'; y has"),
        ([0, 3], {"pos_label": "3"}, DataError, "y has 0, 3 .3 is of another type."),
        (["a", "a"], {"pos_label": "a"}, DataError, "every row has the label pos_label='a'"),
        (["a", "b"], {"pos_label": ["a", "b"]}, ParameterError, "must be one label"),
        (["a", "b"], {"normal_label": "c"}, DataError, "no row has the label normal_label='c'"),
        (["a", "a"], {"normal_label": "a"}, DataError, "every row has the label normal_label='a'"),
        (["a", "b"], {"parameter": "anomaly"}, DataError, "give anomaly, the label of"),
    ],
)
def test_labels_that_do_not_tell_anomalies_are_one_clear_line(
    y: Any, given: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as raised:
        anomaly_labels(y, **given)
    assert "\n" not in str(raised.value)


def test_labels_of_any_container_are_read() -> None:
    expected = FRAUD.tolist()
    for y in (pd.Series(FRAUD, dtype="boolean"), FRAUD[:, None], pd.DataFrame({"y": FRAUD})):
        assert anomaly_labels(y).tolist() == expected
    texts = pd.Series(np.where(FRAUD, "fraud", "fine"))
    for y in (texts.astype("category"), texts.astype("string[pyarrow]"), texts.tolist()):
        assert anomaly_labels(y, normal_label="fine").tolist() == expected
        assert anomaly_labels(y, pos_label="fraud", normal_label="fraud").tolist() == expected


def test_a_scorer_without_rows_or_labels_says_what_it_needs() -> None:
    detector = FOREST.fit(X)
    with pytest.raises(ParameterError, match="roc_auc_scorer: call it with a fitted estimator"):
        roc_auc_scorer(detector)
    with pytest.raises(TypeError, match="y is missing"):
        roc_auc_scorer(detector, X)
    with pytest.raises(DataError, match="y has 3 labels for 60 rows"):
        roc_auc_scorer(detector, X, [0, 1, 1])
