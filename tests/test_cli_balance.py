"""`augan balance`: originals byte for byte, new rows written as they are."""

from __future__ import annotations

import csv
import datetime
import decimal
import gzip
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from augan_cli.app import app
from typer.testing import CliRunner

HARD = ["--set", "method=data", "--threads", "1", "-q"]  # no GAN: nothing of it matters here
N, N_RARE = 60, 20


def run(*words: Any) -> Any:
    result = CliRunner().invoke(app, [str(word) for word in ("balance", *words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def balanced(data: Path, out: Path, *words: Any) -> bytes:
    result = run(data, "--target", "label", "--out", out, *HARD, *words)
    assert result.exit_code == 0, result.stderr
    return out.read_bytes()


def cells() -> list[list[str]]:
    """Return rows that a reader changes who does not take care."""
    random = np.random.default_rng(0)
    rows = []
    for i in range(N):
        zip_code = f"{int(random.integers(1, 4)) * 1000 + 134:05d}"
        account = f"{12345678901234567890 + int(random.integers(4))}"
        region = str(random.choice(["NA", "None", "EU"]))
        price = f"{random.gamma(2, 5):.2f}"
        day = (
            f"{datetime.date(2020, 1, 1) + datetime.timedelta(int(random.integers(900))):%d.%m.%Y}"
        )
        note = str(random.choice(["plain", 'a, "b"', "two\nlines", ""]))
        label = "None" if i % (N // N_RARE) == 0 else "fine"
        rows.append([zip_code, account, region, price, day, note, label])
    return rows


NAMES = ["zip", "account", "region", "price", "day", "note", "label"]
KEPT = ["--no-default-missing"]


def text_of(rows: list[list[str]], **how: Any) -> str:
    handle = io.StringIO(newline="")
    csv.writer(handle, **how).writerows([NAMES, *rows])
    return handle.getvalue()


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_csv_rows_stand_as_they_stood_with_new_ones_of_their_kind_below(
    tmp_path: Path, delimiter: str, end: str, quoting: int
) -> None:
    rows = cells()
    how: Any = {"delimiter": delimiter, "lineterminator": end, "quoting": quoting}
    content = text_of(rows, **how).encode("utf-8-sig")
    (tmp_path / "t.csv").write_bytes(content)
    result = balanced(tmp_path / "t.csv", tmp_path / "o.csv", "--no-mark", *KEPT)
    assert result.startswith(content)
    added = result[len(content) :].decode()
    new = list(csv.reader(io.StringIO(added, newline=""), delimiter=delimiter))
    assert len(new) == N - 2 * N_RARE and all(len(row) == len(NAMES) for row in new)
    handle = io.StringIO(newline="")
    csv.writer(handle, **how).writerows(new)
    assert handle.getvalue() == added  # the same quotes and line ends
    known = [set(column) for column in zip(*rows, strict=True)]
    for place in (0, 1, 2, 5):
        assert {row[place] for row in new} <= known[place]
    assert {row[6] for row in new} == {"None"}
    for row in new:
        assert row[3] == f"{float(row[3]):.2f}"
        datetime.datetime.strptime(row[4], "%d.%m.%Y")


def test_the_mark_is_the_only_thing_that_is_added(tmp_path: Path) -> None:
    content = text_of(cells(), lineterminator="\r\n").rstrip("\r\n")  # no last line end
    (tmp_path / "t.csv").write_bytes(content.encode())
    result = balanced(tmp_path / "t.csv", tmp_path / "o.csv", *KEPT).decode()
    assert "False" not in result.partition(",True\r\n")[2]
    start = result.index(",True\r\n")
    first_new = result.rindex(",False\r\n", 0, start) + len(",False\r\n")
    bare = (
        result[:first_new].replace(",False\r\n", "\r\n").replace("label,synthetic\r\n", "label\r\n")
    )
    assert bare == content + "\r\n"


def test_compressed_files_and_directories_are_copied(tmp_path: Path) -> None:
    rows = cells()
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(text_of(rows).encode()))
    content = text_of(rows)
    result = balanced(tmp_path / "t.csv.gz", tmp_path / "o.csv", "--no-mark", *KEPT)
    assert result.startswith(content.encode())
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "1.csv").write_text(text_of(rows[:30]), newline="")
    (tmp_path / "parts" / "2.csv").write_text(text_of(rows[30:]), newline="")
    again = balanced(tmp_path / "parts", tmp_path / "p.csv", "--no-mark", *KEPT)
    assert again == result


def test_values_are_kept_on_the_way_to_other_formats(tmp_path: Path) -> None:
    rows = cells()
    (tmp_path / "t.csv").write_text(text_of(rows), newline="")
    balanced(tmp_path / "t.csv", tmp_path / "o.parquet", *KEPT)
    table = pa.parquet.read_table(tmp_path / "o.parquet").to_pylist()
    balanced(tmp_path / "t.csv", tmp_path / "o.jsonl", *KEPT)
    lines = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert len(table) == len(lines) == 2 * (N - N_RARE)
    for row, record, line in zip(rows, table, lines, strict=False):
        for place, name in ((0, "zip"), (1, "account"), (2, "region"), (6, "label")):
            assert record[name] == line[name] == row[place]
        assert record["price"] == line["price"] == float(row[3])
        assert not record["synthetic"] and not line["synthetic"]
    assert table[-1]["synthetic"] and lines[-1]["synthetic"]


def test_json_lines_stand_as_they_stood(tmp_path: Path) -> None:
    lines = []
    for row in cells():
        price = row[3]
        strings = {name: row[i] for i, name in enumerate(NAMES) if name not in ("price", "note")}
        lines.append(json.dumps(strings)[:-1] + f', "price": {price}}}')
    content = "\n".join(lines) + "\n"
    (tmp_path / "t.jsonl").write_text(content)
    result = balanced(tmp_path / "t.jsonl", tmp_path / "o.jsonl", "--no-mark", *KEPT).decode()
    assert result.startswith(content)
    marked = balanced(tmp_path / "t.jsonl", tmp_path / "m.jsonl", *KEPT).decode().splitlines()
    assert marked[0] == lines[0][:-1] + ', "synthetic": false}'
    for line in result[len(content) :].splitlines():
        record = json.loads(line)
        assert list(record) == list(json.loads(lines[0])) and isinstance(record["account"], str)
        assert line.endswith(f'"price": {record["price"]:.2f}}}')


def test_parquet_keeps_arrow_types_and_values(tmp_path: Path) -> None:
    rows = cells()
    table = pa.table(
        {
            "zip": [row[0] for row in rows],
            "money": pa.array([decimal.Decimal(row[3]) for row in rows], pa.decimal128(12, 2)),
            "region": pa.array([row[2] for row in rows]).dictionary_encode(),
            "day": [datetime.datetime.strptime(row[4], "%d.%m.%Y").date() for row in rows],
            "few": pa.array([i % 4 or None for i in range(N)], pa.int16()),
            "label": [row[6] for row in rows],
        }
    )
    pa.parquet.write_table(table, tmp_path / "t.parquet")
    balanced(tmp_path / "t.parquet", tmp_path / "o.parquet")
    result = pa.parquet.read_table(tmp_path / "o.parquet")
    assert result.drop_columns("synthetic").schema.equals(table.schema)
    assert result.drop_columns("synthetic")[:N].equals(table)
    assert sum(result["synthetic"].to_pylist()) == N - 2 * N_RARE
    balanced(tmp_path / "t.parquet", tmp_path / "o.csv", "--no-mark")
    lines = (tmp_path / "o.csv").read_text().splitlines()
    shown = [rows[1][0], rows[1][3], rows[1][2], str(table["day"][1]), "1", "fine"]
    assert lines[2] == ",".join(shown)


def test_dropped_columns_are_gone_and_the_rest_stands(tmp_path: Path) -> None:
    rows = cells()
    (tmp_path / "t.csv").write_text(text_of(rows, lineterminator="\n"), newline="")
    words = ["--drop", "account,day", "--drop", "note", "--no-mark", *KEPT]
    result = balanced(tmp_path / "t.csv", tmp_path / "o.csv", *words).decode().splitlines()
    assert result[0] == "zip,region,price,label"
    assert result[1] == ",".join([rows[0][0], rows[0][2], rows[0][3], rows[0][6]])


def test_a_column_called_synthetic_is_refused_before_the_work(tmp_path: Path) -> None:
    frame = pd.DataFrame(cells(), columns=NAMES).rename(columns={"label": "synthetic"})
    frame.to_csv(tmp_path / "t.csv", index=False)
    words = [tmp_path / "t.csv", "--target", "synthetic", *KEPT, *HARD]
    result = run(*words, "--out", tmp_path / "o.csv")
    assert result.exit_code == 1 and "'synthetic' already; --no-mark adds none" in result.stderr
    assert run(*words, "--out", tmp_path / "o.csv", "--no-mark").exit_code == 0
