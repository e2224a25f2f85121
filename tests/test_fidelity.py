"""Figures of new rows: what perfect, copied, noisy and collapsed ones have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from augan.evaluation import fidelity_metrics
from augan.evaluation.fidelity import FIGURES
from augan.exceptions import DataError

N = 600


def table(seed: int, n: int = N) -> pd.DataFrame:
    """Two numbers that go together, a text that goes with them, and a number often missing."""
    random = np.random.default_rng(seed)
    x = random.normal(size=n)
    y = x + 0.3 * random.normal(size=n)
    z = np.where(random.random(n) < 0.3, np.nan, random.normal(size=n))
    return pd.DataFrame({"x": x, "y": y, "z": z, "text": np.where(x > 0, "up", "down")})


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    train, held_out, perfect = table(0), table(1), table(2)
    random = np.random.default_rng(3)
    noisy = perfect.assign(x=perfect["x"] + random.normal(size=N))
    kinds = {
        "perfect": perfect,
        "copies": train.sample(frac=1, random_state=0),
        "noisy": noisy,
        "collapsed": perfect.iloc[np.zeros(N, dtype=int)],
        "shuffled": perfect.apply(lambda c: c.sample(frac=1, random_state=len(c.name)).to_numpy()),
    }
    return {name: fidelity_metrics(train, held_out, rows) for name, rows in kinds.items()}


def new(figures: dict[str, Any], kind: str, name: str) -> float:
    return float(figures[kind][name]["new"])


def test_perfect_rows_look_like_held_out_ones(figures: dict[str, Any]) -> None:
    found = figures["perfect"]
    assert set(found) == set(FIGURES)
    for name, values in found.items():
        if name != "closest_record":
            assert values["new"] == pytest.approx(values["held_out"], abs=0.08), name
    assert found["two_sample_auc"]["new"] == pytest.approx(0.5, abs=0.06)
    assert found["membership_auc"]["new"] == pytest.approx(0.5, abs=0.06)
    assert found["near_copies"]["new"] < 0.12
    assert found["precision"]["new"] > 0.85 and found["recall"]["new"] > 0.85


def test_the_held_out_figures_do_not_depend_on_the_new_rows(figures: dict[str, Any]) -> None:
    for name in FIGURES:
        assert figures["perfect"][name]["held_out"] == figures["noisy"][name]["held_out"]


def test_copies_are_betrayed_by_privacy_alone(figures: dict[str, Any]) -> None:
    assert new(figures, "copies", "closest_record") == 0
    assert new(figures, "copies", "near_copies") == 1
    assert new(figures, "copies", "membership_auc") > 0.75
    assert new(figures, "copies", "precision") == 1
    assert new(figures, "copies", "two_sample_auc") < 0.65


def test_noise_shows_in_precision_and_in_two_samples(figures: dict[str, Any]) -> None:
    assert new(figures, "noisy", "precision") < new(figures, "perfect", "precision") - 0.1
    assert new(figures, "noisy", "two_sample_auc") > 0.75
    assert new(figures, "noisy", "column_distance") > 1.2 * new(
        figures, "perfect", "column_distance"
    )


def test_a_collapse_shows_in_recall_and_coverage(figures: dict[str, Any]) -> None:
    assert new(figures, "collapsed", "recall") < 0.05
    assert new(figures, "collapsed", "coverage") < 0.05
    assert new(figures, "collapsed", "two_sample_auc") > 0.95


def test_shuffled_columns_show_in_correlations_alone(figures: dict[str, Any]) -> None:
    distance = [new(figures, kind, "column_distance") for kind in ("shuffled", "perfect")]
    assert distance[0] == pytest.approx(distance[1])
    errors = [new(figures, kind, "correlation_error") for kind in ("shuffled", "perfect")]
    assert errors[0] > 5 * errors[1]


def test_too_few_rows_are_named() -> None:
    with pytest.raises(DataError, match="9 rows in held_out: at least 10 are needed"):
        fidelity_metrics(table(0), table(1, 9), table(2))
