"""`augan sample` and `balance`: exact counts, same seed and same rows, plain errors."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from augan_cli.app import app
from PIL import Image
from typer.testing import CliRunner

import augan.sampling.column_critic as column_critic
from augan import FAnoGAN

QUICK = ["--set", "max_steps=20", "--set", "encoder_steps=20", "--set", "width=16", "-q"]
BATCH = 16_384


def run(command: str, *words: Any) -> Any:
    """Run a command in this process, on one thread."""
    words = (command, *words, "--threads", "1")
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def made(*words: Any, command: str = "sample") -> Any:
    result = run(command, *words)
    assert result.exit_code == 0, result.stderr
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, mixed_frame: pd.DataFrame) -> Path:
    """A folder with a labelled table, a model of a table and one of images."""
    folder = tmp_path_factory.mktemp("sample")
    label = np.where(np.arange(len(mixed_frame)) % 10, "fine", "fraud")
    frame = mixed_frame.copy()
    frame.insert(1, "label", label)
    frame.to_parquet(folder / "data.parquet")
    frame.to_csv(folder / "data.csv", index=False)
    small = {"max_steps": 5, "pretext_steps": 5, "encoder_steps": 5, "n_folds": 2, "width": 16}
    small["random_state"] = 0
    FAnoGAN(**small).fit(mixed_frame).save(folder / "table.augan")
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    FAnoGAN(**small | {"width": 4}).fit(images).save(folder / "images.augan")
    np.savez(folder / "digits.npz", X=images, y=np.arange(40) % 2)
    for data, target in (("data.parquet", "label"), ("digits.npz", "y")):
        name = {"label": "classes.augan", "y": "digits.augan"}[target]
        words = ["fit-sampler", folder / data, "--target", target, "--out", folder / name, *QUICK]
        words += ["--set", "method=latent"]
        result = CliRunner().invoke(app, [str(word) for word in (*words, "--threads", "1")])
        assert result.exit_code == 0, result.stderr
    (folder / "pics").mkdir()
    (folder / "pics" / "mine.txt").write_text("kept")
    return folder


def test_rows_by_class_and_condition(folder: Path) -> None:
    given = pd.read_parquet(folder / "data.parquet")
    model, out = folder / "classes.augan", folder / "asked.parquet"
    result = made(model, "-n", 30, "--class", "fraud", "--out", out, "--where", "member=True")
    assert "30 new rows (30 of fraud)" in result.stderr
    rows = pd.read_parquet(out)
    assert list(rows) == list(given) and (rows.dtypes == given.dtypes).all()
    assert (rows["label"] == "fraud").all() and rows["member"].all() and len(rows) == 30
    low, high = given["amount"].quantile([0.2, 0.7])
    words = ["--balanced", "--where", f"amount={low}..{high}", "--where", "visits="]
    made(model, "-n", 21, *words, "--out", out)
    rows = pd.read_parquet(out)
    assert rows["label"].value_counts().to_dict() == {"fine": 11, "fraud": 10}
    assert rows["amount"].between(low, high).all() and rows["visits"].isna().all()
    made(model, "-n", 40, "--out", out, "--score-range", "0.5..0.99")
    assert len(pd.read_parquet(out)) == 40


def test_a_detector_meets_conditions_too(folder: Path) -> None:
    out = folder / "members.csv"
    made(folder / "table.augan", "-n", 25, "--where", "member=True", "--out", out)
    rows = pd.read_csv(out)
    assert len(rows) == 25 and rows["member"].all()


def test_images_go_to_a_folder_for_each_class(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "new"
    made(folder / "digits.augan", "-n", 7, "--balanced", "--out", out)
    files = sorted(path.relative_to(out).as_posix() for path in out.rglob("*.png"))
    assert files == [*(f"0/{i:06d}.png" for i in range(4)), *(f"1/{i:06d}.png" for i in range(3))]
    pixels = np.asarray(Image.open(out / "0" / "000000.png"))
    assert pixels.shape == (8, 8) and pixels.dtype == np.uint8 and pixels.std() > 0
    made(folder / "images.augan", "-n", 2, "--out", tmp_path / "plain")
    assert len(list((tmp_path / "plain").glob("*.png"))) == 2


def test_what_the_critic_changed_is_said(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(column_critic, "N_STEPS", 20)
    words = [folder / "data.parquet", "--target", "label", "--out", tmp_path / "m.augan", *QUICK]
    words += ["--set", 'filters=["critic"]', "--set", "validation_fraction=0.4"]
    made(*words, command="fit-sampler")
    done = made(tmp_path / "m.augan", "-n", 20, "--out", tmp_path / "rows.csv")
    assert re.search(r"AUROC of 0\.\d{3}, without the filter 'critic' 0\.\d{3}", done.stderr)
    plain_rows = made(folder / "classes.augan", "-n", 20, "--out", tmp_path / "plain.csv")
    assert "AUROC" not in plain_rows.stderr


def test_a_sampler_cannot_score(folder: Path) -> None:
    words = ["score", folder / "classes.augan", folder / "data.csv"]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 1
    assert "a GANSampler, which does not score rows" in result.stderr


def test_info_says_where_rows_come_from(folder: Path) -> None:
    words = ["info", str(folder / "classes.augan"), "--json"]
    facts = json.loads(CliRunner().invoke(app, words).stdout)
    assert facts["method"] == "GANSampler" and facts["context"]["target"] == "label"
    assert facts["classes"]["fraud"] == {"rows": facts["classes"]["fraud"]["rows"]} | {
        "source": "latent"
    }
    assert sum(entry["rows"] for entry in facts["classes"].values()) == len(
        pd.read_csv(folder / "data.csv")
    )
    assert CliRunner().invoke(app, words[:2]).exit_code == 0


def balanced(folder: Path, name: str, *words: Any, data: str = "data.parquet") -> Path:
    out = folder / name
    words = (folder / data, "--target", "label", "--out", out, *QUICK, *words)
    made(*words, command="balance")
    return out


def test_classes_are_filled_up_below_the_originals(folder: Path) -> None:
    given = pd.read_parquet(folder / "data.parquet")
    assert str(given["visits"].dtype) == "Int64" and given["visits"].isna().any()
    result = pd.read_parquet(balanced(folder, "b.parquet"))
    assert list(result) == [*given, "synthetic"]
    assert (result.drop(columns="synthetic").dtypes == given.dtypes).all()
    pd.testing.assert_frame_equal(result[: len(given)][given.columns], given)
    assert not result["synthetic"][: len(given)].any()
    new = result[len(given) :]
    assert new["synthetic"].all() and (new["label"] == "fraud").all()
    assert result["label"].value_counts().nunique() == 1


def test_ratio_mark_and_seed(folder: Path) -> None:
    half = pd.read_csv(balanced(folder, "h.csv", "--ratio", "0.5", "--no-mark"))
    assert "synthetic" not in half
    counts = half["label"].value_counts()
    assert counts["fraud"] == counts["fine"] // 2
    again = balanced(folder, "again.csv", "--ratio", "0.5", "--no-mark").read_bytes()
    other = balanced(folder, "other.csv", "--ratio", "0.5", "--no-mark", "--seed", "1").read_bytes()
    assert again == (folder / "h.csv").read_bytes() != other


def test_all_formats_hold_the_same_rows(folder: Path) -> None:
    table = pd.read_parquet(balanced(folder, "same.parquet", "--drop", "day"))
    assert "day" not in table
    lines = pd.read_json(balanced(folder, "same.jsonl", "--drop", "day"), lines=True)
    text = pd.read_csv(balanced(folder, "same.csv", "--drop", "day"))
    numbers = table.select_dtypes("number").columns
    for other in (lines, text):
        assert len(other) == len(table)
        assert np.allclose(
            other[numbers].to_numpy(float), table[numbers].to_numpy(float), equal_nan=True
        )


def test_json_lines_have_dates_as_texts_and_no_nan(folder: Path) -> None:
    out = balanced(folder, "dates.jsonl")
    assert "NaN" not in out.read_text()
    days = pd.to_datetime(pd.read_json(out, lines=True)["day"])
    given = pd.read_parquet(folder / "data.parquet")["day"]
    assert days.min() == given.min() and days.max() <= given.max()


@pytest.mark.parametrize("n", [1, BATCH + 1])
def test_a_model_makes_exactly_as_many_rows(
    folder: Path, mixed_frame: pd.DataFrame, n: int
) -> None:
    out = folder / f"new-{n}.parquet"
    result = made(folder / "table.augan", "-n", n, "--out", out)
    assert f"{n} new rows; wrote {out}" in result.stderr
    new = pd.read_parquet(out)
    assert len(new) == n and list(new) == list(mixed_frame)
    assert len(new.drop_duplicates()) ** 2 >= n  # of a network that has hardly been trained
    again = folder / "again.parquet"
    made(folder / "table.augan", "-n", n, "--out", again, "-q")
    pd.testing.assert_frame_equal(pd.read_parquet(again), new)


def test_a_model_makes_images(folder: Path) -> None:
    made(folder / "images.augan", "-n", 7, "--out", folder / "new.npy")
    images = np.load(folder / "new.npy")
    assert images.shape == (7, 8, 8) and images.dtype == np.uint8


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["data.csv", "--target", "x", "--out", "o.csv"], "no column 'x'; it has"),
        (
            ["table.augan", "-n", "3", "--out", "o.csv", "--class", "a"],
            "trained without classes",
        ),
        (
            ["table.augan", "-n", "3", "--out", "o.csv", "--balanced"],
            "trained without classes",
        ),
        (
            ["classes.augan", "-n", "3", "--out", "o.csv", "--class", "a"],
            "only 'fine', 'fraud'",
        ),
        (
            [
                "classes.augan",
                "-n",
                "3",
                "--out",
                "o.csv",
                "--class",
                "fine",
                "--balanced",
            ],
            "give one of --class and --balanced",
        ),
        (
            ["classes.augan", "-n", "3", "--out", "o.csv", "--where", "amount"],
            "is not COL=VALUE",
        ),
        (
            ["classes.augan", "-n", "3", "--out", "o.csv", "--where", "x=1"],
            "no column 'x'",
        ),
        (
            ["classes.augan", "-n", "3", "--out", "o.csv", "--score-range", "1"],
            "is not LOW..HIGH",
        ),
        (["digits.augan", "-n", "3", "--out", "o.npy"], "makes images; use a new folder"),
        (
            ["digits.augan", "-n", "3", "--out", "o", "--where", "a=1"],
            "images have no columns",
        ),
        (["digits.augan", "-n", "3", "--out", "pics"], "pics: exists already"),
        (["none.csv", "--target", "label", "--out", "o.csv"], "none.csv: no such"),
        (["data.csv", "--target", "label", "--out", "o.txt"], "unknown ending"),
        (["data.csv", "--target", "label", "--out", "data.csv"], "is the input data.csv"),
        (
            ["data.csv", "--target", "label", "--out", "o.csv", "--ratio", "7"],
            "--ratio 7",
        ),
        (
            ["data.csv", "--target", "label", "--out", "o.csv", "--set", "steps=1"],
            "GANSampler has no such parameter",
        ),
        (
            ["data.csv", "--target", "label", "--out", "o.csv", "--set", "spread=-1"],
            "spread=-1",
        ),
        (
            [
                "data.csv",
                "--target",
                "label",
                "--out",
                "o.csv",
                "--set",
                "sampling_strategy=0.5",
            ],
            "--set sampling_strategy: use --ratio",
        ),
        (["mark.csv", "--target", "label", "--out", "o.csv"], "'synthetic' already"),
        (["gap.csv", "--target", "label", "--out", "o.csv"], "gap.csv, row 2, column"),
        (["one.csv", "--target", "label", "--out", "o.csv"], "more than 1 class"),
        (
            ["images.augan", "-n", "3", "--out", "o.csv"],
            "makes images; use a new folder or .npy",
        ),
        (["table.augan", "-n", "3", "--out", "o.npy"], "makes a table; use .csv"),
        (["data.csv", "-n", "3", "--out", "o.csv"], "data.csv: not a model file"),
    ],
)
def test_mistakes_are_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], says: str
) -> None:
    monkeypatch.chdir(folder)
    given = pd.read_csv("data.csv")
    given.assign(synthetic=0).to_csv("mark.csv", index=False)
    given.assign(label=given["label"].where(given.index != 2)).to_csv("gap.csv", index=False)
    given.assign(label="fine").to_csv("one.csv", index=False)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    result = run("sample" if "-n" in words else "balance", *words)
    lines = result.stderr.splitlines()
    assert result.exit_code == 1 and result.stdout == ""
    assert len(lines) == 1 and lines[0].startswith("augan: error: "), result.stderr
    assert says in lines[0]
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["sample", "--out", "o.csv", "-n", "3"], "MODEL"),
        (["sample", "m.augan", "--out", "o.csv"], "--number"),
        (["sample", "m.augan", "-n", "3", "--out", "o.csv", "--ratio", "1"], "--ratio"),
        (["balance", "d.csv", "--out", "o.csv"], "--target"),
        (["balance", "d.csv", "--target", "label", "-n", "3", "--out", "o.csv"], "-n"),
        (["sample", "m.augan", "--balance", "d.csv", "--target", "y", "--out", "o.csv"], "d.csv"),
    ],
)
def test_an_option_too_few_or_too_many_is_bad_usage(words: list[str], says: str) -> None:
    result = run(*words)
    assert result.exit_code == 2 and result.stdout == ""
    assert says in result.stderr
