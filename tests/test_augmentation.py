"""Strategies for a rare class: split first, real test rows, a verdict that can say no."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from augan_cli.app import app
from augan_cli.commands.evaluate_augmentation import print_report
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from typer.testing import CliRunner

from augan import GANSampler
from augan.classifiers import tables
from augan.classifiers.tables import make_encoder, plain
from augan.evaluation import AugmentationReport, evaluate_augmentation
from augan.evaluation.augmentation import _read
from augan.evaluation.strategies import build_strategies
from augan.evaluation.strategy_trial import split_rows, try_strategy
from augan.exceptions import DataError, ParameterError
from augan.sampling import column_critic, tuning

QUICK = GANSampler(max_steps=120, width=32)
STRATEGIES = build_strategies(QUICK)
METRICS = ["average_precision", "recall_at_1pct_fpr", "f1", "brier"]


@pytest.fixture(scope="module", autouse=True)
def quick_classifiers() -> Iterator[None]:
    """Grow few trees, and choose the number of rows by the quickest classifier."""
    trees = {
        "random forest": lambda seed, weight: RandomForestClassifier(
            50, random_state=seed, class_weight=weight
        ),
        "histogram boosting": lambda seed, weight: HistGradientBoostingClassifier(
            max_iter=50, random_state=seed, class_weight=weight
        ),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, build in trees.items():
            patch.setitem(tables.CLASSIFIERS, name, build)
        chosen = {"logistic regression": tuning.CLASSIFIERS["logistic regression"]}
        patch.setattr(tuning, "CLASSIFIERS", chosen)
        patch.setattr(column_critic, "N_STEPS", 50)
        patch.setattr(column_critic, "WIDTH", 32)
        yield


@pytest.fixture(scope="module")
def tumours() -> tuple[pd.DataFrame, pd.Series]:
    """Sixty malignant tumours among all benign ones."""
    X, benign = load_breast_cancer(return_X_y=True, as_frame=True)
    kept = np.sort(np.r_[np.flatnonzero(benign == 0)[:60], np.flatnonzero(benign == 1)])
    return X.iloc[kept, :8], benign.iloc[kept].map({0: "malignant", 1: "benign"})


@pytest.fixture(scope="module")
def report(tumours: Any) -> AugmentationReport:
    return evaluate_augmentation(*tumours, sampler=QUICK, n_seeds=2)


def scores(values: dict[str, list[float]]) -> AugmentationReport:
    """Return a report of given average precisions, one a seed, for each strategy."""
    records = [
        {"seed": seed, "strategy": strategy, "classifier": "c", "average_precision": value}
        | dict.fromkeys(METRICS[1:], 0.5)
        for strategy, found in values.items()
        for seed, value in enumerate(found)
    ]
    n_seeds = len(values["none"])
    return AugmentationReport("x", 100, 10, n_seeds, 0.95, pd.DataFrame(records), pd.DataFrame())


def test_every_strategy_is_measured_by_every_classifier(report: AugmentationReport) -> None:
    assert report.positive == "malignant"
    assert (report.n_positive, report.n_seeds) == (60, 2)
    counts = report.scores.groupby(["strategy", "classifier"]).size()
    assert (counts == 2).all() and len(counts) == 3 * len(STRATEGIES)
    values = report.scores[METRICS].to_numpy()
    assert ((values >= 0) & (values <= 1)).all()
    assert report.scores["average_precision"].min() > 0.8  # of 14 % of the rows


def test_new_rows_are_held_against_held_out_ones(report: AugmentationReport) -> None:
    table = report.fidelity_summary()
    adding = [name for name in STRATEGIES if name not in ("none", "class weight")]
    assert set(adding) - {"augan tuned"} <= set(table.index) <= {*adding, "held-out rows"}
    assert table.loc["random oversampling", "near_copies"] == 1
    assert table.loc["augan filtered", "near_copies"] < table.loc["augan", "near_copies"] + 0.05
    assert table.loc["held-out rows", "two_sample_auc"] < 0.75
    assert np.isfinite(table.to_numpy()).all()


def test_another_seed_gives_another_report(tumours: Any, report: AugmentationReport) -> None:
    with pytest.warns(FutureWarning, match="arms is deprecated, use strategies"):
        other = evaluate_augmentation(*tumours, arms=["none"], n_seeds=2, random_state=9)
    own = report.scores[report.scores["strategy"] == "none"]
    assert not np.allclose(other.scores["average_precision"], own["average_precision"])


def test_the_interval_is_students_of_paired_differences() -> None:
    report = scores({"none": [0.5, 0.6, 0.7], "augan": [0.6, 0.69, 0.81]})
    row = report.summary().loc["augan"]
    assert row["gain"] == pytest.approx(0.1)
    assert row["high"] - row["gain"] == pytest.approx(4.302653 * 0.01 / np.sqrt(3), abs=1e-6)
    assert report.summary().loc["none", ["gain", "low", "high"]].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("augan", "says"),
    [
        ([0.60, 0.69, 0.81], "use augan: +0.100"),
        ([0.40, 0.90, 0.71], "no significant gain: augan"),
        ([0.50, 0.60, 0.70], "no gain: train"),
        ([0.40, 0.50, 0.60], "no gain: train"),
    ],
)
def test_the_verdict_says_no_where_there_is_no_gain(augan: list[float], says: str) -> None:
    report = scores({"none": [0.5, 0.6, 0.7], "augan": augan, "SMOTE": [0.4, 0.5, 0.6]})
    assert report.verdict.startswith(says)


def test_the_verdict_names_another_arm_where_it_is_better() -> None:
    values = {"none": [0.5, 0.6, 0.7], "augan": [0.6, 0.69, 0.81], "class weight": [0.7, 0.8, 0.91]}
    assert scores(values).verdict.startswith("use class weight")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_strategies_add_rows_of_the_rare_class_alone(
    mixed_frame: pd.DataFrame, strategy: str
) -> None:
    mixed_frame = mixed_frame.drop(columns="comment")  # an empty one, of which samplers warn
    y = np.arange(len(mixed_frame)) % 8 == 0
    resample = STRATEGIES[strategy].resample
    rows, labels = (mixed_frame, y) if resample is None else resample(mixed_frame, y, 0)
    n = len(mixed_frame)
    assert list(rows) == list(mixed_frame)
    assert np.array_equal(labels[:n], y) and labels[n:].all()
    expected = n if strategy in ("none", "class weight") else 2 * (~y).sum()
    assert len(rows) == len(labels)
    assert len(rows) == expected or (strategy == "augan tuned" and n <= len(rows) < expected)
    before, after = plain(mixed_frame), plain(rows)[:n]
    pd.testing.assert_frame_equal(before, after, check_dtype=False)
    encoded = make_encoder().fit(before).transform(plain(rows))
    assert np.isfinite(encoded).all()


def smote(X: pd.DataFrame, y: Any) -> Any:
    resample = STRATEGIES["SMOTE"].resample
    assert resample is not None
    return resample(X, y, 0)


def test_the_rare_class_is_cut_in_the_training_rows_alone(tumours: Any) -> None:
    frame, y = tumours[0].reset_index(drop=True), (tumours[1] == "malignant").to_numpy()
    whole, cut = split_rows(frame, y, 3), split_rows(frame, y, 3, n_rare=7)
    assert (whole.y_train.sum(), cut.y_train.sum()) == (29, 7)
    assert (~cut.y_train).sum() == (~whole.y_train).sum()
    assert whole.test.equals(cut.test) and whole.validation.equals(cut.validation)
    merged = cut.train.merge(whole.train.drop_duplicates(), how="left", indicator=True)
    assert (merged["_merge"] == "both").all()
    few, many = (
        np.mean(
            [line["average_precision"] for line in try_strategy(STRATEGIES["none"], parts, 0)[0]]
        )
        for parts in (cut, whole)
    )
    assert few < many


def test_smote_is_told_what_is_missing(mixed_frame: pd.DataFrame) -> None:
    """It takes the majority of the neighbours, so what most of them lack the new rows lack."""
    y = np.arange(len(mixed_frame)) % 8 == 0
    frame = mixed_frame.assign(score=mixed_frame["score"].mask(y & (mixed_frame.index % 40 > 0)))
    rows, _ = smote(frame, y)
    assert rows["score"][len(frame) :].isna().mean() > 0.7
    assert rows["comment"].isna().all()


@pytest.mark.parametrize("kind", ["numbers", "texts"])
def test_smote_takes_tables_of_one_kind(kind: str) -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(60, 3))
    frame = pd.DataFrame(values) if kind == "numbers" else pd.DataFrame(values > 0).map(str)
    rows, labels = smote(frame, np.arange(60) < 10)
    assert len(rows) == len(labels) == 100
    assert kind == "numbers" or set(rows.stack()) == {"True", "False"}


def test_dates_count_alike_in_every_part() -> None:
    days = pd.Series(pd.to_datetime(["2024-01-01", "2024-01-03", None]))
    seconds = plain(pd.DataFrame({"day": days}))["day"]
    later = plain(pd.DataFrame({"day": days[1:]}))["day"]
    assert seconds[1] - seconds[0] == 2 * 86400
    assert later[1] == seconds[1] and np.isnan(seconds[2])


def test_too_little_data_and_wrong_parameters_are_named(tumours: Any) -> None:
    X, y = tumours
    few = np.r_[0:9, 60:200]
    with pytest.raises(DataError, match="9 rows of class 'rare': at least 10 are needed"):
        evaluate_augmentation(X.iloc[few], np.where(np.arange(149) < 9, "rare", "b"))
    with pytest.raises(DataError, match="0 rows of class 'x'"):
        evaluate_augmentation(X, y, positive="x")
    with pytest.raises(DataError, match="y has 3 labels for 417 rows"):
        evaluate_augmentation(X, y[:3])
    with pytest.raises(DataError, match="no label in row 0"):
        evaluate_augmentation(X, y.mask(np.arange(len(y)) == 0))
    with pytest.raises(ParameterError, match="strategies: 'ADASYN' is not one of 'none'"):
        evaluate_augmentation(X, y, strategies=["ADASYN"])
    with pytest.raises(ParameterError, match="n_seeds=1"):
        evaluate_augmentation(X, y, n_seeds=1)
    with pytest.raises(ParameterError, match="n_rare=0"):
        evaluate_augmentation(X, y, n_rare=0)
    with pytest.raises(ParameterError, match="confidence=2"):
        evaluate_augmentation(X, y, confidence=2)


def run(*words: Any) -> Any:
    words = ("evaluate-augmentation", *words, "--threads", "1")
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, tumours: Any) -> Path:
    X, y = tumours
    path = tmp_path_factory.mktemp("augmentation") / "tumours.csv"
    X.assign(kind=y).to_csv(path, index=False)
    return path


@pytest.mark.slow
def test_the_command_gives_verdict_and_strategies(
    file: Path, report: AugmentationReport, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = [w for n in ("max_steps", "encoder_steps") for w in ("--set", f"{n}=10")]
    words = [file, "--target", "kind", "--splits", 2, *quick]
    words += ["--set", "width=16", "--set", "n_critic=1"]
    given = run(*words, "--json", "--positive", "malignant")
    assert given.exit_code == 0, given.stderr
    named = json.loads(given.stdout)
    assert named["verdict"] == report.verdict and named["positive"] == "malignant"
    assert named["scores"] == report.scores.to_dict("records")  # the same seed, the same report
    assert len(named["scores"]) == 2 * 3 * len(STRATEGIES)
    print_report(named)
    shown = capsys.readouterr().out
    assert shown.splitlines()[0] == report.verdict
    for strategy in STRATEGIES:
        assert strategy in shown
    assert max(map(len, shown.splitlines()[2:])) <= 80 and "…" not in shown


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["tumours.csv", "--target", "x"], "no column 'x'; it has"),
        (
            ["tumours.csv", "--target", "kind", "--positive", "x"],
            "has no value 'x', so no positive rows",
        ),
        (
            ["tumours.csv", "--target", "kind", "--set", "spread=-1"],
            "spread=-1",
        ),
    ],
)
def test_mistakes_are_one_line(
    file: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], says: str
) -> None:
    monkeypatch.chdir(file.parent)
    result = run(*words)
    lines = result.stderr.splitlines()
    assert result.exit_code == 1 and result.stdout == ""
    assert len(lines) == 1 and lines[0].startswith("augan: error: ") and says in lines[0]


def test_frames_of_other_libraries_keep_their_columns() -> None:
    polars = pytest.importorskip("polars")
    y = np.repeat(["a", "b"], [20, 12])
    table = polars.DataFrame({"n": np.arange(32), "c": ["u", "v"] * 16})
    frame, labels, positive = _read(table, polars.Series(y), None)
    assert frame.columns.tolist() == ["n", "c"]
    assert (labels.sum(), positive) == (12, "b")
    with pytest.raises(DataError, match="X is empty: it has 0 rows"):
        _read(pd.DataFrame({"n": []}), [], None)
