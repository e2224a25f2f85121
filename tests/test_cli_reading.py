"""How tables are read, through the commands: kept with the model, and used by all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from augan_cli.app import app
from typer.testing import CliRunner

import augan

QUICK = ["--steps", 5, "--quiet"]
for setting in (
    "pretext_steps=3",
    "encoder_steps=3",
    "n_folds=2",
    "n_critic=1",
    "width=16",
    "latent_dim=4",
):
    QUICK += ["--set", setting]


def run(*words: Any, given: bytes | None = None) -> Any:
    return CliRunner().invoke(app, list(map(str, words)), input=given)


def german(n: int = 150) -> str:
    """Return a table as German banks write it, with codes, and one label in ten 'odd'."""
    random = np.random.default_rng(0)
    rows = ["Datum;Betrag;PLZ;Art"]
    for i in range(n):
        amount = f"{random.integers(1, 9)}.{random.integers(100, 999)},{random.integers(10, 99)} €"
        day = f"{random.integers(1, 29):02d}.{random.integers(1, 13):02d}.2024"
        code, label = f"0{random.integers(1000, 1004)}", "odd" if i % 10 == 0 else "ök"
        rows.append(f"{day};{amount};{code};{label}")
    return "\n".join(rows) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A German table and a detector of its normal rows."""
    folder = tmp_path_factory.mktemp("reading")
    (folder / "d.csv").write_bytes(german().encode("cp1252"))
    words = ["--target", "Art", "--normal", "ök", "--encoding", "cp1252"]
    result = run("fit", folder / "d.csv", *words, "--out", folder / "m.augan", *QUICK)
    assert result.exit_code == 0, result.stderr
    return folder


def test_other_formats_are_numbers_and_dates_of_the_model_and_codes_are_text(folder: Path) -> None:
    columns = augan.load(folder / "m.augan").codec_.columns
    assert [column.stored_as() for column in columns] == ["time", "number", "text"]


def test_how_training_read_is_kept_and_used(folder: Path, tmp_path: Path) -> None:
    scored = run("score", folder / "m.augan", folder / "d.csv", "--quiet")
    assert scored.exit_code == 0 and scored.stderr == ""
    table = pd.read_csv(folder / "d.csv", sep=";", encoding="cp1252", dtype={"PLZ": str})
    table["Datum"] = pd.to_datetime(table["Datum"], format="%d.%m.%Y")
    marks = table["Betrag"].str.removesuffix(" €").str.replace(".", "").str.replace(",", ".")
    table["Betrag"] = marks.astype(float)
    table.to_parquet(tmp_path / "d.parquet")
    again = run("score", folder / "m.augan", tmp_path / "d.parquet", "--quiet")
    assert again.stdout == scored.stdout
    table.to_json(tmp_path / "d.jsonl", orient="records", lines=True, date_format="iso")
    again = run("score", folder / "m.augan", tmp_path / "d.jsonl", "--quiet", "--encoding", "utf-8")
    assert again.stdout == scored.stdout


def test_commands_read_standard_input(folder: Path) -> None:
    expected = run("score", folder / "m.augan", folder / "d.csv", "--quiet").stdout
    given = german().encode("cp1252")
    assert run("score", folder / "m.augan", "-", "--quiet", given=given).stdout == expected
    words = ["--anomaly", "odd", "--bootstrap", 0, "--json"]
    result = run("evaluate", folder / "m.augan", "-", *words, given=given)
    assert result.exit_code == 0 and '"n_anomaly": 15' in result.stdout


def test_what_is_given_otherwise_is_warned_of(folder: Path) -> None:
    words = ["score", folder / "m.augan", folder / "d.csv", "--quiet"]
    result = run(*words, "--decimal", ".")
    assert result.exit_code == 1
    warning, error = result.stderr.splitlines()
    assert warning.startswith("augan: warning: --decimal '.': the data that")
    assert "d.csv, row 0, column 'Betrag': " in error
    result = run(*words, "--date-format", "%d.%m.%Y")
    assert result.exit_code == 0 and result.stderr == ""


def test_new_rows_of_a_model_can_be_scored_by_it(folder: Path, tmp_path: Path) -> None:
    for name in ("new.csv", "new.parquet", "new.jsonl"):
        made = run("sample", folder / "m.augan", "-n", 20, "--out", tmp_path / name, "--quiet")
        assert made.exit_code == 0, made.stderr
    scores = [
        run("score", folder / "m.augan", tmp_path / name, "--quiet")
        for name in ("new.csv", "new.parquet", "new.jsonl")
    ]
    assert scores[0].exit_code == 0, scores[0].stderr
    assert len({result.stdout for result in scores}) == 1
    first = (tmp_path / "new.csv").read_text(encoding="cp1252").splitlines()[1]
    assert ".2024," in first and "€" in first


@pytest.mark.parametrize(
    "words, says",
    [
        (["--encoding", "rot13"], "--encoding 'rot13'"),
        (["--decimal", "x"], "--decimal 'x'"),
        (["--date-format", "Datum=d.m.Y"], "--date-format 'd.m.Y'"),
        (["--date-format", "%d", "--date-format", "%m"], "--date-format '%m'"),
        (["--text", "PLZ,Ort"], "no column 'Ort' (--text)"),
    ],
)
def test_options_of_reading_that_cannot_be_are_one_line(
    folder: Path, tmp_path: Path, words: list[str], says: str
) -> None:
    given = ["--encoding", "cp1252"] if "--encoding" not in words else []
    result = run("fit", folder / "d.csv", *words, *given, "--out", tmp_path / "m.augan", *QUICK)
    assert result.exit_code == 1 and says in result.stderr
    assert len(result.stderr.splitlines()) == 1 and not (tmp_path / "m.augan").exists()


@pytest.mark.parametrize("command", ["score", "evaluate"])
@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--text", "nope", "'nope': "),
        ("--text", "Betrag", "'Betrag': a column of numbers"),
        ("--date-format", "Betrag=%Y", "'Betrag': a column of numbers"),
        ("--date-format", "nope=%Y", "no such column; it has Datum, Betrag, PLZ"),
    ],
)
def test_an_option_of_a_column_that_the_model_lacks_is_refused(
    command: str, option: str, value: str, says: str, folder: Path
) -> None:
    labels = ["--target", "Art", "--anomaly", "odd"] if command == "evaluate" else []
    result = run(command, folder / "m.augan", folder / "d.csv", *labels, option, value)
    assert result.exit_code == 1, result.stderr
    assert f"{option} " in result.stderr and says in result.stderr, result.stderr
