"""Tables that are not what they look like: said in one line, with what reads them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest
from augan_cli.labels import is_label

from augan.exceptions import DataError, DataWarning
from augan.io.options import ReadOptions
from augan.io.tables import TableSource


def table(tmp_path: Path, content: str | bytes) -> TableSource:
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return TableSource(path)


def test_advice_on_numbers_is_all_that_reads_them(tmp_path: Path) -> None:
    source = table(tmp_path, "a;b\n1 704,50;2\n")
    with pytest.raises(DataError, match="--thousands ' ' --decimal ','"):
        list(source.batches({"a": "number"}))
    options = ReadOptions(thousands=" ", decimal=",")
    (rows,) = TableSource(tmp_path / "t.csv", options).batches({"a": "number"})
    assert rows["a"].tolist() == [1704.5]


@pytest.mark.parametrize("odd", ["1,5", "-1,25"])
def test_the_number_with_another_decimal_mark_is_named(tmp_path: Path, odd: str) -> None:
    cells = [f"{i}.5" for i in range(30)] + [odd]
    source = table(tmp_path, "a;b\n" + "".join(f"{cell};1\n" for cell in cells))
    with pytest.raises(DataError, match=f"such as '{odd}' in row 30"):
        source.read()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (gzip.compress(b"a,b\n1,2\n", mtime=0), r"compressed; its name must end in \.csv\.gz"),
        (b"PAR1rest", "a Parquet file"),
        (b"PK\x03\x04rest", "a zip archive or a workbook"),
        (b'{"a": 1, "b": 2}\n{"a": 3, "b": 4}\n', r"JSON lines; its name must end in \.jsonl"),
    ],
)
def test_other_files_called_csv_are_named_for_what_they_are(
    tmp_path: Path, content: bytes, says: str
) -> None:
    with pytest.raises(DataError, match=says):
        table(tmp_path, content).read()


@pytest.mark.parametrize("delimiter", ["~", "^", " ", "\x01"])
def test_a_table_read_as_one_column_is_warned_of(tmp_path: Path, delimiter: str) -> None:
    lines = [delimiter.join(row) for row in ("abc", "123", "456", "789")]
    with pytest.warns(DataWarning, match="read as one column; .* --delimiter|--delimiter"):
        table(tmp_path, "\n".join(lines) + "\n").read()


def test_a_column_of_texts_is_no_table_read_wrongly(tmp_path: Path) -> None:
    assert len(table(tmp_path, "what was said\nyes\nno thanks\nwell\nbye\n").read()) == 4


def test_labels_are_found_as_they_stand_in_the_file() -> None:
    numbers = pd.Series([0.0, 1.0, None])
    for label in ("1", "1.0"):
        assert is_label(numbers, label, "t", "anomalies").tolist() == [False, True, False]
    days = pd.Series(pd.to_datetime(["2024-01-01", "2024-01-02"]))
    assert is_label(days, "2024-01-02", "t", "anomalies").tolist() == [False, True]
    codes = pd.Series(["01", "1"])
    assert is_label(codes, "1", "t", "anomalies").tolist() == [False, True]
    with pytest.raises(DataError, match="--missing '' keeps texts such as 'NA'"):
        is_label(pd.Series(["EU", None]), "NA", "t", "anomalies")


@pytest.mark.parametrize("mark", ["-", "—", "unknown"])
@pytest.mark.parametrize("kind", ["numbers", "dates"])
def test_a_mark_of_missing_values_that_is_not_known_is_named(
    kind: str, mark: str, tmp_path: Path
) -> None:
    known = [
        f"{i * 7.5:,.2f}" if kind == "numbers" else f"2024-03-{i % 28 + 1:02}" for i in range(60)
    ]
    texts = [mark if i % 3 == 0 else text for i, text in enumerate(known)]
    pd.DataFrame({"a": texts, "b": range(60)}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.warns(
        DataWarning, match=f"'a' is read as text: 40 of its values are {kind}"
    ) as said:
        frame = TableSource(tmp_path / "t.csv").read()
    assert f"20 are '{mark}' (--missing '{mark}'" in str(said[0].message)
    assert frame["a"].tolist() == texts
    options = ReadOptions(missing=(mark,))
    assert TableSource(tmp_path / "t.csv", options).read()["a"].isna().sum() == 20


@pytest.mark.parametrize("texts", [["low", "high"], ["A1", "B2"], ["1", "2", "other"]])
def test_categories_are_no_numbers_with_a_mark(texts: list[str], tmp_path: Path) -> None:
    values = [texts[i % len(texts)] for i in range(60)]
    pd.DataFrame({"a": values, "b": range(60)}).to_csv(tmp_path / "t.csv", index=False)
    assert TableSource(tmp_path / "t.csv").read()["a"].tolist() == values


@pytest.mark.parametrize(
    ("text", "ways"),
    [
        ("{h}:{m:02}", ["%H:%M"]),
        ("{h:02}:{m:02}:{m:02}", ["%H:%M:%S"]),
        ("20{h:02}-{month:02}", ["%Y-%m"]),
        ("{day}/{month}/24", ["%d/%m/%y"]),
        ("{month}/{day}/24", ["%m/%d/%y"]),
        ("{day}.{month}.24", ["%d.%m.%y"]),
    ],
)
def test_a_column_that_may_hold_times_is_named_with_the_option_that_reads_it(
    text: str, ways: list[str], tmp_path: Path
) -> None:
    parts = [{"h": i % 24, "m": i % 60, "day": i % 28 + 1, "month": i % 12 + 1} for i in range(60)]
    frame = pd.DataFrame({"a": [text.format(**part) for part in parts], "b": range(60)})
    frame.to_csv(tmp_path / "t.csv", index=False)
    with pytest.warns(DataWarning, match="'a' is read as text") as said:
        TableSource(tmp_path / "t.csv").read()
    assert [f"--date-format 'a={how}'" in str(said[0].message) for how in ways] == [True]
    options = ReadOptions(date_formats={"a": ways[0]})
    read = TableSource(tmp_path / "t.csv", options).read()
    assert read["a"].dtype.kind == "M"
    kept = TableSource(tmp_path / "t.csv", ReadOptions(text=("a",))).read()
    assert kept["a"].tolist() == frame["a"].tolist()
