"""The benchmarks' splits, statistics and tables; nothing here trains a network."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import ablation
from ablation import table, variants_of
from calibration import p_value_table
from data import (
    MAX_ROWS,
    RARE_ROWS,
    augmentation_tables,
    chosen_half,
    contaminated_pair,
    sets,
    split,
    split_indices,
    splits,
)
from detection import AUGAN, KEY, NUMBERS, measure
from detection import main as detection_main
from exported import METHODS, made_rows, speed_table
from measuring import measure_augan
from panel import make_panel
from peers import PEERS, encode, highest_when_infinite, make_peer
from ranking import average_ranks, critical_difference, friedman, holm, signed_rank
from report import contamination, report
from results import append, read
from running import add_common_options, parse, run, run_missing

from augan import FAnoGAN
from augan.models import config
from augan.scoring.heads import HEADS


def labels(n_normal: int, n_anomalies: int) -> np.ndarray:
    return np.repeat([0, 1], [n_normal, n_anomalies])


def line(name: str, seed: int, method: str, auroc: float, **more: object) -> dict:
    made = {"set": name, "seed": seed, "method": method, "auroc": auroc, "ap": auroc / 2}
    made |= {"fit_seconds": 1.0, "score_seconds": 0.5, "n_test": 100, "test_anomalies": 10}
    return made | {"share": 0.0, "withheld_share": 0.0} | more


def grid(figures: dict[str, list[float]], seed: int = 0, **more: object) -> list[dict]:
    return [
        line(f"{i}_set{i}", seed, method, auroc, **more)
        for method, aurocs in figures.items()
        for i, auroc in enumerate(aurocs)
    ]


def test_split_trains_on_half_of_the_normals_and_scores_the_rest():
    y = labels(101, 20)
    train, test = split_indices(y, seed=0)
    assert len(train) == 50
    assert not y[train].any()
    assert sorted([*train, *test]) == list(range(121))


def test_split_takes_at_most_so_many_rows_and_differs_by_seed():
    y = labels(2 * MAX_ROWS, 500)
    train, test = split_indices(y, seed=0)
    assert len(train) + len(test) == MAX_ROWS
    assert len(np.intersect1d(train, test)) == 0
    assert np.array_equal(train, split_indices(y, seed=0)[0])
    assert not np.array_equal(train, split_indices(y, seed=1)[0])


def test_split_keeps_rows_and_labels_together():
    y = labels(60, 40)
    X = np.column_stack([y, np.arange(100)])
    rows = split(X, y, seed=3)
    assert np.array_equal(rows.test[:, 0], rows.y)
    frame = split(pd.DataFrame({"label": y}), y, seed=3)
    assert np.array_equal(frame.test["label"], rows.y)


def test_contaminated_pair_scores_the_same_rows():
    y = labels(400, 100)
    X = np.arange(500)[:, None]
    clean, mixed = contaminated_pair(X, y, seed=0, share=0.05)
    assert np.array_equal(clean.test, mixed.test)
    assert np.array_equal(clean.y, mixed.y)
    assert mixed.train_anomalies == 11  # round(0.05 / 0.95 * 200)
    moved = np.setdiff1d(mixed.train, clean.train)
    assert len(moved) == 11
    assert y[moved].all()
    assert len(np.intersect1d(mixed.train, mixed.test)) == 0
    assert clean.y.sum() == 100 - 11


def test_contamination_leaves_half_of_the_anomalies_to_score():
    _, mixed = contaminated_pair(np.zeros((1009, 1)), labels(1000, 9), seed=0, share=0.05)
    assert mixed.train_anomalies == 4
    assert mixed.y.sum() == 5


def test_sets_says_when_a_folder_holds_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="no set of the suite 'tables'"):
        sets("tables", tmp_path)


def test_encode_learns_nothing_from_the_rows_to_score():
    train = pd.DataFrame({"size": [1.0, 3.0, np.nan], "kind": ["a", None, "b"]})
    test = pd.DataFrame({"size": [2.0, np.nan], "kind": ["c", None]})
    encoded, scored = encode(train, test)
    assert encoded.shape == (3, 4)  # size, and "(missing)", "a", "b"
    assert np.allclose(encoded[:, 0].mean(), 0)
    assert np.allclose(scored, [[0, 0, 0, 0], [0, 1, 0, 0]])  # "c" was never seen


def test_infinite_scores_are_highest_and_missing_ones_an_error():
    assert np.argmax(highest_when_infinite(np.array([1.0, np.inf, 2.0]))) == 1
    with pytest.raises(ValueError, match="1 of 2 scores are not numbers"):
        highest_when_infinite(np.array([1.0, np.nan]))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PEERS)
def test_every_peer_is_in_pyod(name):
    pytest.importorskip("pyod")
    pytest.importorskip("tqdm")  # PyOD's VAE imports it and does not ask for it
    assert hasattr(make_peer(name, n_columns=3, seed=0), "decision_function")


@pytest.mark.filterwarnings("ignore")
def test_measure_gives_the_figures_of_a_fit():
    pytest.importorskip("pyod")
    random = np.random.default_rng(0)
    X = np.concatenate([random.normal(size=(80, 2)), random.normal(8, 1, size=(20, 2))])
    [figures] = measure({"method": "KNN", "seed": 0}, split(X, labels(80, 20), seed=0))
    assert figures["auroc"] > 0.99
    assert figures["fit_seconds"] >= 0


def test_average_ranks_share_ties():
    figures = np.array([[0.9, 0.8, 0.8], [0.5, 0.7, 0.6]])
    assert average_ranks(figures).tolist() == [2.0, 1.75, 2.25]


def test_critical_difference_is_that_of_demsar():
    # Demšar 2006, sec. 3.2.3: four classifiers, 14 data sets, q = 2.569
    assert critical_difference(4, 14) == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), abs=1e-3)


def test_friedman_of_one_order_on_every_set():
    figures = np.tile([0.9, 0.8, 0.7], (4, 1))
    statistic, p = friedman(figures)  # 12 * 4 / (3 * 4) * (1 + 4 + 9 - 3 * 16 / 4)
    assert statistic == pytest.approx(8)
    assert p == pytest.approx(np.exp(-4))  # chi-squared with 2 degrees


def test_holm_steps_down():
    assert holm([0.01, 0.04, 0.03]).tolist() == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.6, 0.5]).tolist() == [1.0, 1.0]


def test_signed_rank_is_exact_for_few_sets():
    ours = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    assert signed_rank(ours, ours) == 1.0
    assert signed_rank(ours, ours - [0.1, 0.2, 0.3, 0.4, 0.45]) == pytest.approx(2 / 2**5)


def test_report_compares_what_is_complete_and_shows_the_rest_apart():
    full = {"KNN": [0.8, 0.6, 0.7], "LOF": [0.7, 0.7, 0.6], "augan (default)": [0.9, 0.7, 0.5]}
    results = grid(full) + grid(full, seed=1) + grid({"AnoGAN": [0.5, 0.5, 0.5]})
    text = report(results, [0, 1, 2], details=True)
    assert "3 sets, 2 seeds, 3 methods, all complete" in text
    assert "Run with seed 0 only: AnoGAN." in text
    assert "| augan (default) | 0.700 ± 0.000 | 0.350 ± 0.000 |" in text
    assert "| 2 / 1 | -0.20 (set2) |" in text
    assert "| 0_set0 | 0.800 | 0.700 | **0.900** | +0.100 |" in text


def test_report_leaves_out_a_method_that_is_not_done():
    results = grid({"KNN": [0.8, 0.6], "LOF": [0.7, 0.7], "ECOD": [0.5]})
    text = report(results, [0])
    assert "2 sets, 1 seed, 2 methods" in text
    assert "ECOD" not in text
    assert "1 set, 1 seed, 2 methods" in report(results, [0], ["KNN", "ECOD"])


def test_a_failed_fit_counts_as_chance_and_is_listed():
    failed = line("1_set1", 0, "LOF", 0.0, error="ValueError: no")
    del failed["auroc"], failed["ap"]
    results = [*grid({"KNN": [0.8, 0.6], "LOF": [0.7]}), failed]
    panel = make_panel(results, [0])
    assert panel.by_set("auroc")[:, 1].tolist() == [0.7, 0.5]
    assert panel.by_set("ap")[:, 1].tolist() == [0.35, 0.1]
    assert panel.failures() == [0, 1]
    assert "- LOF on 1_set1, seed 0: ValueError: no" in report(results, [0])


def test_contamination_gives_the_loss_on_the_same_rows():
    counts = {"n_train": 100, "withheld_share": 0.05}
    clean = grid({"KNN": [0.8, 0.6]}, train_anomalies=0, **counts)
    mixed = grid({"KNN": [0.7, 0.6]}, train_anomalies=5, **counts | {"share": 0.05})
    text = contamination(clean + mixed, [0], share=0.05)
    assert "of the training rows 5.0% are anomalies" in text
    assert "| KNN | 0.700 | 0.650 | 0.050 | 0.350 | 0.325 | 0.025 | 0.10 (set0) |" in text


def test_p_values_are_held_against_the_binomial_band():
    calibration = {"n_test_normals": 1000, "n_calibration": 99}
    results = [
        line("a", 0, "augan (default)", 0.9, p_value_rates={"0.05": 0.05}, **calibration),
        line("b", 0, "augan (default)", 0.9, p_value_rates={"0.05": 0.08}, **calibration),
        line("c", 0, "augan (default)", 0.9, p_value_rates={"0.05": 0.30}, **calibration),
    ]
    # 5 % of 1,000 is 50, the band 33 to 68; with 99 calibration rows it is several times wider
    text = p_value_table(make_panel(results, [0]))
    assert "| augan (default) | 0.05 | 0.143 | 1 of 3 | 2 | 0 | 2 of 3 | 1 of 3 |" in text


def test_ablation_shows_each_variant_beside_the_whole():
    figures = {"augan (default)": [0.8, 0.6], "without latent": [0.7, 0.8]}
    text = table(make_panel(grid(figures), [0], baseline="augan (default)"))
    assert "| without latent | 0.750 | +0.050 | 0.375 | +0.025 | 1 / 1 | -0.10 (set0) |" in text


@pytest.mark.parametrize("method", ["augan (default)", "no repair"])
def test_ablation_measures_the_whole_and_an_option(method, monkeypatch):
    monkeypatch.setattr(config, "PRETEXT_STEPS", 20)
    X = np.random.default_rng(0).normal(size=(90, 4))
    X[60:] += 5
    rows = split(X, labels(60, 30), seed=0)
    lines = ablation.measure({"method": method, "seed": 0}, rows, ablation.Trained())
    assert lines[-1]["auroc"] > 0.9
    assert lines[-1]["kind"] == ("whole" if method == "augan (default)" else "option")


def test_options_of_the_pretext_network_change_the_scores():
    quick = {"pretext_steps": 5, "n_folds": 2, "max_steps": 1, "encoder_steps": 1, "width": 8}
    X = np.random.default_rng(0).normal(size=(60, 4))
    found = [
        ablation.fit(X, 0, quick | more, ablation.Trained()).networks.pretext
        for more in ({}, {"reconstruction_weight": 0.0}, {"linear_up_to": 0.5})
    ]
    states = [network.state_dict()["layers.1.weight"] for network in found]
    assert not states[0].equal(states[1]) and not states[0].equal(states[2])
    assert [network.linear_up_to for network in found] == [6.0, 6.0, 0.5]


def test_networks_trained_once_give_what_those_of_a_fit_give():
    quick = {"pretext_steps": 2, "n_folds": 2, "max_steps": 1, "encoder_steps": 1}
    X = np.random.default_rng(0).normal(size=(90, 4))
    rows = split(X, labels(60, 30), seed=0)
    trained = ablation.Trained()
    for params in (quick, {"n_neighbors": 5, **quick}, quick | {"pretext_steps": 3}):
        expected = measure_augan(rows.train, rows.test, rows.y, 0, **params)[0]
        model = ablation.fit(rows.train, 0, params, trained)
        scores = model.assess(model.codec.prepare(rows.test), explain=False)[0]
        assert np.array_equal(scores.double().numpy(), expected.anomaly_score(rows.test))
    assert trained.n_trained == 2


def test_each_option_of_the_ablation_is_one_of_a_fit():
    """Parameters of FAnoGAN or of the pretext network, with other values than by default."""
    usual = FAnoGAN().get_params()
    for name, params in ablation.OPTIONS.items():
        own = {key: value for key, value in params.items() if key not in ablation.PRETEXT}
        checked = {**usual, **own}
        assert own.keys() <= usual.keys(), name
        assert config.asks_for_generator(checked) == ("critic" in name or "inversion" in name), name
        assert checked != usual or params.keys() & set(ablation.PRETEXT)
        if "heads" in own:
            assert set(own["heads"]) <= set(HEADS) and len(own["heads"]) == len(set(own["heads"]))


@pytest.mark.parametrize("method", AUGAN)
def test_only_the_papers_score_trains_a_gan_in_the_benchmark(method):
    params = {**FAnoGAN().get_params(), **AUGAN[method], "contamination": 0.05}
    assert config.asks_for_generator(params) == (method == "augan (paper's score)")


# The suites


def test_the_sets_of_oddbench_are_split_as_they_are_given(tmp_path):
    random = np.random.default_rng(0)
    a, b, y = random.random((30, 3)).astype("float32"), random.random((12, 3)), labels(9, 3)
    np.savez(tmp_path / "000_Made.npz", a=a, b=b, y=y.astype("int8"))
    (made,) = splits("oddbench", tmp_path).items()
    assert made[0] == "000_Made"
    for seed in (0, 1):
        rows = made[1](seed)
        assert np.array_equal(rows.train, a) and np.array_equal(rows.test, b)
        assert np.array_equal(rows.y, y)
        assert (rows.train.dtype, rows.test.dtype, rows.y.dtype) == (float, float, np.int64)


def test_other_sets_are_split_by_the_seed(tmp_path):
    X, y = np.random.default_rng(0).random((60, 3)), labels(40, 20)
    np.savez(tmp_path / "1_made.npz", X=X, y=y)
    for seed in (0, 1):
        rows, expected = splits("classical", tmp_path)["1_made"](seed), split(X, y, seed)
        for name in ("train", "test", "y"):
            assert np.array_equal(getattr(rows, name), getattr(expected, name))
    with pytest.raises(FileNotFoundError):
        splits("oddbench", tmp_path / "no")


def test_defaults_were_chosen_on_about_half_of_the_sets():
    classical, oddbench = map(chosen_half, NUMBERS)
    assert (len(classical), len(oddbench)) == (13, 30)
    assert not classical & oddbench
    assert chosen_half("tables") == chosen_half("features") == set()


def test_a_report_shows_both_halves():
    figures = {"augan (default)": [0.9, 0.8, 0.7], "KNN": [0.6, 0.9, 0.5]}
    text = report(grid(figures), [0], half={"0_set0", "2_set2", "another"})
    assert "The 2 sets on which the defaults were chosen:" in text
    assert "The 1 sets on which nothing was chosen:" in text
    chosen, others = text.split("on which the defaults were chosen:")[1].split("The 1 sets")
    assert "0.800" in chosen and "0.550" in chosen  # means of two
    assert "0.800" in others and "0.900" in others
    assert "on which" not in report(grid(figures), [0])


def test_both_suites_of_numbers_are_reported_together_and_not_run(tmp_path, monkeypatch, capsys):
    file = tmp_path / "made.jsonl"
    for name, ours, theirs in (("14_glass", 0.9, 0.6), ("1_ALOI", 0.8, 0.9)):
        append(file, line(name, 0, "augan (default)", ours, suite="classical"))
        append(file, line(name, 0, "KNN", theirs, suite="classical"))
    given = ["detection", "--suite", "numbers", "--report", "--results", str(file), "--seeds", "1"]
    monkeypatch.setattr(sys, "argv", given)
    detection_main()
    text = capsys.readouterr().out
    assert "0.850" in text
    assert "The 1 sets on which the defaults were chosen" in text
    monkeypatch.setattr(sys, "argv", ["detection", "--suite", "numbers", "--data", str(tmp_path)])
    with pytest.raises(SystemExit):
        detection_main()
    assert "--suite numbers only reports" in capsys.readouterr().err


def test_units_of_ranges_are_those_of_the_middle_99_percent():
    random = np.random.default_rng(0)
    train = np.stack([random.normal(5, 3, 4000), random.random(4000), np.full(4000, 7.0)], axis=1)
    train = np.column_stack([train, np.arange(4000) < 8])  # rare ones
    test = train[:50] + 0.1
    ours = encode(train, test, "range")
    deviations = encode(train, test)
    for of, standard in zip(ours, deviations, strict=True):
        assert np.allclose(of[:, 2], standard[:, 2])
        low, high = np.quantile(train[:, 0], (0.005, 0.995))
        width = (high - low) / train[:, 0].std()
        assert width > 4 and np.allclose(of[:, 0], standard[:, 0] / width)
        assert np.allclose(of[:, [1, 3]], standard[:, [1, 3]] / 4)  # four deviations at least
    assert PEERS["KNN (1 neighbour, ranges)"].units == "range"
    assert {peer.units for name, peer in PEERS.items() if "ranges" not in name} == {"deviation"}


def test_variants_leave_out_each_head_in_turn():
    variants = variants_of({"latent": 0.3, "data": 1.0}, "top2")
    assert variants["without latent"] == ("head", {"data": 1.0}, "top2")
    assert variants["latent alone"] == ("alone", {"latent": 0.3}, "top2")
    assert variants["fusion by mean"] == ("fusion", {"latent": 0.3, "data": 1.0}, "mean")
    assert "fusion by top2" not in variants


def test_the_last_line_of_a_key_counts(tmp_path):
    file = tmp_path / "results" / "made.jsonl"
    append(file, line("a", 0, "KNN", 0.5))
    append(file, line("a", 0, "KNN", 0.6))
    assert [result["auroc"] for result in read(file, KEY)] == [0.6]


def test_what_was_run_is_not_run_again(tmp_path):
    file, ran = tmp_path / "made.jsonl", []

    def measured(job: dict, rows: int) -> list[dict]:
        ran.append(rows)
        if rows == 1:
            raise ValueError("no")
        return [{"auroc": 0.5, "fit_seconds": 0.0}]

    jobs = [({"set": name}, rows) for rows, name in enumerate("ab")]
    run_missing(file, jobs, measured, key=("set",))
    run_missing(file, jobs, measured, key=("set",))
    assert ran == [0, 1]
    assert read(file, ("set",))[1]["error"] == "ValueError: no"


@pytest.mark.parametrize(
    ("given", "message"),
    [([], "--data is needed"), (["--data", "no"], "--data no: no such folder")],
)
def test_data_that_is_not_there_is_said(given, message, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["benchmark", *given])
    parser = argparse.ArgumentParser()
    add_common_options(parser)
    with pytest.raises(SystemExit):
        parse(parser)
    assert message in capsys.readouterr().err


def test_a_missing_package_stops_the_run(tmp_path):
    def measured(job: dict, rows: None) -> list[dict]:
        raise ModuleNotFoundError("No module named 'pyod'")

    with pytest.raises(ModuleNotFoundError):
        run_missing(tmp_path / "made.jsonl", [({"set": "a"}, None)], measured, key=("set",))


def test_speeds_that_could_not_be_measured_are_said_to_be():
    measured = {"rows_1": 10.0, "rows_256": 2000.0, "rows_8192": 3e4, "p50_ms": 1.0, "p99_ms": 2.0}
    lines = [
        {"what": "speed", "set": "made", "variant": "torch", **measured},
        {"what": "speed", "set": "made", "variant": "ONNX Runtime, CUDA"},
    ]
    rows = speed_table(lines).splitlines()[2:]
    assert len(rows) == len(METHODS)
    assert rows[0] == "| made | torch | 10 | 2,000 | 30,000 | 1.00 | 2.00 |"
    assert all(row.count("not measured") == 5 for row in rows[1:])


def test_made_rows_are_the_same_mixture_with_every_seed():
    first, again, other = (made_rows(4000, 20, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    np.testing.assert_allclose(first.mean(axis=0), other.mean(axis=0), atol=0.4)


def no_such_file():
    pd.read_csv("no/such.csv")


def no_set():
    sets("classical", Path("no/such"))


@pytest.mark.parametrize(
    "main, says", [(no_such_file, "no/such.csv: No such"), (no_set, "no/such holds no set")]
)
def test_data_that_is_not_there_is_named_in_one_line(main, says):
    with pytest.raises(SystemExit) as end:
        run(main)
    assert str(end.value.code).startswith("error: ") and says in str(end.value.code)
    assert len(str(end.value.code).splitlines()) == 1


def test_data_that_is_not_there_is_no_result(tmp_path):
    def measure(job, rows):
        return no_such_file()

    with pytest.raises(FileNotFoundError):
        run_missing(tmp_path / "r.jsonl", [({"set": "a"}, None)], measure, key=("set",))
    assert not (tmp_path / "r.jsonl").exists()


@pytest.mark.parametrize("of_a_file", [True, False])
def test_data_is_a_folder_or_the_file_itself(tmp_path, monkeypatch, of_a_file):
    (tmp_path / "file").touch()
    places = {True: tmp_path / "file", False: tmp_path}
    for is_file, place in places.items():
        parser = argparse.ArgumentParser()
        add_common_options(parser)
        monkeypatch.setattr(sys, "argv", ["benchmark", "--data", str(place)])
        if is_file == of_a_file:
            assert parse(parser, of_a_file=of_a_file).data == place
        else:
            with pytest.raises(SystemExit):
                parse(parser, of_a_file=of_a_file)


def test_tables_of_numbers_with_a_rare_class(tmp_path):
    random = np.random.default_rng(0)
    for name, n, d, share in (("a", 8000, 3, 0.1), ("b", 200, 3, 0.5), ("c", 200, 101, 0.1)):
        y = (np.arange(n) < share * n).astype(int)
        np.savez(tmp_path / f"{name}.npz", X=random.normal(size=(n, d)) + y[:, None], y=y)
    np.savez(tmp_path / "d.npz", a=np.zeros((5, 2)), b=np.ones((100, 2)), y=np.arange(100) < 10)
    tables = augmentation_tables(tmp_path)
    assert set(tables) == {"a", "d"}
    X, y = tables["a"](0)
    assert len(X) == len(y) == RARE_ROWS and list(X) == ["c0", "c1", "c2"]
    assert X["c0"][y == 1].mean() > 0.9 > 0.1 > X["c0"][y == 0].mean()
    assert not np.array_equal(X, tables["a"](1)[0])
    X, y = tables["d"](0)
    assert X.shape == (100, 2) and (X == 1).all(axis=None) and y.sum() == 10
