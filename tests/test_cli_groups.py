"""`augan fit --group`: rows that belong together are held out together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from augan_cli._training import Asked, read_training
from augan_cli.app import app
from PIL import Image
from typer.testing import CliRunner

import augan
from augan import FAnoGAN

HEADS = 'heads=["data_neighbors"]'


def run(*words: Any) -> Any:
    return CliRunner().invoke(app, [*map(str, words), "--threads", "1", "--quiet"])


def refused(*words: Any) -> str:
    """Return the one line on stderr of a command that ends with 1."""
    found = run(*words)
    assert found.exit_code == 1, found.output
    assert len(found.stderr.splitlines()) == 1
    return str(found.stderr)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Payments of 30 cards, ten each, which differ more than the payments of a card do."""
    random = np.random.default_rng(0)
    card = np.repeat(np.arange(30), 10)
    values = 3 * random.normal(size=(30, 3))[card] + 0.1 * random.normal(size=(300, 3))
    frame = pd.DataFrame(values.round(4), columns=["a", "b", "c"]).assign(card=card + 4000)
    frame.to_csv(tmp_path / "t.csv", index=False)
    return tmp_path / "t.csv"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eighteen images of six parts, in two folders."""
    random = np.random.default_rng(0)
    for i in range(18):
        place = tmp_path / "images" / ("front" if i < 9 else "back")
        place.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(random.integers(0, 256, (8, 8), dtype=np.uint8))
        image.save(place / f"part{i // 3}_light{i % 3}.png")
    return tmp_path / "images"


def test_a_column_groups_rows_and_is_not_trained_on(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.augan"
    found = run("fit", table, "--out", out, "--group", "card", "--set", HEADS)
    assert found.exit_code == 0, found.output
    model, frame = augan.load(out), pd.read_csv(table)
    rows = frame.drop(columns="card")
    same = FAnoGAN(random_state=0, heads=("data_neighbors",)).fit(rows, groups=frame["card"])
    assert list(model.feature_names_in_) == ["a", "b", "c"]
    assert np.array_equal(model.p_value(rows), same.p_value(rows))
    alone = FAnoGAN(random_state=0, heads=("data_neighbors",)).fit(rows)
    assert not np.array_equal(model.p_value(rows), alone.p_value(rows))
    scored = run("score", out, table)  # with the column in the file
    assert scored.exit_code == 0 and len(scored.stdout.splitlines()) == 301


def test_whole_groups_are_held_out_to_evaluate(table: Path) -> None:
    asked = Asked(group="card", holdout=0.25)
    training = read_training(table, None, asked, skip_bad=False, longest=None)
    (_, held), *_ = training.held.batches(None)
    assert len(training.rows) == len(training.groups) == 220  # of eight cards are more than 25 %
    card = pd.read_csv(table)["card"]
    assert not set(card[training.rows.index]) & set(card[held.index])


@pytest.mark.parametrize(
    ("how", "sizes"),
    [
        ("folder", {"front": 9, "back": 9}),
        (r"part(\d+)", {str(i): 3 for i in range(6)}),
        (r"light\d", {f"light{i}": 6 for i in range(3)}),
    ],
)
def test_folders_and_names_group_images(folder: Path, how: str, sizes: dict[str, int]) -> None:
    training = read_training(folder, None, Asked(group=how), skip_bad=False, longest=None)
    assert pd.Series(training.groups).value_counts().to_dict() == sizes


def test_bad_groups_are_refused(table: Path, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.augan"
    assert "no column 'part'" in refused("fit", table, "--out", out, "--group", "part")
    assert "--group 'part(': not a regular" in refused(
        "fit", folder, "--out", out, "--group", "part("
    )
    message = refused("fit", folder, "--out", out, "--group", "lamp")
    assert "--group 'lamp' does not match 'back/part3_light0.png'" in message
    frame = pd.read_csv(table)
    frame.loc[7, "card"] = None
    frame.to_csv(table, index=False)
    message = refused("fit", table, "--out", out, "--group", "card")
    assert "t.csv: column 'card': no value in row 7, which --group needs" in message
    frame.assign(card=1).to_csv(table, index=False)
    assert "all rows are of one group" in refused("fit", table, "--out", out, "--group", "card")
    assert not out.exists()
