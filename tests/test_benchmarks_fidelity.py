"""The benchmark of fidelity: its rows, what peers are given, and the tables that it prints."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import fidelity
import peers_rows
from data import halves
from fidelity_report import report

from augan.evaluation.fidelity import FIGURES

TABLES, OWN, PEERS = ["adult", "hmeq"], ["augan", "augan (critic)"], ["CTGAN", "arfpy"]
MIXED = pd.DataFrame(
    {
        "n": [1.0, 2.0, np.nan, 4.0],
        "x": [0.5, 1.5, 2.5, np.nan],
        "t": ["a", None, "b", "a"],
        "when": pd.to_datetime(["2020-01-01", "2021-05-05", "2022-02-02", "2020-02-02"]),
        "y": np.array([0, 1, 0, 1], "int8"),
    }
)


def line(set_: str, method: str, auc: float, **more: object) -> dict:
    figures = {f"{name}_{kind}": 0.5 for name in FIGURES for kind in ("new", "held_out")}
    made = {"set": set_, "seed": 0, "method": method, "fit_seconds": 20.0, "sample_seconds": 0.5}
    return made | figures | {"two_sample_auc_new": auc} | more


def test_halves_are_rows_of_a_draw_without_overlap() -> None:
    frame = pd.DataFrame({"row": range(101)})
    train, held_out = halves(frame, 0)
    assert len(train) == len(held_out) == 50
    assert not set(train["row"]) & set(held_out["row"])
    assert not halves(frame, 1)[0].equals(train)
    assert len(halves(pd.DataFrame({"row": range(50_000)}), 0)[0]) == 10_000


def test_peers_get_tables_with_nothing_missing() -> None:
    given, restore = peers_rows.prepare(MIXED, "y", fill=True)
    assert not given.isna().any().any()
    assert given["n"].tolist() == [1, 2, 2, 4] and given["n"].dtype == "int64"
    assert given["x"].tolist() == [0.5, 1.5, 2.5, 1.5]
    assert given["y"].tolist() == ["0", "1", "0", "1"]
    back = restore(given)
    assert back["t"].isna().tolist() == [False, True, False, False]
    assert back["when"].equals(MIXED["when"].astype("datetime64[ns]"))
    assert back["y"].tolist() == [0, 1, 0, 1]


def test_a_peer_that_takes_tables_as_they_are_gets_labels_as_texts_only() -> None:
    given, restore = peers_rows.prepare(MIXED, "y", fill=False)
    assert given.drop(columns="y").equals(MIXED.drop(columns="y"))
    assert restore(given)["x"].isna().tolist() == [False, False, False, True]


def test_integers_do_not_make_smotenc_draw_categories_at_random() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat(["0", "1"], [90, 30]).astype(object)
    texts = np.where(random.random(120) < 0.95, "often", "seldom").astype(object)
    rows = pd.DataFrame({"n": random.integers(0, 9, 120), "t": texts, "y": labels})
    new = peers_rows._smotenc(rows, "y", 0)(120)
    assert new["y"].value_counts().to_dict() == {"0": 90, "1": 30}
    assert (new["t"] == "often").mean() > 0.9
    assert new["n"].dtype == rows["n"].dtype


def test_forest_diffusion_is_cut_for_wide_and_long_tables() -> None:
    assert peers_rows._forest_sizes(20, 500) == (20, 20)
    assert peers_rows._forest_sizes(100, 10_000) == (5, 3)


def test_a_table_has_a_row_for_held_out_rows() -> None:
    text = fidelity.report([line("adult", "augan", 0.6)], TABLES, OWN, PEERS)
    assert "adult, 10,000 rows, 1 seed\n" in text
    assert "| held-out rows | 0.500" in text
    assert "| 20 | 20,000 |" in text


def test_the_overview_says_on_how_many_tables_augan_is_ahead() -> None:
    lines = [
        *(line("adult", method, auc) for method, auc in (("augan", 0.6), ("CTGAN", 0.9))),
        *(line("hmeq", method, auc) for method, auc in (("augan", 0.8), ("CTGAN", 0.7))),
        line("hmeq", "arfpy", 0.95),
        line("hmeq", "augan (critic)", 0.65, n_train=2980),
        {"set": "adult", "seed": 0, "method": "arfpy", "error": "ValueError: no"},
        line("adult", "augan (of old)", 0.1),
    ]
    text = report(lines, TABLES, OWN, PEERS)
    assert "| augan | 0.600 | 0.800 |" in text and "| arfpy |  | 0.950 |" in text
    assert "augan is ahead of all peers on 1 of 2 tables" in text
    assert "augan (critic) is ahead of all peers on 1 of 1 tables" in text
    assert text.endswith("adult, 0, arfpy: ValueError: no")
    assert "of old" not in text
