"""`augan evaluate`: the figures that Python gives, and one plain line for every mistake."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from augan_cli.app import app
from typer.testing import CliRunner

import augan
from augan.evaluation import evaluate_detector
from augan.io import csv_files, parquet_files
from augan.io.tables import TableSource

SMALL = ["width=16", "latent_dim=4", "encoder_steps=20", "n_critic=1"]
SMALL += ["pretext_steps=20", "n_folds=2"]
QUICK = ["--steps", 20, *(word for text in SMALL for word in ("--set", text))]


def run(*words: Any) -> Any:
    """Run the command in this process, on one thread."""
    result = CliRunner().invoke(app, [str(word) for word in (*words, "--threads", 1)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def done(*words: Any) -> Any:
    result = run(*words)
    assert result.exit_code == 0, result.stderr
    return result


def report_of(*words: Any) -> dict[str, Any]:
    result = done("evaluate", *words, "--bootstrap", 50, "--json")
    assert result.stderr == ""
    report: dict[str, Any] = json.loads(result.stdout)
    return report


def assert_refused(*words: Any, says: tuple[str, ...]) -> None:
    """Check for exit code 1, one line on stderr that says so, and nothing on stdout."""
    result = run("evaluate", *words)
    assert result.exit_code == 1 and result.stdout == "", result.stderr
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("augan: error: "), result.stderr
    for text in says:
        assert text in lines[0], (text, lines[0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, mixed_frame: pd.DataFrame) -> Path:
    """A folder with labelled rows, and models of a table, of images and of an array."""
    folder = tmp_path_factory.mktemp("evaluate")
    train, test = mixed_frame[:300], mixed_frame[300:].copy()
    labels = np.where(np.arange(len(test)) % 8, "good", "bad")
    test.loc[labels == "bad", "amount"] *= 50
    train.assign(label="good").to_csv(folder / "train.csv", index=False)
    test.assign(label=labels).to_csv(folder / "test.csv", index=False)
    target = ("--target", "label", "--normal", "good")
    done("fit", folder / "train.csv", "--out", folder / "m.augan", *target, *QUICK)
    random = np.random.default_rng(0)
    images, marks = random.integers(0, 256, (40, 8, 8), dtype=np.uint8), np.arange(40) % 4 == 0
    np.savez(folder / "images.npz", X=images, y=marks.astype(int), part=np.arange(40.0) % 3)
    target = ("--target", "y", "--normal", 0)
    done("fit", folder / "images.npz", "--out", folder / "i.augan", *target, *QUICK)
    pd.DataFrame(random.normal(size=(60, 3)), columns=["x0", "x1", "x2"]).assign(
        number=np.arange(60) % 3, flag=np.arange(60) % 2 == 0
    ).to_csv(folder / "numbers.csv", index=False)
    np.save(folder / "a.npy", random.normal(size=(60, 3)))
    done("fit", folder / "a.npy", "--out", folder / "a.augan", *QUICK)
    return folder


@pytest.fixture
def words(folder: Path) -> list[Any]:
    return [folder / "m.augan", folder / "test.csv"]


def test_json_holds_the_figures_that_python_gives(folder: Path, words: list[Any]) -> None:
    frame = TableSource(folder / "test.csv").read()
    labels = frame.pop("label")
    detector = augan.load(folder / "m.augan")
    given = {"anomaly": "bad", "n_bootstrap": 50}
    expected = evaluate_detector(detector, frame, labels, **given).to_dict()
    assert report_of(*words, "--target", "label", "--anomaly", "bad") == expected
    assert expected["n_anomaly"] == (labels == "bad").sum() and len(expected["p_values"]) == 3
    limit = detector.threshold_at(0.2)
    for flag, threshold in ((["--fpr", 0.2], limit), (["--threshold", 1.5], 1.5)):
        report = evaluate_detector(detector, frame, labels, threshold=threshold, **given)
        assert report_of(*words, "--anomaly", "bad", *flag) == report.to_dict() != expected
    report = evaluate_detector(detector, frame, labels, random_state=7, **given)
    assert report_of(*words, "--anomaly", "bad", "--seed", 7) == report.to_dict() != expected


def test_the_target_of_the_training_is_the_default_and_normal_the_other_side(
    words: list[Any],
) -> None:
    expected = report_of(*words, "--target", "label", "--anomaly", "bad")
    assert report_of(*words, "--anomaly", "bad") == expected
    assert report_of(*words, "--normal", "good") == expected
    swapped = report_of(*words, "--anomaly", "good")
    assert swapped["n_normal"] == expected["n_anomaly"]
    assert swapped["auroc"]["value"] == pytest.approx(1 - expected["auroc"]["value"])


def test_figures_do_not_depend_on_the_file_or_the_size_of_a_block(
    folder: Path, words: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = report_of(*words, "--anomaly", "bad")
    content = (folder / "test.csv").read_bytes()
    (tmp_path / "test.csv.gz").write_bytes(gzip.compress(content))
    TableSource(folder / "test.csv").read().to_parquet(tmp_path / "test.parquet")
    header, *lines = content.splitlines(keepends=True)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "1.csv").write_bytes(header + b"".join(lines[:33]))
    (tmp_path / "parts" / "2.csv").write_bytes(header + b"".join(lines[33:]))
    monkeypatch.setattr(csv_files, "BLOCK_BYTES", 1500)
    monkeypatch.setattr(parquet_files, "BATCH_ROWS", 7)
    for data in (folder / "test.csv", *tmp_path.iterdir()):
        assert report_of(words[0], data, "--anomaly", "bad") == expected


@pytest.mark.parametrize(
    "given, n_anomaly",
    [
        (["--target", "number", "--anomaly", "1"], 20),
        (["--target", "number", "--normal", "1"], 40),
        (["--target", "flag", "--anomaly", "True"], 30),
        (["--target", "flag", "--normal", "true"], 30),
    ],
)
def test_labels_are_matched_as_fit_matches_them(
    folder: Path, tmp_path: Path, given: list[str], n_anomaly: int
) -> None:
    frame = pd.read_csv(folder / "numbers.csv")
    frame.to_parquet(tmp_path / "n.parquet")
    frame.astype({"number": float}).to_csv(tmp_path / "float.csv", index=False)
    for data in (folder / "numbers.csv", *tmp_path.iterdir()):
        result = done(
            *("evaluate", folder / "a.augan", data, *given),
            *("--json", "--bootstrap", 0, "--quiet"),
        )
        assert json.loads(result.stdout)["n_anomaly"] == n_anomaly
        (warning,) = result.stderr.splitlines()  # of the other column
        assert "ignored" in warning and f"column '{given[1]}'" not in warning


def test_images_with_their_labels_are_evaluated(folder: Path, tmp_path: Path) -> None:
    with np.load(folder / "images.npz") as file:
        images, labels, part = 255 - file["X"], file["y"], file["part"]
    data = tmp_path / "new.npz"  # not those that it was trained on
    np.savez(data, X=images, y=labels, part=part)
    detector = augan.load(folder / "i.augan")
    expected = evaluate_detector(detector, images, labels, n_bootstrap=50).to_dict()
    model = folder / "i.augan"
    assert report_of(model, data, "--anomaly", 1) == expected
    assert report_of(model, data, "--target", "part", "--anomaly", 2)["n_anomaly"] == 13


def test_a_table_is_printed_for_people(words: list[Any]) -> None:
    result = done("evaluate", *words, "--anomaly", "bad")
    verdict, rows, *_ = result.stdout.splitlines()
    assert result.stderr == "" and verdict.startswith("The scores find anomalies: an anomaly")
    assert rows.startswith("87 normal rows, 13 anomalies")
    report = report_of(*words, "--anomaly", "bad")
    for name in ("auroc", "average_precision", "recall_at_1pct_fpr", "f1"):
        assert f"{report[name]['value']:.3f}" in result.stdout
    for text in ("AUROC", "average precision", "recall at 1 % FPR", "95 % interval", "p <= 0.05"):
        assert text in result.stdout
    assert max(map(len, result.stdout.splitlines()[2:])) <= 80
    bare = done("evaluate", *words, "--anomaly", "bad", "--bootstrap", 0).stdout
    assert len(bare.split("-")) < len(result.stdout.split("-"))


# What is wrong


@pytest.mark.parametrize(
    "given, says",
    [
        (["--anomaly", "worse"], ("test.csv", "'label'", "'worse'", "'bad', 'good'")),
        (["--normal", "fine"], ("test.csv", "'label'", "'fine'", "no normal rows")),
        (["--target", "lable", "--anomaly", "bad"], ("test.csv", "'lable'", "label")),
        (["--target", "amount", "--anomaly", "1"], ("--target amount", "m.augan", "trained on")),
        ([], ("--anomaly", "--normal")),
        (["--anomaly", "bad", "--normal", "good"], ("--anomaly", "--normal")),
        (["--anomaly", "bad", "--fpr", 2], ("--fpr 2",)),
        (["--anomaly", "bad", "--fpr", 0.1, "--threshold", 1], ("--fpr", "--threshold")),
        (["--anomaly", "bad", "--threshold", "inf"], ("--threshold inf",)),
        (["--anomaly", "bad", "--device", "quantum"], ("'quantum'",)),
        (["--anomaly", "bad", "--delimiter", ";"], ("test.csv", "the delimiter seems to be ','")),
    ],
)
def test_a_bad_option_is_named(words: list[Any], given: list[Any], says: tuple[str, ...]) -> None:
    assert_refused(*words, *given, says=says)


def test_rows_without_a_label_are_left_out_and_counted(
    folder: Path, words: list[Any], tmp_path: Path
) -> None:
    frame = TableSource(folder / "test.csv").read()
    frame.drop(index=[41, 57]).to_csv(tmp_path / "fewer.csv", index=False)
    expected = report_of(words[0], tmp_path / "fewer.csv", "--anomaly", "bad")
    for value in (None, "?"):
        frame.loc[[41, 57], "label"] = value
        frame.to_csv(tmp_path / "d.csv", index=False)
        given = [words[0], tmp_path / "d.csv", "--anomaly", "bad", "--bootstrap", 50, "--json"]
        result = done("evaluate", *given, *(["--missing", "?"] if value else []))
        assert json.loads(result.stdout) == expected
        assert "d.csv: column 'label' is empty in 2 of 100 rows: these are left" in result.stderr
    np.savez(tmp_path / "d.npz", X=np.zeros((4, 8, 8)), y=[0.0, np.nan, 1.0, 1.0])
    given = [folder / "i.augan", tmp_path / "d.npz", "--anomaly", 1, "--bootstrap", 0, "--json"]
    figures = json.loads(done("evaluate", *given).stdout)
    assert figures["n_normal"] == 1 and figures["n_anomaly"] == 2


def test_rows_of_one_kind_are_refused(folder: Path) -> None:
    model, data = folder / "m.augan", folder / "train.csv"
    says = ("train.csv", "'label'", "'good' in every row")
    assert_refused(model, data, "--normal", "good", says=(*says, "no anomalies"))
    assert_refused(model, data, "--anomaly", "good", says=(*says, "no normal rows"))


def test_a_model_without_a_target_needs_one(folder: Path) -> None:
    words = [folder / "a.augan", folder / "numbers.csv", "--anomaly", 1]
    assert_refused(*words, says=("--target", "a.augan"))
    words = [folder / "a.augan", folder / "a.npy", "--anomaly", 1, "--target", "y"]
    assert_refused(*words, says=("a.npy", "no array 'y'"))


def test_data_and_models_that_cannot_be_read_are_named(
    folder: Path, words: list[Any], tmp_path: Path
) -> None:
    model, data = words
    anomaly = ["--target", "label", "--anomaly", "bad"]
    assert_refused(model, tmp_path / "no.csv", *anomaly, says=("no.csv", "no such file"))
    assert_refused(tmp_path / "no.augan", data, *anomaly, says=("no.augan", "no such file"))
    assert_refused(folder / "i.augan", data, *anomaly, says=("test.csv", "a table", "images"))
    frame = TableSource(data).read()
    frame.drop(columns="shop").to_csv(tmp_path / "d.csv", index=False)
    assert_refused(model, tmp_path / "d.csv", *anomaly, says=("d.csv", "'shop'", "m.augan"))
    frame.astype(object).replace({"amount": {frame["amount"][9]: "much"}}).to_csv(
        tmp_path / "d.csv", index=False
    )
    assert_refused(model, tmp_path / "d.csv", *anomaly, says=("d.csv, row 9", "'amount'", "'much'"))


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "m"],
        ["evaluate", "m", "d.csv", "--bootstrap", "-1"],
        ["evaluate", "m", "d.csv", "--bootstrap", "many"],
        ["evaluate", "m", "d.csv", "--seed", "-1"],
        ["evaluate", "m", "d.csv", "--seed", "4294967296"],
        ["evaluate", "m", "d.csv", "--delimiter", "ab"],
    ],
)
def test_bad_usage_exits_with_2(words: list[str]) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2 and result.stdout == ""
    assert "Traceback" not in result.stderr
