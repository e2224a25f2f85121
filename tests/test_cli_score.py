"""`augan score`: rows keep what identifies them, and reasons say what would be usual."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.csv
import pytest
from augan_cli.app import app
from typer.testing import CliRunner

from augan import FAnoGAN
from augan.codecs.usual import Reasons, usual_values
from augan.deploy.metadata import context_of
from augan.deploy.raw import form_of
from augan.io.archive import read_manifest

SMALL = ["width=8", "latent_dim=2", "encoder_steps=5", "n_critic=1", "pretext_steps=5", "n_folds=2"]
QUICK = ["--steps", 5, *(word for text in SMALL for word in ("--set", text))]
KEYS = ["column", "value", "usual", "direction"]


def run(*words: Any) -> Any:
    result = CliRunner().invoke(app, [str(word) for word in (*words, "--threads", 1)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def done(*words: Any) -> Any:
    result = run(*words)
    assert result.exit_code == 0, result.stderr
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table with identifiers, and a model that was told of one."""
    folder = tmp_path_factory.mktemp("score")
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "zip": [f"{i:05d}" for i in range(80)],
            "account": [str(12345678901234567890 + i) for i in range(80)],
            "amount": random.gamma(2, 10, 80).round(2),
            "shop": random.choice(["north", "south"], 80),
            "note": np.where(np.arange(80) % 2, "NA", " x "),
            "a,b": np.arange(80) % 7,
        }
    )
    frame.to_csv(folder / "t.csv", index=False)
    frame.to_parquet(folder / "t.parquet")
    frame.to_json(folder / "t.jsonl", orient="records", lines=True)
    drop = ["--drop", "account", "--drop", "note,a,b"]
    done("fit", folder / "t.csv", "--out", folder / "m.augan", "--id", "zip", *drop, *QUICK)
    return folder


def read(text: str) -> pd.DataFrame:
    convert = pyarrow.csv.ConvertOptions(
        column_types=dict.fromkeys(["zip", "account", "note"], "string"), null_values=[]
    )
    return pyarrow.csv.read_csv(io.BytesIO(text.encode()), convert_options=convert).to_pandas()


def test_scores_carry_the_identifier_that_fit_was_told(folder: Path, tmp_path: Path) -> None:
    result = done("score", folder / "m.augan", folder / "t.csv")
    scores = read(result.stdout)
    assert list(scores)[:3] == ["row", "zip", "anomaly_score"]
    assert scores["zip"].tolist() == [f"{i:05d}" for i in range(80)]
    assert "ignored" not in result.stderr
    bare = pd.read_csv(folder / "t.csv").drop(columns="zip")
    bare.to_csv(tmp_path / "bare.csv", index=False)
    scores = read(done("score", folder / "m.augan", tmp_path / "bare.csv").stdout)
    assert list(scores)[:2] == ["row", "anomaly_score"]  # no such column: none is kept


@pytest.mark.parametrize("data", ["t.csv", "t.parquet", "t.jsonl"])
@pytest.mark.parametrize("out", [None, "s.csv", "s.parquet", "s.jsonl", "json"])
def test_kept_columns_are_as_they_stand(
    folder: Path, tmp_path: Path, data: str, out: str | None
) -> None:
    words = ["--keep", "account,note", "--keep", "a,b", "--keep", "amount"]
    if out not in (None, "json"):
        words += ["--out", tmp_path / out]
    result = done("score", folder / "m.augan", folder / data, *words, *["--json"][: out == "json"])
    expected = pd.read_parquet(folder / "t.parquet")
    if out == "s.parquet":
        found = pd.read_parquet(tmp_path / out)
    elif out in ("json", "s.jsonl"):
        text = result.stdout if out == "json" else (tmp_path / out).read_text()
        found = pd.DataFrame([json.loads(line) for line in text.splitlines()])
    else:
        found = read(result.stdout if out is None else (tmp_path / out).read_text())
    kept = ["row", "zip", "account", "note", "a,b", "amount"]
    assert list(found)[:6] == kept and list(found)[6] == "anomaly_score"
    for name in ("zip", "account", "note"):
        assert found[name].tolist() == expected[name].tolist()
    assert np.array_equal(found["amount"].astype(float), expected["amount"])


def test_the_top_table_keeps_columns_and_counts_rows_of_the_whole_table(folder: Path) -> None:
    words = ["--top", 5, "--id", "account", "--keep", "zip"]
    top = read(done("score", folder / "m.augan", folder / "t.csv", *words).stdout)
    assert list(top)[:3] == ["row", "account", "zip"]
    assert top["zip"].tolist() == [f"{row:05d}" for row in top["row"]]


def test_columns_that_cannot_be_kept_are_named(folder: Path, tmp_path: Path) -> None:
    model, data = folder / "m.augan", folder / "t.csv"
    for words, says in (
        (["--keep", "zipp"], "no column 'zipp' (--keep); did you mean 'zip'?"),
        (["--id", "x"], "no column 'x' (--id)"),
    ):
        result = run("score", model, data, *words)
        assert result.exit_code == 1 and says in result.stderr, result.stderr
    frame = pd.read_csv(data).rename(columns={"account": "p_value", "note": "row"})
    frame.to_csv(tmp_path / "d.csv", index=False)
    for option, name in (("--keep", "p_value"), ("--id", "row")):
        result = run("score", model, tmp_path / "d.csv", option, name)
        says = f"{option} {name}: the result has a column of this name"
        assert result.exit_code == 1 and says in result.stderr, result.stderr
        assert result.stdout == ""
    fit = run("fit", tmp_path / "d.csv", "--out", tmp_path / "m", "--id", "row")
    assert fit.exit_code == 1 and "--id row: the result has" in fit.stderr
    np.save(tmp_path / "a.npy", np.zeros((4, 2)))
    result = run("score", model, tmp_path / "a.npy", "--keep", "zip")
    assert result.exit_code == 1 and "--keep zip" in result.stderr


@pytest.fixture
def odd(folder: Path, tmp_path: Path) -> Path:
    frame = pd.read_csv(folder / "t.csv", dtype={"zip": str, "account": str})
    frame.loc[3, "amount"] = 1e6
    frame.loc[4, "shop"] = "mars"
    frame.loc[5, "amount"] = -50.5
    frame.loc[6, "shop"] = None
    frame.to_csv(tmp_path / "odd.csv", index=False)
    return tmp_path / "odd.csv"


def test_explanations_say_value_usual_and_direction(folder: Path, odd: Path) -> None:
    usual = read_manifest(folder / "m.augan")["context"]["usual"]
    low, high = (f"{usual['amount'][end]:.6g}" for end in ("low", "high"))
    quantiles = pd.read_csv(folder / "t.csv")["amount"].quantile([0.05, 0.95])
    assert np.allclose([usual["amount"]["low"], usual["amount"]["high"]], quantiles, rtol=0.1)
    result = done("score", folder / "m.augan", odd, "--explain", "--json")
    rows = [json.loads(line) for line in result.stdout.splitlines()[:7]]
    reasons = [
        {row[f"column_{k}"]: [row[f"{key}_{k}"] for key in KEYS[1:]] for k in (1, 2)}
        for row in rows
    ]
    assert reasons[3]["amount"] == ["1000000", f"{low} to {high}", "above"]
    assert reasons[5]["amount"] == ["-50.5", f"{low} to {high}", "below"]
    assert reasons[4]["shop"][::2] == ["mars", "unseen"]
    assert reasons[6]["shop"][::2] == [None, "missing"]
    assert set(reasons[4]["shop"][1].split(", ")) == {"north", "south"}
    assert f"1000000 is above {low} to {high}" in rows[3]["explanation"]
    assert rows[0]["column_3"] is None and rows[0]["direction_3"] is None  # there are two
    top = done("score", folder / "m.augan", odd, "--explain", "--top", 2, "-q").stdout
    assert top.splitlines()[0].endswith("column_3,value_3,usual_3,direction_3")


def test_an_exported_model_says_what_is_usual_as_the_model_does(
    table_detector: FAnoGAN, mixed_frame: pd.DataFrame
) -> None:
    columns = table_detector.codec_.columns
    model = table_detector._exportable("scorer")
    context = context_of(model, "scorer", {})
    assert context["training_rows"] == table_detector.training_rows_
    given = {"usual": usual_values(columns, mixed_frame)}
    assert context_of(model, "scorer", given)["usual"] == given["usual"]
    values = [column.state()[0] for column in columns]
    labels = [column.name for column in columns]
    facts = {"kind": "table", "columns": values, "labels": labels, "array_dtype": None}
    exported = form_of(json.loads(json.dumps(facts)))
    assert Reasons(exported.columns, context["usual"]).usual == Reasons(columns).usual
    bare = Reasons(exported.columns)  # of a file of before
    place = labels.index("amount")
    lowest, highest = mixed_frame["amount"].min(), mixed_frame["amount"].max()
    assert bare.texts(place) == f"{lowest:.6g} to {highest:.6g}"


def test_reasons_of_every_kind_of_column(
    table_detector: FAnoGAN, mixed_frame: pd.DataFrame
) -> None:
    columns = table_detector.codec_.columns
    names = [column.name for column in columns]
    reasons = Reasons(columns, usual_values(columns, mixed_frame))
    assert reasons.usual == Reasons(columns, json.loads(json.dumps(reasons.usual))).usual
    expected = mixed_frame["day"].quantile([0.05, 0.95])
    low, high = reasons.texts(names.index("day")).split(" to ")
    assert abs((pd.Timestamp(low) - expected.iloc[0]).days) <= 3
    assert abs((pd.Timestamp(high) - expected.iloc[1]).days) <= 3
    frequent = mixed_frame["shop"].value_counts().index
    assert reasons.texts(names.index("shop")) == ", ".join(frequent)
    assert reasons.texts(names.index("country")) == "DE"
    assert reasons.texts(names.index("comment")) == "missing"
    country = pd.Series(["DE", "FR", None])
    assert reasons.directions(names.index("country"), country) == ["inside", "unseen", "missing"]
    day = pd.to_datetime(pd.Series(["2030-01-01", "1999-01-01", "2024-05-01"]))
    assert reasons.directions(names.index("day"), day) == ["above", "below", "inside"]
    assert reasons.values(names.index("day"), day)[0] == "2030-01-01"


@pytest.mark.parametrize("stored", [None, [], {"amount": 3}, {"amount": {"low": "x"}}, {"shop": 1}])
def test_what_a_file_says_of_usual_values_is_checked(table_detector: FAnoGAN, stored: Any) -> None:
    columns = table_detector.codec_.columns
    assert Reasons(columns, stored).usual == usual_values(columns)


def test_info_shows_rows_and_identifier_and_nothing_long(folder: Path) -> None:
    facts = json.loads(CliRunner().invoke(app, ["info", str(folder / "m.augan"), "--json"]).stdout)
    assert facts["training_rows"] == 80 and facts["context"]["id"] == ["zip"]
    assert not {"usual", "training_rows"} & set(facts["context"])


def test_a_missing_column_is_told_from_one_that_is_only_kept(folder: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(folder / "t.csv").drop(columns="shop")
    frame.to_csv(tmp_path / "d.csv", index=False)
    result = run("score", folder / "m.augan", tmp_path / "d.csv", "--keep", "zip")
    assert result.exit_code == 1 and "no column 'shop'" in result.stderr
