"""`augan fit` and `evaluate`: which columns and rows train, which labels count, what is kept."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from augan_cli._batches import Batch
from augan_cli._columns import column_list
from augan_cli._training import Asked, read_training
from augan_cli.app import app
from augan_cli.labels import is_label, read_anomalies
from PIL import Image
from typer.testing import CliRunner

from augan.exceptions import DataError, DataWarning
from augan.io.archive import read_manifest

SMALL = ["width=8", "latent_dim=2", "encoder_steps=5", "n_critic=1", "pretext_steps=5", "n_folds=2"]
QUICK = ["--steps", 5, *(word for text in SMALL for word in ("--set", text))]


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


def refused(*words: Any) -> str:
    """Return the one line on stderr of a command that ends with 1."""
    result = run(*words)
    assert result.exit_code == 1 and result.stdout == "", (result.exit_code, result.stderr)
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("augan: error: "), result.stderr
    return lines[0]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table with labels of which some are missing."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(120, 2)).round(3), columns=["a", "b"])
    frame["a,b"], frame["id"] = 1.5, np.arange(120)
    label = np.array(["good", "good", "good", "bad", "", "good"])[np.arange(120) % 6]
    frame["label"] = label
    frame.to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


@pytest.mark.parametrize(
    "texts, names",
    [
        (["a"], ["a"]),
        (["a", "id"], ["a", "id"]),
        (["a, id"], ["a", "id"]),
        (["a,b"], ["a,b"]),
        (["id,a,b"], ["id", "a,b"]),
        (["b,a", "a"], ["b", "a"]),
        (None, []),
    ],
)
def test_columns_are_named_one_by_one_or_with_commas(texts: Any, names: list[str]) -> None:
    found = ["a", "b", "a,b", "id"]
    assert column_list(texts, found, "--drop", Path("t.csv")) == names


@pytest.mark.parametrize("text, named", [("x", "'x'"), ("a,x", "'x'"), ("", "''")])
def test_a_column_to_drop_that_is_not_there_is_named(text: str, named: str) -> None:
    with pytest.raises(DataError, match=rf"t.csv: no column {named} \(--drop\); it has a, b"):
        column_list([text], ["a", "b"], "--drop", Path("t.csv"))


MISSING = [
    np.array(["x", None, "None", "y"], dtype=object),
    pd.Series(["x", pd.NA, "None", "y"], dtype="string"),
    np.array(["x", "", "None", "y"]),
    np.array(["x", float("nan"), "None", "y"], dtype=object),
]


@pytest.mark.parametrize("labels", MISSING, ids=["None", "string", "empty", "nan"])
def test_a_missing_label_is_no_class_unless_asked_for(labels: Any) -> None:
    assert is_label(labels, "None", "t", "rows").tolist() == [False, False, True, False]
    assert is_label(labels, "", "t", "rows").tolist() == [False, True, False, False]
    for text in ("nan", "<NA>", "NaN"):
        with pytest.raises(DataError, match="and 1 rows without a label"):
            is_label(labels, text, "t", "rows")


def test_missing_numbers_as_labels_are_no_class() -> None:
    labels = np.array([1.0, np.nan, 0.0])
    assert is_label(labels, "1", "t", "rows").tolist() == [True, False, False]
    with pytest.raises(DataError, match="has no value 'nan'"):
        is_label(labels, "nan", "t", "rows")


def test_rows_without_a_label_do_not_train_and_are_counted(table: Path) -> None:
    with pytest.warns(DataWarning, match="column 'label' is empty in 20 of 120 rows: these are"):
        training = read(table, "label", "good")
    assert len(training.rows) == 80 and list(training.rows) == ["a", "b", "a,b", "id"]
    assert len(read(table, "label", "").rows) == 20  # asked for: no warning
    with pytest.raises(DataError, match=r"has no value 'None'.*20 rows without a label"):
        read(table, "label", "None")


def test_rows_without_a_label_are_not_evaluated_and_are_counted(table: Path) -> None:
    with pytest.warns(DataWarning, match="empty in 20 of 120 rows"):
        known = read_anomalies(table, None, "label", anomaly="bad", normal=None)
    batches = [Batch(pd.RangeIndex(6, 12, name="row"), np.arange(6))]
    batch, *_ = known.labelled(iter(batches))
    assert batch.names.tolist() == [6, 7, 8, 9, 11] and batch.rows.tolist() == [0, 1, 2, 3, 5]
    assert batch.names.name == "row" and known.is_anomaly.sum() == 20
    known = read_anomalies(table, None, "label", anomaly=None, normal="")
    assert known.unlabelled is None and known.is_anomaly.sum() == 100


def test_a_missing_class_is_refused_before_a_sampler_trains(table: Path, tmp_path: Path) -> None:
    says = "t.csv, row 4, column 'label': no class, as in 20 of 120 rows"
    out = tmp_path / "o"
    assert says in refused("fit-sampler", table, "--target", "label", "--out", out)
    balance = ["balance", table, "--target", "label", "--out", f"{out}.csv"]
    assert says in refused(*balance)
    assert says in refused("evaluate-augmentation", table, "--target", "label")
    assert "the column with the classes" in refused(*balance, "--drop", "label,a")
    every = "a,b,id,b,a"
    assert "no column besides 'label'" in refused(*balance, "--drop", f"a,b,id,b,{'a'}")
    assert "no column is left" in refused("fit", table, "--out", out, "--drop", f"{every},label")
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def read(table: Path, target: str | None = None, normal: str | None = None, **given: Any) -> Any:
    asked = Asked(target, normal, **given)
    return read_training(table, None, asked, skip_bad=False, longest=None)


@pytest.mark.filterwarnings("ignore:.*is empty in")
def test_rows_are_kept_apart_by_label_and_by_seed(table: Path) -> None:
    training = read(table, "label", "good", holdout=0.25, seed=3)
    _, held = next(training.held.batches(None))
    assert len(training.rows) == 60 and len(held) == 25 and training.held.is_anomaly.sum() == 5
    assert not set(training.rows.index) & set(held.index)
    assert (held["id"] % 6 != 4).all()  # no label
    again = read(table, "label", "good", holdout=0.25, seed=3)
    assert again.rows.index.equals(training.rows.index)
    other = read(table, "label", "good", holdout=0.25, seed=4)
    assert not other.rows.index.equals(training.rows.index)
    unlabelled = read(table, holdout=0.1)
    assert unlabelled.held.is_anomaly is None and len(unlabelled.rows) == 108


def test_rows_of_arrays_and_images_are_kept_apart(tmp_path: Path) -> None:
    images = np.arange(40 * 64).reshape(40, 8, 8) % 251
    np.savez(tmp_path / "i.npz", X=images.astype(np.uint8), y=np.arange(40) % 4)
    training = read(tmp_path / "i.npz", "y", "0", holdout=0.2)
    _, held = next(training.held.batches(None))
    assert len(training.rows) == 8 and len(held) == 8 and training.held.is_anomaly.sum() == 6
    assert set(training.held.labels) == {"0", "1", "2", "3"}


def test_images_that_cannot_be_read_are_left_out_of_those_kept_apart(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for i in range(40):
        folder = tmp_path / ("good" if i % 4 else "bad")
        folder.mkdir(exist_ok=True)
        image = Image.fromarray(random.integers(0, 256, (8, 8), dtype=np.uint8))
        image.save(folder / f"{i:02d}.png")
    training = read(tmp_path, "folder", "good", holdout=0.5)
    assert len(training.rows) == 15 and training.held.is_anomaly.sum() == 5
    form = SimpleNamespace(shape=(8, 8), dtype="uint8")
    places, images = next(training.held.batches(form))
    assert places == list(range(20)) and images.shape == (20, 8, 8)
    for broken in ("good/01.png", "bad/00.png"):
        (tmp_path / broken).write_bytes(b"no image")
    asked = Asked("folder", "good", holdout=0.9)
    training = read_training(tmp_path, None, asked, skip_bad=True, longest=None)
    places, images = next(training.held.batches(form))
    n_anomalies = training.held.is_anomaly[places].sum()
    assert len(images) == len(places) and n_anomalies in (8, 9) and len(places) in (34, 35, 36)


@pytest.mark.parametrize("share", ["0", "1", "-0.1", "1.5", "nan", "inf"])
def test_a_share_to_keep_apart_has_bounds(table: Path, tmp_path: Path, share: str) -> None:
    words = ["fit", table, "--out", tmp_path / "m", f"--holdout={share}"]
    assert "--holdout" in refused(*words) and "above 0 and below 1" in refused(*words)


def test_a_share_that_leaves_nothing_to_train_on_is_refused(table: Path, tmp_path: Path) -> None:
    words = ["fit", table, "--out", tmp_path / "m", "--drop", "label"]
    assert "fewer than 2 of 120" in refused(*words, "--holdout", 0.99)


def test_a_fit_evaluates_on_the_rows_kept_apart_and_info_says_how_it_went(
    table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "m.augan"
    words = ["fit", table, "--out", out, *QUICK, "--drop", "a,b", "--id", "id"]
    result = done(*words, "--target", "label", "--normal", "good", "--holdout", 0.25)
    assert "on 25 held-out rows" in result.stdout and "AUROC" in result.stdout
    assert "empty in 20 of 120" in result.stderr and "on 60 rows" in result.stderr
    context = read_manifest(out)["context"]
    assert context["dropped"] == ["a,b", "id"] and context["id"] == ["id"]
    facts = json.loads(done_info(out))["context"]["holdout"]
    assert facts["rows"] == 25 and facts["anomalies"] == 5 and 0 <= facts["auroc"] <= 1
    again = done(*words, "--target", "label", "--normal", "good", "--holdout", 0.25, "-q")
    assert again.stdout == "" and read_manifest(out)["context"] == context


def test_without_labels_the_rows_kept_apart_check_flags_and_p_values(
    table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "m.augan"
    result = done("fit", table, "--out", out, *QUICK, "--drop", "label", "--holdout", 0.2)
    assert "on 24 held-out rows, assumed normal" in result.stdout
    assert "p <= 0.05" in result.stdout
    assert 0 <= read_manifest(out)["context"]["holdout"]["flagged"] <= 1


def done_info(path: Path) -> str:
    result = CliRunner().invoke(app, ["info", str(path), "--json"])
    assert result.exit_code == 0, result.stderr
    return str(result.stdout)
