"""Rows of a file stay byte for byte what they are, and new ones below are written as they are."""

from __future__ import annotations

import csv
import datetime
import decimal
import gzip
import io
import json
import random
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from augan.exceptions import DataError
from augan.io.added_rows import Added
from augan.io.arrow_frames import to_frame
from augan.io.arrow_rows import ArrowRows
from augan.io.copying import CsvLayout, CsvRows, JsonRows
from augan.io.raw_text import read_csv_text, read_json_text, split_fields, split_members, unquoted

COLUMNS = ["zip", "account", "region", "price", "day", "note"]
CELLS = [
    ["02134", "12345678901234567890", "NA", "1.10", "31.12.2024", '"a, ""b"""'],
    ["90210", "00000000000000000007", "None", "2.50", "01.02.2023", '"two\nlines"'],
    ["10001", "98765432109876543210", "EU", "10.00", "03.04.2022", "plain"],
]
READ = pd.DataFrame(
    {
        "zip": ["02134", "90210", "10001"],
        "account": [cells[1] for cells in CELLS],
        "region": ["NA", "None", "EU"],
        "price": [1.1, 2.5, 10.0],
        "day": pd.to_datetime(["2024-12-31", "2023-02-01", "2022-04-03"]),
        "note": ['a, "b"', "two\nlines", "plain"],
    }
)
NEW = READ.iloc[[1]].assign(price=7.5, day=pd.Timestamp("2021-11-05"))
NEW_CELLS = ["90210", "00000000000000000007", "None", "7.50", "05.11.2021", '"two\nlines"']


def text_of(delimiter: str, end: str) -> str:
    lines = [COLUMNS, *([cell.replace("\n", end) for cell in cells] for cells in CELLS)]
    return end.join(delimiter.join(line) for line in lines) + end


def written(rows: Any, *, mark: str | None = None, new: pd.DataFrame = NEW) -> bytes:
    frame = READ[[name for name in READ if name in new]]
    return b"".join(rows.write(Added(frame, new, [True] * len(new), mark)))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_rows_stay_as_they_are(tmp_path: Path, delimiter: str, end: str, encoding: str) -> None:
    content = text_of(delimiter, end).replace("plain", "schön").encode(encoding)
    (tmp_path / "t.csv").write_bytes(content)
    layout = CsvLayout(delimiter, encoding)
    rows = CsvRows([(tmp_path / "t.csv", layout)], COLUMNS)
    assert len(rows) == 3
    result = written(rows)
    assert result.startswith(content)
    marks = {"utf-16": 2, "utf-8-sig": 3}
    codec = {"utf-16": "utf-16-le", "utf-8-sig": "utf-8"}.get(encoding, encoding)
    added = result[len(content) :].decode(codec)
    assert added == delimiter.join(NEW_CELLS).replace("\n", end) + end
    marked = written(rows, mark="synthetic")[marks.get(encoding, 0) :].decode(codec)
    lines = list(csv.reader(io.StringIO(marked, newline=""), delimiter=delimiter))
    assert [line[-1] for line in lines] == ["synthetic", "False", "False", "False", "True"]
    original = content[marks.get(encoding, 0) :].decode(codec)
    for flag in ("False", "synthetic"):
        marked = marked.replace(f"{delimiter}{flag}{end}", end)
    assert marked.startswith(original)


@pytest.mark.parametrize("mark", [None, "synthetic"])
def test_a_missing_last_line_end_blank_lines_and_lines_before_the_header(
    tmp_path: Path, mark: str | None
) -> None:
    content = "sep=,\n\na,b\n\n1,x\n\n\n2,y"
    (tmp_path / "t.csv").write_text(content)
    layout = CsvLayout(",", skip_rows=1)
    rows = CsvRows([(tmp_path / "t.csv", layout)], ["a", "b"])
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    result = b"".join(rows.write(Added(frame, frame[:0], [], mark))).decode()
    if mark is None:
        assert result == content
    else:
        assert result == "sep=,\n\na,b,synthetic\n\n1,x,False\n\n\n2,y,False"
    result = b"".join(rows.write(Added(frame, frame[:1], [False], None))).decode()
    assert result == content + "\n1,x\n"


def test_quotes_around_every_field_are_kept_up(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('"a","b"\r\n"1","x"\r\n"2","y"\r\n', newline="")
    rows = CsvRows([(tmp_path / "t.csv", CsvLayout())], ["a", "b"])
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    new = pd.DataFrame({"a": [3], "b": ["y"]})
    result = b"".join(rows.write(Added(frame, new, [True], "synthetic"))).decode()
    assert result.splitlines()[0] == '"a","b","synthetic"'
    assert result.splitlines()[-1] == '"3","y","True"'


def test_a_file_without_a_header_gets_none(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("1,x\n2,y\n")
    rows = CsvRows([(tmp_path / "t.csv", CsvLayout(has_header=False))], ["a", "b"])
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    result = b"".join(rows.write(Added(frame, frame[1:], [True], "synthetic")))
    assert result == b"1,x,False\n2,y,False\n2,y,True\n"


def test_dropped_columns_are_cut_out_and_the_rest_stays(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text_of(",", "\n"))
    rows = CsvRows([(tmp_path / "t.csv", CsvLayout())], COLUMNS, ["account", "day"])
    result = written(rows, new=NEW.drop(columns=["account", "day"])).decode()
    assert result.startswith('zip,region,price,note\n02134,NA,1.10,"a, ""b"""\n90210,None,2.50,')
    assert result.endswith('\n90210,None,7.50,"two\nlines"\n')


def test_several_files_and_compressed_ones_are_one_table(tmp_path: Path) -> None:
    (tmp_path / "1.csv.gz").write_bytes(gzip.compress(b"a,b\n1,x"))
    (tmp_path / "2.csv").write_text("a,b\r\n2,y\r\n", newline="")
    files = [(tmp_path / name, CsvLayout()) for name in ("1.csv.gz", "2.csv")]
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    result = b"".join(CsvRows(files, ["a", "b"]).write(Added(frame, frame[1:], [True])))
    assert result == b"a,b\n1,x\n2,y\r\n2,y\n"
    files[1] = (tmp_path / "2.csv", CsvLayout(";"))
    with pytest.raises(DataError, match=r"2.csv: the delimiter is ';', in 1.csv.gz it is ','"):
        CsvRows(files, ["a", "b"])


def test_records_are_the_rows_that_are_read(tmp_path: Path) -> None:
    draw = random.Random(0)
    file = tmp_path / "t.csv"
    for _ in range(300):
        style = draw.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
        signs = 'ab",\n\r ' if style == csv.QUOTE_ALL else 'ab", '
        cells = [["".join(draw.choices(signs, k=draw.randint(0, 4))) for _ in "xyz"] for _ in "ab"]
        handle = io.StringIO(newline="")
        writer = csv.writer(handle, lineterminator=draw.choice(["\n", "\r\n"]), quoting=style)
        writer.writerows([list("xyz"), *cells])
        content = handle.getvalue().encode(draw.choice(["utf-8", "utf-8-sig"]))
        file.write_bytes(content)
        raw = read_csv_text(file, delimiter=",", encoding=None, has_header=True)
        parts = [raw.head, *raw.header, *(text for record in raw.records for text in record)]
        assert "".join(parts).encode() == content
        found = [[unquoted(field) for field in split_fields(body, ",")] for body, _ in raw.records]
        assert found == cells
        parse = pa.csv.ParseOptions(newlines_in_values=True)
        convert = pa.csv.ConvertOptions(column_types=dict.fromkeys("xyz", pa.string()))
        read = pa.csv.read_csv(file, parse_options=parse, convert_options=convert)
        assert [list(row.values()) for row in read.to_pylist()] == cells


JSON = (
    '{"zip": "02134", "n": 1.10, "far": 12345678901234567890, "ok": true, "t": null}\r\n'
    '\r\n{ "zip": "ä}\\"", "n": 20.50, "far": 5, "ok": false}'
)


def test_json_lines_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_bytes(JSON.encode())
    names = ["zip", "n", "far", "ok", "t"]
    rows = JsonRows([(tmp_path / "t.jsonl", None)], names)
    frame = pd.DataFrame(
        {
            "zip": ["02134", 'ä}"'],
            "n": [1.1, 20.5],
            "far": ["12345678901234567890", "5"],
            "ok": [True, False],
            "t": [None, None],
        }
    )
    new = frame.iloc[[0]].assign(n=3.25, ok=False)
    assert len(rows) == 2
    result = b"".join(rows.write(Added(frame, new, [True]))).decode()
    assert result.startswith(JSON)
    last = '{"zip": "02134", "n": 3.25, "far": 12345678901234567890, "ok": false, "t": null}'
    assert result[len(JSON) :] == f"\r\n{last}\r\n"
    result = b"".join(rows.write(Added(frame, new, [True], "synthetic"))).decode()
    lines = [line for line in result.split("\r\n") if line]
    assert lines[0] == JSON.split("\r\n")[0][:-1] + ', "synthetic": false}'
    assert [json.loads(line)["synthetic"] for line in lines] == [False, False, True]
    dropped = JsonRows([(tmp_path / "t.jsonl", None)], names, ["zip"])
    result = b"".join(dropped.write(Added(frame.iloc[:, 1:], new.iloc[:, 1:], [True]))).decode()
    first = result.splitlines()[0]
    assert first == '{"n": 1.10, "far": 12345678901234567890, "ok": true, "t": null}'


def test_members_of_compact_json_are_found(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"a":1,"b":"x"}\n{}\n')
    raw = read_json_text(tmp_path / "t.jsonl", None)
    assert split_members(raw.records[0][0]) == [("a", '"a":1', "1"), ("b", '"b":"x"', '"x"')]
    rows = JsonRows([(tmp_path / "t.jsonl", None)], ["a", "b"])
    frame = pd.DataFrame({"a": [1, None], "b": ["x", None]})
    result = b"".join(rows.write(Added(frame, frame[:1], [True], "synthetic"))).decode()
    assert result.splitlines() == [
        '{"a":1,"b":"x","synthetic":false}',
        '{"synthetic":false}',
        '{"a":1,"b":"x","synthetic":true}',
    ]


def test_parquet_rows_keep_types_and_values(tmp_path: Path) -> None:
    table = pa.table(
        {
            "money": pa.array([decimal.Decimal("1.10"), None], pa.decimal128(30, 2)),
            "kind": pa.array(["x", "y"]).dictionary_encode(),
            "day": pa.array([datetime.date(9999, 12, 31), datetime.date(2024, 1, 2)]),
            "at": pa.array([datetime.datetime(2024, 1, 2, 3, 4, 5), None], pa.timestamp("ms")),
            "few": pa.array([1, None], pa.uint8()),
            "half": pa.array([0.5, 1.5], pa.float32()),
            "clock": pa.array([datetime.time(1, 2), datetime.time(3, 4)], pa.time32("s")),
            "flag": pa.array([True, None]),
            "text": pa.array(["02134", ""], pa.large_string()),
        }
    )
    pa.parquet.write_table(table, tmp_path / "t.parquet")
    rows = ArrowRows([tmp_path / "t.parquet"], table.column_names)
    new = pd.DataFrame(
        {
            "money": [2.5],
            "kind": ["y"],
            "day": pd.Series([datetime.datetime(2025, 5, 6)], dtype="datetime64[us]"),
            "at": pd.Series([datetime.datetime(2025, 5, 6, 7)], dtype="datetime64[us]"),
            "few": [7.0],
            "half": [0.25],
            "clock": [datetime.time(5, 6)],
            "flag": pd.array([None], dtype="boolean"),
            "text": ["02134"],
        }
    )
    rows.check(new)
    result = rows.with_added(Added(new, new, [True], "synthetic"))
    given = pa.parquet.read_table(tmp_path / "t.parquet")
    assert result.drop_columns("synthetic").schema == given.schema
    assert result.drop_columns("synthetic")[:2].equals(given)
    assert result["synthetic"].to_pylist() == [False, False, True]
    last = result.to_pylist()[-1]
    assert last["money"] == decimal.Decimal("2.50") and last["few"] == 7 and last["kind"] == "y"
    assert last["day"] == datetime.date(2025, 5, 6) and last["flag"] is None
    frame = to_frame(result)
    assert frame["money"][0] == decimal.Decimal("1.10") and frame["few"].tolist()[::2] == [1, 7]
    with pytest.raises(DataError, match=r"column 'kind'.*cannot have the type dictionary"):
        rows.check(new.assign(kind=[b"\xff"]))
