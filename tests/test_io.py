"""Readers of tables and arrays, writers of results, and files that appear whole or not at all."""

from __future__ import annotations

import datetime
import gzip
import io
import json
import os
from datetime import time
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from augan._files import atomic_path
from augan.codecs.cells import category_key
from augan.exceptions import DataError, ParameterError
from augan.io import arrays, csv_files, parquet_files
from augan.io.results import open_results
from augan.io.sources import open_data
from augan.io.tables import CsvOptions, TableSource

KINDS = {"n": "number", "share": "number", "city": "text", "member": "text", "day": "time"}


def small_frame(n: int = 50) -> pd.DataFrame:
    """Return numbers with and without missing ones, texts, booleans and dates."""
    random = np.random.default_rng(1)
    share = random.normal(size=n).round(6)
    share[3] = np.nan
    return pd.DataFrame(
        {
            "n": random.integers(-5, 1000, n),
            "share": share,
            "city": random.choice(["Köln", "Bonn, west", 'say "hi"'], n),
            "member": random.random(n) < 0.5,
            "day": pd.Timestamp("2024-02-28") + pd.to_timedelta(np.arange(n), unit="h"),
        }
    )


def text_file(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def joined(source: TableSource, types: dict[str, str]) -> pd.DataFrame:
    return pd.concat(list(source.batches(types)))


def assert_same_values(batched: pd.DataFrame, whole: pd.DataFrame) -> None:
    """Compare as the codec does: numbers and times as such, the rest by its category key."""
    assert batched.index.tolist() == list(range(len(whole)))
    for name in batched:
        a, b = batched[name], whole[name]
        assert a.isna().tolist() == b.isna().tolist(), name
        if pd.api.types.is_numeric_dtype(a) or pd.api.types.is_datetime64_any_dtype(a):
            assert (a[a.notna()] == b[b.notna()].to_numpy()).all(), name
        else:
            assert a.dropna().map(category_key).tolist() == b.dropna().map(category_key).tolist()


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet", ".tsv"])
def test_a_table_comes_back_as_it_was_written_whole_and_in_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setattr(csv_files, "BLOCK_BYTES", 512)
    monkeypatch.setattr(parquet_files, "BATCH_ROWS", 7)
    frame, path = small_frame(), tmp_path / f"data{ending}"
    options = CsvOptions(delimiter="\t" if ending == ".tsv" else ",")
    if ending == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep=options.delimiter)
    source = TableSource(path, options)
    read = source.read()
    assert source.columns() == list(frame.columns)
    for name in frame:
        assert read[name].tolist() == frame[name].tolist() or name == "share"
    np.testing.assert_array_equal(read["share"], frame["share"])
    assert read["n"].dtype == np.int64 and read["member"].dtype == bool
    assert pd.api.types.is_datetime64_dtype(read["day"])
    batches = list(source.batches(KINDS))
    assert len(batches) > 3
    assert_same_values(pd.concat(batches), read)


def test_a_file_is_read_in_batches_not_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_files, "BLOCK_BYTES", 2000)
    rows = "".join(f"{i},{i % 3}\n" for i in range(20_000))
    source = TableSource(text_file(tmp_path / "long.csv", "a,b\n" + rows))
    sizes = [len(batch) for batch in source.batches({"a": "number", "b": "number"})]
    assert sum(sizes) == 20_000
    assert len(sizes) > 50 and max(sizes) < 1000
    first = next(source.batches({"b": "number"}))
    assert list(first.columns) == ["b"]


def test_columns_that_are_not_asked_for_may_hold_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_files, "BLOCK_BYTES", 200)
    rows = [f"{i},{0 if i < 100 else 'fraud'}" for i in range(200)]
    source = TableSource(text_file(tmp_path / "labels.csv", "\n".join(["a,label", *rows])))
    assert joined(source, {"a": "number"})["a"].tolist() == list(range(200))


def test_a_file_without_header_with_spaces_and_question_marks(tmp_path: Path) -> None:
    path = text_file(
        tmp_path / "adult.data",
        "39, State-gov, 77516, <=50K\n ?, Private, 83311, >50K\n38, ?, ?, <=50K\n",
    )
    options = CsvOptions(missing=("?",), column_names=("age", "work", "weight", "income"))
    source = TableSource(path, options)
    read = source.read()
    assert read["age"].tolist()[::2] == [39, 38] and np.isnan(read["age"][1])
    assert read["work"].isna().tolist() == [False, False, True]
    assert read["weight"].dropna().tolist() == [77516, 83311]
    assert read["income"].tolist() == ["<=50K", ">50K", "<=50K"]
    types = {"age": "number", "work": "text", "weight": "number", "income": "text"}
    assert_same_values(joined(source, types), read)


@pytest.mark.parametrize(
    "encoding, stored", [("latin-1", "latin-1"), ("utf-16", "utf-16"), ("utf-8", "utf-8-sig")]
)
def test_encodings(tmp_path: Path, encoding: str, stored: str) -> None:
    path = text_file(tmp_path / "a.csv", "stadt,n\nMünchen,1\nKöln,2\n", stored)
    source = TableSource(path, CsvOptions(encoding=encoding))
    assert source.read()["stadt"].tolist() == ["München", "Köln"]
    assert joined(source, {"stadt": "text"})["stadt"].tolist() == ["München", "Köln"]


@pytest.mark.parametrize(
    "cells, kind, expected",
    [
        (["1", "2.5", "", "NA"], "number", [1.0, 2.5, np.nan, np.nan]),
        (["1", "2", "", "3"], "number", [1.0, 2.0, np.nan, 3.0]),
        (["+1", " 2", "-3e2", "4 "], "number", [1.0, 2.0, -300.0, 4.0]),
        (["0x1F", "0x2a", "0x00", "0x01"], "number", [31.0, 42.0, 0.0, 1.0]),
        (["007", "08", "1", "2"], "number", [7.0, 8.0, 1.0, 2.0]),
        (["true", "False", "TRUE", ""], "text", ["true", "false", "true", None]),
        (["12:30", "13:40", "", "08:00"], "text", ["12:30", "13:40", None, "08:00"]),
        (["2024-01", "2024-02", "2024-03", "n"], "text", ["2024-01", "2024-02", "2024-03", "n"]),
        (["x ", " x", "null", "y"], "text", ["x", "x", None, "y"]),
    ],
)
def test_a_column_means_the_same_whole_and_in_batches(
    tmp_path: Path, cells: list[str], kind: str, expected: list[object]
) -> None:
    lines = [f"{cell},{i}" for i, cell in enumerate(cells)]
    source = TableSource(text_file(tmp_path / "a.csv", "\n".join(["a,b", *lines])))
    for column in (source.read()["a"], joined(source, {"a": kind})["a"]):
        if kind == "number":
            np.testing.assert_array_equal(column.to_numpy(np.float64), expected)
        else:
            found = [None if pd.isna(v) else category_key(v) for v in column]
            assert found == expected
            assert not any(isinstance(v, time) for v in column)


@pytest.mark.parametrize(
    "cells, kind",
    [
        (["2024-01-31", "2024-02-29", ""], "time"),
        (["2024-01-31", "2024-02-29 10:30", "2024-03-01T11:12:13"], "time"),
        (["2024-01-31 10:00:00.1234567", "2024-02-29 10:00:00", "NA"], "time"),
        (["9999-12-31", "1500-01-01", "2024-01-01"], "time"),
        ([" 2024-01-31", " 2024-02-29", " ?"], "time"),
        (["2024-01-31T10:00:00Z", "2024-02-29T10:00:00+02:00", ""], "time with zone"),
    ],
)
def test_iso_dates_are_times(tmp_path: Path, cells: list[str], kind: str) -> None:
    lines = [f"{cell},{i}" for i, cell in enumerate(cells)]
    path = text_file(tmp_path / "a.csv", "\n".join(["day,b", *lines]))
    source = TableSource(path, CsvOptions(missing=("?",)))
    times = [pd.NaT if c.strip() in ("", "NA", "?") else pd.Timestamp(c.strip()) for c in cells]
    expected = [t.tz_convert("UTC") if t.tzinfo else t.tz_localize("UTC") for t in times]
    for column in (source.read()["day"], joined(source, {"day": kind})["day"]):
        assert pd.api.types.is_datetime64_any_dtype(column)
        assert pd.to_datetime(column, utc=True).tolist()[:2] == expected[:2]
        assert column.isna().tolist() == [time is pd.NaT for time in times]


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_directory_is_one_table_in_the_order_of_names(tmp_path: Path, ending: str) -> None:
    frame = small_frame(30)
    for name, rows in (("b", frame[10:]), ("a", frame[:10])):
        if ending == ".csv":
            rows.to_csv(tmp_path / f"{name}.csv", index=False)
        else:
            rows.to_parquet(tmp_path / f"{name}.parquet", index=False)
    (tmp_path / "readme.md").write_text("not data")
    (tmp_path / ".hidden.csv").write_text("not,data\n")
    source = TableSource(tmp_path)
    read = source.read()
    assert read["n"].tolist() == frame["n"].tolist()
    assert_same_values(joined(source, KINDS), read)


def test_files_of_a_directory_may_differ_in_inferred_types(tmp_path: Path) -> None:
    text_file(tmp_path / "a.csv", "n,day,note\n1,2024-01-01,\n2,2024-01-02,\n")
    text_file(tmp_path / "b.csv", "n,day,note\n1.5,2024-01-03 10:00:00,late\n,,\n")
    source = TableSource(tmp_path)
    read = source.read()
    assert read["n"].tolist()[:3] == [1, 2, 1.5]
    assert read["day"][2] == pd.Timestamp("2024-01-03 10:00")
    assert_same_values(joined(source, {"n": "number", "day": "time", "note": "text"}), read)


def test_parquet_decimals_dates_and_dictionaries_are_plain_columns(tmp_path: Path) -> None:
    table = pa.table(
        {
            "price": pa.array([1, 2, None], pa.decimal128(9, 2)),
            "day": pa.array([0, 1, None], pa.date32()),
            "kind": pa.array(["a", "b", "a"]).dictionary_encode(),
            "a.b": [1, 2, 3],
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    source = TableSource(tmp_path / "t.parquet")
    types = {"price": "number", "day": "time", "kind": "text", "a.b": "number"}
    for frame in (source.read(), joined(source, types)):
        assert frame["price"].tolist()[:2] == [1.0, 2.0]
        assert pd.api.types.is_datetime64_any_dtype(frame["day"])
        assert list(frame["kind"]) == ["a", "b", "a"]
        assert frame["a.b"].tolist() == [1, 2, 3]


def test_a_column_of_lists_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1, 2], "tags": [["x"], ["y", "z"]]}), tmp_path / "t.parquet")
    source = TableSource(tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"t\.parquet: column 'tags'"):
        source.read()
    with pytest.raises(DataError, match=r"t\.parquet: column 'tags'"):
        joined(source, {"tags": "text"})
    assert joined(source, {"a": "number"})["a"].tolist() == [1, 2]


def test_texts_in_parquet_become_the_numbers_that_training_saw(tmp_path: Path) -> None:
    pd.DataFrame({"a": ["1", " 2.5", None]}).to_parquet(tmp_path / "t.parquet")
    batch = joined(TableSource(tmp_path / "t.parquet"), {"a": "number"})
    np.testing.assert_array_equal(batch["a"], [1.0, 2.5, np.nan])


NUMBERS = [str(i) for i in range(60)]
DAYS = [str(pd.Timestamp("2024-01-01").date() + pd.Timedelta(days=i)) for i in range(60)]


@pytest.mark.parametrize(
    "text, says",
    [
        ("", "the file is empty"),
        ("\n", "the file is empty"),
        ("a,b\n", "no rows"),
        ("a,b\n1,2\n3\n", "line 3: 1 fields, but 2 in the lines before"),
        ("a,b,a\n1,2,3\n", "duplicate column name 'a'"),
        ("a,b\n" + "\n".join(f"{n},1" for n in [*NUMBERS, "oops"]), "row 60, column 'a': 'oops'"),
        ("a,b\n" + "\n".join(f"{d},1" for d in [*DAYS, "soon"]), "row 60, column 'a': 'soon'"),
    ],
)
def test_what_is_wrong_with_a_csv_file_is_said(tmp_path: Path, text: str, says: str) -> None:
    path = text_file(tmp_path / "bad.csv", text)
    with pytest.raises(DataError) as error:
        TableSource(path).read()
    assert says in str(error.value) and "bad.csv" in str(error.value)


def test_bytes_that_are_not_utf8_are_refused_with_row_and_column(tmp_path: Path) -> None:
    path = text_file(tmp_path / "bad.csv", "n,stadt\n1,Bonn\n2,Köln\n", "latin-1")
    source = TableSource(path)
    with pytest.raises(DataError, match=r"line 3, column 'stadt'.*--encoding"):
        source.read()
    with pytest.raises(DataError, match=r"line 3, column 'stadt'.*--encoding"):
        joined(source, {"n": "number", "stadt": "text"})


@pytest.mark.parametrize(
    "kind, cell, says",
    [("number", "abc", "'abc' is not a number"), ("time", "soon", "'soon' is not a date")],
)
def test_an_odd_value_in_a_later_batch_is_named_by_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, cell: str, says: str
) -> None:
    monkeypatch.setattr(csv_files, "BLOCK_BYTES", 300)
    cells = (NUMBERS if kind == "number" else DAYS) * 5
    lines = [f"{value},1" for value in [*cells[:250], cell, *cells[250:]]]
    source = TableSource(text_file(tmp_path / "a.csv", "\n".join(["a,b", *lines])))
    with pytest.raises(DataError, match=f"a.csv, row 250, column 'a': {says}"):
        joined(source, {"a": kind})


def test_a_directory_must_hold_one_kind_of_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no CSV or Parquet file"):
        TableSource(tmp_path)
    text_file(tmp_path / "a.csv", "a\n1\n")
    text_file(tmp_path / "b.csv", "b\n1\n")
    with pytest.raises(DataError, match=r"b\.csv: no column 'a', which a.csv has"):
        TableSource(tmp_path).read()
    small_frame().to_parquet(tmp_path / "c.parquet")
    with pytest.raises(DataError, match="in one directory"):
        TableSource(tmp_path)


def test_column_names_must_fit_the_file(tmp_path: Path) -> None:
    path = text_file(tmp_path / "a.csv", "1,2\n3,4\n")
    with pytest.raises(DataError, match="2 fields, but 3 column names"):
        TableSource(path, CsvOptions(column_names=("a", "b", "c"))).read()


def test_npy_is_read_a_batch_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "BATCH_ROWS", 4)
    rows = np.arange(60.0).reshape(10, 6)
    np.save(tmp_path / "a.npy", rows)
    source = open_data(tmp_path / "a.npy")
    np.testing.assert_array_equal(source.rows(), rows)
    batches = list(source.batches())
    assert [len(batch) for batch in batches] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate(batches), rows)


@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_is_read_whatever_its_order_and_type(tmp_path: Path, order: str) -> None:
    for rows in (
        np.arange(12.0).reshape(4, 3),
        np.arange(24, dtype=">i2").reshape(4, 3, 2),
        np.zeros((4, 0)),
        np.array([["a", "bc"], ["", "d"]]),
    ):
        np.save(tmp_path / "a.npy", np.asarray(rows, order=order))
        source = open_data(tmp_path / "a.npy")
        assert source.rows().dtype == rows.dtype
        np.testing.assert_array_equal(source.rows(), rows)
        np.testing.assert_array_equal(np.concatenate(list(source.batches())), rows)


def test_an_npy_file_that_is_cut_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((5000, 3)))
    source = open_data(tmp_path / "a.npy")
    batches = source.batches()
    assert len(next(batches)) == arrays.BATCH_ROWS
    os.truncate(tmp_path / "a.npy", 99_000)
    with pytest.raises(DataError, match=r"a\.npy: truncated while it was read"):
        next(batches)


def test_npz_takes_x_or_the_only_array_that_can_be_rows(tmp_path: Path) -> None:
    images, labels = np.zeros((5, 8, 8)), np.arange(5)
    np.savez(tmp_path / "a.npz", X=images, y=labels, other=images)
    source = open_data(tmp_path / "a.npz")
    assert source.rows().shape == (5, 8, 8)
    assert source.labels("y").tolist() == [0, 1, 2, 3, 4]
    np.savez_compressed(tmp_path / "b.npz", images=images, y=labels)
    assert open_data(tmp_path / "b.npz").rows().shape == (5, 8, 8)


def npy_bytes() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((4, 3)))
    return buffer.getvalue()


NPY = npy_bytes()


def broken_npz(path: Path) -> None:
    np.savez_compressed(path, X=np.random.default_rng(0).normal(size=(50, 4)))
    content = bytearray(path.read_bytes())
    content[200:230] = bytes(30)
    path.write_bytes(content)


@pytest.mark.parametrize(
    "name, write, says",
    [
        ("a.npy", lambda p: p.write_bytes(b""), "empty"),
        ("a.npy", lambda p: p.write_text("a,b\n1,2\n"), "not a NumPy file"),
        ("a.npy", lambda p: p.write_bytes(NPY.replace(b"(", b"[")), "not a NumPy file"),
        ("a.npy", lambda p: p.write_bytes(NPY.replace(b"}", b" ")), "not a NumPy file"),
        ("a.npy", lambda p: p.write_bytes(NPY[:-8]), "not a NumPy file"),
        ("a.npy", lambda p: np.save(p, np.array([{}, {}])), "not a NumPy file"),
        (
            "a.npy",
            lambda p: np.save(p, np.zeros((2, 3, 4, 5, 6))),
            "must have 2, 3 or 4 dimensions",
        ),
        ("a.npy", lambda p: np.save(p, np.zeros(4)), "must have 2, 3 or 4 dimensions"),
        ("a.npz", lambda p: np.savez(p), "no array 'X'"),
        ("a.npz", lambda p: np.savez(p, a=np.zeros((2, 2)), b=np.zeros((2, 2))), "it has a, b"),
        ("a.npz", lambda p: np.savez(p, X=np.array([{}], dtype=object)), "'X'"),
        ("a.npz", lambda p: np.savez(p, X=np.zeros((0, 4))), "no rows"),
        ("a.npz", broken_npz, "'X'"),
    ],
)
def test_what_is_wrong_with_a_numpy_file_is_said(
    tmp_path: Path, name: str, write: object, says: str
) -> None:
    write(tmp_path / name)
    with pytest.raises(DataError, match=says) as error:
        open_data(tmp_path / name).rows()
    assert name in str(error.value)


def test_labels_must_be_there_and_as_many_as_rows(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=np.zeros((5, 2)), y=np.zeros(4))
    source = open_data(tmp_path / "a.npz")
    with pytest.raises(DataError, match="for 5 rows"):
        source.labels("y")
    with pytest.raises(DataError, match="no array 'label'; it has X, y"):
        source.labels("label")


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_write_leaves_what_was_there(
    tmp_path: Path, error: type[BaseException]
) -> None:
    target = tmp_path / "kept.txt"
    target.write_text("before")
    with pytest.raises(error), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise error
    assert target.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["kept.txt"]
    with atomic_path(target) as temporary:
        temporary.write_text("after")
        assert target.read_text() == "before"
    assert target.read_text() == "after"
    assert [p.name for p in tmp_path.iterdir()] == ["kept.txt"]


def test_an_error_of_the_system_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as missing, atomic_path(tmp_path / "no" / "a.txt"):
        pass
    assert missing.value.filename == str(tmp_path / "no" / "a.txt")
    with pytest.raises(IsADirectoryError), atomic_path(tmp_path):
        pass
    with pytest.raises(OSError) as full, atomic_path(tmp_path / "a.txt"):
        raise OSError(28, "No space left on device")
    assert full.value.filename == str(tmp_path / "a.txt") and full.value.errno == 28
    assert list(tmp_path.iterdir()) == []


def result_batches() -> list[pd.DataFrame]:
    scores = np.random.default_rng(0).normal(size=9)
    frame = pd.DataFrame(
        {
            "row": np.arange(9),
            "anomaly_score": scores,
            "p_value": np.arange(1, 10) / 10,
            "is_anomaly": scores > 0,
            "explanation": ["a, b x1.0"] * 9,
        }
    )
    return [frame[:4], frame[4:]]


def test_all_formats_of_results_agree_to_the_last_bit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = pd.concat(result_batches())
    for name, json_lines in (("a.csv", 0), ("a.parquet", 0), ("a.jsonl", 0), (None, 0), (None, 1)):
        path = tmp_path / name if name else None
        with open_results(path, json_lines=bool(json_lines)) as write:
            for batch in result_batches():
                write(batch)
        if path is None:
            path = tmp_path / ("stdout.jsonl" if json_lines else "stdout.csv")
            path.write_text(capsys.readouterr().out)
        found = read_results(path)
        assert list(found.columns) == list(expected.columns), path
        for column in expected:
            assert found[column].tolist() == expected[column].tolist(), (path, column)


def read_results(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".csv":
        return pa.csv.read_csv(path).to_pandas()
    return pd.DataFrame([json.loads(line) for line in path.read_text().splitlines()])


ODD_CELLS = {
    "time": (datetime.time(1, 2, 3), "01:02:03"),
    "date": (datetime.date(9999, 12, 31), "9999-12-31"),
    "stamp": (pd.Timestamp("9999-12-31 01:00").as_unit("us"), "9999-12-31T01:00:00"),
    "long ago": (datetime.datetime(1, 1, 1), "0001-01-01T00:00:00"),
    "duration": (pd.Timedelta("1D"), "P1DT0H0M0S"),
    "decimal": (Decimal("1.10"), "1.10"),
    "bytes": (b"a\xff", "a\\xff"),
    "int8": (np.int8(3), 3),
    "float32": (np.float32(0.5), 0.5),
    "bool": (np.bool_(True), True),
    "NA": (pd.NA, None),
    "NaT": (pd.NaT, None),
    "nan": (float("nan"), None),
    "inf": (float("inf"), "inf"),
    "period": (pd.Period("2024-01"), "2024-01"),
    "surrogate": ("b\udce4d.png", "b\\udce4d.png"),
    "list": ([1, 2], "[1, 2]"),
    "huge": (10**30, 10**30),
}


@pytest.mark.parametrize("name", ODD_CELLS)
def test_cells_of_any_type_are_written(tmp_path: Path, name: str) -> None:
    cell, expected = ODD_CELLS[name]
    frame = pd.DataFrame({"x": pd.Series([cell, cell], dtype=object), 0: [1, 2]})
    for ending in ("csv", "jsonl", "parquet"):
        with open_results(tmp_path / f"a.{ending}") as write:
            write(frame)
    records = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert records == [{"x": expected, "0": 1}, {"x": expected, "0": 2}]
    assert len(pd.read_parquet(tmp_path / "a.parquet")) == 2
    assert len(pd.read_csv(tmp_path / "a.csv", encoding="utf-8")) == 2


LATER = {
    "all missing, then texts": ([None, None], ["a", None], ["b"], "string"),
    "all missing, then whole numbers": ([np.nan, None], [1, 2], [3], "int64"),
    "whole numbers, then some missing": ([1, 2], [np.nan, 4.0], [5], "int64"),
    "whole numbers, then none": ([1, 2], [2.5], [3], "double"),
    "whole numbers, then texts": ([1, 2], ["x"], [3], "string"),
    "decimals, then longer ones": ([Decimal("1.1")], [Decimal("2.345")], [None], "decimal"),
    "dates, then times": (
        [datetime.date(2024, 1, 1)],
        [datetime.datetime(9999, 1, 1, 5)],
        [None],
        "timestamp",
    ),
    "texts, then none": (["a"], [None], ["b"], "string"),
}


@pytest.mark.parametrize("name", LATER)
def test_parquet_takes_the_type_that_later_rows_need(tmp_path: Path, name: str) -> None:
    *batches, expected = LATER[name]
    with open_results(tmp_path / "a.parquet") as write:
        for cells in batches:
            write(pd.DataFrame({"x": cells, "y": range(len(cells))}))
    table = pq.read_table(tmp_path / "a.parquet")
    assert str(table.schema.field("x").type).removeprefix("large_").startswith(expected)
    cells = [cell for batch in batches for cell in batch]
    found = table.column("x").to_pylist()
    assert [cell is None for cell in found] == [bool(pd.isna(cell)) for cell in cells]
    if expected not in ("string", "timestamp"):
        assert all(a == b for a, b in zip(found, cells, strict=True) if a is not None)
    assert list(tmp_path.iterdir()) == [tmp_path / "a.parquet"]


def test_a_return_in_a_text_ends_no_row_of_a_csv_file(tmp_path: Path) -> None:
    with open_results(tmp_path / "a.csv") as write:
        write(pd.DataFrame({"path": ["a\rb", "c"], "score": [1.5, 2.5]}))
    assert pd.read_csv(tmp_path / "a.csv")["path"].tolist() == ["a\rb", "c"]
    assert pa.csv.read_csv(
        tmp_path / "a.csv", parse_options=pa.csv.ParseOptions(newlines_in_values=True)
    ).to_pylist() == [{"path": "a\rb", "score": 1.5}, {"path": "c", "score": 2.5}]


def test_scores_hold_no_formula_and_new_rows_stay_what_they_are(tmp_path: Path) -> None:
    frame = pd.DataFrame({"=id": ["=cmd|x", "@a", "-12.5", "+49 151", "-x", "ok"], "n": -1.0})
    for name, neutral in (("a.csv", True), ("b.csv", False), ("a.jsonl", True)):
        with open_results(tmp_path / name, neutral=neutral) as write:
            write(frame)
    found = pd.read_csv(tmp_path / "a.csv", dtype=str)
    assert list(found) == ["'=id", "n"]
    assert found["'=id"].tolist() == ["'=cmd|x", "'@a", "-12.5", "+49 151", "'-x", "ok"]
    assert found["n"].tolist() == ["-1.0"] * 6
    assert pd.read_csv(tmp_path / "b.csv", dtype=str)["=id"].tolist() == frame["=id"].tolist()
    assert json.loads((tmp_path / "a.jsonl").read_text().splitlines()[0])["=id"] == "=cmd|x"


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.jsonl"])
def test_results_that_break_off_leave_no_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError), open_results(tmp_path / name) as write:
        write(result_batches()[0])
        raise DataError("the data ends here")
    assert list(tmp_path.iterdir()) == []


def test_results_refuse_an_unknown_ending(tmp_path: Path) -> None:
    with (
        pytest.raises(ParameterError, match=r"\.xlsx: unknown ending"),
        open_results(tmp_path / "a.xlsx"),
    ):
        pass


@pytest.mark.parametrize("cut", [0.3, 0.9])
def test_truncated_files_are_refused(tmp_path: Path, cut: float) -> None:
    frame = small_frame(500)
    frame.to_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(frame.to_csv(index=False).encode()))
    for path in (tmp_path / "a.parquet", tmp_path / "a.csv.gz"):
        content = path.read_bytes()
        path.write_bytes(content[: int(cut * len(content))])
        with pytest.raises(DataError, match=path.name):
            TableSource(path).read()
        with pytest.raises(DataError, match=path.name):
            joined(TableSource(path), KINDS)


def test_a_terminal_gets_no_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stdout, shown in ((Terminal(), "\\x1b[31mred"), (io.StringIO(), "\x1b[31mred")):
        monkeypatch.setattr("sys.stdout", stdout)
        with open_results(None) as write:
            write(pd.DataFrame({"name": ["\x1b[31mred", "ä"]}))
        assert stdout.getvalue() == f"name\n{shown}\nä\n"
