"""What goes into a codec comes out of it: dtype, value, missing, order and index."""

from __future__ import annotations

import datetime
import decimal
import json
import warnings
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from augan.codecs.cells import category_key
from augan.codecs.columns import CategoryColumn, NumericColumn
from augan.codecs.table import TableCodec
from augan.exceptions import DataError
from augan.frames import given_back, library_of
from augan.inputs.reading import read_input

SHARED = {
    "derandomize": True,
    "deadline": None,
    "database": None,
    "suppress_health_check": list(HealthCheck),
    "phases": (Phase.generate,),
}
QUICK = settings(max_examples=50, **SHARED)
LONG = settings(max_examples=5000, **SHARED)

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=5)
FLOATS = st.floats(-1e9, 1e9, allow_nan=False, width=64)
DATES = st.datetimes(datetime.datetime(1, 1, 3), datetime.datetime(9999, 12, 30))
LATE = st.datetimes(datetime.datetime(1678, 1, 1), datetime.datetime(2261, 1, 1))
SPANS = st.timedeltas(datetime.timedelta(-(10**5)), datetime.timedelta(10**5))
CENTS = st.decimals(-(10**6), 10**6, places=2)
INTS = {
    name: st.integers(int(np.iinfo(name).min), int(np.iinfo(name).max))
    for name in ("int8", "int16", "int32", "uint8", "uint16", "uint32")
} | {"int64": st.integers(-(2**52), 2**52), "uint64": st.integers(0, 2**52)}

NULLABLE = {name: name.replace("int", "Int").replace("uI", "UI") for name in INTS}
MONTHS = st.sampled_from([pd.Period("2024-01"), pd.Period("2024-02"), pd.Period("1999-12")])


def arrow(kind: pa.DataType) -> Any:
    """Return what makes a column of one of Arrow's types."""

    def make(values: list[Any]) -> pd.Series:
        if pa.types.is_dictionary(kind):
            array = pa.array(values, kind.value_type).dictionary_encode().cast(kind)
        else:
            array = pa.array(values, kind)
        return pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([array])))

    return make


def typed(dtype: Any) -> Any:
    """Return what makes a column of a dtype of pandas'."""
    return lambda values: pd.Series(pd.array(values, dtype=dtype))


def plain(dtype: str) -> Any:
    """Return what makes a column of numpy's, NaN or NaT where missing."""
    return lambda values: pd.Series(values, dtype=object).astype(dtype)


def zoned(values: list[Any], zone: str) -> pd.Series:
    return pd.Series(values, dtype="datetime64[us]").dt.tz_localize("UTC").dt.tz_convert(zone)


def sparse(values: list[Any]) -> pd.Series:
    return pd.Series(pd.arrays.SparseArray(np.array(values, dtype=float), fill_value=0.0))


# values, whether some may be missing, and what makes a column of them
KINDS: list[tuple[Any, bool, Any]] = [
    *((values, False, plain(name)) for name, values in INTS.items()),
    *(
        (values, True, typed(name.replace("i", "I").replace("u", "U")))
        for name, values in INTS.items()
    ),
    (FLOATS, True, plain("float64")),
    (st.floats(-1e4, 1e4, width=32), True, plain("float32")),
    (st.floats(-100, 100, width=16), True, plain("float16")),
    (FLOATS, True, typed("Float64")),
    (FLOATS, False, sparse),
    (st.booleans(), False, plain("bool")),
    (st.booleans(), True, typed("boolean")),
    (st.booleans(), True, plain("object")),
    (TEXTS, True, plain("object")),
    (TEXTS, True, plain("str")),
    (TEXTS, True, typed("string")),
    (TEXTS, True, typed(pd.StringDtype("python"))),
    (TEXTS, True, plain("category")),
    (st.integers(-9, 9), True, plain("category")),
    (st.one_of(TEXTS, st.integers(-9, 9), st.dates()), True, plain("object")),
    (DATES, True, plain("datetime64[us]")),
    (DATES, True, plain("datetime64[s]")),
    (DATES, True, plain("datetime64[ms]")),
    (LATE, True, plain("datetime64[ns]")),
    (DATES, True, plain("object")),
    (st.dates(datetime.date(1, 1, 3), datetime.date(9999, 12, 30)), True, plain("object")),
    (st.times(), True, plain("object")),
    (DATES, True, lambda values: zoned(values, "Europe/Berlin")),
    (SPANS, True, plain("timedelta64[us]")),
    (SPANS, True, plain("object")),
    (CENTS, True, plain("object")),
    (CENTS, True, arrow(pa.decimal128(12, 2))),
    (TEXTS, True, arrow(pa.dictionary(pa.int32(), pa.string()))),
    (TEXTS, True, arrow(pa.string())),
    (TEXTS, True, arrow(pa.large_string())),
    (DATES, True, arrow(pa.timestamp("us"))),
    (st.dates(), True, arrow(pa.date32())),
    (st.times(), True, arrow(pa.time64("us"))),
    (SPANS, True, arrow(pa.duration("us"))),
    (st.integers(-(2**52), 2**52), True, arrow(pa.int64())),
    (st.booleans(), True, arrow(pa.bool_())),
    (
        st.sampled_from([pd.Period("2024-01"), pd.Period("2024-02"), pd.Period("1999-12")]),
        True,
        typed("period[M]"),
    ),
]
NAMES = st.lists(st.one_of(TEXTS, st.integers(-5, 5)), min_size=2, max_size=4, unique_by=str)


@st.composite
def columns(draw: Any, n_rows: int) -> pd.Series:
    """Draw a column: few or many values, some missing, none, or all."""
    values, may_be_missing, make = draw(st.sampled_from(KINDS))
    pool = draw(st.lists(values, min_size=1, max_size=8))
    cells = draw(st.lists(st.sampled_from(pool), min_size=n_rows, max_size=n_rows))
    if may_be_missing:
        gone = draw(st.sampled_from([0, 0, 3, 1]))
        cells = [None if gone and i % gone == 0 else cell for i, cell in enumerate(cells)]
    column: pd.Series = make(cells)
    return column


@st.composite
def frames(draw: Any) -> pd.DataFrame:
    """Draw a table with an index in any order."""
    n_rows = draw(st.integers(2, 24))
    names = draw(NAMES)
    made = {i: draw(columns(n_rows)) for i in range(len(names))}
    frame = pd.DataFrame(made)
    frame.columns = pd.Index(names, dtype=object)
    return frame.set_axis(draw(st.permutations(range(n_rows))), axis=0)


def fitted(frame: pd.DataFrame) -> TableCodec:
    """Fit a codec; tables that do not vary are refused with a message, and skipped here."""
    with warnings.catch_warnings(action="ignore"):
        try:
            return TableCodec(max_categories=100).fit(frame)
        except DataError as error:
            assert "no column varies" in str(error)
            assume(False)
            raise


def is_missing(values: pd.Series) -> list[bool]:
    return [
        bool(pd.isna(value)) or (isinstance(value, str) and not value.strip()) for value in values
    ]


def check_values(back: pd.Series, given_: pd.Series, column: Any) -> None:
    """Compare what is there: categories by name, numbers and times to the last digit kept."""
    there = [not gone for gone in is_missing(given_)]
    found, wanted = back[there], given_[there]
    if not isinstance(column, NumericColumn):
        assert [category_key(v) for v in found] == [category_key(v) for v in wanted]
        return
    numbers, truth = (column.to_raw(values.reset_index(drop=True)) for values in (found, wanted))
    widest = max(abs(column.low), abs(column.high), 1e-300)
    np.testing.assert_allclose(numbers, truth, rtol=0, atol=2e-6 * widest)
    if column.few:  # decimals come back as the nearest number: 0.3 for 0.1 + 0.2
        np.testing.assert_allclose(numbers, truth, rtol=1e-15, atol=0)


def check_round_trip(frame: pd.DataFrame) -> None:
    codec = fitted(frame)
    encoded = codec.encode(frame)
    assert torch.isfinite(encoded).all()
    back = codec.decode(encoded, like=frame)
    pd.testing.assert_index_equal(back.index, frame.index)
    assert list(back.columns) == list(frame.columns)
    for i, column in enumerate(codec.columns):
        found, wanted = back.iloc[:, i], frame.iloc[:, i]
        assert found.dtype == wanted.dtype
        assert is_missing(found) == is_missing(wanted)
        check_values(found, wanted, column)
    values, arrays = codec.state()
    again = TableCodec.from_state(json.loads(json.dumps(values, allow_nan=False)), arrays)
    pd.testing.assert_frame_equal(again.decode(encoded, like=frame), back)
    turned = frame.iloc[::-1]
    assert torch.equal(codec.encode(turned), encoded.flip(0))
    noise = torch.randn(20, encoded.shape[1], generator=torch.Generator().manual_seed(0))
    made = codec.decode(noise)
    for i, column in enumerate(codec.columns):
        if isinstance(column, CategoryColumn):
            known = {category_key(value) for value in frame.iloc[:, i].dropna()}
            assert {category_key(value) for value in made.iloc[:, i].dropna()} <= known
        elif isinstance(column, NumericColumn):
            raw = column.to_raw(made.iloc[:, i])
            present = raw[~np.isnan(raw)]
            slack = 1e-6 * max(abs(column.low), abs(column.high))
            assert ((present >= column.low - slack) & (present <= column.high + slack)).all()


@QUICK
@given(frames())
def test_what_goes_in_comes_out(frame: pd.DataFrame) -> None:
    check_round_trip(frame)


@pytest.mark.slow
@LONG
@given(frames())
def test_what_goes_in_comes_out_of_thousands(frame: pd.DataFrame) -> None:
    check_round_trip(frame)


POLARS_KINDS: list[tuple[Any, Any]] = [
    (st.integers(-100, 100), pl.Int8),
    (st.integers(0, 2**52), pl.UInt64),
    (FLOATS, pl.Float64),
    (st.floats(-100, 100, width=32), pl.Float32),
    (TEXTS.filter(lambda text: text.strip() or not text), pl.String),
    (st.sampled_from(["a", "b"]), pl.Categorical),
    (st.sampled_from(["lo", "hi"]), pl.Enum(["lo", "mid", "hi"])),
    (st.booleans(), pl.Boolean),
    (st.dates(), pl.Date),
    (DATES, pl.Datetime("us")),
    (LATE, pl.Datetime("ms", "Europe/Berlin")),
    (SPANS, pl.Duration("us")),
    (st.times(), pl.Time),
    (CENTS, pl.Decimal(12, 2)),
    (st.binary(max_size=3), pl.Binary),
]


@st.composite
def polars_frames(draw: Any) -> pl.DataFrame:
    """Draw a table of polars'."""
    n_rows = draw(st.integers(2, 12))
    names = draw(st.lists(TEXTS, min_size=2, max_size=4, unique=True))
    made = {}
    for name in names:
        values, dtype = draw(st.sampled_from(POLARS_KINDS))
        pool = draw(st.lists(values, min_size=1, max_size=5))
        cells = draw(st.lists(st.sampled_from([*pool, None]), min_size=n_rows, max_size=n_rows))
        if isinstance(dtype, pl.Datetime) and dtype.time_zone:
            made[name] = pl.Series(cells, dtype=pl.Datetime("ms", "UTC"))
            made[name] = made[name].dt.convert_time_zone(dtype.time_zone)
        else:
            made[name] = pl.Series(cells, dtype=dtype)
    return pl.DataFrame(made)


@QUICK
@given(polars_frames())
def test_frames_of_polars_go_in_and_come_out(frame: pl.DataFrame) -> None:
    check_polars(frame)


@pytest.mark.slow
@LONG
@given(polars_frames())
def test_frames_of_polars_go_in_and_come_out_of_thousands(frame: pl.DataFrame) -> None:
    check_polars(frame)


def check_polars(frame: pl.DataFrame) -> None:
    assert library_of(frame) == "polars"
    read = read_input(frame, None)
    assert isinstance(read, pd.DataFrame)
    assert list(read) == frame.columns
    assert given_back(read, "polars").equals(frame)
    codec = fitted(read)
    back = given_back(codec.decode(codec.encode(read)), "polars")
    assert back.schema == frame.schema
    for i, column in enumerate(codec.columns):
        texts = read.iloc[:, i]
        check_values(to_read(back, i), texts, column)
        assert is_missing(to_read(back, i)) == is_missing(texts)


def to_read(frame: pl.DataFrame, i: int) -> pd.Series:
    values: pd.Series = read_input(frame, None).iloc[:, i]
    return values


def test_decimals_stay_decimals() -> None:
    cents = pd.DataFrame({"a": [decimal.Decimal("0.10"), None] * 9, "b": range(18)})
    back = TableCodec().fit(cents).decode(TableCodec().fit(cents).encode(cents))
    assert back["a"].tolist()[:2] == [decimal.Decimal("0.1"), None]
