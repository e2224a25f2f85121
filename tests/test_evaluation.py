"""Detection figures: equal to scikit-learn's and to plain loops, with intervals that hold."""

from __future__ import annotations

import copy
import dataclasses
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import betabinom, binom, norm
from sklearn import metrics

from augan.evaluation import (
    DetectionReport,
    Figure,
    detection_metrics,
    evaluate_detector,
    resampling,
)
from augan.evaluation.resampling import figures_of_counts, resample_figures, score_steps
from augan.exceptions import AuganError, DataError, ParameterError

SCORES = ["distinct", "tied", "few values", "rare", "constant"]
AT_THRESHOLD = ("precision", "recall", "fpr", "f1")
FIGURES = (
    *("auroc", "average_precision", "recall_at_1pct_fpr", "fpr_at_95pct_recall", "f1_max"),
    *AT_THRESHOLD,
)


def make_rows(kind: str, n: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows are anomalies, and scores that tell a little of it."""
    random = np.random.default_rng(seed)
    anomaly = random.random(n) < (0.02 if kind == "rare" else 0.3)
    anomaly[:2] = [True, False]
    score = random.normal(size=n) + 1.3 * anomaly
    decimals = {"tied": 1, "few values": 0}
    if kind in decimals:
        score = np.round(score, decimals[kind])
    return anomaly, np.zeros(n) if kind == "constant" else score


def plain_figures(anomaly: Any, score: Any, threshold: float) -> dict[str, float]:
    """Work every figure out from its definition, one row and one threshold at a time."""
    normal, abnormal = score[~anomaly], score[anomaly]
    pairs = [(a > n) + 0.5 * (a == n) for a in abnormal for n in normal]
    best_recall, best_fpr, best_f1, ap, last = 0.0, 1.0, 0.0, 0.0, 0.0
    for limit in sorted(set(score), reverse=True):
        recall, fpr = (abnormal >= limit).mean(), (normal >= limit).mean()
        hit = anomaly[score >= limit].mean()
        best_f1 = max(best_f1, 2 * hit * recall / (hit + recall) if hit else 0.0)
        ap += (recall - last) * anomaly[score >= limit].mean()
        last = recall
        if fpr <= 0.01:
            best_recall = max(best_recall, recall)
        if recall >= 0.95:
            best_fpr = min(best_fpr, fpr)
    flagged = score > threshold
    precision = anomaly[flagged].mean() if flagged.any() else 0.0
    recall = flagged[anomaly].mean()
    return {
        "auroc": float(np.mean(pairs)),
        "average_precision": ap,
        "recall_at_1pct_fpr": best_recall,
        "fpr_at_95pct_recall": best_fpr,
        "f1_max": best_f1,
        "precision": precision,
        "recall": recall,
        "fpr": flagged[~anomaly].mean(),
        "f1": 2 * precision * recall / (precision + recall) if precision else 0.0,
    }


def weighted_figures(anomaly: Any, score: Any, threshold: float, weight: Any) -> dict[str, float]:
    """Return what scikit-learn makes of weighted rows."""
    given = {"sample_weight": weight}
    fprs, recalls, _ = metrics.roc_curve(anomaly, score, drop_intermediate=False, **given)
    flagged = score > threshold
    precisions, hits, _ = metrics.precision_recall_curve(anomaly, score, **given)
    return {
        "f1_max": (2 * precisions * hits / np.maximum(precisions + hits, 1e-12)).max(),
        "auroc": metrics.roc_auc_score(anomaly, score, **given),
        "average_precision": metrics.average_precision_score(anomaly, score, **given),
        "recall_at_1pct_fpr": recalls[fprs <= 0.01].max(),
        "fpr_at_95pct_recall": fprs[recalls >= 0.95].min(),
        "precision": metrics.precision_score(anomaly, flagged, zero_division=0.0, **given),
        "recall": metrics.recall_score(anomaly, flagged, **given),
        "fpr": 1 - metrics.recall_score(~anomaly, ~flagged, **given),
        "f1": metrics.f1_score(anomaly, flagged, **given),
    }


def values_of(report: DetectionReport) -> dict[str, float]:
    return {name: getattr(report, name).value for name in FIGURES}


@pytest.mark.parametrize("threshold", [-10.0, 0.0, 0.7, 10.0])
@pytest.mark.parametrize("kind", SCORES)
def test_figures_equal_their_definitions(kind: str, threshold: float) -> None:
    anomaly, score = make_rows(kind, n=150)
    report = detection_metrics(anomaly, score, threshold=threshold, n_bootstrap=0)
    assert values_of(report) == pytest.approx(plain_figures(anomaly, score, threshold), abs=1e-12)
    assert (report.n_normal, report.n_anomaly) == ((~anomaly).sum(), anomaly.sum())
    assert report.prevalence == anomaly.mean()


@pytest.mark.parametrize("threshold", [-10.0, 0.0, 0.7, 10.0])
@pytest.mark.parametrize("kind", SCORES)
def test_figures_of_drawn_rows_equal_scikit_learns_of_weighted_ones(
    kind: str, threshold: float
) -> None:
    anomaly, score = make_rows(kind)
    weights = np.random.default_rng(1).poisson(1, (8, len(score)))
    weights[:, :2] += 1
    steps, n_flagged = score_steps(anomaly, score, threshold)
    counts = [
        np.stack([np.bincount(steps, weights=w * rows) for w in weights]).astype(int)
        for rows in (~anomaly, anomaly)
    ]
    found = figures_of_counts(*counts, n_flagged)
    for i, weight in enumerate(weights):
        expected = weighted_figures(anomaly, score, threshold, weight)
        assert {name: values[i] for name, values in found.items()} == pytest.approx(expected)


def test_limits_of_1_and_95_percent_are_met_exactly() -> None:
    score = np.arange(300.0)
    anomaly = np.ones(300, dtype=bool)
    anomaly[-100:] = False
    anomaly[[250, 220]] = True
    anomaly[[0, 1]] = False
    report = detection_metrics(anomaly, score, n_bootstrap=50)
    expected = plain_figures(anomaly, score, 0.0)
    assert report.recall_at_1pct_fpr.value == expected["recall_at_1pct_fpr"] == 0.0
    anomaly, score = np.arange(300) % 3 == 0, np.r_[300.0:0:-1]
    anomaly[:] = False
    anomaly[2:22] = True  # 2 normal rows above 20 anomalies: FPR .0071; 19 of 20 are 95 %
    report = detection_metrics(anomaly, score, n_bootstrap=0)
    assert report.recall_at_1pct_fpr.value == 1.0
    assert report.fpr_at_95pct_recall.value == 2 / 280
    hundred = detection_metrics(np.r_[False, [True] * 5, [False] * 99], np.r_[105.0:0:-1])
    assert hundred.recall_at_1pct_fpr.value == 1.0  # one of 100 is 1 %
    late = detection_metrics(np.r_[[True] * 19, [False] * 9, True], np.r_[29.0:0:-1])
    assert late.fpr_at_95pct_recall.value == 0.0


def test_steps_merge_only_rows_that_change_no_figure() -> None:
    anomaly = np.array([0, 0, 1, 0, 0, 1, 1, 0, 0, 0], dtype=bool)
    score = np.array([9, 8, 7, 6, 5, 5, 4, 3, 2, 1], dtype=float)
    steps, n_flagged = score_steps(anomaly, score, None)
    assert steps.tolist() == [0, 0, 1, 2, 3, 3, 4, 5, 5, 5] and n_flagged is None
    steps, n_flagged = score_steps(anomaly, score, 2.0)
    assert steps.tolist() == [0, 0, 1, 2, 3, 3, 4, 5, 6, 6] and n_flagged == 6
    assert score_steps(anomaly, score, 9.0)[1] == 0 and score_steps(anomaly, score, 0.0)[1] == 6


# Intervals


@pytest.mark.slow  # what they are made of: the next tests
def test_intervals_are_quantiles_of_the_figures_of_resampled_rows() -> None:
    anomaly, score = make_rows("tied", n=200)
    report = detection_metrics(anomaly, score, threshold=0.7, n_bootstrap=4000, confidence=0.8)
    random = np.random.default_rng(5)
    classes = [np.flatnonzero(~anomaly), np.flatnonzero(anomaly)]
    drawn = []
    for _ in range(500):
        rows = np.concatenate([random.choice(rows, len(rows)) for rows in classes])
        drawn.append(detection_metrics(anomaly[rows], score[rows], threshold=0.7, n_bootstrap=0))
    for name in FIGURES:
        figure = getattr(report, name)
        low, high = np.quantile([getattr(r, name).value for r in drawn], [0.1, 0.9])
        given = pytest.approx((low, high), abs=0.15 * (high - low))
        assert (figure.low, figure.high) == given, name


@pytest.mark.parametrize("n", [120, pytest.param(400, marks=pytest.mark.slow)])
def test_intervals_cover_the_true_auroc_about_as_often_as_they_say(n: int) -> None:
    random = np.random.default_rng(0)
    truth, covered = norm.cdf(1 / np.sqrt(2)), []
    anomaly = np.arange(200) < 80
    for seed in range(n):
        score = random.normal(size=200) + anomaly
        given = {"n_bootstrap": 300, "confidence": 0.9, "random_state": seed}
        figure = detection_metrics(anomaly, score, **given).auroc
        covered.append(figure.low <= truth <= figure.high)
    slack = 3 * np.sqrt(0.9 * 0.1 / n)  # three deviations of chance
    assert 0.88 - slack <= np.mean(covered) <= 0.91 + slack


def test_a_higher_confidence_gives_wider_intervals_around_the_value() -> None:
    anomaly, score = make_rows("distinct")
    widths = []
    for confidence in (0.5, 0.9, 0.99):
        report = detection_metrics(anomaly, score, threshold=0.7, confidence=confidence)
        figures = [getattr(report, name) for name in FIGURES]
        assert all(figure.low <= figure.high for figure in figures)
        widths.append([figure.high - figure.low for figure in figures])
        assert report.auroc.low < report.auroc.value < report.auroc.high
        assert report.confidence == confidence and report.n_bootstrap == 1000
    assert (np.diff(widths, axis=0) >= 0).all()


def test_the_same_seed_gives_the_same_report_and_touches_no_global_stream() -> None:
    anomaly, score = make_rows("tied")
    p = np.random.default_rng(0).random(len(score))
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    given = {"threshold": 0.5, "p_values": p, "n_bootstrap": 200}
    first, again, other = (
        detection_metrics(anomaly, score, **given, random_state=seed) for seed in (3, 3, 4)
    )
    assert first == again != other
    assert values_of(first) == values_of(other)
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    order = np.random.default_rng(1).permutation(len(score))
    given["p_values"] = p[order]
    assert detection_metrics(anomaly[order], score[order], **given, random_state=3) == first


def test_intervals_do_not_depend_on_how_many_resamples_are_worked_on_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    anomaly, score = make_rows("distinct")
    at_once = resample_figures(anomaly, score, 0.5, 50, seed=0)
    monkeypatch.setattr(resampling, "CELLS", 7 * 200)
    for name, values in resample_figures(anomaly, score, 0.5, 50, seed=0).items():
        assert values.shape == (50,)
        assert np.array_equal(values, at_once[name])


def test_a_thousand_resamples_of_many_rows_take_seconds() -> None:
    anomaly, score = make_rows("rare", n=200_000)
    assert detection_metrics(anomaly, score, threshold=1.0).auroc.low > 0.5


def test_without_a_bootstrap_there_are_no_intervals() -> None:
    anomaly, score = make_rows("distinct")
    report = detection_metrics(anomaly, score, threshold=0.5, p_values=score * 0, n_bootstrap=0)
    figures = [getattr(report, name) for name in FIGURES] + [c.share for c in report.p_values]
    assert all(figure == Figure(figure.value) for figure in figures)


# P-values


def test_the_share_of_low_p_values_is_set_beside_what_it_should_be() -> None:
    random = np.random.default_rng(0)
    anomaly = np.arange(2000) < 500
    p = np.where(anomaly, 0.001, random.random(2000))
    report = detection_metrics(anomaly, -p, p_values=p)
    assert [check.alpha for check in report.p_values] == [0.01, 0.05, 0.1]
    for check in report.p_values:
        low, high = binom.interval(0.99, 1500, check.alpha)
        assert check.share.value == (p[~anomaly] <= check.alpha).mean()
        assert check.share.low < check.share.value < check.share.high
        assert (check.expected, check.low * 1500, check.high * 1500) == (
            check.alpha,
            pytest.approx(low),
            pytest.approx(high),
        )
        assert check.within
    for wrong in (p**2, np.sqrt(p)):
        report = detection_metrics(anomaly, -p, p_values=wrong)
        assert not any(check.within for check in report.p_values)


def test_the_band_knows_how_few_held_out_scores_there_were() -> None:
    """Conformal p-values of right scores lie in the band in 99 of 100 cases, few as they are."""
    random, anomaly, n_held_out = np.random.default_rng(0), np.arange(300) < 10, 79
    within: list[list[bool]] = []
    for _ in range(100):
        held_out, score = random.normal(size=n_held_out), random.normal(size=300)
        p = (1 + (held_out[:, None] >= score).sum(axis=0)) / (n_held_out + 1)
        given = {"p_values": p, "n_bootstrap": 0}
        report = detection_metrics(anomaly, score, n_calibration=n_held_out, **given)
        plain = detection_metrics(anomaly, score, **given)
        within.append([report.p_values[1].within, plain.p_values[1].within])
    check = report.p_values[1]
    assert check.expected == 0.05 == 4 / 80
    ends = np.array(betabinom.interval(0.99, 290, 4, 76)) / 290
    assert (check.low, check.high) == pytest.approx(tuple(ends))
    told, plain_band = np.mean(within, axis=0)
    assert told >= 0.97 and plain_band < 0.9
    assert report.p_values[0].expected == 0.0 and report.p_values[0].within  # p >= 1 / 80


# The report


def test_a_report_goes_through_json() -> None:
    anomaly, score = make_rows("distinct")
    p = np.linspace(0, 1, len(score))
    report = detection_metrics(anomaly, score, threshold=np.float32(0.5), p_values=p)
    plain = report.to_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["auroc"] == dataclasses.asdict(report.auroc)
    assert len(plain["p_values"]) == 3 and plain["threshold"] == 0.5
    bare = detection_metrics(anomaly, score, n_bootstrap=0)
    assert bare.threshold is None and bare.p_values == ()
    assert all(getattr(bare, name) is None for name in AT_THRESHOLD)
    assert json.loads(json.dumps(bare.to_dict(), allow_nan=False))["recall"] is None
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.threshold = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    "convert",
    [
        lambda y: y.astype(int),
        lambda y: y.astype(float),
        lambda y: y.tolist(),
        lambda y: pd.Series(y.astype(int), index=np.arange(len(y))[::-1]),
        lambda y: pd.array(y.astype(int), dtype="Int64"),
        lambda y: pd.Categorical(y.astype(int)),
        lambda y: y.astype(object),
    ],
)
def test_labels_are_read_however_they_come(convert: Any) -> None:
    anomaly, score = make_rows("distinct")
    expected = detection_metrics(anomaly, score, n_bootstrap=0)
    assert detection_metrics(convert(anomaly), score.tolist(), n_bootstrap=0) == expected


# What is wrong with the input


@pytest.mark.parametrize(
    "changed, error, says",
    [
        ({"y_true": [0, 0, 0, 0]}, DataError, "y_true has no anomaly among 4 rows"),
        ({"y_true": [1, 1, 1, 1]}, DataError, "y_true has no normal row among 4 rows"),
        ({"y_true": [0, 1, 2, 0]}, DataError, "y_true, row 2: 2 is not 1"),
        ({"y_true": np.array([0, 1, -1, 0])}, DataError, "y_true, row 2: -1 is not 1"),
        ({"y_true": ["0", "1", "1", "0"]}, DataError, "y_true, row 0: '0' is not 1"),
        ({"y_true": [0, 1, np.nan, 0]}, DataError, "y_true, row 2: nan is not a label"),
        ({"y_true": [0, 1, None, 0]}, DataError, "y_true, row 2: None is not a label"),
        ({"y_true": [[0, 1], [1, 0]]}, DataError, r"y_true has shape \(2, 2\)"),
        ({"y_true": [0, 1, 1]}, DataError, r"anomaly_score has shape \(4,\), for 3 rows"),
        ({"y_true": []}, DataError, "y_true has no anomaly among 0 rows"),
        ({"anomaly_score": [1, 2, np.nan, 3]}, DataError, "anomaly_score, row 2: nan is not"),
        ({"anomaly_score": [1, np.inf, 2, 3]}, DataError, "anomaly_score, row 1: inf is not"),
        ({"anomaly_score": ["a", 1, 2, 3]}, DataError, "anomaly_score: .*'a'"),
        ({"p_values": [0.1, 0.2, 0.3]}, DataError, r"p_values has shape \(3,\), for 4 rows"),
        ({"p_values": [0.1, 0.2, 1.3, 0.1]}, DataError, "p_values, row 2: 1.3 is not .* 0 to 1"),
        ({"p_values": [0.1, 0.2, 0.3, None]}, DataError, "p_values, row 3: nan is not"),
        ({"n_bootstrap": -1}, ParameterError, "n_bootstrap=-1: must be an integer"),
        ({"n_bootstrap": 2.5}, ParameterError, "n_bootstrap=2.5"),
        ({"n_bootstrap": True}, ParameterError, "n_bootstrap=True"),
        ({"confidence": 0}, ParameterError, "confidence=0: must be a number above 0"),
        ({"confidence": 1.0}, ParameterError, "confidence=1.0"),
        ({"confidence": np.nan}, ParameterError, "confidence=nan"),
        ({"confidence": "high"}, ParameterError, "confidence='high'"),
        ({"threshold": np.nan}, ParameterError, "threshold=nan"),
        ({"threshold": np.inf}, ParameterError, "threshold=inf"),
        ({"threshold": "auto"}, ParameterError, "threshold='auto'"),
        ({"n_calibration": 0}, ParameterError, "n_calibration=0"),
        ({"random_state": -1}, ParameterError, "random_state=-1"),
    ],
)
def test_what_cannot_be_measured_is_one_clear_line(
    changed: dict[str, Any], error: type[AuganError], says: str
) -> None:
    given = {"y_true": [0, 1, 1, 0], "anomaly_score": [0.1, 0.9, 0.3, 0.4]} | changed
    with pytest.raises(error, match=says) as raised:
        detection_metrics(given.pop("y_true"), given.pop("anomaly_score"), **given)
    assert "\n" not in str(raised.value)


# With a detector


@pytest.fixture(scope="module")
def labelled(mixed_frame: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows of `mixed_frame`, a few of them with absurd amounts, and their labels."""
    frame = mixed_frame.iloc[:80].copy()
    anomaly = np.arange(80) % 8 == 0
    frame.loc[anomaly, "amount"] = frame.loc[anomaly, "amount"] * 50 + 3000
    return frame, np.where(anomaly, "fraud", "fine")


@pytest.mark.filterwarnings("ignore:.*was trained on about")
def test_a_detector_is_measured_by_its_scores_p_values_and_threshold(
    table_detector: Any, labelled: tuple[pd.DataFrame, np.ndarray]
) -> None:
    frame, labels = labelled
    report = evaluate_detector(table_detector, frame, labels, anomaly="fraud", n_bootstrap=100)
    score = table_detector.anomaly_score(frame)
    expected = detection_metrics(
        labels == "fraud",
        score,
        threshold=table_detector.threshold_,
        p_values=table_detector.p_value(frame),
        n_calibration=len(table_detector.scorer_.conformal.scores),
        n_bootstrap=100,
    )
    assert report == expected
    assert report.auroc.value == metrics.roc_auc_score(labels == "fraud", score) > 0.8
    numbers = (labels == "fraud").astype(int)
    given = {"threshold": float(np.median(score)), "confidence": 0.5, "random_state": 1}
    other = evaluate_detector(table_detector, frame, list(numbers), **given)
    assert other.auroc.value == report.auroc.value and other.confidence == 0.5
    assert other.threshold == given["threshold"] != report.threshold
    assert other.recall.value >= report.recall.value


@pytest.mark.filterwarnings("ignore:.*was trained on about")
def test_labels_of_scikit_learn_are_not_taken_the_wrong_way_round(
    numbers_detector: Any, numbers: pd.DataFrame
) -> None:
    anomaly = np.arange(len(numbers)) % 8 == 0
    labels = (anomaly, np.where(anomaly, -1, 1), anomaly.astype(int))
    reports = [evaluate_detector(numbers_detector, numbers, y, n_bootstrap=9) for y in labels]
    assert reports[0] == reports[1] == reports[2]
    given = {"anomaly": 1, "n_bootstrap": 9}
    other = evaluate_detector(numbers_detector, numbers, np.where(anomaly, -1, 1), **given)
    assert other.auroc.value == pytest.approx(1 - reports[0].auroc.value)
    marked = copy.copy(numbers_detector).set_params(normal_label="good")
    texts = np.where(anomaly, "bad", "good")
    assert evaluate_detector(marked, numbers, texts, n_bootstrap=9) == reports[0]


@pytest.mark.slow  # by default by the command line: test_cli_folders
@pytest.mark.filterwarnings("ignore:.*was trained on about")
def test_images_are_measured(image_detector: Any, digits: np.ndarray) -> None:
    images = np.concatenate([digits[:20], digits[:5].transpose(0, 2, 1)])
    labels = pd.Series([3] * 20 + [-3] * 5)
    report = evaluate_detector(image_detector, images, labels, anomaly=-3, n_bootstrap=20)
    assert (report.n_normal, report.n_anomaly) == (20, 5)


@pytest.mark.parametrize(
    "changed, error, says",
    [
        ({"y": ["fine"] * 79}, DataError, "y has 79 labels for 80 rows"),
        ({"y": ["fine"] * 80}, DataError, "no row has the label anomaly='fraud'; y has 'fine'"),
        ({"y": ["fraud"] * 80}, DataError, "every row has the label anomaly='fraud'"),
        ({"y": ["fraud", None] * 40}, DataError, "y, row 1: None is not a label"),
        ({"y": ["fraud", np.nan] * 40}, DataError, "y, row 1: nan is not a label"),
        ({"anomaly": None}, DataError, "y has the labels 'fraud', 'fine': give anomaly, the label"),
        ({"anomaly": ["fraud", "fine"]}, ParameterError, "anomaly=.*must be one label"),
        ({"n_bootstrap": -1}, ParameterError, "n_bootstrap=-1"),
        ({"confidence": 2}, ParameterError, "confidence=2"),
    ],
)
def test_labels_that_do_not_fit_are_refused_before_the_scoring(
    labelled: tuple[pd.DataFrame, np.ndarray],
    changed: dict[str, Any],
    error: type[AuganError],
    says: str,
) -> None:
    given = {"y": labelled[1], "anomaly": "fraud"} | changed
    with pytest.raises(error, match=says):
        evaluate_detector(object(), labelled[0], given.pop("y"), **given)
