"""The benchmarks of new rows: what they are run on, and the tables that they print."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import augmentation
import rare_image_sets
import rare_images
from data import RARE_SHARE, augmentation_tables

from augan.evaluation.strategy_trial import split_rows

ADULT = "39, State-gov, 77516, Bachelors, 13, Never-married, ?, Husband, White, Male, 0, 0, 40, ?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table like adult's, half of its rows positive."""
    folder = tmp_path_factory.mktemp("tables")
    (folder / "adult").mkdir()
    lines = [f"{ADULT}, {'>50K' if i % 2 else '<=50K'}" for i in range(1000)]
    (folder / "adult" / "adult-train.csv").write_text("\n".join(lines))
    return folder


def test_adult_is_thinned_out_by_the_seed(folder: Path) -> None:
    load = augmentation_tables(folder)["adult"]
    X, y = load(0)
    assert y.mean() == pytest.approx(RARE_SHARE, abs=0.002) and (y == 0).sum() == 500
    assert X["workclass"].notna().all() and X["occupation"].isna().all() and "income" not in X
    assert np.array_equal(load(0)[1], y)


def line(set_: str, seed: int, strategy: str, ap: float, cut: int = 0) -> dict:
    return {
        "set": set_,
        "cut": cut,
        "seed": seed,
        "strategy": strategy,
        "ap": ap,
        "recall_at_1pct_fpr": ap / 2,
        "classifier": "c",
    }


def test_the_report_gives_means_and_paired_gains() -> None:
    lines = [
        line(name, seed, strategy, base + gain + 0.1 * seed)
        for name, base in (("a", 0.2), ("b", 0.4))
        for seed in (0, 1)
        for strategy, gain in (("none", 0.0), ("augan", 0.05), ("SMOTE", -0.01 * (seed + 1)))
    ]
    lines.append(line("a", 0, "ADASYN", 0.9, cut=20) | {"error": "ValueError: no"})
    text = augmentation._report(lines, [0, 20], ["none", "SMOTE", "augan"])
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in text.splitlines()]
    table = {row[0]: row[1:] for row in rows if row}
    assert table["AP"] == ["a", "b", "mean", "gain over none", "gain in recall"]
    assert table["none"] == ["0.250", "0.450", "0.350", "", ""]
    assert table["augan"] == ["0.300", "0.500", "0.400", "+0.050 ± 0.000", "+0.025 ± 0.000"]
    assert table["SMOTE"][:3] == ["0.235", "0.435", "0.335"]
    assert table["SMOTE"][3].startswith("-0.015 ± 0.06")
    assert "all rows of the rare class, 2 seeds" in text
    part = [result for result in lines if (result["strategy"], result["seed"]) != ("augan", 1)]
    text = augmentation._report(part, [0], ["none", "augan"])
    row = next(row for row in text.splitlines() if row.startswith("| augan"))
    assert row.startswith("| augan, 2 of 4 runs | 0.300 | 0.500 | 0.400 | +0.050 | +0.025 |")
    assert "a, 20, ADASYN: ValueError: no" in text


def test_an_arm_is_measured_by_each_classifier() -> None:
    random = np.random.default_rng(0)
    X = pd.DataFrame({"x": random.normal(size=300), "k": random.choice(["u", "v"], 300)})
    y = random.random(300) < 0.2
    X.loc[y, "x"] += 2
    parts = split_rows(X, y, 0, n_rare=12)
    for strategy in ("none", "ADASYN", "SMOTE"):
        lines = augmentation.measure({"strategy": strategy, "seed": 0}, parts)
        assert len(lines) == 3 and all(0.3 < line["ap"] <= 1 for line in lines)
        assert all(("fit_seconds" in line) == (strategy != "none") for line in lines)


def test_ctgan_gets_whole_numbers_as_integers_and_gives_missing_values_back() -> None:
    frame = pd.DataFrame({"n": [1.0, 2.0, np.nan], "x": [0.5, 1.0, 2.0], "t": ["a", None, "b"]})
    filled, restore = augmentation.whole_numbers(frame)
    assert [str(filled[name].dtype)[:5] for name in "01"] == ["float", "float"]
    whole, _ = augmentation.whole_numbers(frame.assign(n=[1.0, 2.0, 4.0]))
    assert str(whole["0"].dtype) == "int64"
    assert not filled.isna().any(axis=None)
    back = restore(filled)
    assert list(back) == ["n", "x", "t"] and back["n"].isna().tolist() == [False, False, True]


def test_images_are_flipped_and_shifted_and_nothing_else() -> None:
    torch.manual_seed(0)
    images = torch.zeros(300, 1, 20, 20)
    images[:, 0, 8, 5] = 1.0
    places = rare_images._varied(images).flatten(1).argmax(dim=1)
    rows, columns = places // 20, places % 20
    assert set(rows.tolist()) == {6, 7, 8, 9, 10}
    assert set(columns.tolist()) == {3, 4, 5, 6, 7, 12, 13, 14, 15, 16}


def test_the_network_learns() -> None:
    random = np.random.default_rng(0)
    y = np.arange(200) % 2
    X = random.integers(0, 60, (200, 16, 16)).astype(np.uint8)
    X[y == 1, 6:10, 6:10] += 150
    predicted = rare_images.classify(X[:150], y[:150], X[150:], steps=40, seed=0)
    assert (predicted == y[150:]).mean() > 0.9


def test_photographs_of_a_tile_stay_together(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for number, kind in enumerate(rare_image_sets.KINDS):
        folder = tmp_path / "magnetic_tile" / f"MT_{kind}" / "Imgs"
        folder.mkdir(parents=True)
        for tile in range(6):
            for light in range(1, 4):
                pixels = random.integers(0, 40, (70, 90)) + 30 * number + 2 * tile
                name = f"exp{light}_num_{500 * tile + 20 * light + 7}.jpg"
                Image.fromarray(pixels.astype(np.uint8)).save(folder / name)
    folds = rare_image_sets.magnetic_tile(tmp_path, seed=0)
    assert len(folds) == 3
    shades = [np.sort(fold.test.mean(axis=(1, 2))) for fold in folds]
    for fold, tested in zip(folds, shades, strict=True):
        assert fold.train.shape == (60, 64, 64)
        assert np.bincount(fold.y_train).tolist() == [12] * 5
        gaps = np.abs(fold.train.mean(axis=(1, 2))[:, None] - tested)
        assert gaps.min() > 1
    (mixed,) = rare_image_sets.magnetic_tile_photographs(tmp_path, seed=0)
    gaps = np.abs(mixed.train.mean(axis=(1, 2))[:, None] - mixed.test.mean(axis=(1, 2)))
    assert (gaps.min(axis=0) < 1).mean() > 0.5


def test_gains_over_many_tables_are_summed_up() -> None:
    lines = [
        line(f"t{i}", 0, strategy, 0.5 + gain)
        for i in range(10)
        for strategy, gain in (("none", 0.0), ("augan", 0.025 - 0.01 * i))
    ]
    shown = augmentation._report(lines, [0], ["none", "augan"])
    assert "| augan | -0.020 ± 0.010 | -0.010 | 6 of 10 | -0.065 (t9) |" in shown
