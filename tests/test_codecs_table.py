"""Tables to tensors and back."""

from __future__ import annotations

import datetime
import decimal
import json
import warnings
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from pandas.testing import assert_frame_equal
from scipy.special import ndtri
from sklearn.preprocessing import QuantileTransformer

from augan import FAnoGAN, GANSampler
from augan.codecs.cells import category_key, parse_numbers
from augan.codecs.codec import codec_from_state
from augan.codecs.columns import CategoryColumn, ConstantColumn, NumericColumn
from augan.codecs.dtypes import as_native
from augan.codecs.origin import Origin
from augan.codecs.table import TableCodec
from augan.exceptions import DataError, DataTypeError, DataWarning

N = 240
pytestmark = pytest.mark.filterwarnings("ignore:column '.*' has integers up to")


def make(column: Any, **more: Any) -> pd.DataFrame:
    """Return a frame of `column` beside one that varies."""
    other = np.random.default_rng(9).normal(size=len(column))
    return pd.DataFrame({"c": column, "z": other, **more})


FAR = np.datetime64("9999-12-31T00:00:00", "us")
OPEN_END = np.datetime64("9999-12-31T23:59:59.999999", "us")
OLD = np.datetime64("1066-10-14", "us")


def arrow(values: Any, kind: pa.DataType) -> pd.Series:
    """Return a column of one of Arrow's types."""
    array = pa.array(pd.Series(values), from_pandas=True)
    if pa.types.is_dictionary(kind):
        array = array.cast(kind.value_type).dictionary_encode().cast(kind)
    array = array if array.type == kind else array.cast(kind)
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([array])))


def columns_of_every_kind() -> dict[str, pd.Series]:
    """Return columns that come back exactly, by name."""
    random = np.random.default_rng(0)
    gone = random.random(N) < 0.1
    small, text = random.integers(0, 9, N), random.choice(["a", "b", "c"], N)
    days = pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(small * 31, unit="D"))
    seconds = pd.Series(
        pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 3 * 10**7, N), unit="s")
    )
    micros = pd.Series(pd.to_timedelta(random.integers(0, 10**13, N), unit="us"))
    cents = pd.Series([decimal.Decimal(int(i)) / 100 for i in random.integers(0, 9999, N)])
    date_objects = pd.Series([d.date() for d in days], dtype=object)
    flags = pd.Series(random.random(N) < 0.4)
    graded = pd.Categorical(text, categories=["c", "never", "a", "b"], ordered=True)
    return {
        "int": pd.Series(random.poisson(4, N)),
        "int8": pd.Series(random.integers(-128, 128, N)).astype("int8"),
        "uint64": pd.Series(random.integers(0, 2**30, N)).astype("uint64"),
        "wide int": pd.Series(random.integers(-(10**12), 10**12, N)),
        "cents": pd.Series(np.round(random.lognormal(3, 1, N), 2)),
        "cents float32": pd.Series(np.round(random.lognormal(3, 1, N), 2)).astype("float32"),
        "zeros and cents": pd.Series(np.where(gone, 0, np.round(random.lognormal(3, 1, N), 2))),
        "Int64": pd.Series(pd.array(small, dtype="Int64")),
        "Int64 missing": pd.Series(pd.array(np.where(gone, None, small), dtype="Int64")),
        "Int64 one value": pd.Series(pd.array(np.where(gone, None, 3), dtype="Int64")),
        "Float64 missing": pd.Series(pd.array(np.where(gone, None, small / 4), dtype="Float64")),
        "int pyarrow": pd.Series(small).astype("int64[pyarrow]"),
        "float missing": pd.Series(np.where(gone, np.nan, small)),
        "bool": flags,
        "boolean": flags.astype("boolean"),
        "boolean missing": flags.astype("boolean").mask(gone),
        "bool objects missing": flags.astype(object).mask(gone, None),
        "text": pd.Series(text),
        "text missing": pd.Series(text).mask(gone),
        "text objects": pd.Series(text, dtype=object),
        "string": pd.Series(text, dtype="string").mask(gone),
        "category": pd.Series(pd.Categorical(text)).mask(gone),
        "ordered, one unused": pd.Series(graded),
        "category of numbers": pd.Series(pd.Categorical(small)),
        "category of dates": pd.Series(pd.Categorical(days)),
        "category of zoned dates": pd.Series(pd.Categorical(days.dt.tz_localize("Asia/Tokyo"))),
        "category of intervals": pd.Series(pd.cut(random.normal(size=N), 4)),
        "category of bools": pd.Series(pd.Categorical(flags)),
        "day": days,
        "day missing": days.mask(gone),
        "day ns": days.astype("datetime64[ns]"),
        "day s": days.astype("datetime64[s]"),
        "second": seconds,
        "second zoned": seconds.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin"),
        "duration": micros,
        "duration missing": micros.dt.round("s").mask(gone),
        "decimals": cents.astype(object),
        "decimals missing": cents.astype(object).mask(gone, None),
        "dates as objects": date_objects.mask(gone, None),
        "numbers as objects": pd.Series(small, dtype=object).mask(gone, None),
        "datetimes as objects": pd.Series([d.to_pydatetime() for d in seconds], dtype=object),
        "durations as objects": pd.Series([v.to_pytimedelta() for v in micros], dtype=object),
        "times of day": pd.Series([datetime.time(int(i)) for i in small], dtype=object),
        "bytes": pd.Series([b"x", b"y", b"z"] * (N // 3), dtype=object),
        "period": pd.Series(pd.PeriodIndex(days, freq="M")),
        "mixed objects": pd.Series([1, "a", 2.5] * (N // 3), dtype=object),
        "sparse": pd.Series(pd.arrays.SparseArray(small.astype(float), fill_value=0.0)),
        "sparse int": pd.Series(pd.arrays.SparseArray(small, fill_value=0)),
        "sparse missing": pd.Series(pd.arrays.SparseArray(np.where(gone, np.nan, small))),
        "sparse bool": pd.Series(pd.arrays.SparseArray(small > 4, fill_value=False)),
        "arrow decimal": arrow(cents.mask(gone, None), pa.decimal128(10, 2)),
        "arrow decimal256": arrow(cents, pa.decimal256(40, 4)),
        "arrow dictionary": arrow(text, pa.dictionary(pa.int32(), pa.string())),
        "arrow dictionary of ints": arrow(small, pa.dictionary(pa.int8(), pa.int64())),
        "arrow date": arrow(date_objects.mask(gone, None), pa.date32()),
        "arrow date64": arrow(date_objects, pa.date64()),
        "arrow time": arrow([datetime.time(int(i)) for i in small], pa.time64("us")),
        "arrow timestamp": arrow(days, pa.timestamp("ms", "Europe/Berlin")),
        "arrow duration": arrow(micros, pa.duration("us")),
        "arrow string": arrow(pd.Series(text, dtype=object).mask(gone, None), pa.string()),
        "arrow large string": arrow(text, pa.large_string()),
        "arrow bool": arrow(flags.astype(object).mask(gone, None), pa.bool_()),
        "arrow float": arrow(small / 4, pa.float32()),
        "arrow half float": arrow(small.astype("float16"), pa.float16()),
        "arrow binary": arrow([b"x", b"y", b"z"] * (N // 3), pa.binary()),
        "arrow null": arrow([None] * N, pa.null()),
        "string of Python": pd.Series(text, dtype=pd.StringDtype("python")),
        "str of Python": as_native(pd.Series(text), "str[python]"),
        "string of Arrow": pd.Series(text, dtype=pd.StringDtype("pyarrow")).mask(gone),
        "float16": pd.Series(small.astype("float16")),
        "uint64 at the end": pd.Series(small.astype("uint64") * np.uint64(2**60)),
        "UInt64 missing": pd.Series(pd.array(np.where(gone, None, small), dtype="UInt64")),
        "UInt8": pd.Series(pd.array(small, dtype="UInt8")),
        "Float32 missing": pd.Series(pd.array(np.where(gone, None, small / 4), dtype="Float32")),
        "interval": pd.Series(pd.cut(random.normal(size=N), 4).astype("interval")).mask(gone),
        "period missing": pd.Series(pd.PeriodIndex(days, freq="D")).mask(gone),
        "category of ints, ordered": pd.Series(pd.Categorical(small, ordered=True)),
        "category of decimals": pd.Series(
            pd.Categorical(cents.map(lambda v: v.to_integral() // 10))
        ),
        "far us": pd.Series(np.where(small > 6, FAR, days.to_numpy("datetime64[us]"))),
        "far s": pd.Series(np.where(small > 6, FAR, days.to_numpy("datetime64[us]"))).dt.as_unit(
            "s"
        ),
        "open end": pd.Series(np.where(small > 6, OPEN_END, days.to_numpy("datetime64[us]"))),
        "open end as objects": pd.Series([OPEN_END.item() if i > 6 else FAR.item() for i in small]),
        "far zoned": pd.Series(
            np.where(small > 6, FAR, days.to_numpy("datetime64[us]"))
        ).dt.tz_localize("Europe/Berlin"),
        "far dates as objects": pd.Series([FAR.item().date()] * 9 + list(date_objects[9:])),
        "before 1677": pd.Series(np.where(small > 6, OLD, days.to_numpy("datetime64[us]"))),
        "before 1677 as objects": pd.Series([OLD.item()] * 9 + list(days[9:]), dtype=object),
        "end of nanoseconds": days.astype("datetime64[ns]").mask(
            small > 6, pd.Timestamp.max.floor("us")
        ),
        "long durations": pd.Series([datetime.timedelta(int(i) * 10**6) for i in small]),
        "constant": pd.Series(["DE"] * N),
        "constant int": pd.Series([5] * N, dtype="int16"),
        "constant float": pd.Series([0.1] * N),
        "constant bool": pd.Series([True] * N),
        "constant Int64": pd.Series([5] * N, dtype="Int64"),
        "constant day": pd.Series([pd.Timestamp("2020-01-01", tz="Europe/Berlin")] * N),
        "constant decimal": pd.Series([decimal.Decimal("1.50")] * N, dtype=object),
        "constant category": pd.Series(pd.Categorical(["a"] * N, categories=["b", "a"])),
        "all missing": pd.Series([np.nan] * N),
        "all None": pd.Series([None] * N, dtype=object),
        "all NaT": pd.Series([pd.NaT] * N),
        "all NA": pd.Series([pd.NA] * N, dtype="Int64"),
        "all NA boolean": pd.Series([pd.NA] * N, dtype="boolean"),
        "all NA text": pd.Series([pd.NA] * N, dtype="string"),
        "all missing category": pd.Series(pd.Categorical([None] * N, categories=["a"])),
    }


EXACT = columns_of_every_kind()


@pytest.mark.parametrize("name", EXACT)
def test_training_rows_come_back_exactly(name: str) -> None:
    frame = make(EXACT[name])
    codec = TableCodec().fit(frame)
    back = codec.decode(codec.encode(frame))
    assert list(back.columns) == ["c", "z"]
    assert back["c"].dtype == frame["c"].dtype
    pd.testing.assert_series_equal(back["c"], frame["c"], check_exact=True)
    np.testing.assert_allclose(back["z"], frame["z"], rtol=1e-6)


@pytest.mark.parametrize("name", EXACT)
def test_state_survives_json(name: str) -> None:
    frame = make(EXACT[name])
    codec = TableCodec().fit(frame)
    values, arrays = codec.state()
    again = codec_from_state(json.loads(json.dumps(values, allow_nan=False)), arrays)
    assert torch.equal(again.prepare(frame), codec.prepare(frame)) or frame["c"].isna().any()
    for part, expected in zip(
        again.module(again.prepare(frame)), codec.module(codec.prepare(frame)), strict=True
    ):
        assert torch.equal(part, expected)
    noise = torch.randn(50, codec.spec.size, generator=torch.Generator().manual_seed(0))
    assert_frame_equal(again.decode(noise), codec.decode(noise), check_exact=True)
    assert again.spec == codec.spec
    assert again.state()[0] == values


@pytest.mark.parametrize("name", EXACT)
def test_decoded_noise_stays_within_what_training_had(name: str) -> None:
    frame = make(EXACT[name])
    codec = TableCodec().fit(frame)
    noise = 5 * torch.randn(300, codec.spec.size, generator=torch.Generator().manual_seed(1))
    column, seen = codec.decode(noise)["c"], frame["c"]
    assert column.dtype == seen.dtype
    assert seen.isna().any() or not column.isna().any()
    present = column.dropna()
    if isinstance(codec.columns[0], NumericColumn):
        present, seen = (v.astype("float64") if "half" in name else v for v in (present, seen))
        assert present.min() >= seen.dropna().min()
        assert present.max() <= seen.dropna().max()
    else:
        assert set(present.map(category_key)) <= set(seen.dropna().map(category_key))


@pytest.mark.parametrize("seed", range(8))
def test_random_frames_come_back(seed: int) -> None:
    random = np.random.default_rng(seed)
    names = random.choice(list(EXACT), size=int(random.integers(2, 12)), replace=False)
    n_rows = int(random.integers(30, N))
    frame = pd.DataFrame({name: EXACT[name][:n_rows] for name in names})
    frame.index = pd.Index(random.permutation(n_rows))
    codec = TableCodec(max_categories=300).fit(frame.assign(z=random.normal(size=n_rows)))
    rows = frame.assign(z=random.normal(size=n_rows))
    encoded = codec.encode(rows)
    assert torch.isfinite(encoded).all()
    back = codec.decode(encoded).drop(columns="z")
    assert_frame_equal(back, frame.reset_index(drop=True), check_exact=True)
    some = random.permutation(n_rows)[:10]
    alone = torch.cat([codec.encode(rows.iloc[i : i + 1]) for i in some])
    assert torch.equal(alone, encoded[torch.from_numpy(some)])
    for part, whole in zip(
        codec.module(codec.prepare(rows.iloc[:1])), codec.module(codec.prepare(rows)), strict=True
    ):
        assert torch.equal(part, whole[:1])


def test_a_row_is_encoded_the_same_alone_and_among_others(mixed_frame: pd.DataFrame) -> None:
    frame = mixed_frame[:150]
    codec = TableCodec().fit(frame)
    whole = codec.module(codec.prepare(frame))
    alone = [codec.module(codec.prepare(frame.iloc[[i]])) for i in range(len(frame))]
    for part, rows in zip(whole, zip(*alone, strict=True), strict=True):
        assert torch.equal(torch.cat(rows), part)
    shuffled = np.random.default_rng(0).permutation(len(frame))
    assert torch.equal(codec.encode(frame.iloc[shuffled]), whole[0][torch.from_numpy(shuffled)])


def test_numbers_and_text_in_one_batch_are_read_one_by_one() -> None:
    codec = TableCodec().fit(make(pd.Series([True, False] * 10, dtype=object)))
    mixed = make(pd.Series([1, True, "1", 1.0, "True", "true", 0, False, "FALSE"], dtype=object))
    alone = [codec.prepare(mixed.iloc[[i]])[0, 0].item() for i in range(9)]
    assert codec.prepare(mixed)[:, 0].tolist() == alone == [1.0] * 6 + [0.0] * 3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_come_back_to_float32_precision(dtype: str) -> None:
    values = np.random.default_rng(0).normal(size=5000).astype(dtype)
    frame = make(values)
    codec = TableCodec().fit(frame)
    back = codec.decode(codec.encode(frame))
    assert back["c"].dtype == dtype
    np.testing.assert_allclose(back["c"], values, atol=2e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64", "uint8", "bool", "float16"])
def test_arrays_come_back_in_their_dtype(dtype: str) -> None:
    X = np.random.default_rng(0).integers(0, 2, (60, 3)).astype(dtype)
    back = (codec := TableCodec().fit(X)).decode(codec.encode(X))
    assert isinstance(back, np.ndarray)
    assert back.dtype == X.dtype
    np.testing.assert_array_equal(back, X)
    assert [column.name for column in codec.columns] == ["x0", "x1", "x2"]


def test_object_arrays_come_back() -> None:
    random = np.random.default_rng(0)
    rows = [[i % 7, random.choice(["a", "b"]), None if i % 5 else 2.5, True] for i in range(50)]
    X = np.array(rows, dtype=object)
    codec = TableCodec().fit(X)
    back = codec.decode(codec.encode(X))
    assert back.dtype == object
    assert (back[:, [0, 1, 3]] == X[:, [0, 1, 3]]).all()
    assert [pd.isna(v) for v in back[:, 2]] == [v is None for v in X[:, 2]]


def test_columns_with_names_that_are_no_text_keep_them() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 3)), columns=[0, "b", 2])
    codec = TableCodec().fit(frame)
    values, arrays = codec.state()
    again = TableCodec.from_state(json.loads(json.dumps(values)), arrays)
    for each in (codec, again):
        assert list(each.decode(each.encode(frame)).columns) == [0, "b", 2]


def test_two_columns_of_one_name() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 2)), columns=["a", "a"])
    codec = TableCodec().fit(frame)
    assert_frame_equal(codec.decode(codec.encode(frame)), frame)


def test_zeros_are_a_point_mass_with_a_channel() -> None:
    random = np.random.default_rng(0)
    amount = np.where(random.random(400) < 0.3, 0.0, random.lognormal(3, 1, 400))
    codec = TableCodec().fit(make(amount))
    column = codec.columns[0]
    assert isinstance(column, NumericColumn)
    assert column.masses == (0.0,)
    assert column.spans() == [("identity", 1), ("softmax", 2)]
    encoded = codec.encode(make(amount))
    np.testing.assert_array_equal(encoded[:, 2].numpy() == 1, amount == 0)
    np.testing.assert_array_equal(encoded[:, 1].numpy() == 1, amount != 0)
    back = codec.decode(encoded)["c"]
    np.testing.assert_array_equal(back == 0, amount == 0)
    noisy = encoded.clone()
    noisy[:, 0] += 0.3  # the mode decides, whatever the value's channel says
    np.testing.assert_array_equal(codec.decode(noisy)["c"] == 0, amount == 0)


def test_missing_values_have_an_indicator_and_stay_missing() -> None:
    values = np.random.default_rng(0).normal(size=200)
    values[::7] = np.nan
    codec = TableCodec().fit(make(values))
    encoded, standard = codec.module(codec.prepare(make(values)))
    gone = np.isnan(values)
    assert codec.columns[0].has_missing  # type: ignore[attr-defined]
    np.testing.assert_array_equal(encoded[:, 2].numpy() == 1, gone)
    np.testing.assert_array_equal(standard[:, 2].numpy() == 1, gone)
    assert torch.isfinite(encoded).all()
    np.testing.assert_array_equal(codec.decode(encoded)["c"].isna(), gone)


def test_missing_where_training_had_none_is_unusual() -> None:
    frame = make(np.random.default_rng(0).choice(["a", "b"], 50))
    codec = TableCodec().fit(frame)
    row = frame.iloc[[0]].copy()
    row["z"], row["c"] = np.nan, None
    encoded, standard = codec.module(codec.prepare(row))
    usual = codec.module(codec.prepare(frame))[1]
    assert torch.isfinite(encoded).all()
    assert torch.isfinite(standard).all()
    owner = codec.owners()[1]
    for column in (0, 1):
        assert standard[0, owner == column].max() == 3.0
    assert usual.abs().sum(dim=1).max() < standard.abs().sum()
    assert not codec.decode(encoded).isna().any(axis=None)


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).lognormal(0, 10, 300),
        np.random.default_rng(0).standard_cauchy(300) * 1e300,
        np.random.default_rng(0).uniform(-1, 1, 300) * 1.7e308,
        np.random.default_rng(0).normal(size=300) * 1e-300,
        np.random.default_rng(0).normal(size=300) * 5e-324,
        1e15 + np.arange(300) % 2,
        np.where(np.arange(300) % 3 == 0, np.nan, 1e300),
        np.where(np.arange(300) % 3 == 0, np.nan, -1.79e308),
    ],
)
def test_heavy_tails_stay_finite(values: np.ndarray) -> None:
    frame = make(np.nan_to_num(values, nan=np.nan, posinf=1e308, neginf=-1e308))
    if frame["c"].nunique() < 2 and not frame["c"].isna().any():
        frame.loc[0, "c"] = 1.0
    codec = TableCodec().fit(frame)
    far = make(np.array([1.7e308, -1.7e308, 0.0, 1e30, np.nan]))
    for rows in (frame, far):
        for part in codec.module(codec.prepare(rows)):
            assert torch.isfinite(part).all()
    back = codec.decode(codec.encode(frame))["c"]
    np.testing.assert_allclose(back, frame["c"], rtol=1e-12)
    noise = 9 * torch.randn(200, codec.spec.size, generator=torch.Generator().manual_seed(0))
    present = codec.decode(noise)["c"].dropna()
    assert present.between(frame["c"].min(), frame["c"].max()).all()


def test_values_beyond_the_training_range_map_further_the_further_they_are() -> None:
    frame = make(np.random.default_rng(0).normal(size=300))
    codec = TableCodec().fit(frame)
    beyond = np.array([4.0, 4.1, 5, 10, 100, 1e4, 1e8, 1e30, 1e100, 1e300])
    for sign in (1, -1):
        encoded = codec.encode(make(sign * beyond))[:, 0]
        assert (sign * encoded.diff() > 0).all()
        assert (sign * encoded[0]) > codec.encode(frame)[:, 0].abs().max()
    inside = np.sort(np.random.default_rng(1).uniform(-2.5, 2.5, 500))
    assert (codec.encode(make(inside))[:, 0].diff() > 0).all()


def test_the_tails_are_continuous_and_invert() -> None:
    values = np.random.default_rng(0).normal(size=300)
    column = TableCodec().fit(make(values)).columns[0]
    assert isinstance(column, NumericColumn)
    z = np.linspace(column.normals[0] - 3, column.normals[-1] + 3, 101)
    codec = TableCodec().fit(make(values))
    x = codec.decoder._from_normal(torch.from_numpy(z)[:, None].expand(-1, 2))[:, 0].numpy()
    assert (np.diff(x) > 0).all()
    np.testing.assert_allclose(codec.encode(make(x))[:, 0], z, atol=1e-5)


@pytest.mark.parametrize("n", [50, 999, 5000])
def test_the_quantile_map_is_scikit_learns(n: int) -> None:
    values = np.random.default_rng(n).gamma(2.0, size=n)
    oracle = QuantileTransformer(n_quantiles=min(n, 1000), subsample=None)
    oracle.fit(values.reshape(-1, 1))
    codec = TableCodec().fit(make(values))
    for rows, tolerance in ((oracle.quantiles_[:, 0], 1e-6), (values, 2e-2)):
        uniform = oracle.transform(rows.reshape(-1, 1))[:, 0]
        expected = ndtri((uniform * n + 0.5) / (n + 1))
        encoded = codec.encode(make(rows))[:, 0].numpy()
        inner = np.abs(expected) < 3  # between knots: straight in normal space, not in ranks
        np.testing.assert_allclose(encoded[inner], expected[inner], atol=tolerance)
        assert abs(encoded.mean()) < 0.01
        assert abs(encoded.std() - 1) < 0.05


def test_ties_share_their_middle_rank() -> None:
    values = np.repeat([1.0, 2.0, 3.0], 100)
    encoded = TableCodec().fit(make(values)).encode(make(values))[:, 0].numpy()
    assert encoded[0] == pytest.approx(-encoded[-1], abs=1e-6)
    assert encoded[150] == pytest.approx(0, abs=1e-6)
    assert encoded[0] == pytest.approx(ndtri(1 / 6), abs=0.02)


def test_rounding_is_learned_and_kept() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "cents": np.round(random.lognormal(3, 1, 300), 2),
            "thirds": np.round(random.normal(size=300), 4) * 1e-9,
            "day": pd.Timestamp("2024-01-01")
            + pd.to_timedelta(random.integers(0, 300, 300), unit="D"),
        }
    )
    codec = TableCodec().fit(frame)
    assert [c.step for c in codec.columns] == [0.01, None, 86400.0]  # type: ignore[attr-defined]
    decoded = codec.decode(torch.randn(200, 3, generator=torch.Generator().manual_seed(0)))
    np.testing.assert_array_equal(decoded["cents"], np.round(decoded["cents"], 2))
    assert (decoded["day"] == decoded["day"].dt.normalize()).all()
    assert decoded["thirds"].nunique() > 100


def test_identifiers_that_lose_digits_are_warned_of() -> None:
    for values in (10**17 + np.arange(30), [10**17] * 30, pd.array([10**17, None] * 15, "Int64")):
        with pytest.warns(DataWarning, match=r"column 'c' has integers up to 1e\+17.*text"):
            TableCodec().fit(make(pd.Series(values)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TableCodec().fit(make(2**53 - np.arange(30)))


def few_valued(n: int = 400) -> dict[str, Any]:
    """Return columns whose values are few, by name."""
    random = np.random.default_rng(0)
    limits = np.where(random.random(n) < 0.8, 0, random.integers(2, 11, n) * 10**6)
    limits[:2] = -(10**6)
    gone = random.random(n) < 0.1
    days = pd.Timestamp("2024-01-31") + pd.to_timedelta(random.integers(0, 4, n) * 31, unit="D")
    return {
        "deductible": random.choice([500, 1000, 2000], n),
        "limit, once negative": limits,
        "thirds": random.integers(0, 6, n) / 3,
        "missing": pd.array(np.where(gone, None, random.choice([1, 7], n)), dtype="Int64"),
        "far apart": random.choice([1e-9, 1.0, 1e12], n, p=[0.01, 0.01, 0.98]),
        "many": random.integers(0, 80, n) * 7,
        "days": days,
        "ten rows": np.resize([500, 1000, 1000, 2000, 2000], n),
    }


@pytest.mark.parametrize("name", few_valued())
def test_new_rows_have_the_values_of_real_ones_where_these_are_few(name: str) -> None:
    n = 10 if name == "ten rows" else 400
    frame = make(pd.Series(few_valued()[name])[:n])
    codec = TableCodec().fit(frame)
    assert_frame_equal(codec.decode(codec.encode(frame))[["c"]], frame[["c"]], check_exact=True)
    random = torch.Generator().manual_seed(0)
    noisy = codec.encode(frame).repeat(1000 // n, 1)
    for amount in (0.1, 1.0, 10.0):
        made = noisy.clone()
        made[:, 0] += amount * torch.randn(len(noisy), generator=random)
        assert codec.decode(made)["c"].dropna().isin(frame["c"]).all()
    made = codec.decode(torch.randn(500, codec.spec.size, generator=random))
    assert made["c"].dropna().isin(frame["c"]).all()


def test_few_values_are_as_frequent_in_new_rows_as_in_real_ones() -> None:
    frame = make(few_valued()["limit, once negative"])
    codec = TableCodec().fit(frame)
    made = torch.randn(20_000, codec.spec.size, generator=torch.Generator().manual_seed(0))
    real, new = (rows["c"].value_counts(normalize=True) for rows in (frame, codec.decode(made)))
    assert (new - real.reindex(new.index)).abs().max() < 0.01
    assert new[-(10**6)] < 0.01


def test_numbers_that_vary_are_not_held_to_seen_ones() -> None:
    random = np.random.default_rng(0)
    for values in (random.normal(size=60), random.poisson(900, 300), np.arange(20)):
        column = TableCodec().fit(make(values)).columns[0]
        assert isinstance(column, NumericColumn) and column.few == column.edges == ()


def test_files_from_before_few_values_are_read(mixed_frame: pd.DataFrame) -> None:
    codec = TableCodec().fit(mixed_frame)
    values, arrays = codec.state()
    for column in values["columns"]:
        for name in ("few", "edges"):
            column.pop(name, None)
    older = TableCodec.from_state(values, arrays)
    assert torch.equal(older.encode(mixed_frame), codec.encode(mixed_frame))
    assert older.decode(older.encode(mixed_frame)).shape == mixed_frame.shape


def test_an_unseen_category_goes_to_other() -> None:
    frame = make(np.random.default_rng(0).choice(["a", "b"], 50))
    codec = TableCodec().fit(frame)
    encoded, standard = codec.module(codec.prepare(make(["new", "a"])))
    assert encoded[:, :3].tolist() == [[0, 0, 1], [1, 0, 0]]
    assert standard[0, codec.owners()[1] == 0].tolist() == [0, 0, 3, 0]
    assert codec.decode(encoded)["c"].isin(["a", "b"]).all()


def test_many_categories_warn_and_share_a_channel() -> None:
    random = np.random.default_rng(0)
    values = [f"id{i}" for i in random.integers(0, 20, 200)] + ["often"] * 100
    with pytest.warns(DataWarning, match=r"column 'c' has 21 categories.*16 rarest.*=5") as caught:
        codec = TableCodec(max_categories=5).fit(make(values))
    assert len(caught) == 1
    column = codec.columns[0]
    assert isinstance(column, CategoryColumn)
    assert len(column.categories) == 5
    assert "often" in column.categories
    rare = next(v for v in values if v not in column.categories)
    encoded, standard = codec.module(codec.prepare(make([rare, "unseen"])))
    assert torch.equal(encoded[0, :6], encoded[1, :6])
    assert encoded[0, 5] == 1
    assert standard[0, codec.owners()[1] == 0].tolist() == [0, 0, 0, 0, 0, 1, 0]
    assert codec.decode(encoded)["c"].tolist() == [column.rare[0]] * 2


def test_the_warning_points_to_where_fit_was_called() -> None:
    frame = make(list("abc") * 10)
    steps = {"max_steps": 1, "encoder_steps": 1, "pretext_steps": 1}
    with pytest.warns(DataWarning, match="column 'c' has 3 categories") as caught:
        FAnoGAN(**steps, n_folds=2, width=4, max_categories=2).fit(frame)
        GANSampler(method="data", max_categories=2).fit_resample(frame, np.arange(30) % 2)
    assert [warning.filename for warning in caught] == [__file__] * 2
    lines = Path(__file__).read_text(encoding="utf-8").splitlines()
    assert all(".fit" in lines[warning.lineno - 1] for warning in caught)


@pytest.mark.parametrize(
    ("name", "deviating"),
    [
        ("constant", "FR"),
        ("constant", None),
        ("constant int", 6),
        ("constant bool", False),
        ("constant day", pd.Timestamp("2020-01-02", tz="Europe/Berlin")),
        ("constant category", "b"),
        ("all missing", 1.0),
        ("all None", "x"),
    ],
)
def test_a_row_that_differs_in_a_constant_column_stands_out(name: str, deviating: Any) -> None:
    frame = make(EXACT[name])
    codec = TableCodec().fit(frame)
    assert isinstance(codec.columns[0], ConstantColumn)
    odd = make(pd.Series([deviating, frame["c"].iloc[0]], dtype=object))
    standard = codec.module(codec.prepare(odd))[1]
    assert standard[:, codec.owners()[1] == 0].tolist() == [[3.0], [0.0]]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("constant int", "5"),
        ("constant int", 5.0),
        ("constant float", "0.1"),
        ("constant bool", "True"),
        ("constant bool", 1),
        ("constant day", "2019-12-31T23:00:00Z"),
        ("constant decimal", 1.5),
    ],
)
def test_a_constant_is_the_same_however_it_is_written(name: str, written: Any) -> None:
    codec = TableCodec().fit(make(EXACT[name]))
    rows = make(pd.Series([written, "something else"], dtype=object))
    assert codec.prepare(rows)[:, 0].tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("trained", "arrives"),
    [
        ([True, False], [1, 0]),
        ([True, False], [1.0, 0.0]),
        ([True, False], ["True", "False"]),
        ([True, False], ["true", "FALSE"]),
        ([1, 0], [True, False]),
        (["True", "False"], [True, False]),
        (pd.Categorical([1, 2]), [1.0, 2.0]),
        (pd.Categorical([1, 2]), ["1", "2"]),
        (pd.Categorical(["1", "2"]), [1, 2]),
        (["1", "2"], [1.0, 2.0]),
        ([1.5, 2.5], ["1.5", "2.5"]),
        ([1, 2], pd.Categorical(["1", "2"])),
        (pd.to_datetime(["2024-01-31", "2024-02-01"]), ["2024-01-31", "2024-02-01T00:00"]),
        (pd.to_datetime(["2024-01-31"] * 2), [datetime.date(2024, 1, 31)] * 2),
        (pd.to_timedelta(["1h", "2h"]), ["01:00:00", "2 hours"]),
    ],
)
def test_values_are_known_by_what_they_are_not_by_their_dtype(trained: Any, arrives: Any) -> None:
    frame = make(np.repeat(pd.array(trained), 10))
    codec = TableCodec().fit(frame)
    as_trained = codec.prepare(make(pd.array(trained)))
    assert torch.equal(codec.prepare(make(pd.array(arrives)))[:, 0], as_trained[:, 0])
    objects = make(pd.Series(list(arrives), dtype=object))
    assert torch.equal(codec.prepare(objects)[:, 0], as_trained[:, 0])


def test_one_category_written_in_three_ways_is_one() -> None:
    values = pd.Series([1, 1.0, "1", "x"] * 10, dtype=object)
    column = TableCodec().fit(make(values)).columns[0]
    assert isinstance(column, CategoryColumn)
    assert column.categories == (1, "x")


def labelled(values: list[Any]) -> pd.DataFrame:
    frame = make(pd.Series(values))
    frame.index = pd.Index([10 * i for i in range(len(values))])
    return frame


NUMBERS = pd.Series(np.arange(30.0))
DAYS = pd.Series(pd.date_range("2024-01-01", periods=30))


@pytest.mark.parametrize("dtype", ["object", "str", "string", "category"])
def test_empty_texts_are_missing(dtype: str) -> None:
    cells = ["a", "", "b", " ", "\t", None, "a", "b"] * 4
    codec = TableCodec().fit(make(pd.Series(cells, dtype=dtype)))
    column, written = codec.columns[0], make(pd.Series(cells, dtype=dtype))
    assert isinstance(column, CategoryColumn)
    assert column.categories == ("a", "b") and column.has_missing
    back = codec.decode(codec.encode(written))["c"]
    assert back.dtype == written["c"].dtype
    assert back.isna().tolist() == [cell is None or not cell.strip() for cell in cells]
    blank = codec.encode(make(pd.Series(["", None, "  "], dtype=dtype)))[:, :4]
    assert torch.equal(blank[0], blank[1]) and torch.equal(blank[0], blank[2])


def test_empty_texts_among_numbers_and_dates_are_missing() -> None:
    numbers = TableCodec().fit(make(pd.Series([1, 2, "", 4] * 9, dtype=object)))
    assert isinstance(numbers.columns[0], NumericColumn)
    for trained in (NUMBERS, DAYS, DAYS - DAYS[0]):
        codec = TableCodec().fit(make(trained))
        raw = codec.prepare(make(pd.Series(["", " ", None], dtype=object)))
        assert torch.isnan(raw[:, 0]).all()


@pytest.mark.parametrize("cells", [["a", ""], ["", ""], ["a", "", None]])
def test_models_that_took_an_empty_text_for_a_category_go_on_doing_so(cells: list[Any]) -> None:
    codec = TableCodec().fit(make(pd.Series(["a", "b", None] * 9)))
    values, arrays = codec.state()
    values["columns"][0]["categories"] = ["", "a"]
    older = TableCodec.from_state(values, arrays)
    assert older.prepare(make(pd.Series(["", "a"])))[:, 0].tolist() == [0.0, 1.0]
    values["columns"][0] = {"kind": "constant", "name": "c", "value": ""} | {
        "origin": values["columns"][0]["origin"]
    }
    constant = TableCodec.from_state(values, arrays)
    assert constant.prepare(make(pd.Series(["", "a"])))[:, 0].tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    "written",
    [
        ["9999-12-31", "2024-01-01T00:00:00.123456789"],
        ["9999-12-31 23:59:59.9999999", "2024-01-01"],
        [datetime.date(9999, 12, 31), pd.Timestamp("2024-01-01").as_unit("ns")],
        [datetime.datetime(9999, 12, 31), np.datetime64("2024-01-01", "ns")],
        ["1066-10-14", "0001-01-01"],
        [pd.Timestamp("9999-12-31", tz="Asia/Tokyo"), datetime.date(2024, 1, 1)],
    ],
)
def test_far_dates_are_read_whatever_stands_beside_them(written: list[Any]) -> None:
    codec = TableCodec().fit(make(DAYS))
    together = codec.prepare(make(pd.Series(written, dtype=object)))[:, 0]
    alone = [codec.prepare(make(pd.Series([cell], dtype=object)))[0, 0] for cell in written]
    assert together.tolist() == alone and not torch.isnan(together).any()
    assert codec.decode(codec.encode(make(pd.Series(written, dtype=object)))).shape == (2, 2)


@pytest.mark.parametrize("unit", ["s", "ms"])
def test_dates_that_microseconds_cannot_say_are_named(unit: str) -> None:
    dates = np.array(["300000-01-01", "2024-01-01", "2024-01-02"] * 9, f"datetime64[{unit}]")
    with pytest.raises(DataError, match=r"column 'c', row 0: .*300000.* is not a date"):
        TableCodec().fit(make(dates))
    with pytest.raises(DataError, match=r"row 0: .*is not a duration"):
        TableCodec().fit(make(dates - dates[1]))


def test_whole_numbers_too_large_for_a_float_are_named() -> None:
    values = pd.Series([1, 10**400, 3], dtype=object)
    with pytest.raises(DataError, match="column 'c', row 1: an integer of 1329 bits is not"):
        TableCodec().fit(make(values))


@pytest.mark.parametrize(
    ("trained", "values", "message"),
    [
        (NUMBERS, [1.0, "two", 3.0], r"column 'c', row 10: 'two' is not a finite number"),
        (NUMBERS, [1.0, 2.0, np.inf], r"column 'c', row 20: .*inf.* is not a finite number"),
        (NUMBERS, [-np.inf, 1.0], r"column 'c', row 0: .*inf.* is not a finite number"),
        (NUMBERS, [1.0, "-", 2.0], r"column 'c', row 10: '-' is not a finite number"),
        (NUMBERS, [pd.NaT, pd.Timestamp("2024")], r"column 'c', row 10: Timestamp.* not a finite"),
        (DAYS, ["2024-01-01", "soon"], r"column 'c', row 10: 'soon' is not a date"),
        (DAYS, [3.0, 4.0], r"column 'c', row 0: .*3.0.* is not a date"),
        (DAYS, ["2024-01-01", 5], r"column 'c', row 10: 5 is not a date"),
        (DAYS - DAYS[0], ["1h", "long"], r"column 'c', row 10: 'long' is not a duration"),
        (DAYS - DAYS[0], [1, 2], r"column 'c', row 0: .*1.* is not a duration"),
    ],
)
def test_a_cell_of_the_wrong_kind_is_named(trained: Any, values: list[Any], message: str) -> None:
    codec = TableCodec().fit(make(trained))
    with pytest.raises(DataError, match=message):
        codec.prepare(labelled(values))


def test_infinity_is_refused_in_training() -> None:
    with pytest.raises(DataError, match=r"column 'c', row 10: .*inf"):
        TableCodec().fit(labelled([1.0, np.inf, 2.0]))


@pytest.mark.parametrize("cell", [{"a": 1}, [1, 2], (1, 2), {1}, np.arange(3), object(), 1 + 2j])
def test_a_cell_that_no_column_can_hold_is_a_type_error(cell: Any) -> None:
    values = pd.Series([1.0, 2.0, 3.0] * 5, dtype=object)
    values[4] = cell
    message = r"column 'c', row 4: .*argument must be .* string.* number"
    with pytest.raises(DataTypeError, match=message):
        TableCodec().fit(make(values))
    for trained in (["a"] * 15, [1.0] * 15, list("ab") * 8, np.arange(15.0)):
        codec = TableCodec().fit(make(trained))
        with pytest.raises(TypeError, match=message):
            codec.prepare(make(values))


def test_complex_columns_are_refused() -> None:
    with pytest.raises(DataError, match=r"column 'c' holds complex"):
        TableCodec().fit(make(np.arange(5) + 1j))


def test_dates_far_away_and_missing_ones() -> None:
    codec = TableCodec().fit(make(DAYS))
    rows = make(pd.Series([datetime.date(9999, 12, 31), None, pd.NaT], dtype=object))
    encoded = codec.encode(rows)
    assert torch.isfinite(encoded).all()
    assert encoded[0, 0] > codec.encode(make(DAYS))[:, 0].max()
    only_missing = make(pd.Series([np.nan, np.nan]))
    assert torch.isnan(codec.prepare(only_missing)[:, 0]).all()


def test_nothing_to_learn_is_an_error() -> None:
    with pytest.raises(DataError, match="no column varies"):
        TableCodec().fit(pd.DataFrame({"a": [1, 1, 1], "b": ["x"] * 3, "c": [np.nan] * 3}))


def test_another_number_of_columns_is_an_error() -> None:
    codec = TableCodec().fit(np.random.default_rng(0).normal(size=(20, 3)))
    with pytest.raises(DataError, match="X has 2 columns, but 3 in training"):
        codec.prepare(np.zeros((4, 2)))


def test_fit_does_not_change_its_input_and_does_not_warn(mixed_frame: pd.DataFrame) -> None:
    frame = mixed_frame.copy()
    before = frame.copy(deep=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        codec = TableCodec().fit(frame)
        codec.decode(codec.encode(frame))
    assert_frame_equal(frame, before)


def test_channels_are_laid_out_in_the_order_of_the_columns(mixed_frame: pd.DataFrame) -> None:
    codec = TableCodec().fit(mixed_frame)
    stops = [0, *(span.stop for span in codec.spec.spans)]
    assert [span.start for span in codec.spec.spans] == stops[:-1]
    encoded, standard = codec.module(codec.prepare(mixed_frame))
    owners = codec.owners()
    assert len(owners[0]) == encoded.shape[1] == codec.spec.size
    assert len(owners[1]) == standard.shape[1]
    assert set(owners[1].tolist()) == set(range(codec.width))
    for span in codec.spec.spans:
        if span.activation == "softmax":
            assert (encoded[:, span.start : span.stop].sum(dim=1) == 1).all()


@pytest.mark.parametrize("unit", ["ms", "us"])
@pytest.mark.parametrize("form", ["plain", "zone", "objects"])
def test_far_dates_keep_their_milliseconds(unit: str, form: str) -> None:
    days = ["0611-06-01 16:18:25.449", "0905-06-03 13:37:31.012", "9532-08-17 17:12:40.001"]
    column = pd.Series(np.array(days * 8, dtype=f"datetime64[{unit}]"))
    if form == "zone":
        column = column.dt.tz_localize("UTC")
    if form == "objects":
        column = column.astype(object)
    frame = pd.DataFrame({"a": column, "b": np.arange(24) * 1.5})
    codec = TableCodec().fit(frame)
    pd.testing.assert_series_equal(codec.decode(codec.encode(frame))["a"], frame["a"])


def test_far_times_of_arrow_are_read_in_their_zone() -> None:
    values = np.array(["1066-10-14T01:02:03", "2024-05-06", "9999-12-30", "NaT"], "datetime64[s]")
    array = pa.array(values).cast(pa.timestamp("s", "Asia/Tokyo"))
    column = pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([array])))
    seconds = [*values[:3].astype(np.int64), np.nan]
    np.testing.assert_array_equal(parse_numbers(column, "time"), seconds)


def test_durations_beyond_microseconds_are_none() -> None:
    cells = pd.Series([datetime.timedelta(4 * 10**6), datetime.timedelta.max, "x"], dtype=object)
    expected = [4 * 10**6 * 86400, np.nan, np.nan]
    np.testing.assert_array_equal(parse_numbers(cells, "duration"), expected)


def test_far_datetimes_of_one_zone_keep_it() -> None:
    zone = ZoneInfo("Europe/Berlin")
    days = [datetime.datetime(year, 7, 1, tzinfo=zone) for year in (1066, 2024, 9999)]
    assert Origin.of(pd.Series(days, dtype=object), "c").dtype == "datetime64[us, Europe/Berlin]"


def test_missing_texts_of_a_model_of_a_newer_pandas_stay_missing() -> None:
    column = Origin("str").from_values(np.array(["a", None], dtype=object))
    assert column[0] == "a" and pd.isna(column[1])
