"""Imputation by the column model: known cells stay, missing ones are drawn given the known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import augan
from augan import GANSampler
from augan.exceptions import DataError, DataWarning, DriftWarning, ParameterError
from augan.sampling import imputing

QUICK: dict[str, Any] = {"method": "columns", "max_steps": 150, "width": 64, "random_state": 0}


def table(n: int, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows of every kind of column: amounts by class, a sum, an order, a determined column."""
    random = np.random.default_rng(seed)
    net = np.round(random.lognormal(3, 1, n), 2)
    tax = np.round(random.lognormal(1, 1, n), 2)
    start = random.integers(0, 200, n)
    shop = random.choice(["north", "south", "east"], n, p=[0.6, 0.2, 0.2])
    frame = pd.DataFrame(
        {
            "net": net,
            "tax": tax,
            "total": (net + tax).round(2),
            "card": random.random(n) < 0.3,
            "shop": pd.Series(shop, dtype=object),
            "zone": pd.Categorical(np.where(shop == "north", "A", "B")),
            "start": pd.Timestamp("2024-01-01") + pd.to_timedelta(start, "D"),
            "end": pd.Timestamp("2024-01-01")
            + pd.to_timedelta(start + random.integers(1, 90, n), "D"),
            "age": pd.array(random.integers(18, 80, n), dtype="Int64"),
            "country": "DE",
        }
    )
    frame.loc[random.random(n) < 0.3, "age"] = pd.NA
    return frame, np.where(net > 30, "fraud", "fine")


def with_gaps(frame: pd.DataFrame, share: float = 0.25, seed: int = 5) -> pd.DataFrame:
    frame = frame.astype({"card": object})
    return frame.mask(np.random.default_rng(seed).random(frame.shape) < share)


@pytest.fixture(scope="module")
def sampler() -> GANSampler:
    return GANSampler(**QUICK).fit(*table(600, 0))


@pytest.fixture(scope="module")
def gaps() -> pd.DataFrame:
    frame = with_gaps(table(400, 1)[0])
    frame.iloc[7] = pd.NA
    return frame.set_index(pd.Index(np.arange(400) * 3, name="id"))


def test_known_cells_stay_and_no_drawn_one_is_missing(
    sampler: GANSampler, gaps: pd.DataFrame
) -> None:
    before = gaps.copy()
    found = sampler.impute(gaps, random_state=1)
    pd.testing.assert_frame_equal(gaps, before)
    assert found.index.equals(gaps.index) and list(found) == list(gaps)
    assert found.dtypes.equals(gaps.dtypes) and not found.isna().any(axis=None)
    for name in gaps:
        known = gaps[name].notna()
        pd.testing.assert_series_equal(found[name][known], gaps[name][known])
    trained = table(600, 0)[0]
    for name in ("shop", "card", "zone", "age"):
        assert found[name][gaps[name].isna()].isin(trained[name].dropna()).all(), name
    assert (found["country"] == "DE").all()


def test_rows_with_and_without_values_are_drawn_alike_each_time(
    sampler: GANSampler, gaps: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = sampler.impute(gaps, random_state=1)
    several = sampler.impute(gaps, 3, random_state=1)
    assert isinstance(several, list) and len(several) == 3
    pd.testing.assert_frame_equal(several[0], first)
    gone = gaps["net"].isna() & gaps["total"].isna()
    assert (several[0]["net"] != several[1]["net"])[gone].mean() > 0.8
    assert (several[1]["net"] != several[2]["net"])[gone].mean() > 0.8
    complete = first.iloc[:20]
    pd.testing.assert_frame_equal(sampler.impute(complete), complete)
    # complete rows do not shift the draws of the others
    longer = pd.concat([complete, gaps]).set_axis(range(420))
    pd.testing.assert_frame_equal(
        sampler.impute(longer, random_state=1).iloc[20:].reset_index(drop=True),
        first.reset_index(drop=True),
    )
    monkeypatch.setattr(imputing, "GROUP", 64)
    small = sampler.impute(gaps, random_state=1)
    assert not small.isna().any(axis=None) and not small.equals(first)


def test_drawn_values_depend_on_the_known_ones_and_on_the_class(sampler: GANSampler) -> None:
    frame, y = table(500, 2)
    hidden = frame.assign(net=np.nan, total=np.nan)
    by_class = sampler.impute(hidden, y=y, random_state=0)
    assert ((by_class["net"] > 30) == (y == "fraud")).mean() > 0.85
    labels = np.where(np.arange(500) < 250, y, None)
    half = (sampler.impute(hidden, y=labels, random_state=0)["net"] > 30) == (y == "fraud")
    assert half[:250].mean() > 0.85 > 0.75 > half[250:].mean()
    unknown = sampler.impute(hidden, random_state=0)
    assert abs((unknown["net"] > 30).mean() - (y == "fraud").mean()) < 0.1
    zones = sampler.impute(frame.assign(zone=pd.Categorical([None] * 500)), random_state=0)
    assert (zones["zone"].astype(str) == frame["zone"].astype(str)).all()


def test_relations_give_missing_cells_where_they_can(sampler: GANSampler) -> None:
    assert "'total' = 'net' + 'tax'" in sampler.relations_
    assert "'start' ≤ 'end'" in sampler.relations_
    frame, _ = table(300, 3)
    gone = np.arange(300) % 5
    gappy = frame.copy()
    for k, name in enumerate(("net", "tax", "total", "start")):
        gappy[name] = frame[name].mask(gone == k)
    gappy["end"] = frame["end"].mask(gone == 4)
    found = sampler.impute(gappy, random_state=0)
    for name in ("net", "tax", "total"):
        assert np.allclose(found[name], frame[name], atol=1e-6), name
    assert (found["start"] <= found["end"]).all()
    assert found["start"].where(gone == 3).nunique() > 30  # drawn again, not moved to the end
    both = sampler.impute(frame.assign(net=np.nan, tax=np.nan, total=np.nan), random_state=0)
    assert np.allclose(both["total"], both["net"] + both["tax"])
    shops = sampler.impute(frame.assign(shop=None), random_state=0)
    assert ((shops["shop"] == "north") == (frame["zone"] == "A")).all()


def test_contradictory_known_cells_stay(sampler: GANSampler) -> None:
    frame, _ = table(30, 3)
    frame["net"], frame["total"] = frame["total"], frame["net"]
    frame["start"] += pd.Timedelta("900D")
    with pytest.warns(DriftWarning, match="column 'start'"):
        found = sampler.impute(frame.assign(tax=np.nan, end=pd.NaT), random_state=0)
    assert not found.isna().any(axis=None)
    assert found["total"].equals(frame["total"]) and found["start"].equals(frame["start"])


def test_columns_that_had_no_missing_values_and_unknown_values(sampler: GANSampler) -> None:
    frame, _ = table(60, 4)
    frame.loc[:29, "shop"] = "moon"
    frame.loc[30, "net"] = 1e9
    gappy = frame.assign(zone=pd.Categorical([None] * 60, categories=["B"]))
    with pytest.warns(DriftWarning, match="column 'shop' in 30 of 60 rows"):
        found = sampler.impute(gappy, random_state=0)
    assert found["zone"].isin(["A", "B"]).all() and (found["shop"][:30] == "moon").all()
    assert found["zone"].cat.categories.tolist() == ["B", "A"] and found.loc[30, "net"] == 1e9


def test_a_column_without_values_gets_the_dtype_of_training(sampler: GANSampler) -> None:
    frame, _ = table(20, 4)
    empty = frame.assign(shop=np.nan, start=np.nan, age=np.nan, card=None)
    found = sampler.impute(empty, random_state=0)
    assert found["shop"].isin(["north", "south", "east"]).all()
    assert found["age"].dtype == np.float64 and found["card"].map(type).eq(bool).all()
    assert pd.api.types.is_datetime64_any_dtype(found["start"].dtype)
    trained = GANSampler(**QUICK | {"max_steps": 2})
    with pytest.warns(DataWarning, match="column 'note' is empty"):
        trained.fit(frame.assign(note=None), np.arange(20) % 2)
    with pytest.warns(DataWarning, match="column 'note' had no value in training"):
        found = trained.impute(frame.assign(note=None))
    assert found["note"].isna().all() and found["age"].notna().all()


def test_other_dtypes_and_libraries_keep_theirs(sampler: GANSampler, gaps: pd.DataFrame) -> None:
    typed = gaps.astype(
        {"net": "float32", "tax": "Float64", "shop": "category", "age": "Int8", "card": "boolean"}
    ).astype({"zone": "string", "start": "datetime64[ns]", "end": "timestamp[us][pyarrow]"})
    found = sampler.impute(typed, random_state=1)
    assert found.dtypes.equals(typed.dtypes) and not found.isna().any(axis=None)
    known = typed.notna()
    assert (found.astype(object).where(known, 0) == typed.astype(object).where(known, 0)).all(
        axis=None
    )
    shops = [shop if isinstance(shop, str) else None for shop in gaps["shop"]]
    polar = pl.from_pandas(typed.drop(columns=["shop"])).with_columns(
        shop=pl.Series(shops, dtype=pl.Categorical)
    )
    polar = polar.select(list(gaps))
    made = sampler.impute(polar, random_state=1)
    assert made.schema == polar.schema and sum(made.null_count().row(0)) == 0
    assert made["shop"].cast(pl.String).is_in(["north", "south", "east"]).all()


def test_arrays() -> None:
    X = np.random.default_rng(0).normal(size=(150, 3)).astype(np.float32)
    X[:, 2] = X[:, 0]
    fitted = GANSampler(**QUICK).fit(X, np.arange(150) % 2)
    gappy = X.copy()
    gappy[:100, 2] = np.nan
    found = fitted.impute(gappy, random_state=0)
    assert found.dtype == np.float32 and np.array_equal(found[:, :2], X[:, :2])
    assert np.corrcoef(found[:100, 2], X[:100, 0])[0, 1] > 0.9
    listed = fitted.impute([[0.1, None, 0.1]], 2)
    assert len(listed) == 2 and listed[0].shape == (1, 3)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"n": 0}, ParameterError, "n=0"),
        ({"random_state": "x"}, ParameterError, "random_state='x'"),
        ({"y": ["fine"]}, DataError, "y has 1 labels for 400 rows"),
        ({"y": ["fine"] * 399 + ["theft"]}, DataError, "y, row 399: no class 'theft'"),
        ({"y": "fine"}, DataError, "y is 'fine'"),
    ],
)
def test_arguments(
    sampler: GANSampler, gaps: pd.DataFrame, given: dict[str, Any], error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        sampler.impute(gaps, **given)


def test_other_tables_and_methods(sampler: GANSampler, gaps: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="net"):
        sampler.impute(gaps.drop(columns="net"))
    with pytest.raises(DataError, match="column 'net', row 0: 'many'"):
        sampler.impute(gaps.astype({"net": object}).assign(net="many"))
    other = GANSampler(method="data", random_state=0).fit(*table(60, 0))
    with pytest.raises(ParameterError, match="fitted with method='data'"):
        other.impute(gaps)


def test_a_saved_model_draws_the_same(
    sampler: GANSampler, gaps: pd.DataFrame, tmp_path: Path
) -> None:
    sampler.save(tmp_path / "m.augan")
    loaded = augan.load(tmp_path / "m.augan")
    pd.testing.assert_frame_equal(
        loaded.impute(gaps, random_state=3), sampler.impute(gaps, random_state=3)
    )
