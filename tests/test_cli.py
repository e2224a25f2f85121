"""The command line: the same scores every way, clean streams, one plain line for every mistake."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pytest
from augan_cli.app import app
from typer.testing import CliRunner

import augan
from augan.io import csv_files, parquet_files
from augan.io.tables import TableSource

SMALL = ["width=16", "latent_dim=4", "encoder_steps=20", "n_critic=1"]
SMALL += ["pretext_steps=20", "n_folds=2"]
QUICK = ["--steps", "20", *(word for text in SMALL for word in ("--set", text))]
COLUMNS = ["row", "anomaly_score", "p_value", "is_anomaly"]


def run(*words: Any) -> Any:
    """Run the command in this process, on one thread."""
    threads = ["--threads", "1"] if words[0] in ("fit", "score") else []
    result = CliRunner().invoke(app, [str(word) for word in (*words, *threads)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def done(*words: Any) -> Any:
    result = run(*words)
    assert result.exit_code == 0, result.stderr
    assert "Traceback" not in result.stderr
    return result


def assert_refused(folder: Path, *words: Any, says: tuple[str, ...]) -> None:
    """Check for exit code 1, one line on stderr, nothing on stdout, and no file left behind."""
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    result = run(*words)
    assert result.exit_code == 1, (result.exit_code, result.stderr)
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("augan: error: "), result.stderr
    for text in says:
        assert text in lines[0], (text, lines[0])
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, mixed_frame: pd.DataFrame) -> Path:
    """A folder with a table as CSV and Parquet, images, and a model of each."""
    folder = tmp_path_factory.mktemp("cli")
    frame = mixed_frame.assign(label=np.where(np.arange(len(mixed_frame)) % 8, "good", "bad"))
    frame.to_csv(folder / "data.csv", index=False)
    frame.to_parquet(folder / "data.parquet")
    target = ("--target", "label", "--normal", "good")
    done("fit", folder / "data.csv", "--out", folder / "m.augan", *target, *QUICK)
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    np.savez(folder / "images.npz", X=images, y=np.arange(40) % 2)
    target = ("--target", "y", "--normal", "1")
    done("fit", folder / "images.npz", "--out", folder / "i.augan", *target, *QUICK)
    return folder


@pytest.fixture
def model(folder: Path) -> Path:
    return folder / "m.augan"


def read_results(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".csv":
        return pa.csv.read_csv(path).to_pandas()
    return parse_lines(path.read_text())


def parse_lines(text: str) -> pd.DataFrame:
    return pd.DataFrame([json.loads(line) for line in text.splitlines()])


def parse_csv(text: str) -> pd.DataFrame:
    return pa.csv.read_csv(io.BytesIO(text.encode())).to_pandas()


def test_all_outputs_carry_the_scores_that_python_gives(
    folder: Path, model: Path, tmp_path: Path
) -> None:
    data = folder / "data.csv"
    expected = augan.load(model)
    rows = TableSource(data).read().drop(columns="label")
    scores = expected.anomaly_score(rows)
    outputs = [
        parse_csv(done("score", model, data).stdout),
        parse_lines(done("score", model, data, "--json").stdout),
    ]
    for name in ("s.csv", "s.parquet", "s.jsonl"):
        result = done("score", model, data, "--out", tmp_path / name)
        assert result.stdout == ""
        outputs.append(read_results(tmp_path / name))
    for output in outputs:
        assert list(output.columns) == COLUMNS
        assert output["row"].tolist() == list(range(len(rows)))
        assert np.array_equal(output["anomaly_score"], scores)
        assert np.array_equal(output["p_value"], expected.p_value_of(scores))
        assert np.array_equal(output["is_anomaly"], scores > expected.threshold_)


def test_csv_and_parquet_of_one_table_get_the_same_scores(folder: Path, model: Path) -> None:
    first = done("score", model, folder / "data.csv").stdout
    assert done("score", model, folder / "data.parquet").stdout == first


@pytest.mark.slow  # by default from Python: test_invariants
def test_scores_do_not_depend_on_the_size_of_a_block(
    folder: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = done("score", model, folder / "data.csv", "--explain").stdout
    monkeypatch.setattr(csv_files, "BLOCK_BYTES", 1000)
    assert done("score", model, folder / "data.csv", "--explain").stdout == at_once
    monkeypatch.setattr(parquet_files, "BATCH_ROWS", 7)
    assert done("score", model, folder / "data.parquet", "--explain").stdout == at_once


def test_compressed_files_and_directories_are_scored_alike(
    folder: Path, model: Path, tmp_path: Path
) -> None:
    content = (folder / "data.csv").read_bytes()
    (tmp_path / "data.csv.gz").write_bytes(gzip.compress(content))
    header, *lines = content.splitlines(keepends=True)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "1.csv").write_bytes(header + b"".join(lines[:150]))
    (tmp_path / "parts" / "2.csv").write_bytes(header + b"".join(lines[150:]))
    expected = done("score", model, folder / "data.csv").stdout
    assert done("score", model, tmp_path / "data.csv.gz").stdout == expected
    assert done("score", model, tmp_path / "parts").stdout == expected


def test_top_shows_the_highest_sorted_and_counts_all(folder: Path, model: Path) -> None:
    every = parse_csv(done("score", model, folder / "data.csv").stdout)
    result = done("score", model, folder / "data.csv", "--top", 7, "--fpr", 0.3)
    top = parse_csv(result.stdout)
    expected = every.sort_values("anomaly_score", ascending=False, kind="stable").head(7)
    assert top["row"].tolist() == expected["row"].tolist()
    assert np.array_equal(top["anomaly_score"], expected["anomaly_score"])
    limit = augan.load(model).threshold_at(0.3)
    n_flagged = int((every["anomaly_score"] > limit).sum())
    assert n_flagged > 7
    assert f"{n_flagged} of {len(every)} rows are anomalies" in result.stderr


def test_fpr_and_threshold_move_the_verdict(folder: Path, model: Path) -> None:
    detector = augan.load(model)
    middle = float(detector.scorer_.conformal.scores.median())
    for words, limit in (
        (["--fpr", 0.2], detector.threshold_at(0.2)),
        (["--threshold", middle], middle),
    ):
        found = parse_csv(done("score", model, folder / "data.csv", *words).stdout)
        assert np.array_equal(found["is_anomaly"], found["anomaly_score"] > limit)
        assert 0 < found["is_anomaly"].sum() < len(found)


def test_explain_names_columns_and_pixels(folder: Path, model: Path, tmp_path: Path) -> None:
    frame = TableSource(folder / "data.csv").read()
    frame.loc[3, "amount"] = 1e7
    frame.to_csv(tmp_path / "odd.csv", index=False)
    output = parse_csv(done("score", model, tmp_path / "odd.csv", "--explain").stdout)
    assert output["explanation"][3].startswith("amount x")
    images = done("score", folder / "i.augan", folder / "images.npz", "--explain")
    assert parse_csv(images.stdout)["explanation"].str.match(r"pixel [0-7], [0-7]$").all()


def test_images_are_scored_as_python_scores_them(folder: Path, tmp_path: Path) -> None:
    images = np.load(folder / "images.npz")["X"]
    np.save(tmp_path / "images.npy", images)
    expected = augan.load(folder / "i.augan").anomaly_score(images)
    for data in (folder / "images.npz", tmp_path / "images.npy"):
        found = parse_csv(done("score", folder / "i.augan", data).stdout)
        assert np.array_equal(found["anomaly_score"], expected)


def test_stdout_is_data_and_quiet_is_quiet(folder: Path, model: Path, tmp_path: Path) -> None:
    result = done("score", model, folder / "data.csv", "--quiet")
    assert result.stderr == ""
    assert result.stdout.splitlines()[0] == ",".join(COLUMNS)
    assert len(result.stdout.splitlines()) == len(parse_csv(result.stdout)) + 1
    out = tmp_path / "m.augan"
    result = done("fit", folder / "images.npz", "--out", out, *QUICK, "--quiet")
    assert result.stdout == result.stderr == ""
    result = done("fit", folder / "images.npz", "--out", out, *QUICK)
    assert result.stdout == "" and result.stderr.startswith("trained FAnoGAN on 40 rows")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.augan"]


def test_only_normal_rows_train_and_the_target_is_no_feature(folder: Path, model: Path) -> None:
    detector = augan.load(model)
    assert "label" not in [column.name for column in detector.codec_.columns]
    facts = json.loads(done("info", model, "--json").stdout)
    assert facts["context"] == {"target": "label", "dropped": []}
    assert facts["calibration_rows"] == 350
    images = json.loads(done("info", folder / "i.augan", "--json").stdout)
    assert images["calibration_rows"] == 20


def test_dropped_columns_are_no_features_and_no_surprise_later(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "m.augan"
    words = ["--drop", "label", "--drop", "day", "--method", "anogan", "--gan", "hinge"]
    small = ("search_steps=2", "width=8", "pretext_steps=10", "n_folds=2")
    sizes = ["--steps", 10, *(word for text in small for word in ("--set", text))]
    done("fit", folder / "data.csv", "--out", out, *words, *sizes, "--seed", 3)
    detector = augan.load(out)
    names = [column.name for column in detector.codec_.columns]
    assert "day" not in names and "label" not in names and "amount" in names
    assert type(detector).__name__ == "AnoGAN" and detector.gan == "hinge"
    assert (detector.width, detector.search_steps, detector.max_steps) == (8, 2, 10)
    assert detector.random_state == 3
    assert "warning" not in done("score", out, folder / "data.csv").stderr


@pytest.mark.slow  # by default from Python: test_invariants.test_the_seed_decides_everything
def test_the_same_seed_gives_the_same_file(folder: Path, tmp_path: Path) -> None:
    weights = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        out = tmp_path / name
        done("fit", folder / "images.npz", "--out", out, *QUICK, "--seed", seed)
        with zipfile.ZipFile(out) as archive:
            weights.append(archive.read("weights.safetensors"))
    assert weights[0] == weights[1] != weights[2]


def test_info_tells_the_same_as_text_and_json(folder: Path, model: Path) -> None:
    facts = json.loads(done("info", model, "--json").stdout)
    assert facts["method"] == "FAnoGAN" and facts["settings"]["width"] == 16
    assert facts["columns"]["shop"].startswith("category")
    assert set(facts["parameters"]) == {"generator", "critic", "encoder", "pretext"}
    assert set(facts["training"]["last"]) == {"gan", "encoder", "pretext"}
    assert facts["threshold"] == augan.load(model).threshold_
    text = done("info", model)
    assert text.stderr == "" and "FAnoGAN" in text.stdout and "calibration rows" in text.stdout
    assert "image shape" in done("info", folder / "i.augan").stdout


def test_a_file_like_uci_adult_is_fitted_and_scored(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    lines = [
        f" {age}, {work}, {hours:.1f}, {income}"
        for age, work, hours, income in zip(
            ["?" if i % 9 == 0 else 20 + i % 50 for i in range(120)],
            random.choice(["Private", "?", "State-gov"], 120),
            random.normal(40, 5, 120),
            ["<=50K", ">50K"] * 60,
            strict=True,
        )
    ]
    (tmp_path / "adult.data").write_text("\n".join(lines))
    options = ["--column-names", "age, work,hours,income", "--missing", "?"]
    target = ["--target", "income", "--normal", "<=50K"]
    data, out = tmp_path / "adult.data", tmp_path / "m.augan"
    done("fit", data, "--out", out, *options, *target, *QUICK)
    kinds = {column.name: column.kind for column in augan.load(out).codec_.columns}
    assert kinds == {"age": "numeric", "work": "category", "hours": "numeric"}
    assert len(parse_csv(done("score", out, data, *options).stdout)) == 120


def test_a_tab_delimited_latin_1_file_is_fitted_and_scored(tmp_path: Path) -> None:
    lines = [f"{i % 7},5\t{'Köln' if i % 3 else 'Bonn'}\t{i}" for i in range(60)]
    path = tmp_path / "data.tsv"
    path.write_bytes("\n".join(["größe\tstadt\tn", *lines]).encode("latin-1"))
    options = ["--delimiter", "\\t", "--encoding", "latin-1"]
    done("fit", path, "--out", tmp_path / "m.augan", *options, *QUICK)
    columns = augan.load(tmp_path / "m.augan").codec_.columns
    assert [column.name for column in columns] == ["größe", "stadt", "n"]
    assert columns[1].categories == ("Bonn", "Köln")
    assert len(parse_csv(done("score", tmp_path / "m.augan", path, *options).stdout)) == 60


def test_a_model_of_an_array_scores_a_csv_of_its_columns(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 3))
    np.save(tmp_path / "a.npy", rows)
    pd.DataFrame(rows, columns=["x0", "x1", "x2"]).to_csv(tmp_path / "a.csv", index=False)
    done("fit", tmp_path / "a.npy", "--out", tmp_path / "m.augan", *QUICK)
    expected = done("score", tmp_path / "m.augan", tmp_path / "a.npy").stdout
    assert done("score", tmp_path / "m.augan", tmp_path / "a.csv").stdout == expected


def test_an_extra_column_is_warned_of_and_ignored(
    folder: Path, model: Path, tmp_path: Path
) -> None:
    TableSource(folder / "data.csv").read().assign(news=1).to_csv(tmp_path / "d.csv", index=False)
    result = done("score", model, tmp_path / "d.csv")
    assert "augan: warning: " in result.stderr and "'news'" in result.stderr
    assert result.stdout == done("score", model, folder / "data.csv").stdout


def test_warnings_of_the_data_are_one_line_each(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": [f"id{i}" for i in range(80)], "n": np.arange(80) % 7})
    frame.to_csv(tmp_path / "d.csv", index=False)
    result = done("fit", tmp_path / "d.csv", "--out", tmp_path / "m.augan", *QUICK)
    warning, *others, summary = result.stderr.splitlines()
    assert warning.startswith("augan: warning: column 'id' has a different string in each row: it")
    assert all(line.startswith("augan: warning: the GAN was not healthy") for line in others)
    assert summary.startswith("trained")


# What is wrong with the data


def csv_of(folder: Path, tmp_path: Path, **changed: Any) -> Path:
    """Write the table with a few values changed: column=(row, value)."""
    frame = TableSource(folder / "data.csv").read().astype(object)
    for name, (row, value) in changed.items():
        frame.loc[row, name] = value
    frame.to_csv(tmp_path / "d.csv", index=False)
    return tmp_path / "d.csv"


def cut(content: bytes) -> bytes:
    return content[: int(0.7 * len(content))]


CSV = b"a,b\n" + b"".join(b"%d,%d\n" % (i, i * i % 11) for i in range(400))
GOOD = pd.DataFrame({"a": np.arange(400.0), "b": np.arange(400) % 11})
BAD_FILES: dict[str, tuple[str, bytes | None, tuple[str, ...]]] = {
    "missing": ("d.csv", None, ("no such file",)),
    "missing array": ("d.npy", None, ("no such file",)),
    "missing parquet": ("d.parquet", None, ("no such file",)),
    "empty": ("d.csv", b"", ("empty",)),
    "empty parquet": ("d.parquet", b"", ("empty",)),
    "blank": ("d.csv", b"\n\n\n", ("empty",)),
    "header only": ("d.csv", b"a,b\n", ("no rows",)),
    "truncated gz": ("d.csv.gz", cut(gzip.compress(CSV)), ("Truncated",)),
    "no gz": ("d.csv.gz", CSV, ()),
    "no parquet": ("d.parquet", CSV, ("Parquet",)),
    "latin-1": ("d.csv", CSV + "ä,1\n".encode("latin-1"), ("'a'", "--encoding")),
    "ragged": ("d.csv", CSV[:-4] + b"1,2,3\n", ("line 401", "3 fields")),
    "repeated column": ("d.csv", b"a,b,a\n1,2,3\n", ("'a'", "duplicate")),
    "wrong ending": ("d.xlsx", CSV, ("unknown kind of file",)),
    "text as npy": ("d.npy", CSV, ("NumPy",)),
    "text as npz": ("d.npz", CSV, ("NumPy",)),
    "infinity": ("d.csv", CSV + b"inf,1\n", ("'a'", "400", "inf")),
    "text among numbers": ("d.csv", CSV + b"abc,1\n", ("row 400", "'a'", "'abc'")),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_bad_file_is_refused_by_fit_and_score(
    folder: Path, model: Path, tmp_path: Path, case: str
) -> None:
    name, content, says = BAD_FILES[case]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    says = (name, *says)
    assert_refused(tmp_path, "fit", tmp_path / name, "--out", tmp_path / "m", *QUICK, says=says)
    model = small_model(folder)
    for out in ([], ["--out", tmp_path / "s.csv"]):
        assert_refused(tmp_path, "score", model, tmp_path / name, *out, says=says)


def small_model(folder: Path) -> Path:
    """Return a model of the columns a and b, fitted once."""
    model = folder / "small.augan"
    if not model.exists():
        GOOD.to_csv(folder / "good.csv", index=False)
        done("fit", folder / "good.csv", "--out", model, *QUICK)
    return model


def test_a_truncated_parquet_file_is_refused(folder: Path, tmp_path: Path) -> None:
    GOOD.to_parquet(tmp_path / "d.parquet")
    (tmp_path / "d.parquet").write_bytes(cut((tmp_path / "d.parquet").read_bytes()))
    words = [tmp_path / "d.parquet", "--out", tmp_path / "o.csv"]
    assert_refused(tmp_path, "fit", *words, *QUICK, says=("d.parquet",))
    assert_refused(tmp_path, "score", small_model(folder), *words, says=("d.parquet",))


@pytest.mark.parametrize(
    "changed, says",
    [
        ({"amount": (5, "much")}, ("row 5", "'amount'", "'much' is not a number")),
        ({"count": (7, "inf")}, ("row 7", "'count'", "inf")),
        ({"day": (9, "soon")}, ("row 9", "'day'", "'soon' is not a date")),
        ({"day": (11, "2024-02-30")}, ("row 11", "'day'", "'2024-02-30'")),
    ],
)
def test_a_value_that_does_not_fit_its_column_is_named(
    folder: Path, model: Path, tmp_path: Path, changed: dict[str, Any], says: tuple[str, ...]
) -> None:
    data = csv_of(folder, tmp_path, **changed)
    says = ("d.csv", *says)
    out = ["--out", tmp_path / "o.csv"]
    assert_refused(tmp_path, "score", model, data, *out, says=says)
    assert_refused(tmp_path, "score", model, data, "--top", 3, says=says)
    target = ["--target", "label", "--normal", "good"]
    assert_refused(tmp_path, "fit", data, *out, *target, *QUICK, says=says)


def test_an_error_in_a_late_block_leaves_no_file(
    folder: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_files, "BLOCK_BYTES", 2000)
    data = csv_of(folder, tmp_path, amount=(390, "much"))
    for name in ("s.csv", "s.parquet", "s.jsonl"):
        out = ["--out", tmp_path / name]
        assert_refused(tmp_path, "score", model, data, *out, says=("row 390", "'amount'"))


def test_a_missing_column_is_named(folder: Path, model: Path, tmp_path: Path) -> None:
    frame = TableSource(folder / "data.csv").read().drop(columns=["shop", "day"])
    frame.to_csv(tmp_path / "d.csv", index=False)
    says = ("d.csv", "no column 'shop', 'day'", "m.augan")
    assert_refused(tmp_path, "score", model, tmp_path / "d.csv", says=says)


@pytest.mark.parametrize(
    "words, says",
    [
        (["--target", "lable", "--normal", "good"], ("data.csv", "'lable'", "label")),
        (["--target", "label", "--normal", "fine"], ("data.csv", "'label'", "'fine'", "'good'")),
        (["--target", "label", "--resume"], ("--target", "--normal", "fit-sampler")),
        (["--target", "label", "--method", "anogan"], ("--target", "--normal", "fit-sampler")),
        (["--normal", "good"], ("--target", "--normal")),
        (["--drop", "days"], ("data.csv", "'days'")),
        (["--set", "widht=3"], ("widht", "FAnoGAN")),
        (["--set", "n_critic=0"], ("n_critic=0", "at least 1")),
        (["--set", "width=wide"], ("width='wide'",)),
        (["--set", "betas=(1,2)"], ("betas=(1, 2)",)),
        (["--set", "checkpoint=/tmp/x"], ("checkpoint", "--out")),
        (["--set", "normal_label=1"], ("normal_label", "--normal")),
        (["--set", "search_steps=3"], ("search_steps", "FAnoGAN")),
        (["--max-time", "0"], ("max_time=0",)),
        (["--device", "quantum"], ("device='quantum'",)),
        (["--resume"], ("m.checkpoint", "no checkpoint")),
    ],
)
def test_a_bad_option_of_fit_is_named(
    folder: Path, tmp_path: Path, words: list[str], says: tuple[str, ...]
) -> None:
    out = ["--out", tmp_path / "m"]
    assert_refused(tmp_path, "fit", folder / "data.csv", *out, *QUICK, *words, says=says)


@pytest.mark.parametrize(
    "words, says",
    [
        (["--fpr", 2], ("--fpr 2",)),
        (["--fpr", 0], ("--fpr 0",)),
        (["--fpr", "nan"], ("--fpr nan",)),
        (["--threshold", "nan"], ("--threshold nan",)),
        (["--fpr", 0.1, "--threshold", 1], ("--fpr", "--threshold")),
        (["--device", "quantum"], ("'quantum'",)),
        (["--out", "scores.xlsx"], ("scores.xlsx", ".csv")),
        (["--encoding", "klingon"], ("--encoding", "klingon")),
        (["--delimiter", ";"], ("data.csv", "the delimiter seems to be ','")),
    ],
)
def test_a_bad_option_of_score_is_named(
    folder: Path, model: Path, tmp_path: Path, words: list[Any], says: tuple[str, ...]
) -> None:
    assert_refused(tmp_path, "score", model, folder / "data.csv", *words, says=says)


@pytest.mark.parametrize(
    "words",
    [
        ["fit", "d.csv"],
        ["fit", "d.csv", "--out", "m", "--max-time", "soon"],
        ["fit", "d.csv", "--out", "m", "--steps", "0"],
        ["fit", "d.csv", "--out", "m", "--gan", "vae"],
        ["fit", "d.csv", "--out", "m", "--set", "width"],
        ["fit", "d.csv", "--out", "m", "--seed", "-1"],
        ["score", "m"],
        ["score", "m", "d.csv", "--top", "0"],
        ["score", "m", "d.csv", "--fpr", "much"],
        ["score", "m", "d.csv", "--delimiter", "ab"],
        ["info"],
        ["train"],
    ],
)
def test_bad_usage_exits_with_2(words: list[str]) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2 and result.stdout == ""
    assert "Traceback" not in result.stderr


def test_too_few_rows_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("a,b\n1,2\n")
    out = ["--out", tmp_path / "m"]
    says = ("d.csv", "at least 2 rows")
    assert_refused(tmp_path, "fit", tmp_path / "d.csv", *out, *QUICK, says=says)
    done("score", small_model(folder), tmp_path / "d.csv")


# Arrays and images


@pytest.mark.parametrize(
    "name, content, says",
    [
        (
            "d.npy",
            np.where(np.arange(640).reshape(10, 8, 8) == 76, np.nan, 0.0),
            ("image 1", "nan"),
        ),
        ("d.npy", np.where(np.arange(640).reshape(10, 8, 8) == 0, np.inf, 0.0), ("image 0", "inf")),
        ("d.npy", np.zeros((2, 2, 8, 8, 3)), ("(2, 2, 8, 8, 3)",)),
        ("d.npy", np.zeros((4, 8, 8, 7)), ("(8, 8, 7)",)),
        ("d.npy", np.zeros((4, 3, 3)), ()),
        ("d.npy", np.zeros((0, 8, 8)), ()),
        ("d.npy", np.array([{}, []], dtype=object), ("NumPy",)),
        ("d.npz", {"a": np.zeros((4, 8, 8)), "b": np.zeros((4, 8, 8))}, ("'X'", "a, b")),
        ("d.npz", {}, ("'X'",)),
    ],
)
def test_bad_arrays_are_refused(
    folder: Path, tmp_path: Path, name: str, content: Any, says: tuple[str, ...]
) -> None:
    path = tmp_path / name
    np.savez(path, **content) if isinstance(content, dict) else np.save(path, content)
    says = (name, *says)
    out = ["--out", tmp_path / "o.csv"]
    assert_refused(tmp_path, "fit", path, *out, *QUICK, says=says)
    assert_refused(tmp_path, "score", folder / "i.augan", path, *out, says=says)


def test_data_of_another_kind_or_shape_is_refused(
    folder: Path, model: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "d.npy", np.zeros((4, 9, 9)))
    score = ["score", folder / "i.augan"]
    assert_refused(tmp_path, *score, tmp_path / "d.npy", says=("d.npy", "(9, 9)", "(8, 8)"))
    assert_refused(tmp_path, *score, folder / "data.csv", says=("data.csv", "a table", "images"))
    assert_refused(tmp_path, "score", model, tmp_path / "d.npy", says=("d.npy", "images"))


# Models, outputs, checkpoints


def newer(content: bytes, path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", json.dumps({"format_version": 99, "augan": "9.0"}))
        archive.writestr("weights.safetensors", b"")


MODELS: dict[str, tuple[Callable[[bytes, Path], Any], str]] = {
    "missing": (lambda content, path: None, "no such file"),
    "directory": (lambda content, path: path.mkdir(), "directory"),
    "empty": (lambda content, path: path.write_bytes(b""), "not a model file"),
    "table": (lambda content, path: path.write_bytes(CSV), "not a model file"),
    "truncated": (lambda content, path: path.write_bytes(cut(content)), "not a model file"),
    "damaged": (
        lambda content, path: path.write_bytes(
            content[: len(content) // 2] + bytes(50) + content[len(content) // 2 + 50 :]
        ),
        "damaged",
    ),
    "newer": (newer, "newer"),
}


@pytest.mark.parametrize("case", MODELS)
def test_a_bad_model_is_refused(folder: Path, model: Path, tmp_path: Path, case: str) -> None:
    write, says = MODELS[case]
    write(model.read_bytes(), tmp_path / "bad.augan")
    data = folder / "data.csv"
    said = ("bad.augan", says)
    assert_refused(tmp_path, "score", tmp_path / "bad.augan", data, says=said)
    assert_refused(tmp_path, "info", tmp_path / "bad.augan", says=said)


@pytest.mark.parametrize("out", ["no/o.csv", "folder.csv", "file/o.csv", "/proc/o.csv", "d.csv"])
def test_an_output_that_cannot_be_written_is_named_before_any_work(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "d.csv").write_bytes(CSV)
    model, path = small_model(folder), tmp_path / out
    assert_refused(tmp_path, "score", model, tmp_path / "d.csv", "--out", path, says=(out,))
    monkeypatch.setattr(augan.FAnoGAN, "fit", lambda *_: pytest.fail("it trains"))
    assert_refused(tmp_path, "fit", tmp_path / "d.csv", "--out", path, *QUICK, says=(out,))


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the data and the checkpoint of a run whose model could not be saved."""
    (tmp_path / "d.csv").write_bytes(CSV)
    with monkeypatch.context() as patch:
        patch.setattr(augan.FAnoGAN, "save", full_disk)
        words = ["fit", tmp_path / "d.csv", "--out", tmp_path / "m", *QUICK]
        result = run(*words)
    assert result.exit_code == 1 and "No space left" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d.csv", "m.checkpoint"]
    return tmp_path


def full_disk(*_: Any, **__: Any) -> None:
    raise OSError(28, "No space left on device", "m")


def resume(folder: Path, *words: Any) -> list[Any]:
    return ["fit", folder / "d.csv", "--out", folder / "m", *QUICK, "--resume", *words]


def test_a_run_goes_on_from_its_checkpoint(stopped: Path) -> None:
    result = done(*resume(stopped))
    assert "trained" in result.stderr
    assert sorted(path.name for path in stopped.iterdir()) == ["d.csv", "m"]
    done("fit", stopped / "d.csv", "--out", stopped / "again", *QUICK)
    weights = []
    for name in ("m", "again"):
        with zipfile.ZipFile(stopped / name) as archive:
            weights.append(archive.read("weights.safetensors"))
    assert weights[0] == weights[1]


@pytest.mark.parametrize(
    "words, says",
    [
        (["--set", "width=8"], ("m.checkpoint", "width (16, now 8)")),
        (["--seed", 5], ("m.checkpoint", "seed (0, now 5)")),
        (["--gan", "hinge"], ("m.checkpoint", "gan ('wgan-gp', now 'hinge')")),
        (["--method", "anogan"], ()),
    ],
)
def test_a_run_with_other_parameters_is_not_resumed(
    stopped: Path, words: list[Any], says: tuple[str, ...]
) -> None:
    if "anogan" in words:
        sizes = ["--steps", 20, "--set", "width=16"]
        said = ("m.checkpoint", "method ('FAnoGAN', now 'AnoGAN')")
        fit = ["fit", stopped / "d.csv", "--out", stopped / "m", "--resume", *sizes, *words]
        assert_refused(stopped, *fit, says=said)
    else:
        assert_refused(stopped, *resume(stopped, *words), says=says)


def test_a_run_with_other_data_is_not_resumed(stopped: Path) -> None:
    (stopped / "d.csv").write_bytes(CSV.replace(b"399,", b"398,"))
    assert_refused(stopped, *resume(stopped), says=("m.checkpoint", "data ("))


@pytest.mark.parametrize("damage", ["truncated", "flipped", "text", "empty", "directory", "other"])
def test_a_damaged_checkpoint_is_refused(stopped: Path, damage: str) -> None:
    path = stopped / "m.checkpoint"
    content = bytearray(path.read_bytes())
    if damage == "directory":
        path.unlink()
        path.mkdir()
    elif damage == "flipped":
        with zipfile.ZipFile(path) as archive:
            largest = max(archive.infolist(), key=lambda member: member.file_size)
            weights = archive.read(largest)
        content[content.index(weights) + len(weights) // 2] ^= 1
        path.write_bytes(content)
    elif damage == "other":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.txt", "hello")
    else:
        path.write_bytes({"truncated": cut(content), "text": CSV, "empty": b""}[damage])
    assert_refused(stopped, *resume(stopped), says=("m.checkpoint",))


# Real processes


def augan_process(*words: Any, **given: Any) -> subprocess.Popen[bytes]:
    code = "from augan_cli.__main__ import main; main()"
    words = tuple(str(word) for word in words)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", code, *words], **pipes, **given)


def test_help_is_there_at_once_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom augan_cli.app import app\n"
        "app(['--help'], standalone_mode=False)\n"
        "print(*[m for m in ('torch', 'pandas', 'numpy', 'pyarrow', 'matplotlib', 'sklearn')"
        " if m in sys.modules], file=sys.stderr)"
    )
    heavy = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert heavy.stderr.split() == [] and b"score" in heavy.stdout
    library = [sys.executable, "-c", "import typer.main, typer.rich_utils"]
    own, usual = [], []  # as much work on any machine, in turns
    for _ in range(3):
        usual.append(_cpu_seconds(lambda: subprocess.Popen(library, stdout=subprocess.PIPE)))
        own.append(_cpu_seconds(lambda: augan_process("--help")))
    assert min(own) < 2.5 * min(usual)


def _cpu_seconds(start: Callable[[], subprocess.Popen[bytes]]) -> float:
    """Return the seconds of CPU of a process: other work on the machine does not count."""
    before = os.times()
    process = start()
    process.communicate()
    assert process.returncode == 0
    after = os.times()
    user, system = after.children_user, after.children_system
    return user - before.children_user + system - before.children_system


def test_a_reader_that_stops_reading_gets_no_traceback(folder: Path, tmp_path: Path) -> None:
    pd.concat([GOOD] * 10).to_csv(tmp_path / "long.csv", index=False)
    process = augan_process("score", small_model(folder), tmp_path / "long.csv", "--json")
    assert json.loads(process.stdout.readline())["row"] == 0
    process.stdout.close()
    said = process.stderr.read().decode()
    process.stderr.close()
    assert process.wait() in (0, 1) and "Traceback" not in said and "Exception" not in said


def test_version_is_printed() -> None:
    assert done("--version").stdout.strip() == augan.__version__
