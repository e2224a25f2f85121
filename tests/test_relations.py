"""Relations between columns: found in training rows, obeyed by new rows, read from text."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from augan.codecs.table import TableCodec
from augan.exceptions import ParameterError
from augan.sampling.find_relations import find_relations
from augan.sampling.formulas import Sum
from augan.sampling.read_relations import read_relations
from augan.sampling.relation_set import Relations
from augan.sampling.relations import Determined, Ordered

DATA = Path(__file__).parents[2] / "shared" / "data" / "tabular"
N = 400
DAY = np.timedelta64(86400, "s")
pytestmark = pytest.mark.filterwarnings("ignore:column .* has .* categories")


def fitted(frame: pd.DataFrame) -> tuple[TableCodec, np.ndarray]:
    """Return the codec of a frame and its raw rows."""
    codec = TableCodec().fit(frame)
    return codec, codec.prepare(frame).numpy()


def found_in(**columns: Any) -> list[str]:
    """Return the descriptions of the relations that are found in a table."""
    codec, raw = fitted(pd.DataFrame(columns))
    return Relations(tuple(find_relations(raw, codec.columns)), tuple(codec.columns)).describe()


def shuffled(raw: np.ndarray, n: int, seed: int = 1) -> np.ndarray:
    """Return rows whose columns are drawn independently."""
    random = np.random.default_rng(seed)
    return np.stack([random.choice(raw[:, i], n) for i in range(raw.shape[1])], axis=1)


def orders(n: int = N) -> pd.DataFrame:
    """Return a table with relations of all kinds."""
    random = np.random.default_rng(0)
    model = random.choice(list("abcdefghij"), n, p=np.arange(1, 11) / 55)
    make = pd.Series(model).map(dict(zip("abcdefghij", "UUVVVWWWWX", strict=True)))
    country = make.map({"U": "us", "V": "de", "W": "de", "X": None})
    start = np.datetime64("2024-01-01") + random.integers(0, 900, n) * DAY
    days = random.integers(0, 400, n)
    price = random.lognormal(3, 1, n).round(2)
    quantity = random.integers(1, 9, n)
    total = (price * quantity).round(2)
    tax = random.lognormal(1, 1, n).round(2)
    discount = random.choice([0, 0.5, 1.25], n)
    low = random.normal(size=n)
    return pd.DataFrame(
        {
            "model": model,
            "make": make,
            "country": country,
            "start": start.astype("datetime64[s]"),
            "end": (start + days * DAY).astype("datetime64[s]"),
            "days": days,
            "price": price,
            "quantity": quantity,
            "total": total,
            "tax": tax,
            "discount": discount,
            "due": (total + tax - discount).round(2),
            "share": (tax / total).round(3),
            "low": low,
            "high": low + random.exponential(size=n) * (random.random(n) < 0.8),
        }
    )


ORDERS = [
    "'model' determines 'make'",
    "'make' determines 'country'",
    "'end' = 'start' + 86400 × 'days'",
    "'total' = 'price' × 'quantity'",
    "'share' = 'tax' / 'total'",
    "'due' = 'total' + 'tax' - 'discount'",
    "'low' ≤ 'high'",
]


def test_relations_of_all_kinds_are_found_and_no_others() -> None:
    frame = orders()
    assert set(found_in(**{name: frame[name] for name in frame})) == set(ORDERS)


def test_completed_rows_obey_all_relations_exactly() -> None:
    codec, raw = fitted(orders())
    relations = read_relations("auto", codec.columns, raw)
    assert not relations.violations(raw).any()
    drawn = shuffled(raw, 10_000)
    assert relations.violations(drawn).mean() > 0.99
    rows = relations.complete(drawn)
    assert not relations.violations(rows).any()
    frame = pd.DataFrame(
        {c.name: c.from_raw(rows[:, i]) for i, c in enumerate(codec.columns)}
    )  # as users see them
    assert (frame["end"] - frame["start"] == frame["days"] * DAY).all()
    cents = (100 * frame[["total", "tax", "discount", "due"]]).round().astype(int)
    assert (cents["due"] == cents["total"] + cents["tax"] - cents["discount"]).all()
    assert (frame["share"] == (frame["tax"] / frame["total"]).round(3)).all()
    assert (frame["low"] <= frame["high"]).all()
    codes = frame.groupby("model", observed=True)["make"].nunique()
    assert (codes == 1).all()
    again = codec.prepare(frame.astype({"start": "datetime64[s]", "end": "datetime64[s]"})).numpy()
    assert not relations.violations(again).any()
    np.testing.assert_array_equal(relations.complete(rows), rows)


def test_drawn_columns_are_kept_and_the_input_is_not_changed() -> None:
    codec, raw = fitted(orders())
    relations = read_relations("auto", codec.columns, raw)
    computed = {place for _, place in relations.order()}
    names = {codec.columns[place].name for place in computed}
    assert names == {"make", "country", "end", "total", "share", "due"}
    drawn = shuffled(raw, 500)
    before = drawn.copy()
    rows = relations.complete(drawn)
    np.testing.assert_array_equal(drawn, before)
    moved = {codec.columns[i].name for i in np.flatnonzero((rows != drawn).any(axis=0))}
    assert moved - {"make", "country"} <= names | {"low", "high"}


RANDOM = np.random.default_rng(5)
A, B, C = RANDOM.integers(0, 50, (3, N))
X, Y = RANDOM.lognormal(2, 1, (2, N)).round(2)
KEY = RANDOM.integers(0, 12, N)
START = np.datetime64("2024-01-01", "s") + RANDOM.integers(0, 10**7, N).astype("m8[s]")
SECONDS = RANDOM.integers(0, 10**5, N)
HOLES = RANDOM.random(N) < 0.2


@pytest.mark.parametrize(
    "columns, expected",
    [
        ({"a": A, "b": B, "c": A + B}, ["'c' = 'a' + 'b'"]),
        ({"a": A, "b": B, "c": A - B}, ["'a' = 'b' + 'c'"]),
        ({"a": A, "b": B, "c": 100 - A - B}, ["'c' = 100 - 'a' - 'b'"]),
        ({"x": X, "y": Y, "s": (X + Y).round(2)}, ["'s' = 'x' + 'y'"]),
        ({"x": X, "y": Y, "s": (X + Y).round(0)}, ["'s' = 'x' + 'y'"]),
        ({"x": X, "y": Y, "s": X * Y}, ["'s' = 'x' × 'y'"]),
        ({"x": X, "y": Y, "s": (X / Y).round(1)}, ["'s' = 'x' / 'y'"]),
        ({"x": X, "s": (1.19 * X).round(2)}, ["'s' = 1.19 × 'x'"]),
        ({"x": X, "s": -X + 3}, ["'s' = 3 - 'x'"]),
        ({"x": X, "s": X / 12}, ["'s' = 'x' / 12"]),
        ({"a": A * 7919 + B, "d": (A * 7919 + B) // 1000}, ["'d' = floor('a' / 1000)"]),
        ({"x": X, "y": Y, "a": A, "b": B, "c": C, "t": X + Y + A + B + C},
         ["'t' = 'x' + 'y' + 'a' + 'b' + 'c'"]),
        ({"a": A, "b": B, "n": A + B, "x": X, "g": (A + B + X).round(2)},
         ["'n' = 'a' + 'b'", "'g' = 'n' + 'x'"]),
        ({"x": X, "y": Y, "s": np.where(HOLES, np.nan, X + Y)}, ["'s' = 'x' + 'y'"]),
        ({"a": A, "b": B + 1, "z": A / (B + 1)}, ["'z' = 'a' / 'b'"]),
        ({"a": A.astype(np.float32) / 7, "x": X.astype(np.float32),
          "s": A.astype(np.float32) / 7 + X.astype(np.float32)}, ["'s' = 'a' + 'x'"]),
        ({"start": START, "end": START + SECONDS.astype("m8[s]"), "h": (SECONDS / 3600).round(2)},
         ["'h' = 'end' / 3600 - 'start' / 3600", "'start' ≤ 'end'"]),
        ({"start": START, "end": START + SECONDS.astype("m8[s]"), "took": SECONDS.astype("m8[s]")},
         ["'end' = 'start' + 'took'"]),
        ({f"d{i}": i == SECONDS % 4 for i in range(4)}, []),
        ({f"d{i}": (i == SECONDS % 4) * 1 for i in range(4)}, ["'d3' = 1 - 'd0' - 'd1' - 'd2'"]),
        ({"p": KEY * 1.25 + 1, "q": B % 4 + 1, "s": (KEY * 1.25 + 1) * (B % 4 + 1)},
         ["'s' = 'p' × 'q'"]),
        ({"k": KEY, "v": np.array(list("pqqrrrssssss"))[KEY]}, ["'k' determines 'v'"]),
        ({"t": np.array(list("abcdefghijkl"))[KEY], "n": KEY * 3 % 12 // 3 + KEY},
         ["'t' determines 'n'"]),
        ({"n": KEY, "t": np.array(list("abcdefghijkl"))[KEY]}, ["'n' determines 't'"]),
        ({"k": KEY, "v": np.where(KEY < 4, np.nan, KEY % 3 + X.mean())}, ["'k' determines 'v'"]),
        ({"k": np.where(KEY > 5, None, np.array(list("abcdefghijkl"))[KEY]), "v": KEY > 5},
         ["'k' determines 'v'"]),
    ],
)  # fmt: skip
def test_relation_is_found(columns: dict[str, Any], expected: list[str]) -> None:
    other = np.random.default_rng(8).normal(size=N)
    assert found_in(**columns, other=other) == expected


def test_orderings_are_found_and_reduced() -> None:
    random = np.random.default_rng(1)
    first = np.datetime64("2024-01-01", "s") + random.integers(0, 10**7, N).astype("m8[s]")
    later = first + random.integers(0, 10**6, N).astype("m8[s]")
    last = later + random.integers(0, 10**6, N).astype("m8[s]")
    last[::9] = np.datetime64("NaT")
    far = np.datetime64("2034-01-01", "s") + random.integers(0, 10**7, N).astype("m8[s]")
    found = found_in(last=last, first=first, later=later, far=far)
    assert found == ["'first' ≤ 'later'", "'later' ≤ 'last'"]  # `far` is above the ranges anyway


def random_table(seed: int) -> dict[str, Any]:
    """Return independent columns of many forms."""
    random = np.random.default_rng(seed)
    n = int(random.choice([60, 150, 400, 1000]))
    makers = [
        lambda: random.choice(list("abcdefgh")[: random.integers(2, 9)], n),
        lambda: random.choice([f"c{i}" for i in range(n // 3)], n),
        lambda: random.integers(0, random.integers(2, 40), n),
        lambda: random.integers(0, n, n),
        lambda: random.random(n) < random.choice([0.5, 0.1, 0.02, 0.005]),
        lambda: (random.random(n) < random.choice([0.3, 0.05, 0.01])).astype(float),
        lambda: np.where(random.random(n) < 0.97, 0, random.integers(1, 4, n)),
        lambda: np.where(random.random(n) < 0.8, 0, random.lognormal(2, 1, n).round(2)),
        lambda: random.lognormal(2, 1, n).round(random.integers(0, 3)),
        lambda: random.normal(size=n),
        lambda: np.where(random.random(n) < 0.3, np.nan, random.integers(0, 9, n)),
        lambda: np.where(random.random(n) < 0.95, np.nan, random.normal(size=n)),
    ]
    chosen = random.choice(len(makers), int(random.integers(3, 10)))
    return {f"c{i}": makers[k]() for i, k in enumerate(chosen)}


@pytest.mark.parametrize("seeds", [range(25), pytest.param(range(25, 200), marks=pytest.mark.slow)])
def test_independent_columns_have_no_relations(seeds: range) -> None:
    with_any = {seed: found for seed in seeds if (found := found_in(**random_table(seed)))}
    assert not with_any


def test_sources_with_few_shared_values_and_near_constant_targets_do_not_count() -> None:
    random = np.random.default_rng(0)
    groups = np.concatenate([np.arange(300) // 3, np.arange(100, 200)])
    rare = np.isin(
        groups, [150, 151, 152]
    )  # agrees within each group, as three rows would by chance
    nearly_unique = np.concatenate([np.arange(380), np.arange(20)])
    value = random.normal(size=380)[nearly_unique]
    noise = random.normal(size=N)
    assert found_in(g=groups, rare=rare, noise=noise) == []
    assert found_in(u=nearly_unique, value=value, noise=noise) == []


def test_orderings_of_computed_columns_move_the_other_column() -> None:
    random = np.random.default_rng(0)
    price, count = random.lognormal(2, 1, N).round(2), random.integers(1, 6, N)
    total = (price * count).round(2)
    paid = (total * random.random(N)).round(2)
    codec, raw = fitted(pd.DataFrame({"paid": paid, "p": price, "n": count, "total": total}))
    relations = read_relations("auto", codec.columns, raw)
    assert relations.describe() == ["'total' = 'p' × 'n'", "'paid' ≤ 'total'"]
    drawn = shuffled(raw, 2000)
    rows = relations.complete(drawn)
    assert not relations.violations(rows).any()
    np.testing.assert_array_equal(rows[:, 0], np.minimum(drawn[:, 0], rows[:, 3]))


def test_repeated_rows_do_not_make_columns_determine_each_other() -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, N))
    assert found_in(x=np.tile(x, 3), y=np.tile(y, 3), k=np.tile(random.integers(0, 3, N), 3)) == []


@pytest.mark.parametrize(
    "change, gone",
    [
        ("total", "'price' ×"),
        ("due", "'due'"),
        ("make", "'make'"),
        ("high", "≤"),
        ("end", "'days'"),
    ],
)
def test_one_row_that_breaks_a_relation_is_enough(change: str, gone: str) -> None:
    frame = orders()
    if change == "make":
        frame.loc[3, change] = "X" if frame.loc[3, change] != "X" else "U"
    elif change == "end":
        frame.loc[3, change] += pd.Timedelta(days=1)
    else:
        frame.loc[3, change] -= 100
    found = found_in(**{name: frame[name] for name in frame})
    assert not any(gone in text for text in found)


def test_missing_values_follow_the_training_rows() -> None:
    total = np.where(HOLES, np.nan, X + Y)
    gaps = np.where(RANDOM.random(N) < 0.1, np.nan, total)
    for target, kept in ((total, False), (gaps, True)):
        x = np.where(HOLES, np.nan, X)
        codec, raw = fitted(pd.DataFrame({"x": x, "y": Y, "s": target}))
        relations = read_relations("auto", codec.columns, raw)
        (relation,) = relations.relations
        assert isinstance(relation, Sum)
        assert (relation.missing_together, relation.may_be_missing) == (True, kept)
        rows = relations.complete(np.array([[1, 2, 9], [np.nan, 2, 9], [1, 2, np.nan]]))
        np.testing.assert_array_equal(rows[:, 2], [3, np.nan, np.nan if kept else 3])
        assert not relations.violations(rows).any()
        wrong = np.array([[1, 2, 9], [np.nan, 2, 9], [1, 2, np.nan]])
        assert relations.violations(wrong).tolist() == [True, True, not kept]


def places(codec: TableCodec, *names: str) -> list[int]:
    """Return the indices of columns."""
    return [[c.name for c in codec.columns].index(name) for name in names]


@pytest.mark.parametrize(
    "given", [("due",), ("end",), ("end", "days"), ("make",), ("due", "tax"), ("high",)]
)
def test_given_columns_stay_and_others_are_solved_for(given: tuple[str, ...]) -> None:
    codec, raw = fitted(orders())
    relations = read_relations("auto", codec.columns, raw)
    fixed = places(codec, *given)
    drawn = shuffled(raw, 2000)
    drawn[:, fixed] = raw[np.random.default_rng(2).integers(0, N, 2000)][:, fixed]
    rows = relations.complete(drawn, given=fixed)
    np.testing.assert_array_equal(rows[:, fixed], drawn[:, fixed])
    assert not relations.violations(rows).any()


def test_given_columns_that_contradict_each_other_are_refused() -> None:
    codec, raw = fitted(orders())
    relations = read_relations("auto", codec.columns, raw)
    fixed = places(codec, "start", "days", "end")
    assert not relations.violations(relations.complete(raw, given=fixed)).any()
    raw[7, fixed[1]] += 1
    with pytest.raises(ParameterError, match=r"'end' = 'start' \+ 86400 × 'days' is broken.*row 7"):
        relations.complete(raw, given=fixed)
    (target,) = places(codec, "make")
    raw[:, target] = 4  # of no category
    with pytest.raises(ParameterError, match="'model' determines 'make' is broken by row 0"):
        relations.complete(raw, given=[target])
    floor = read_relations(["a = floor(b / 10)"], *few_columns())
    with pytest.raises(ParameterError, match="cannot be solved for a column that is not given"):
        floor.order(given=[0])


def few_columns() -> tuple[Any, np.ndarray]:
    """Return columns a = floor(b / 10), b, "c d" and '2', and their raw rows."""
    b = np.arange(60) * 7 % 60
    values = {"a": b // 10, "b": b, "c d": b + 5, "2": list("pq") * 30, "x-y": b % 7, "k": 1}
    codec, raw = fitted(pd.DataFrame(values))
    return codec.columns, raw


def test_sources_of_a_determined_value() -> None:
    relation = Determined.learn(np.array([[1, 5], [2, 5], [np.nan, 6], [3, np.nan]]), 0, 1)
    assert relation.allowed_sources(5).tolist() == [1, 2]
    assert np.isnan(relation.allowed_sources(6)).all()
    assert relation.allowed_sources(np.nan).tolist() == [3]
    assert relation.allowed_sources(7).tolist() == []


def test_rare_categories_that_share_a_code_are_left_out() -> None:
    random = np.random.default_rng(0)
    town = random.permutation(np.concatenate([np.arange(600) % 50, np.arange(50, 120)]))
    names = np.array([f"t{i}" for i in range(120)])
    frame = pd.DataFrame({"town": names[town], "region": np.array(list("pqr"))[town % 3]})
    with pytest.warns(UserWarning, match="rarest share one"):
        codec, raw = fitted(frame)
    (relation,) = find_relations(raw, codec.columns)
    assert isinstance(relation, Determined)
    assert relation.other == 50
    assert 50 in relation.allowed_sources(0)
    relations = Relations((relation,), tuple(codec.columns))
    assert not relations.violations(raw).any()
    rows = relations.complete(shuffled(raw, 1000))
    assert not relations.violations(rows).any()
    assert set(rows[rows[:, 0] == 50, 1]) == {0, 1, 2}


def test_state_comes_back_from_json() -> None:
    codec, raw = fitted(orders())
    relations = read_relations("auto", codec.columns, raw)
    values, arrays = relations.state()
    again = Relations.from_state(json.loads(json.dumps(values)), arrays, codec.columns)
    assert again.describe() == relations.describe()
    drawn = shuffled(raw, 500)
    np.testing.assert_array_equal(again.complete(drawn), relations.complete(drawn))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"kind": "magic"}, "kind 'magic'"),
        ({"result": 99}, "no column 99"),
        ({"terms": [2, 2]}, "a column twice"),
        ({"terms": [0, 2]}, "without numbers"),
        ({"factors": [1.0]}, "factors do not match"),
        ({"factors": [1.0, float("nan")]}, "factors"),
        ({"more": 1}, "fields"),
    ],
)
def test_invalid_states_are_refused(change: dict[str, Any], message: str) -> None:
    codec, _ = fitted(pd.DataFrame({"t": list("ab") * 10, "a": range(20), "b": range(0, 40, 2)}))
    values, arrays = Relations((Sum(1, (2,), factors=(0.5,)),), tuple(codec.columns)).state()
    if "factors" not in change:
        values["relations"][0]["terms"] = [2]
    values["relations"][0] |= change
    if len(change.get("factors", [])) == 1:
        values["relations"][0]["factors"] = [1.0, 1.0]
    with pytest.raises(ValueError, match=message):
        Relations.from_state(values, arrays, codec.columns)


@pytest.mark.parametrize(
    "text, description",
    [
        ("b -> a", "'b' determines 'a'"),
        ("'b' determines `2`", None),
        ("b → a", "'b' determines 'a'"),
        ("a <= b", "'a' ≤ 'b'"),
        ("a≤c d", "'a' ≤ 'c d'"),
        ("a = floor(b / 10)", "'a' = floor('b' / 10)"),
        ("c d = b + 5", "'c d' = 'b' + 5"),
        ('"c d" = 5 + 1 * b', "'c d' = 'b' + 5"),
        ("b = c d - 5", "'b' = 'c d' - 5"),
        ("b -> x-y", "'b' determines 'x-y'"),
        ("'x-y' <= b", "'x-y' ≤ 'b'"),
    ],
)
def test_texts_are_read(text: str, description: str | None) -> None:
    columns, raw = few_columns()
    if description is None:
        with pytest.raises(ParameterError, match="does not hold"):
            read_relations(["a -> `2`"], columns, raw)
        return
    relations = read_relations([text], columns, raw)
    assert relations.describe() == [description]
    assert read_relations(relations.describe(), columns, raw).describe() == [description]


def test_descriptions_of_found_relations_are_read() -> None:
    frame = orders().rename(columns={"make": "it's", "tax": "a-b \\ c", "low": "1"})
    codec, raw = fitted(frame)
    found = read_relations("auto", codec.columns, raw)
    again = read_relations(found.describe(), codec.columns, raw)
    assert len(found.relations) == len(ORDERS)
    drawn = shuffled(raw, 100)
    np.testing.assert_array_equal(again.complete(drawn), found.complete(drawn))


@pytest.mark.parametrize(
    "value, message",
    [
        (["b -> nothing"], "'b -> nothing': no column 'nothing'; columns: a, b, c d"),
        (["'nothing' <= b"], "no column 'nothing'"),
        (["b"], "must be such as"),
        (["a = b +"], "must be such as"),
        (["a = b * b"], "a column occurs twice"),
        (["a = b * c d * x-y"], "must be such as"),
        (["a = 0 * b"], "a factor is 0"),
        (["a = 5"], "must be such as"),
        (["a <= `2`"], "column '2' does not hold varying numbers"),
        (["a = b + k"], "column 'k' does not hold varying numbers"),
        (["b -> k"], "column 'k' is constant"),
        (["b <= a"], r"'b <= a' does not hold in the training rows: row 1: 'b' is 7, 'a' is 0"),
        (["c d = b + 4"], "row 0: 'b' is 0, 'c d' is 5"),
        (["a -> b"], "row 2: 'a' is 1, 'b' is 14|row [0-9]+: 'a' is 0, 'b' is"),
        (["c d = b + 5", "b = c d - 5"], "others compute it in turn"),
        (["c d = b + 5", "b -> c d"], "compute one column"),
        ("all", "relations='all': must be 'auto', None or a list"),
        ([3], "must be 'auto', None or a list"),
    ],
)
def test_faulty_relations_are_named(value: Any, message: str) -> None:
    columns, raw = few_columns()
    with pytest.raises(ParameterError, match=message) as caught:
        read_relations(value, columns, raw)
    assert "\n" not in str(caught.value)
    assert re.match("relations", str(caught.value))


def test_none_and_small_tables_have_no_relations() -> None:
    columns, raw = few_columns()
    assert read_relations(None, columns, raw).relations == ()
    assert find_relations(raw[:10], columns) == []


def test_orderings_are_repaired_within_the_columns_steps() -> None:
    random = np.random.default_rng(0)
    a = random.integers(0, 100, N)
    b = a + random.exponential(3, N).round(2)
    c = b + random.exponential(3, N).round(1)
    codec, raw = fitted(pd.DataFrame({"a": a, "b": b, "c": c.round(2)}))
    relations = read_relations(["a <= b", "b <= c"], codec.columns, raw)
    assert all(isinstance(r, Ordered) for r in relations.relations)
    rows = relations.complete(shuffled(raw, 5000))
    assert not relations.violations(rows).any()
    np.testing.assert_array_equal(rows[:, 0], rows[:, 0].round())


def test_relations_of_adult() -> None:
    path = DATA / "adult" / "adult-train.csv"
    if not path.exists():
        pytest.skip(f"{path} does not exist")
    frame = pd.read_csv(path, header=None, nrows=5000, skipinitialspace=True, na_values="?")
    frame.columns = [f"c{i}" for i in range(frame.shape[1])]
    assert found_in(**{name: frame[name] for name in frame}) == ["'c3' determines 'c4'"]
