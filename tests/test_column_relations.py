"""New rows of a column model obey the relations between columns of the training rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from augan_cli.app import app
from typer.testing import CliRunner

import augan
from augan import GANSampler
from augan.exceptions import DataError, ModelFileError, ParameterError

DATA = Path(__file__).parents[2] / "shared" / "data" / "tabular"
QUICK: dict[str, Any] = {"method": "columns", "max_steps": 40, "width": 32, "random_state": 0}
FRAUD = {"stolen card", "fake shop"}


def claims(n: int = 600) -> tuple[pd.DataFrame, pd.Series]:
    """Return rows with relations of all kinds, and a class that one column determines."""
    random = np.random.default_rng(0)
    model = random.choice(list("abcdefgh"), n)
    make = pd.Series(model).map(dict(zip("abcdefgh", "UUVVVWWX", strict=True)))
    start = np.datetime64("2024-01-01") + random.integers(0, 600, n).astype("m8[D]")
    price = random.lognormal(3, 1, n).round(2)
    quantity = random.integers(1, 9, n)
    tax = random.lognormal(1, 1, n).round(2)
    low = random.normal(size=n).round(3)
    scenario = random.choice(["none", "other", *sorted(FRAUD)], n, p=[0.5, 0.3, 0.1, 0.1])
    frame = pd.DataFrame(
        {
            "model": model,
            "make": make,
            "country": make.map({"U": "us", "V": "de", "W": "de", "X": None}),
            "start": start.astype("datetime64[s]"),
            "end": (start + random.integers(0, 90, n).astype("m8[D]")).astype("datetime64[s]"),
            "price": price,
            "quantity": quantity,
            "total": (price * quantity).round(2),
            "tax": tax,
            "low": low,
            "high": (low + random.exponential(size=n)).round(3),
            "scenario": scenario,
        }
    )
    frame["due"] = (frame["total"] + frame["tax"]).round(2)
    return frame, frame["scenario"].isin(FRAUD).astype(int).rename("fraud")


RELATIONS = {
    "'model' determines 'make'",
    "'make' determines 'country'",
    "'start' ≤ 'end'",
    "'low' ≤ 'high'",
    "'total' = 'price' × 'quantity'",
    "'due' = 'total' + 'tax'",
    "'scenario' determines 'fraud'",
}


def broken(frame: pd.DataFrame, fraud: Any) -> pd.Series:
    """Return the number of rows that break each relation of `claims`, from their cells alone."""
    models = claims()[0].drop_duplicates("model").set_index("model")[["make", "country"]]
    cents = (100 * frame[["price", "total", "tax", "due"]]).round().astype(int)
    own = models.loc[frame["model"]].reset_index(drop=True)
    frame = frame.reset_index(drop=True)
    found = {
        "make": frame["make"] != own["make"],
        "country": frame["country"].fillna("-") != own["country"].fillna("-"),
        "dates": frame["start"] > frame["end"],
        "bounds": frame["low"] > frame["high"],
        "product": cents["total"] != cents["price"] * frame["quantity"].to_numpy(),
        "sum": cents["due"] != cents["total"] + cents["tax"],
        "class": frame["scenario"].isin(FRAUD).to_numpy() != np.asarray(fraud).astype(bool),
    }
    return pd.Series({name: int(np.asarray(wrong).sum()) for name, wrong in found.items()})


@pytest.fixture(scope="module")
def sampler() -> GANSampler:
    return GANSampler(**QUICK).fit(*claims())


def test_relations_are_found_and_obeyed_by_every_row(sampler: GANSampler) -> None:
    assert set(sampler.relations_) == RELATIONS
    rows, fraud = sampler.sample(10_000, random_state=1)
    assert broken(rows, fraud).sum() == 0
    assert rows.dtypes.equals(claims()[0].dtypes)
    assert 0.15 < fraud.mean() < 0.25


@pytest.mark.parametrize(
    "where",
    [
        {"country": "de"},
        {"country": None, "quantity": 2},
        {"make": "V", "country": "de"},
        {"scenario": "fake shop"},
        {"total": (50, 80)},
        {"total": 60.0},
        {"due": (None, 60), "price": (5, 20)},
        {"due": 100.25, "tax": 3.5},
        {"end": (None, "2024-02-01")},
        {"start": "2024-03-05", "end": ("2024-03-10", "2024-04-01")},
        {"price": 10.5, "quantity": 3, "total": 31.5},
    ],
    ids=str,
)
def test_conditions_are_exact_and_relations_hold(sampler: GANSampler, where: Any) -> None:
    rows, fraud = sampler.sample(60, where=where, random_state=2)
    assert len(rows) == 60 and broken(rows, fraud).sum() == 0
    for name, value in where.items():
        cells = rows[name]
        if isinstance(value, tuple):
            low, high = (None if end is None else cells.dtype.type(end) for end in value)
            assert low is None or (cells >= low).all()
            assert high is None or (cells <= high).all()
        else:
            assert cells.isna().all() if value is None else (cells == value).all(), name


def test_a_class_is_as_asked_and_restricts_its_source(sampler: GANSampler) -> None:
    rows, fraud = sampler.sample({0: 50, 1: 150}, where={"country": "us"}, random_state=3)
    assert (np.bincount(fraud) == [50, 150]).all()
    assert broken(rows, fraud).sum() == 0 and set(rows["model"]) == {"a", "b"}
    assert set(rows["scenario"][fraud == 1]) == FRAUD


def test_what_cannot_be_names_the_relation(sampler: GANSampler) -> None:
    with pytest.raises(DataError, match="conditions, as 'scenario' determines 'fraud'"):
        sampler.sample({0: 5}, where={"scenario": "fake shop"})
    with pytest.raises(DataError, match="conditions, as 'make' determines 'country'"):
        sampler.sample(5, where={"make": "U", "country": "de"})
    with pytest.raises(DataError, match=r"'total' = 'price' × 'quantity'.* 5 requested, 0 acc"):
        sampler.sample({0: 5}, where={"price": 10.0, "quantity": 3, "total": 31.0})


def test_added_rows_obey_relations() -> None:
    frame, fraud = claims()
    sampler = GANSampler(**QUICK, filters=("copies",))
    X, y = sampler.fit_resample(frame, fraud)
    assert (np.bincount(y) == (fraud == 0).sum()).all()
    assert broken(X, y).sum() == 0 and set(sampler.relations_) == RELATIONS
    assert set(sampler.refused_) == {"copies"}


def test_relations_can_be_given_or_left_out() -> None:
    given = ["model -> make", "start <= end", "due = total + tax", "scenario -> fraud"]
    frame, fraud = claims()
    sampler = GANSampler(**QUICK, relations=given).fit(frame, fraud)
    assert sampler.relations_ == [
        "'model' determines 'make'",
        "'start' ≤ 'end'",
        "'due' = 'total' + 'tax'",
        "'scenario' determines 'fraud'",
    ]
    found = broken(*sampler.sample(300, random_state=1))
    assert found[["make", "dates", "sum", "class"]].sum() == 0 and found["product"] > 100
    none = GANSampler(**QUICK | {"max_steps": 1}, relations=None).fit(frame, fraud)
    assert none.relations_ == [] and broken(*none.sample(100, random_state=1)).min() > 0


@pytest.mark.parametrize(
    ("relations", "method", "message"),
    [
        (["a = b * c"], "columns", "relations: 'a = b * c': no column 'a'"),
        (["price <= tax"], "columns", "'price <= tax' does not hold in the training rows: row 0"),
        (["tax -> fraud"], "columns", "'tax -> fraud' does not hold in the training rows: row"),
        ("model -> make", "columns", "relations='model -> make': must be 'auto', None or a list"),
        (["model -> make"], "data", "only method='columns' obeys relations"),
    ],
)
def test_faulty_relations_are_refused_before_training(
    relations: Any, method: str, message: str
) -> None:
    with pytest.raises(ParameterError) as error:
        GANSampler(**QUICK | {"method": method}, relations=relations).fit(*claims())
    assert message in str(error.value) and "\n" not in str(error.value)


def test_other_methods_have_no_relations() -> None:
    frame, fraud = claims()
    X = frame[["price", "quantity", "total"]]
    for relations in ("auto", None):
        sampler = GANSampler(method="data", relations=relations, random_state=0).fit(X, fraud)
        assert sampler.relations_ == []


def test_arrays_and_labels_without_a_name() -> None:
    random = np.random.default_rng(0)
    X = random.integers(0, 40, (400, 3)).astype(float)
    X[:, 2] = X[:, 0] + X[:, 1]
    kind = random.integers(0, 6, 400)
    X = np.column_stack([X, kind])
    sampler = GANSampler(**QUICK).fit(X, np.where(kind > 3, "yes", "no"))
    assert set(sampler.relations_) == {"'x2' = 'x0' + 'x1'", "'x3' determines 'y'"}
    rows, y = sampler.sample(200, random_state=0)
    assert (rows[:, 2] == rows[:, 0] + rows[:, 1]).all() and (
        (rows[:, 3] > 3) == (y == "yes")
    ).all()
    frame = pd.DataFrame(X, columns=["a", "b", "c", "y"])
    named = GANSampler(**QUICK).fit(frame, pd.Series(kind > 3, name="y").astype(int))
    assert "'y' determines 'y_'" in named.relations_


def test_sums_that_a_dtype_cannot_hold_are_drawn_again() -> None:
    random = np.random.default_rng(0)
    a = random.integers(0, 200, 400)
    b = (random.random(400) * (256 - a)).astype(int)
    frame = pd.DataFrame({"a": a, "b": b, "c": a + b}).astype(np.uint8)
    sampler = GANSampler(**QUICK).fit(frame, np.arange(400) % 2)
    assert sampler.relations_ == ["'c' = 'a' + 'b'"]
    rows = sampler.sample(3000, random_state=0)[0]
    assert (rows.dtypes == np.uint8).all()
    assert (rows["c"].astype(int) == rows["a"].astype(int) + rows["b"].astype(int)).all()


def test_a_file_keeps_the_relations(sampler: GANSampler, tmp_path: Path) -> None:
    sampler.save(tmp_path / "s.augan")
    loaded = augan.load(tmp_path / "s.augan")
    assert loaded.relations_ == sampler.relations_
    for where in (None, {"country": None}):
        ours, theirs = (s.sample(80, where=where, random_state=1) for s in (sampler, loaded))
        pd.testing.assert_frame_equal(ours[0], theirs[0])
        assert np.array_equal(ours[1], theirs[1])
    shown = CliRunner().invoke(app, ["info", str(tmp_path / "s.augan"), "--json"])
    assert json.loads(shown.stdout)["relations"] == sampler.relations_


def test_damaged_relations_are_refused(
    sampler: GANSampler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values, tensors = sampler.model_.state()
    kinds = [one["kind"] for one in values["relations"]["relations"]]
    own = f"relations.{kinds.index('determined')}."
    missing = next(name for name in tensors if name.endswith(".missing"))
    relations = values["relations"]
    changes = [
        ({"label": "price"}, {}),
        ({"relations": [{**one, "kind": "guess"} for one in relations["relations"]]}, {}),
        ({"relations": [{**one, "result": 99} for one in relations["relations"]]}, {}),
        ({"relations": relations["relations"] * 2}, {}),
        ({}, {own + "keys": tensors[own + "keys"].flip(0)}),
        ({}, {own + "values": tensors[own + "values"] + 90}),
        ({}, {own + "counts": tensors[own + "counts"].reshape(-1, 1)}),
        ({}, {own + "keys.missing": tensors[own + "keys"].bool()}),
        ({}, {missing: torch.ones(1)}),
    ]
    for plain, arrays in changes:
        changed = {**values, "relations": {**relations, **plain}}, {**tensors, **arrays}
        with monkeypatch.context() as patch:
            patch.setattr(sampler.model_, "state", lambda changed=changed: changed)
            sampler.save(tmp_path / "s.augan")
        with pytest.raises(ModelFileError, match=r"s\.augan"):
            augan.load(tmp_path / "s.augan")


def _is_function(frame: pd.DataFrame, source: str, target: str) -> bool:
    return bool((frame.groupby(source)[target].nunique() == 1).all())


@pytest.mark.slow
def test_rows_of_insurance_claims() -> None:
    path = DATA / "vehicle_insurance_fraud.csv"
    if not path.exists():
        pytest.skip(f"no {path}")
    frame = pd.read_csv(path).drop(columns="PolicyNumber")
    labels = frame.pop("FraudFound_P")
    sampler = GANSampler(method="columns", max_steps=200, random_state=0).fit(frame, labels)
    assert set(sampler.relations_) == {
        "'PolicyType' determines 'VehicleCategory'",
        "'PolicyType' determines 'BasePolicy'",
        "'Age' determines 'AgeOfPolicyHolder'",
    }
    rows, _ = sampler.sample(10_000, random_state=1)
    for source, target in (
        *(("PolicyType", name) for name in ("VehicleCategory", "BasePolicy")),
        ("Age", "AgeOfPolicyHolder"),
    ):
        known = frame.drop_duplicates(source).set_index(source)[target]
        assert (rows[target].to_numpy() == known.loc[rows[source]].to_numpy()).all()
    some, _ = sampler.sample(
        500, where={"BasePolicy": "Liability", "AgeOfPolicyHolder": "31 to 35"}
    )
    assert (some["BasePolicy"] == "Liability").all() and some["PolicyType"].str.contains(
        "Liab"
    ).all()
    ages = frame.loc[frame["AgeOfPolicyHolder"] == "31 to 35", "Age"]
    assert some["Age"].isin(ages).all()


@pytest.mark.slow
def test_rows_of_adult() -> None:
    path = DATA / "adult" / "adult-train.csv"
    if not path.exists():
        pytest.skip(f"no {path}")
    frame = pd.read_csv(path, header=None, na_values="?", skipinitialspace=True)
    frame.columns = [str(name) for name in frame.columns]
    labels = frame.pop("14").rename("income")
    sampler = GANSampler(method="columns", max_steps=200, random_state=0).fit(frame, labels)
    assert set(sampler.relations_) == {"'3' determines '4'"}
    rows, _ = sampler.sample(10_000, random_state=1)
    known = frame.drop_duplicates("3").set_index("3")["4"]
    assert (rows["4"].to_numpy() == known.loc[rows["3"]].to_numpy()).all()
    some, _ = sampler.sample(300, where={"4": (13, None)})
    assert (some["4"] >= 13).all() and some["3"].isin(known.index[known >= 13]).all()
