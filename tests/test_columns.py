"""The any-order column model: codes of columns, masked training, rows drawn column by column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

import augan
from augan import GANSampler
from augan.codecs.bins import MAX_MEMBERS, N_BINS, ColumnBins, Given
from augan.exceptions import DataError, ModelFileError, ParameterError
from augan.networks.columns import ColumnNetwork
from augan.training.columns import ColumnPhase, random_masks

QUICK: dict[str, Any] = {"method": "columns", "max_steps": 500, "width": 64, "random_state": 0}


@pytest.fixture(scope="module")
def payments() -> tuple[pd.DataFrame, np.ndarray]:
    """A table with every kind of column; large amounts are fraud."""
    random = np.random.default_rng(0)
    n = 500
    frame = pd.DataFrame(
        {
            "amount": np.round(random.lognormal(3, 1, n), 2),
            "items": random.integers(1, 9, n),
            "card": random.random(n) < 0.3,
            "shop": random.choice(["north", "south"], n, p=[0.8, 0.2]),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 200, n), "D"),
            "age": pd.array(random.integers(18, 80, n), dtype="Int64"),
            "country": "DE",
        }
    )
    frame.loc[random.random(n) < 0.2, "age"] = pd.NA
    frame["price"] = (frame["amount"] / frame["items"]).round(3)
    return frame, np.where(frame["amount"] > 40, "fraud", "fine")


@pytest.fixture(scope="module")
def sampler(payments: Any) -> GANSampler:
    return GANSampler(**QUICK).fit(*payments)


def test_bins_are_finer_at_the_ends_and_hold_training_values() -> None:
    raw = np.random.default_rng(0).normal(size=20_000)
    raw[:400], raw[400:1000] = 0.0, np.nan
    bins = ColumnBins.fit(raw, ordered=True)
    assert bins.values.tolist() == [0.0] and bins.has_missing
    assert 0.8 * N_BINS < bins.n_bins <= N_BINS
    rest = np.sort(raw[1000:])
    counts = np.diff(np.searchsorted(rest, bins.edges))
    assert counts[[0, -1]].max() < counts[len(counts) // 2] / 10
    assert np.diff(bins.starts).max() == MAX_MEMBERS
    codes = bins.encode(raw)
    assert np.isnan(raw[codes == bins.size - 1]).all() and (raw[codes == 0] == 0).all()
    drawn = bins.draw(codes, np.random.default_rng(1).random(len(raw)))
    assert np.isin(drawn[~np.isnan(drawn)], raw).all()
    assert np.array_equal(bins.encode(drawn), codes)


def test_no_bin_is_empty_if_many_smallest_values_are_equal() -> None:
    raw = np.concatenate([np.zeros(20), np.arange(1, 20_001)])
    bins = ColumnBins.fit(raw, ordered=True)
    assert np.diff(bins.starts).min() > 0 and bins.encode(raw).min() == 0
    again = ColumnBins.from_arrays(bins.arrays(), bins.has_missing)
    assert np.array_equal(again.encode(raw), bins.encode(raw))


def test_few_numbers_and_categories_have_codes_of_their_own() -> None:
    few = np.tile([3.0, 1.0, 7.5], 10)
    assert ColumnBins.fit(few, ordered=True).encode(np.array([1, 3, 7.5, 6])).tolist() == [
        *(0, 1, 2),
        2,  # the nearest one
    ]
    categories = ColumnBins.fit(np.arange(500.0), ordered=False)
    assert (categories.n_bins, categories.size, len(categories.positions)) == (0, 500, 0)


def test_values_of_a_range_lie_in_it() -> None:
    raw = np.random.default_rng(0).normal(size=3000)
    bins = ColumnBins.fit(raw, ordered=True)
    allowed = bins.allowed(Given(0.11, 0.37))
    assert 0 < allowed.sum() < 20
    codes = np.repeat(np.flatnonzero(allowed), 50)
    drawn = bins.draw(codes, np.random.default_rng(1).random(len(codes)), 0.11, 0.37)
    assert drawn.min() >= 0.11 and drawn.max() <= 0.37
    assert not bins.allowed(Given(9, 10)).any()
    assert not bins.allowed(Given(np.nan, np.nan)).any()


def test_masks_are_of_every_size_alike() -> None:
    codes = torch.zeros(8000, 4, dtype=torch.long)
    masks = random_masks(codes, torch.Generator().manual_seed(0))
    sizes = torch.bincount(masks.sum(1), minlength=5) / len(masks)
    torch.testing.assert_close(sizes, torch.tensor([0, 0.25, 0.25, 0.25, 0.25]), atol=0.02, rtol=0)
    assert torch.allclose(masks.float().mean(0), torch.full((4,), 0.625), atol=0.02)


def test_training_learns_what_a_column_says_of_another() -> None:
    random = torch.Generator().manual_seed(0)
    first = torch.randint(5, (600,), generator=random)
    codes = torch.stack([first, (first + 1) % 5], dim=1)
    network = ColumnNetwork([5, 5], [np.zeros(0)] * 2, width=32, seed=0)
    phase = ColumnPhase(network, codes[100:], codes[:100], 64, 0)
    before = phase.measure()["held_out_loss"]
    for step in range(400):
        phase.step(1.0, step / 400)
    network.eval()
    masked = torch.tensor([[2, 5], [5, 4]])  # 5: masked
    known_first, known_second = network(masked)[1][0], network(masked)[0][1]
    assert known_first.softmax(0)[3] > 0.95 and known_second.softmax(0)[3] > 0.95
    assert phase.measure()["held_out_loss"] < 0.7 * before


def test_neighbouring_codes_are_alike_and_categories_are_not() -> None:
    network = ColumnNetwork([40, 40], [np.linspace(0, 1, 40), np.zeros(0)], width=8, seed=0)
    ordered, unordered = network.embeddings().split(41)
    apart = [(part[1:-1] - part[:-2]).norm(dim=1).mean() for part in (ordered, unordered)]
    assert apart[0] < apart[1] / 2


def test_new_rows_have_the_types_values_and_dependences_of_training(
    payments: Any, sampler: GANSampler
) -> None:
    frame, y = payments
    rows, labels = sampler.sample(800, random_state=1)
    assert rows.dtypes.equals(frame.dtypes) and list(rows) == list(frame)
    for name in ("items", "shop", "day", "price"):
        assert rows[name].isin(frame[name]).all(), name
    assert sampler.relations_ == ["'amount' = 'items' × 'price'"]
    assert np.allclose(rows["amount"], (rows["items"] * rows["price"]).round(2))
    assert abs(rows["age"].isna().mean() - frame["age"].isna().mean()) < 0.08
    assert abs((labels == "fraud").mean() - (y == "fraud").mean()) < 0.08
    assert ((rows["amount"] > 40) == (labels == "fraud")).mean() > 0.85
    ours, theirs = (f[["amount", "price"]].corr("spearman").iloc[0, 1] for f in (rows, frame))
    assert abs(ours - theirs) < 0.2
    assert set(sampler.methods_.values()) == {"columns"} and sampler.networks_ is None


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        ({"amount": 12.34}, lambda f: f["amount"] == 12.34),
        ({"amount": (10, 20.5)}, lambda f: f["amount"].between(10, 20.5)),
        ({"items": 3, "card": True}, lambda f: (f["items"] == 3) & f["card"]),
        ({"day": ("2024-02-01", "2024-02-20")}, lambda f: f["day"].dt.month == 2),
        ({"age": None, "shop": "south"}, lambda f: f["age"].isna() & (f["shop"] == "south")),
        ({"country": "DE", "price": (None, 5)}, lambda f: f["price"] <= 5),
    ],
)
def test_conditions_are_met_without_rejection(
    payments: Any, sampler: GANSampler, where: Any, holds: Any
) -> None:
    rows, labels = sampler.sample(200, where=where)
    assert len(rows) == len(labels) == 200 and holds(rows).all()
    assert rows.dtypes.equals(payments[0].dtypes)
    assert sum(sampler.refused_.values()) <= 2  # a value that is rounded beyond the range


def test_a_condition_changes_the_shares_of_the_classes(sampler: GANSampler) -> None:
    _, labels = sampler.sample(300, where={"amount": (100, None)})
    assert (labels == "fraud").mean() > 0.8
    rows, labels = sampler.sample({"fine": 100}, where={"card": True})
    assert (labels == "fine").all() and rows["card"].all()
    assert (rows["amount"] <= 40).mean() > 0.8


def test_a_range_without_training_values_is_named(sampler: GANSampler) -> None:
    with pytest.raises(DataError, match="where: column 'items' has no training value in the range"):
        sampler.sample(5, where={"items": (2.2, 2.8)})


def test_rows_depend_on_the_seed_alone(payments: Any) -> None:
    sampler, again = (GANSampler(**QUICK | {"max_steps": 40}).fit(*payments) for _ in range(2))
    first, second = (model.sample(50, random_state=3)[0] for model in (sampler, again))
    pd.testing.assert_frame_equal(first, second)
    assert not first.equals(sampler.sample(50, random_state=4)[0])


def test_a_file_keeps_the_model(sampler: GANSampler, tmp_path: Path) -> None:
    sampler.save(tmp_path / "s.augan")
    loaded = augan.load(tmp_path / "s.augan")
    for where in (None, {"amount": (5, 30)}):
        ours, theirs = (s.sample(60, where=where, random_state=1) for s in (sampler, loaded))
        pd.testing.assert_frame_equal(ours[0], theirs[0])
        assert np.array_equal(ours[1], theirs[1])
    assert (tmp_path / "s.augan").stat().st_size < 5e6


def test_columns_that_do_not_fit_the_file_are_refused(
    sampler: GANSampler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = sampler.model_.columns.model.state
    missing, tensors = own()
    for changed in (
        (missing[1:], tensors),
        (missing, {**tensors, "0.starts": tensors["0.starts"] + 1}),
        (missing, {**tensors, "0.members": tensors["0.members"].flip(0)}),
        (missing, {**tensors, "network.bias": tensors["network.bias"][1:]}),
        (missing, {k: v for k, v in tensors.items() if k != "0.edges"}),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(sampler.model_.columns.model, "state", lambda changed=changed: changed)
            sampler.save(tmp_path / "s.augan")
        with pytest.raises(ModelFileError, match=r"s\.augan"):
            augan.load(tmp_path / "s.augan")


def test_classes_are_balanced_and_filtered(payments: Any) -> None:
    frame, y = payments
    sampler = GANSampler(**QUICK | {"max_steps": 200}, filters=("copies", "label"))
    X, labels = sampler.fit_resample(frame, y)
    counts = pd.Series(labels).value_counts()
    assert counts["fraud"] == counts["fine"] == (y == "fine").sum()
    assert X.iloc[: len(frame)].equals(frame)
    assert set(sampler.refused_) == {"copies", "label"}
    new = X.iloc[len(frame) :]
    assert (new["amount"] > 40).mean() > 0.9


def test_arrays_come_back_as_arrays() -> None:
    random = np.random.default_rng(0)
    X = random.normal(size=(300, 3)).astype(np.float32)
    X[270:] += (4, -4, 0)
    y = np.repeat([0, 1], [270, 30])
    X_new, y_new = GANSampler(**QUICK).fit(X, y).sample({0: 100, 1: 100})
    assert X_new.dtype == np.float32 and X_new.shape == (200, 3)
    assert LogisticRegression().fit(X, y).score(X_new, y_new) > 0.95


def test_small_tables_take_fewer_steps_and_can_be_planned(payments: Any) -> None:
    frame, y = payments
    given = {"method": "columns", "width": 16, "random_state": 0}
    sampler = GANSampler(**given).fit(frame[:128], y[:128])
    assert sampler.history_[-1]["step"] == 200  # 400 passes over 128 rows, in batches of 256
    facts = GANSampler(**given).dry_run(frame, y)
    assert facts["steps"] == {"columns": 782} and facts["parameters"]["columns"] > 1000


def test_what_cannot_be_is_said_before_training(payments: Any) -> None:
    digits = load_digits()
    with pytest.raises(ParameterError, match="images have no columns"):
        GANSampler(method="columns").fit(digits.images, digits.target)
