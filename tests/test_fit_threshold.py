"""A threshold that is chosen on labelled rows, and the models that are stored with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from augan_cli.app import app
from PIL import Image
from sklearn.metrics import f1_score, precision_score, recall_score
from typer.testing import CliRunner

import augan
from augan import FAnoGAN
from augan.evaluation import fit_threshold
from augan.exceptions import DataError, ParameterError
from augan.io.archive import read_manifest

STEPS = {"max_steps": 3, "pretext_steps": 3, "restoration_steps": 3}
TINY: dict[str, Any] = {**STEPS, "n_folds": 2, "width": 8, "backbone": None, "random_state": 0}


def labelled_scores(seed: int, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and scores with ties, in which anomalies are rare and mostly higher."""
    random = np.random.default_rng(seed)
    anomaly = np.arange(n) % 5 == 0
    return anomaly, np.round(random.normal(1.5 * anomaly, 1), 1)


# The library


def costs_of(anomaly: Any, flagged: Any, fn: float, fp: float) -> float:
    return float((fn * (anomaly & ~flagged) + fp * (~anomaly & flagged)).mean())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("costs", [None, (1, 1), (20, 1), (1, 20), (0, 1), (1, 0)])
def test_no_other_threshold_is_better(seed: int, costs: tuple[float, float] | None) -> None:
    anomaly, scores = labelled_scores(seed)
    others = [scores.min() - 1, *np.unique(scores), *(np.unique(scores) + 0.03)]
    if costs is None:
        found = fit_threshold(anomaly, scores)
        values = [f1_score(anomaly, scores > other) for other in others]
        assert found.f1 == pytest.approx(max(values)) and found.cost is None
    else:
        found = fit_threshold(anomaly, scores, "cost", cost_fn=costs[0], cost_fp=costs[1])
        values = [-costs_of(anomaly, scores > other, *costs) for other in others]
        assert found.cost == pytest.approx(-max(values))
    flagged = scores > found.threshold
    assert found.precision == pytest.approx(precision_score(anomaly, flagged, zero_division=0))
    assert found.recall == pytest.approx(recall_score(anomaly, flagged))
    assert found.f1 == pytest.approx(f1_score(anomaly, flagged))
    assert found.fpr == pytest.approx(flagged[~anomaly].mean())
    best = [other for other, value in zip(others, values, strict=True) if value == max(values)]
    assert flagged.sum() == min((scores > other).sum() for other in best)
    assert found.threshold not in scores


def test_separate_scores_get_the_middle_of_the_gap() -> None:
    found = fit_threshold([0, 0, 1, 1], [1.0, 2.0, 4.0, 9.0])
    assert found.threshold == 3 and found.f1 == found.precision == found.recall == 1
    above = np.nextafter(2.0, 3)
    tight = fit_threshold([0, 1], [2.0, above])
    assert tight.threshold == 2 and tight.recall == 1 and tight.fpr == 0


def test_all_rows_or_none_may_be_flagged() -> None:
    y, scores = [1, 0, 0], np.array([1.0, 2.0, 3.0])
    none = fit_threshold(y, scores, "cost", cost_fp=10)
    assert none.threshold > 3 and none.precision == none.recall == none.fpr == 0
    every = fit_threshold(y, scores, "cost", cost_fn=10)
    assert every.threshold < 1 and every.recall == every.fpr == 1
    equal = fit_threshold([0, 1, 1], [5.0, 5.0, 5.0])
    assert equal.threshold < 5 and equal.precision == pytest.approx(2 / 3)
    huge = fit_threshold([0, 1], [1e300, 1e300])
    assert huge.threshold < 1e300


def test_the_verdict_says_that_the_figures_are_optimistic() -> None:
    y, scores = [0, 0, 0, 1, 0, 1], [0.1, 0.4, 0.2, 0.5, 0.6, 0.9]
    said = fit_threshold(y, scores).verdict
    assert said.startswith("The threshold 0.45 gives the highest F1, 0.800: precision 66.7%, ")
    assert "recall 100.0%, false-positive rate 25.0%." in said
    assert "chosen on these rows: on new rows the figures will be somewhat worse" in said
    assert "the lowest mean cost of a row, 0.1667" in fit_threshold(y, scores, "cost").verdict
    assert json.loads(json.dumps(fit_threshold(y, scores).to_dict()))["objective"] == "f1"


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        (([0, 0], [1, 2]), DataError, "no anomaly among 2 rows"),
        (([0, 2], [1, 2]), DataError, "row 1: 2 is not 1"),
        (([0, 1], [1, np.nan]), DataError, "anomaly_score, row 1: nan"),
        (([0, 1], [1, 2, 3]), DataError, "anomaly_score has shape"),
        (([0, 1], [1, 2], "F1"), ParameterError, "objective='F1': must be 'f1' or 'cost'"),
    ],
)
def test_what_is_wrong_is_named(given: Any, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        fit_threshold(*given)


@pytest.mark.parametrize(
    ("costs", "says"),
    [
        ({"cost_fn": -1}, "cost_fn=-1: must be a number from 0"),
        ({"cost_fp": np.nan}, "cost_fp=nan"),
        ({"cost_fp": True}, "cost_fp=True"),
        ({"cost_fn": 0, "cost_fp": 0}, "one of them must be above 0"),
    ],
)
def test_costs_that_cannot_be_are_refused(costs: dict[str, Any], says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        fit_threshold([0, 1], [1, 2], "cost", **costs)


# The command line


def run(*words: Any) -> Any:
    result = CliRunner().invoke(app, [str(word) for word in (*words, "--threads", 1)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def done(*words: Any) -> Any:
    result = run(*words)
    assert result.exit_code == 0, result.stderr
    return result


def flagged_by_score(model: Path, data: Path, out: Path) -> pd.DataFrame:
    done("score", model, data, "--out", out, "-q", "--device", "cpu")
    return pd.read_csv(out)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of a table, and labelled rows whose anomalies it can find."""
    folder = tmp_path_factory.mktemp("table")
    random = np.random.default_rng(0)
    rows = pd.DataFrame(random.normal(size=(240, 3)), columns=["load", "speed", "heat"])
    bad = np.arange(240) % 6 == 0
    rows.loc[bad] += random.normal(3, 1, (bad.sum(), 3))
    labels = np.where(bad, "bad", "good")
    rows[~bad][:80].to_csv(folder / "train.csv", index=False)
    FAnoGAN(**TINY).fit(rows[~bad][:80]).save(folder / "m.augan", context={"target": "label"})
    rows.assign(label=labels)[100:].to_csv(folder / "new.csv", index=False)
    return folder


@pytest.mark.parametrize(
    "goal", [["f1"], ["cost", "--cost-fn", 5, "--cost-fp", 2], ["cost", "--cost-fp", 50]]
)
def test_a_stored_threshold_decides_in_score_and_after_export(
    table: Path, tmp_path: Path, goal: list[Any]
) -> None:
    model, data, copy = table / "m.augan", table / "new.csv", tmp_path / "copy.augan"
    words = ["evaluate", model, data, "--anomaly", "bad", "--fit-threshold", *goal]
    report = json.loads(done(*words, "--bootstrap", 0, "--json").stdout)
    result = done(*words, "--bootstrap", 0, "--out", copy)
    found = report["fitted_threshold"]
    assert f"wrote {copy}, which flags rows with anomaly_score > " in result.stderr
    assert f"The threshold {found['threshold']:.6g} gives the " in result.stdout
    assert "It was chosen on these rows" in result.stdout

    frame = pd.read_csv(data)
    anomaly = (frame.pop("label") == "bad").to_numpy()
    scores = augan.load(model).anomaly_score(frame)
    how = dict(zip([word[2:].replace("-", "_") for word in goal[1::2]], goal[2::2], strict=True))
    assert fit_threshold(anomaly, scores, goal[0], **how).to_dict() == found
    for name in ("precision", "recall", "fpr", "f1"):
        assert report[name]["value"] == pytest.approx(found[name])
    assert report["threshold"] == found["threshold"]

    assert augan.load(copy).threshold_ == found["threshold"]
    expected = scores > found["threshold"]
    assert (flagged_by_score(copy, data, tmp_path / "s.csv")["is_anomaly"] == expected).all()
    assert (augan.load(copy).predict(frame) == np.where(expected, -1, 1)).all()
    if goal == ["f1"]:
        done("export", copy, tmp_path / "m.onnx", "-q")
        exported = flagged_by_score(tmp_path / "m.onnx", data, tmp_path / "o.csv")
        assert (exported["is_anomaly"] == expected).all()
        again = done("evaluate", tmp_path / "m.onnx", data, "--anomaly", "bad", "--json")
        assert json.loads(again.stdout)["threshold"] == pytest.approx(found["threshold"])


def test_the_copy_differs_from_the_model_in_the_threshold_alone(
    table: Path, tmp_path: Path
) -> None:
    model, copy = table / "m.augan", tmp_path / "copy.augan"
    words = ["evaluate", model, table / "new.csv", "--anomaly", "bad", "--out", copy, "-q"]
    for given in (["--fit-threshold", "f1"], ["--threshold", 1.25], ["--fpr", 0.2]):
        before = model.read_bytes()
        assert done(*words, *given).stderr == ""
        assert model.read_bytes() == before
        ours, theirs = read_manifest(model), read_manifest(copy)
        kept = theirs["context"].pop("threshold")
        assert theirs["parts"].pop("offset") == -kept["threshold"] != ours["parts"].pop("offset")
        assert theirs == ours
    assert kept == {"threshold": augan.load(model).threshold_at(0.2), "fpr": 0.2}
    shown = json.loads(CliRunner().invoke(app, ["info", str(copy), "--json"]).stdout)
    assert shown["threshold"] == shown["context"]["threshold"]["threshold"]
    again = tmp_path / "again.augan"
    done("evaluate", copy, table / "new.csv", "--anomaly", "bad", "--threshold", 3, "--out", again)
    assert augan.load(again).threshold_ == 3
    done("evaluate", again, *words[2:5], "--threshold", 2, "--out", tmp_path / "x.augan", "-q")
    assert augan.load(tmp_path / "x.augan").set_params(target_fpr=0.1).threshold_ != 2


def test_the_threshold_is_chosen_on_photographs_too(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    images = random.normal(120, 8, (60, 20, 24)).clip(0, 255).astype(np.uint8)
    FAnoGAN(**TINY).fit(images[:30]).save(tmp_path / "m.augan")
    images[50:, 4:14, 5:15] = 255
    for i, image in enumerate(images[30:]):
        file = tmp_path / "new" / ("bad" if i >= 20 else "good") / f"{i:02d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(file)
    copy, page = tmp_path / "copy.augan", tmp_path / "page.html"
    words = ["evaluate", tmp_path / "m.augan", tmp_path / "new", "--target", "folder"]
    words += ["--normal", "good", "--fit-threshold", "f1"]
    found = json.loads(done(*words, "--report", page, "--out", copy, "--json").stdout)
    limit = found["threshold"]
    assert limit == found["fitted_threshold"]["threshold"] == augan.load(copy).threshold_
    scores = flagged_by_score(copy, tmp_path / "new", tmp_path / "s.csv")
    is_bad = scores["path"].str.startswith("bad")
    assert f1_score(is_bad, scores["is_anomaly"]) == pytest.approx(found["f1"]["value"])
    outcomes = page.read_text()
    assert outcomes.count("false alarm") >= 1 and f"{limit:.4g}" in outcomes


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["--fit-threshold", "f1", "--fpr", 0.1], "give one of --fpr and --fit-threshold"),
        (["--fit-threshold", "f1", "--threshold", 1], "--threshold and --fit-threshold"),
        (["--fit-threshold", "f1", "--cost-fn", 2], "--cost-fn 2: needs --fit-threshold cost"),
        (["--cost-fp", 2], "--cost-fp 2: needs --fit-threshold cost"),
        (["--fit-threshold", "cost", "--cost-fp", -1], "--cost-fp -1: must be from 0 to 1e12"),
        (["--fit-threshold", "cost", "--cost-fn", "nan"], "--cost-fn nan: must be from 0"),
        (
            ["--fit-threshold", "cost", "--cost-fn", 0, "--cost-fp", 0],
            "--cost-fn 0, --cost-fp 0: one of them must be above 0",
        ),
        (["--out", "OUT"], "OUT: needs --fit-threshold, --threshold or --fpr"),
        (["--fpr", 0.1, "--out", "MODEL"], "m.augan: is the input"),
        (["--fpr", 0.1, "--out", "DATA"], "new.csv: is the input"),
        (["--fpr", 0.1, "--out", "no/such/folder.augan"], "folder.augan"),
    ],
)
def test_options_that_do_not_fit_are_named_in_one_line(
    table: Path, tmp_path: Path, given: list[Any], says: str
) -> None:
    named = {"OUT": tmp_path / "OUT", "MODEL": table / "m.augan", "DATA": table / "new.csv"}
    words = [named.get(word, word) for word in given]
    result = run("evaluate", table / "m.augan", table / "new.csv", "--anomaly", "bad", *words)
    assert result.exit_code == 1 and result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("augan: error: ") and says in line


def test_an_exported_file_gets_no_copy(table: Path, tmp_path: Path) -> None:
    words = ["evaluate", tmp_path / "m.onnx", table / "new.csv", "--anomaly", "bad", "--fpr", 0.1]
    result = run(*words, "--out", tmp_path / "c.augan")
    assert result.exit_code == 1 and "is an exported file" in result.stderr
