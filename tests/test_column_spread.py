"""`spread` of the column model: how much of a real row a new row keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.dummy import DummyClassifier
from sklearn.naive_bayes import GaussianNB

import augan
from augan import GANSampler
from augan.codecs.bins import ColumnBins
from augan.evaluation import fidelity_metrics
from augan.models import sampler_tuning
from augan.sampling import column_spread
from augan.sampling.start import MASKED, Start
from augan.sampling.tuning import CANDIDATES

QUICK: dict[str, Any] = {"max_steps": 100, "width": 32, "relations": None, "random_state": 0}


@pytest.fixture(scope="module")
def shops() -> tuple[pd.DataFrame, np.ndarray]:
    """Ten independent columns of as many categories."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame({f"c{i}": random.choice(list("abcdefghij"), 300) for i in range(10)})
    return frame, np.repeat([0, 1], [260, 40])


def most_equal_cells(rows: pd.DataFrame, real: pd.DataFrame) -> np.ndarray:
    """Return for each row the largest share of cells that it has in common with a real row."""
    pairs = rows.to_numpy()[:, None] == real.to_numpy()[None]
    return pairs.mean(2).max(1)


def test_a_row_keeps_what_it_does_not_draw(shops: Any) -> None:
    X, y = shops
    equal = {}
    for spread in (0.0, 0.5, 1.0):
        sampler = GANSampler(spread=spread, **QUICK).fit(X, y)
        assert sampler.spread_ == sampler.sample_spread_ == spread
        equal[spread] = most_equal_cells(sampler.sample({1: 300})[0], X[y == 1]).mean()
    assert equal[0.0] == 1
    assert 0.5 < equal[0.5] < 0.65  # half of the cells are kept, some others are equal by chance
    assert equal[1.0] < equal[0.5] - 0.15


def test_kept_numbers_stay_in_their_bin_and_are_moved_in_added_rows() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    sampler = GANSampler(spread=0.0, **QUICK).fit(X, y)
    rows, _ = sampler.sample({0: 200})
    model = sampler.model_.columns.model
    own, drawn = (model.encode(part, np.zeros(len(part)))[:, :-1] for part in (X[y == 0], rows))
    kept = (drawn[:, None] == own[None]).all(2)
    assert kept.any(1).all() and 1 < kept.any(0).sum() < len(own)
    resampler = GANSampler(spread=0.1, **QUICK)
    added = resampler.fit_resample(X, y)[0][len(X) :]
    assert len(added) == 145 and not kept_rows(resampler, added, X[y == 0]).any()


def kept_rows(sampler: GANSampler, rows: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Return which rows have nine tenths of the codes of a real row."""
    model = sampler.model_.columns.model
    codes = [model.encode(part, np.zeros(len(part)))[:, :-1] for part in (rows, real)]
    return ((codes[0][:, None] == codes[1][None]).double().mean(2) >= 0.9).any(1).numpy()


def test_conditions_are_met_by_rows_that_start_from_real_ones(shops: Any) -> None:
    sampler = GANSampler(spread=0.3, **QUICK).fit(*shops)
    rows, labels = sampler.sample(200, where={"c0": "a", "c5": "j"})
    assert (rows["c0"] == "a").all() and (rows["c5"] == "j").all() and set(labels) == {0, 1}


def test_by_default_rows_are_as_far_from_real_ones_as_these_from_each_other() -> None:
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    order = np.random.default_rng(0).permutation(len(X))
    train, held_out = X.iloc[order[:400]], X.iloc[order[400:]]
    sampler = GANSampler(random_state=0, max_steps=80, width=64).fit(train, y.iloc[order[:400]])
    assert sampler.spread_ == column_spread.ADDED
    assert sampler.sample_spread_ in (*column_spread.SPREADS, column_spread.ALL_DRAWN)
    figures = fidelity_metrics(train, held_out, sampler.sample(400)[0])
    assert figures["near_copies"]["new"] < 0.12


def test_copies_call_for_a_large_spread(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    X, y = load_wine(return_X_y=True)
    monkeypatch.setattr(column_spread, "usual_distance", lambda pool: 0.0)
    assert GANSampler(**QUICK).fit(X, y).sample_spread_ == column_spread.SPREADS[0]
    monkeypatch.setattr(column_spread, "usual_distance", lambda pool: float("inf"))
    sampler = GANSampler(**QUICK).fit(X, y)
    assert (sampler.sample_spread_, sampler.spread_) == (1.0, 0.5)
    sampler.save(tmp_path / "m.augan")
    again = augan.load(tmp_path / "m.augan")
    assert (again.sample_spread_, again.spread_) == (1.0, 0.5)
    few = np.r_[:20, 60:80]
    assert GANSampler(**QUICK).fit(X[few], y[few]).sample_spread_ == 1.0  # too few to tell


def test_codes_move_in_the_order_of_values_and_are_reflected() -> None:
    raw = np.random.default_rng(0).exponential(size=3000)
    raw[::3] = 0.5  # has a code of its own, the first one
    bins = ColumnBins.fit(raw, ordered=True)
    codes = bins.encode(np.sort(raw))
    steps = np.full(len(codes), 0.1)
    assert (bins.moved(codes, np.zeros(len(codes))) == codes).all()
    moved = bins.positions[bins.moved(codes, steps)] - bins.positions[codes]
    inner = bins.positions[codes] < 0.85
    assert np.abs(moved[inner] - 0.1).max() < 0.06 and abs(moved[inner].mean() - 0.1) < 0.01
    assert bins.positions[bins.moved(codes, -10 * steps)].min() >= 0
    unordered = ColumnBins.fit(np.arange(5.0), ordered=False)
    assert unordered.moved(np.arange(5), np.ones(5)).tolist() == [0, 1, 2, 3, 4]


def test_a_start_masks_a_share_of_the_cells() -> None:
    bins = [ColumnBins.fit(np.arange(4.0), ordered=False)] * 6
    start = Start(torch.arange(4)[:, None].expand(4, 6), bins, spread=0.3, step=0.1)
    random = torch.Generator().manual_seed(0)
    known = start.known(start.picked(2000, random), random)
    assert abs((known == MASKED).double().mean() - 0.3) < 0.02
    rows = [set(row.tolist()) - {MASKED} for row in known]
    assert max(map(len, rows)) == 1  # all cells are those of one row


def test_new_rows_start_from_all_real_rows_equally_often() -> None:
    bins = [ColumnBins.fit(np.arange(4.0), ordered=False)]
    start = Start(torch.zeros(30, 1, dtype=torch.long), bins, spread=0.3, step=0.0)
    picked = start.picked(75, torch.Generator().manual_seed(0))
    counts = torch.bincount(picked, minlength=30)
    assert sorted(counts.tolist()) == [2] * 15 + [3] * 15
    assert picked[:30].tolist() != sorted(picked[:30].tolist())
    assert len(start.picked(0, torch.Generator())) == 0


def test_tuning_trains_on_the_rows_of_a_fold_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = load_breast_cancer(return_X_y=True)
    sizes: list[int] = []
    train = sampler_tuning.train_columns

    def watched(
        params: Any, config: Any, codec: Any, raw: torch.Tensor, *rest: Any, **how: Any
    ) -> Any:
        sizes.append(len(raw))
        return train(params, config, codec, raw, *rest, **how)

    monkeypatch.setattr(sampler_tuning, "train_columns", watched)
    sampler = GANSampler(tune_for=GaussianNB(), **QUICK | {"max_steps": 20, "filters": ()}).fit(
        X[:, :4], y
    )
    assert sizes == [379, 379, 380]  # two thirds of the rows
    assert sampler.tuning_ is not None and len(sampler.tuning_) == len(CANDIDATES)
    useless = GANSampler(
        tune_for=DummyClassifier(), **QUICK | {"max_steps": 20, "filters": ()}
    ).fit(X[:, :4], y)
    assert useless.sampling_strategy_ == {0: 0}
