"""What the cells of a file become, whole and in batches: codes, numbers, dates, missing values."""

from __future__ import annotations

import datetime
import decimal
import io
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from augan.codecs.codec import codec_from_state
from augan.codecs.table import TableCodec
from augan.exceptions import DataError, DataWarning, ParameterError
from augan.io import csv_files
from augan.io.formats import DateFormat, NumberFormat, in_formats
from augan.io.options import ReadOptions
from augan.io.sources import open_data
from augan.io.tables import TableSource


def csv(path: Path, columns: dict[str, list[str]], delimiter: str = ",", **how: Any) -> Path:
    """Write columns of cells as they are."""
    frame = pd.DataFrame(columns, dtype=object)
    frame.to_csv(path, index=False, sep=delimiter, **how)
    return path


def kinds_of(frame: pd.DataFrame) -> dict[str, str]:
    """Return what a codec would say that each column is stored as."""
    kinds = {"i": "number", "u": "number", "f": "number", "M": "time"}
    return {str(name): kinds.get(dtype.kind, "text") for name, dtype in frame.dtypes.items()}


def read_both(path: Path, **options: Any) -> tuple[pd.DataFrame, TableSource]:
    """Return a table read whole; in batches by what was found it must be the same."""
    source = TableSource(path, ReadOptions(**options))
    whole = source.read()
    resolved = ReadOptions.from_dict(json.loads(json.dumps(source.resolved.to_dict())))
    assert resolved == source.resolved
    batched = pd.concat(TableSource(path, resolved).batches(kinds_of(whole)))
    for name, kind in kinds_of(whole).items():
        a, b = whole[name], batched[name]
        assert a.isna().tolist() == b.isna().tolist()
        if kind != "text" or a.dropna().map(type).eq(str).all():
            assert a.dropna().tolist() == b.dropna().tolist()
    return whole, source


# Values that stay what they are


@pytest.mark.parametrize(
    "cells",
    [
        ["02134", "10001", "94105"],
        ["12345678901234567890", "12345678901234567891", "1"],
        ["-12345678901234567890", "2", "3"],
        ["00", "1", "2"],
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_digits_that_numbers_would_change_stay_text(
    tmp_path: Path, cells: list[str], name: str
) -> None:
    path = tmp_path / name
    if name == "a.csv":
        csv(path, {"code": cells, "n": ["1", "2", "3"]})
    else:
        path.write_text("".join(json.dumps({"code": c, "n": 1}) + "\n" for c in cells))
    read, _ = read_both(path)
    assert read["code"].tolist() == cells and read["n"].dtype == np.int64


def test_one_code_among_many_numbers_makes_all_of_them_text(tmp_path: Path) -> None:
    cells = [str(i) for i in range(10000, 10100)] + ["02134", "unknown"]
    read, _ = read_both(csv(tmp_path / "a.csv", {"zip": cells[:-1]}))
    assert read["zip"].tolist() == cells[:-1]
    read, _ = read_both(csv(tmp_path / "a.csv", {"zip": cells}))
    assert read["zip"].tolist() == cells


def test_codes_in_one_file_make_the_column_text_in_all(tmp_path: Path) -> None:
    csv(tmp_path / "1.csv", {"zip": ["10001", "20002"]})
    csv(tmp_path / "2.csv", {"zip": ["02134", "30003"]})
    read, _ = read_both(tmp_path)
    assert read["zip"].tolist() == ["10001", "20002", "02134", "30003"]


def test_long_numbers_of_json_lines_keep_their_digits(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": 12345678901234567890}\n{"a": 1}\n')
    assert read_both(tmp_path / "a.jsonl")[0]["a"].tolist() == ["12345678901234567890", "1"]


def test_text_columns_are_text_whatever_they_look_like(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", {"a": ["1", "2"], "b": ["2024-01-01", "NA"], "c": ["1", "2"]})
    read, _ = read_both(path, text=("a", "b"))
    assert read["a"].tolist() == ["1", "2"] and read["b"].tolist()[0] == "2024-01-01"
    assert read["b"].isna().tolist() == [False, True] and read["c"].dtype == np.int64
    with pytest.raises(DataError, match=r"a\.csv: no column 'z' \(--text\); it has a, b, c"):
        TableSource(path, ReadOptions(text=("z",))).read()


def test_marks_of_missing_values_can_be_emptied(tmp_path: Path) -> None:
    cells = ["NA", "None", "null", "nan", "?", "", " ", "EU"]
    path = csv(tmp_path / "a.csv", {"region": cells, "n": list("12345678")})
    assert read_both(path)[0]["region"].dropna().tolist() == ["?", "EU"]
    read, _ = read_both(path, default_missing=False)
    assert read["region"].dropna().tolist() == ["NA", "None", "null", "nan", "?", "EU"]
    read, _ = read_both(path, default_missing=False, missing=("?",))
    assert read["region"].dropna().tolist() == ["NA", "None", "null", "nan", "EU"]


@pytest.mark.parametrize(
    "cells, warns",
    [
        (["EU", "US", "NA"], True),
        (["EU", "US", "NA", ""], False),
        (["Probe", "DoS", "None"], True),
        (["red", "blue", "NA"], False),
        (["1", "2", "NA"], False),
    ],
)
def test_a_mark_that_may_be_a_value_is_warned_of(
    tmp_path: Path, cells: list[str], warns: bool
) -> None:
    path = csv(tmp_path / "a.csv", {"a": cells, "n": list("1234")[: len(cells)]})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        TableSource(path).read()
    assert len(caught) == warns
    if warns:
        assert "is read as missing, 1 times; --missing '' keeps it" in str(caught[0].message)


# Numbers in other formats


@pytest.mark.parametrize(
    "cells, expected",
    [
        (["1500000,00", "1,5"], [1500000.0, 1.5]),
        (["1,704.62", "12.5", "980"], [1704.62, 12.5, 980]),
        (["$5", "$1,200.00", "0"], [5, 1200, 0]),
        (["12%", "3.5 %"], [12, 3.5]),
        (["1.500.000", "2.000"], [1500000, 2000]),
        (["1'234.50", "12"], [1234.5, 12]),
        (["1\u00a0234,5 €", "3 €"], [1234.5, 3]),
        (["(5.00)", "2.00"], [-5, 2]),
        (["$(1,005.00)", "$2.00"], None),
        (["($1,005.00)", "$2.00"], [-1005, 2]),
        (["-$5.50", "$-2", "$3"], [-5.5, -2, 3]),
        (["5.00-", "1.00"], [-5, 1]),
        (["1,5E+03", "2,5"], [1500, 2.5]),
        (["12,34,567.5", "1"], [1234567.5, 1]),
        (["\u22125,5", "5,0"], [-5.5, 5]),
        (["0,704", "0,25"], [0.704, 0.25]),
        (["£1", "£2.5"], [1, 2.5]),
        (["EUR 1,5", "EUR 2"], [1.5, 2]),
    ],
)
def test_numbers_of_one_format_are_numbers(
    tmp_path: Path, cells: list[str], expected: list[float] | None
) -> None:
    path = csv(tmp_path / "a.csv", {"x": [*cells, ""], "n": ["1"] * (len(cells) + 1)}, ";")
    read, _ = read_both(path)
    if expected is None:
        assert read["x"].tolist()[:-1] == cells
    else:
        assert read["x"].tolist()[:-1] == expected and np.isnan(read["x"].iloc[-1])


@pytest.mark.parametrize("cells", [["1.2.3", "10.0.0.1"], ["12-34", "5-6"], ["+49 89 12345", "3"]])
def test_what_is_no_number_is_none(tmp_path: Path, cells: list[str]) -> None:
    read, source = read_both(csv(tmp_path / "a.csv", {"x": cells}))
    assert read["x"].tolist() == cells and source.resolved == source.options


def many(form: str, n: int = 40) -> list[str]:
    return [form.format(i % 9 + 1, 100 + 7 * i) for i in range(n)]


def test_numbers_of_two_readings_are_named_with_the_options_that_read_them(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", {"x": many("{},{}")})
    with pytest.raises(DataError) as error:
        TableSource(path).read()
    says = "a.csv, row 0, column 'x': '1,100' is an ambiguous number: "
    assert says + "--decimal ',' or --thousands ',' (or --text 'x')" in str(error.value)
    assert read_both(path, thousands=",")[0]["x"][0] == 1100
    assert read_both(path, decimal=",")[0]["x"][0] == 1.1
    assert read_both(path, text=("x",))[0]["x"][0] == "1,100"


def test_another_column_decides_where_one_cannot(tmp_path: Path) -> None:
    columns = {"amount": many("{},5"), "pieces": many("{}.{}"), "whole": ["7"] * 40}
    path = csv(tmp_path / "a.csv", columns, ";")
    read, source = read_both(path)
    assert read["amount"][0] == 1.5 and read["pieces"][0] == 1100
    assert source.resolved.number_format("whole").decimal == ","
    path = csv(tmp_path / "b.csv", {"amount": many("{}.5"), "pieces": many("{},{}")}, ";")
    read, _ = read_both(path)
    assert read["amount"][0] == 1.5 and read["pieces"][0] == 1100


def test_dots_that_may_group_thousands_are_warned_of(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", {"x": many("{}.{}"), "s": ["a"] * 40}, ";")
    with pytest.warns(DataWarning, match=r"column 'x': 1\.100 is read as 1\.1; .*--thousands \."):
        assert TableSource(path).read()["x"][0] == 1.1
    assert read_both(path, thousands=".")[0]["x"][0] == 1100
    path = csv(tmp_path / "b.csv", {"x": many("{}.{}")})  # nothing odd with commas between fields
    assert read_both(path)[0]["x"][0] == 1.1


@pytest.mark.parametrize(
    "cells, says",
    [
        ([*many("{}.{}5"), *many("{},{}5")], "numbers with several decimal marks"),
        ([*many("${}.{}5"), *many("€{}.{}5")], "numbers with signs '$' and '€'"),
        ([*many("{}.5{}"), "oops"], "row 40, column 'x': 'oops' is not a number; 40 others are"),
        ([*many("{}.5{}"), "inf"], "row 40, column 'x': 'inf' is not a finite number"),
        ([*many("{}.5{}"), "-1e999"], "row 40, column 'x': '-1e999' is not a finite number"),
        ([*many("{},5{}"), "1e999"], "row 40, column 'x': '1e999' is not a finite number"),
    ],
)
def test_numbers_that_cannot_be_read_are_named(tmp_path: Path, cells: list[str], says: str) -> None:
    with pytest.raises(DataError, match=r"a\.csv") as error:
        TableSource(csv(tmp_path / "a.csv", {"x": cells})).read()
    assert says in str(error.value) and len(str(error.value)) < 300


def test_few_values_of_several_formats_stay_text_with_a_warning(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", {"rate": ["5%", "10", "15%"]})
    with pytest.warns(DataWarning, match=r"column 'rate' holds numbers with signs '' and '%'"):
        assert TableSource(path).read()["rate"].tolist() == ["5%", "10", "15%"]


def test_a_format_that_training_did_not_see_is_named(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", {"x": ["1.5", "1,704.62"], "d": ["2024-01-02", "31.12.2024"]})
    source = TableSource(path)
    with pytest.raises(DataError) as error:
        list(source.batches({"x": "number"}))
    assert "row 1, column 'x': '1,704.62' is not a number (--thousands ',' reads it)" in str(
        error.value
    )
    with pytest.raises(DataError, match=r"'31\.12\.2024' is not a date \(--date-format '%d"):
        list(source.batches({"d": "time"}))
    (batch,) = TableSource(path, ReadOptions(thousands=",")).batches({"x": "number"})
    assert batch["x"].tolist() == [1.5, 1704.62]
    trained = ReadOptions(formats={"x": NumberFormat(",", None, "", "%")})
    with pytest.raises(
        DataError, match=r"'1\.5' is not a number like 1234,5%, the format of the column"
    ):
        list(TableSource(path, trained).batches({"x": "number"}))


# Dates in other formats


@pytest.mark.parametrize(
    "cells, expected",
    [
        (["31.12.2024", "01.02.2024"], "2024-02-01"),
        (["10/17/2014", "01/02/2014"], "2014-01-02"),
        (["17/10/2014", "01/02/2014"], "2014-02-01"),
        (["17-10-2014", "1-2-2014"], "2014-02-01"),
        (["2014/10/17", "2014/01/02"], "2014-01-02"),
        (["2014-17-10", "2014-02-01"], "2014-01-02"),
        (["31.12.24 10:30", "01.02.24 11:00"], "2024-02-01 11:00"),
        (["10/17/2014 3:05 PM", "1/2/2014 11:00 AM"], "2014-01-02 11:00"),
        (["17-Oct-2014", "03-May-2014"], "2014-05-03"),
        (["Oct 17, 2014", "May 3, 2014"], "2014-05-03"),
        (["31.12.9999", "01.02.1024"], "1024-02-01"),
        (["9999-12-31", "2024-01-02"], "2024-01-02"),
    ],
)
def test_dates_of_one_format_are_dates(tmp_path: Path, cells: list[str], expected: str) -> None:
    read, _ = read_both(csv(tmp_path / "a.csv", {"day": [*cells, ""], "n": list("123")}))
    assert read["day"][1] == pd.Timestamp(expected) and read["day"].isna()[2]


def test_dates_of_two_readings_are_named_with_the_options_that_read_them(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", {"day": ["01/02/2014", "03/04/2014"], "n": ["1", "2"]})
    with pytest.raises(DataError) as error:
        TableSource(path).read()
    assert "a.csv, row 0, column 'day': '01/02/2014' is an ambiguous date: " in str(error.value)
    assert "--date-format 'day=%d/%m/%Y' or --date-format 'day=%m/%d/%Y'" in str(error.value)
    for column in ("day", "*"):
        read, _ = read_both(path, date_formats={column: "%d/%m/%Y"})
        assert read["day"][0] == pd.Timestamp("2014-02-01") and read["n"].tolist() == [1, 2]
    columns = {"day": ["01/02/2014"] * 2, "other": ["12/31/2014", "01/05/2014"]}
    read, _ = read_both(csv(tmp_path / "b.csv", columns))
    assert read["day"][0] == pd.Timestamp("2014-01-02")


def test_dates_of_several_formats_are_named(tmp_path: Path) -> None:
    days = pd.date_range("2024-01-01", periods=60)
    cells = [*days.strftime("%d.%m.%Y")[:50], *days.strftime("%m/%d/%Y")[50:]]
    with pytest.raises(DataError, match="column 'day' holds dates in several formats"):
        TableSource(csv(tmp_path / "a.csv", {"day": cells})).read()
    cells = [*days.strftime("%d.%m.%Y"), "soon"]
    with pytest.raises(DataError, match="row 60, column 'day': 'soon' is not a date; 60 others"):
        TableSource(csv(tmp_path / "a.csv", {"day": cells})).read()


@pytest.mark.parametrize("cells", [["1.2.30", "2.14.33"], ["12-34-5678"] * 2, ["123-45-6789"] * 2])
def test_versions_and_numbers_of_parts_are_no_dates(tmp_path: Path, cells: list[str]) -> None:
    assert read_both(csv(tmp_path / "a.csv", {"x": cells}))[0]["x"].tolist() == cells


# Delimiters, encodings, headers


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    columns = {"a,x" if delimiter != "," else "a": ["1", "2"], "b": ["x, y", "p; q"]}
    read, _ = read_both(csv(tmp_path / "a.csv", columns, delimiter))
    assert read.iloc[:, 1].tolist() == ["x, y", "p; q"]


def test_a_wrong_delimiter_is_answered_with_the_likely_one(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", {"a": ["1"], "b": ["2"]}, ";")
    with pytest.raises(DataError, match="the delimiter seems to be ';' \\(--delimiter ';'\\)"):
        TableSource(path, ReadOptions(delimiter="|")).columns()


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffa;b\n1;ü\n".encode(),
        "a;b\n1;ü\n".encode("utf-16"),
        "\ufeffa;b\n1;ü\n".encode("utf-16-be"),
        b"sep=;\r\n" + "a;b\r\n1;ü\r\n".encode(),
    ],
)
def test_excel_files_are_read_as_they_are(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    read, _ = read_both(tmp_path / "a.csv")
    assert read.to_dict("list") == {"a": [1], "b": ["ü"]}


def test_another_encoding_than_the_file_has_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("stadt,n\nKöln,1\n".encode())
    with pytest.warns(DataWarning, match="looks like UTF-8, but is read as cp1252"):
        TableSource(tmp_path / "a.csv", ReadOptions(encoding="cp1252")).read()
    (tmp_path / "a.csv").write_bytes("stadt,n\nKöln,1\n".encode("cp1252"))
    with pytest.raises(DataError, match=r"line 2, column 'stadt': not UTF-8 .*cp1252"):
        TableSource(tmp_path / "a.csv").read()
    assert read_both(tmp_path / "a.csv", encoding="cp1252")[0]["stadt"][0] == "Köln"


def test_blank_headers_are_named_by_their_place(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('x, ,"",y\n1,2,3,4\n"5\n6",7,8,9\n')
    read, _ = read_both(tmp_path / "a.csv")
    assert list(read.columns) == ["x", "Unnamed: 1", "Unnamed: 2", "y"]
    assert read["Unnamed: 2"].tolist() == [3, 8]


def test_pandas_index_is_told(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1.5, 2.5, 3.5]}, index=[4, 7, 9])
    frame.to_csv(tmp_path / "a.csv")
    frame.rename_axis("__index_level_0__").reset_index().to_parquet(tmp_path / "a.parquet")
    for name in ("a.csv", "a.parquet"):
        source = TableSource(tmp_path / name)
        index = source.columns()[0]
        with pytest.warns(DataWarning, match=f"'{index}' looks like the index of a pandas.*--drop"):
            source.read()
        assert list(source.read(drop=[index])) == ["a"]


def test_a_first_row_in_place_of_a_header_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("5.1,3.5\n4.9,3.0\n")
    with pytest.warns(DataWarning, match=r"column names are numbers \(5\.1, 3\.5\)"):
        TableSource(tmp_path / "a.csv").read()
    read, _ = read_both(tmp_path / "a.csv", column_names=("a", "b"))
    assert read["a"].tolist() == [5.1, 4.9]
    (tmp_path / "a.csv").write_text("5,5\n4,3\n")
    with pytest.raises(DataError, match=r"duplicate column name '5' .--column-names"):
        TableSource(tmp_path / "a.csv").read()


def test_column_names_that_stand_in_the_file_are_its_header(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", {"a": ["1"], "b": ["x"]})
    assert read_both(path, column_names=("a", "b"))[0].to_dict("list") == {"a": [1], "b": ["x"]}


# Fields and quotes


def test_fields_longer_than_a_block_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_files, "BLOCK_BYTES", 200)
    columns = {
        "a": [str(i) for i in range(50)],
        "b": ["x" * (1000 if i == 30 else 5) for i in range(50)],
    }
    read, _ = read_both(csv(tmp_path / "a.csv", columns))
    assert read["a"].tolist() == list(range(50)) and len(read["b"][30]) == 1000
    monkeypatch.setattr(csv_files, "LARGEST_BLOCK", 400)
    with pytest.raises(DataError, match=r"a row of more than .* is a quote not closed"):
        TableSource(tmp_path / "a.csv").read()


def test_a_quote_that_is_never_closed_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('a,b\n1,"x\n2,y\n3,z\n')
    source = TableSource(tmp_path / "a.csv")
    with pytest.raises(DataError, match="column 'b': a quote that is never closed"):
        source.read()
    with pytest.raises(DataError, match="column 'b': a quote that is never closed"):
        list(source.batches({"a": "number"}))
    (tmp_path / "a.csv").write_text('a,b\n1,"x\ny"\n')
    assert read_both(tmp_path / "a.csv")[0]["b"][0] == "x\ny"


def test_booleans_of_any_case_are_booleans(tmp_path: Path) -> None:
    read, _ = read_both(csv(tmp_path / "a.csv", {"a": ["True", "FALSE", "true"]}))
    assert read["a"].tolist() == [True, False, True]


# Files of a directory


@pytest.mark.parametrize(
    "second, says",
    [
        ({"a": ["1"]}, "b.csv: no column 'b', which a.csv has"),
        ({"a": ["1"], "b": ["2"], "c": ["3"]}, "b.csv: column 'c' is not in a.csv"),
        ({"a": many("x{}{}"), "b": many("{}{}")}, None),
    ],
)
def test_files_of_other_columns_are_named(
    tmp_path: Path, second: dict[str, list[str]], says: str | None
) -> None:
    csv(tmp_path / "a.csv", {"a": ["1", "2"], "b": ["3", "4"]})
    csv(tmp_path / "b.csv", second)
    if says is None:
        read, _ = read_both(tmp_path)
        assert read["a"].map(type).eq(str).all() and read["b"].dtype == np.int64
        return
    with pytest.raises(DataError) as error:
        TableSource(tmp_path).read()
    assert says in str(error.value)


def test_parquet_files_of_other_types_are_named(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1, 2]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"a": ["x"]}), tmp_path / "2.parquet")
    with pytest.raises(DataError, match=r"column 'a' holds string, in 1\.parquet int64"):
        TableSource(tmp_path).read()


# JSON lines and stdin


def test_json_lines_are_read_as_csv_is(tmp_path: Path) -> None:
    records = [
        {"n": 1, "x": "1,5", "day": "2024-01-31", "flag": True, "s": "a"},
        {"n": None, "x": "2,25", "day": None, "flag": False, "s": " "},
        {"x": "3", "n": 2.5, "day": "2024-02-29", "new": "z"},
    ]
    text = "\n\n".join(json.dumps(record) for record in records)
    (tmp_path / "a.ndjson").write_text("\ufeff" + text)
    read, _ = read_both(tmp_path / "a.ndjson")
    assert list(read.columns) == ["n", "x", "day", "flag", "s", "new"]
    assert read["n"].tolist()[::2] == [1, 2.5] and read["x"].tolist() == [1.5, 2.25, 3]
    assert read["day"][0] == pd.Timestamp("2024-01-31")
    assert read["s"].isna().tolist() == [False, True, True] and read["new"][2] == "z"


@pytest.mark.parametrize(
    "text, says",
    [
        ('{"a": [1]}', "row 0, column 'a' holds a list"),
        ('{"a": 1}\n{"a": {"b": 1}}', "row 1, column 'a' holds an object"),
        ('{"a": 1}\n[1]', "line 2: '[1]' is not a JSON object"),
        ('{"a": 1}\n{"a": 1', "line 2: "),
        ('{"a": 1, "a": 2}', "line 1: duplicate column name 'a'"),
        ('{"a": ' + "[" * 100_000, "line 1: nested too deeply"),
        ("{}", "no columns"),
        ('{"a": Infinity}', "'Infinity' is not a finite number"),
    ],
)
def test_what_is_wrong_with_json_lines_is_said(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(DataError, match=r"a\.jsonl") as error:
        TableSource(tmp_path / "a.jsonl").read()
    assert says in str(error.value)


@pytest.mark.parametrize(
    "content", [b"a,b\n1,x\n2,y\n", b'{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n', None]
)
def test_standard_input_is_read_as_often_as_needed(
    monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    if content is None:
        buffer = io.BytesIO()
        pq.write_table(pa.table({"a": [1, 2], "b": ["x", "y"]}), buffer)
        content = buffer.getvalue()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    for _ in range(2):
        source: Any = open_data(Path("-"))
        assert source.read().to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(DataError, match="the file is empty"):
        open_data(Path("-"))


# Parquet


def one_column(path: Path, values: Any, kind: pa.DataType | None = None) -> TableSource:
    if kind == pa.float16():  # which Arrow before 21 makes of no floats of Python
        values = pa.array(values).cast(kind)
    array = values if isinstance(values, pa.Array) else pa.array(values, kind)
    pq.write_table(pa.table({"x": array, "n": list(range(len(array)))}), path)
    return TableSource(path)


@pytest.mark.parametrize(
    "values, kind, expected",
    [
        ([decimal.Decimal("1.50"), None], pa.decimal128(9, 2), [1.5, None]),
        ([decimal.Decimal(10**19 + 1), None], pa.decimal128(38, 0), ["10000000000000000001", None]),
        (["a", "", "  "], pa.large_string(), ["a", None, None]),
        (pa.array(["a", "", " b"]).dictionary_encode(), None, ["a", None, " b"]),
        ([datetime.date(9999, 12, 31), None], pa.date32(), [pd.Timestamp("9999-12-31"), None]),
        ([datetime.datetime(9999, 12, 31)], pa.timestamp("us"), [pd.Timestamp("9999-12-31")]),
        ([datetime.time(12, 30), None], pa.time32("s"), [datetime.time(12, 30), None]),
        ([datetime.timedelta(days=1)], pa.duration("ms"), [pd.Timedelta(days=1)]),
        ([2**64 - 1, 1], pa.uint64(), [2**64 - 1, 1]),
        ([1.5, None], pa.float16(), [1.5, None]),
        ([b"abc", None], pa.binary(), ["abc", None]),
    ],
)
def test_every_type_of_parquet_is_a_column(
    tmp_path: Path, values: Any, kind: pa.DataType | None, expected: list[Any]
) -> None:
    source = one_column(tmp_path / "a.parquet", values, kind)
    whole = source.read()
    kinds = {"x": {"m": "duration"}.get(whole["x"].dtype.kind, kinds_of(whole)["x"])}
    for read in (whole, pd.concat(source.batches(kinds))):
        assert [None if pd.isna(value) else value for value in read["x"]] == expected


@pytest.mark.parametrize(
    "values, kind, says",
    [
        ([b"\xff"], pa.binary(), "column 'x' holds binary"),
        ([[1]], pa.list_(pa.int64()), "column 'x' holds list"),
        ([{"a": 1}], pa.struct([("a", pa.int64())]), "column 'x' holds struct"),
        ([1.0, float("inf")], pa.float64(), "row 1, column 'x': inf is not a finite number"),
        ([1.0, float("-inf")], pa.float16(), "row 1, column 'x': -inf is not a finite number"),
    ],
)
def test_what_no_column_of_parquet_can_hold_is_named(
    tmp_path: Path, values: Any, kind: pa.DataType, says: str
) -> None:
    source = one_column(tmp_path / "a.parquet", values, kind)
    for read in (source.read, lambda: list(source.batches({"x": "number"}))):
        with pytest.raises(DataError, match=r"a\.parquet") as error:
            read()
        assert says in str(error.value)


@pytest.mark.parametrize("kind", ["number", "text", "time", "time with zone", "duration"])
def test_a_column_without_values_has_the_type_that_training_saw(tmp_path: Path, kind: str) -> None:
    source = one_column(tmp_path / "a.parquet", pa.nulls(3))
    (batch,) = source.batches({"x": kind})
    assert batch["x"].isna().all() and (batch["x"].dtype != object or kind == "text")


def test_marks_that_are_given_count_in_parquet_too(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    one_column(path, ["?", "NA", "a"])
    read = TableSource(path, ReadOptions(missing=("?",))).read()
    assert read["x"].isna().tolist() == [True, False, False]


def test_labels_that_are_missing_stay_missing(tmp_path: Path) -> None:
    csv(tmp_path / "a.csv", {"label": ["ok", "", "None", "bad"], "n": list("1234")})
    one_column(tmp_path / "a.parquet", ["ok", None, "", "bad"]).read()
    for name, label in (("a.csv", "label"), ("a.parquet", "x")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)
            labels = TableSource(tmp_path / name).read([label])[label]
        assert labels.isna().tolist() == [False, True, True, False]


# Options


@pytest.mark.parametrize(
    "given, says",
    [
        ({"encoding": "rot13"}, "--encoding 'rot13'"),
        ({"encoding": "base64"}, "--encoding 'base64'"),
        ({"encoding": "klingon"}, "--encoding 'klingon'"),
        ({"encoding": "a\0b"}, "--encoding"),
        ({"delimiter": "ab"}, "--delimiter 'ab'"),
        ({"delimiter": '"'}, "--delimiter"),
        ({"decimal": "x"}, "--decimal 'x'"),
        ({"thousands": "x"}, "--thousands 'x'"),
        ({"decimal": ".", "thousands": "."}, "both '.'"),
        ({"date_formats": {"*": "d.m.Y"}}, "--date-format 'd.m.Y'"),
        ({"date_formats": {"*": "%Q"}}, "--date-format '%Q'"),
        ({"column_names": ("a", "a")}, "duplicate column name 'a'"),
    ],
)
def test_options_that_cannot_be_are_named(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ParameterError) as error:
        ReadOptions(**given)
    assert says in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "values",
    [
        *([], {"x": 1}, {"delimiter": 5}, {"missing": "NA"}, {"missing": [1]}, {"text": {}}),
        *({"formats": []}, {"formats": {"a": {}, "b": 1}}, {"formats": {"a": {"date": 5}}}),
        *({"formats": {"a": {"decimal": [], "prefix": 1}}}, {"date_formats": {"a": 1}}),
        *({"default_missing": "no"}, {"column_names": 5}, {"encoding": 7}),
    ],
)
def test_stored_options_that_are_none_are_refused(values: Any) -> None:
    with pytest.raises(ParameterError):
        ReadOptions.from_dict(values)


def test_options_given_later_replace_those_stored() -> None:
    formats = {"x": NumberFormat(",", ".", "", "€"), "day": DateFormat("%d.%m.%Y")}
    stored = ReadOptions(missing=("?",), delimiter=";", formats=formats)
    assert ReadOptions().over(stored) == (stored, [])
    now, changed = ReadOptions(missing=("-",), encoding="cp1252").over(stored)
    assert (now.missing, now.delimiter, now.formats) == (("-",), ";", formats)
    assert now.encoding == "cp1252" and changed == ["missing"]
    now, changed = ReadOptions(decimal=".").over(stored)
    assert now.formats["x"] == NumberFormat(".", None, "", "€") and changed == ["decimal"]
    assert ReadOptions(date_formats={"*": "%d.%m.%Y"}).over(stored)[1] == []
    now, changed = ReadOptions(date_formats={"*": "%m/%d/%Y"}).over(stored)
    assert "day" not in now.formats and changed == ["date_formats"]


def test_new_rows_are_written_as_the_table_was(tmp_path: Path) -> None:
    formats = {
        "x": NumberFormat(",", ".", "", " €"),
        "y": NumberFormat(".", None, "$", ""),
        "day": DateFormat("%d.%m.%Y"),
        "absent": NumberFormat(","),
    }
    frame = pd.DataFrame(
        {
            "x": [1234.5, -2.0, np.nan],
            "y": pd.array([-5, 7, None], "Int64"),
            "day": pd.to_datetime(["2024-01-31", None, "2024-02-29"]),
        }
    )
    written = in_formats(frame, formats)
    assert written["x"].tolist() == ["1234,5 €", "-2 €", None]
    assert written["y"].tolist() == ["-$5", "$7", None]
    assert written["day"].tolist() == ["31.01.2024", None, "29.02.2024"]
    written.to_csv(tmp_path / "a.csv", index=False)
    kinds = {"x": "number", "y": "number", "day": "time"}
    (read,) = TableSource(tmp_path / "a.csv", ReadOptions(formats=formats)).batches(kinds)
    assert read["x"].tolist()[:2] == [1234.5, -2] and read["y"].tolist()[:2] == [-5, 7]
    assert read["day"].tolist() == frame["day"].tolist()
    (tmp_path / "a.jsonl").write_text('{"x": 1234.5, "day": "2024-01-31T00:00:00"}\n')
    source = TableSource(tmp_path / "a.jsonl", ReadOptions(formats=formats))
    (read,) = source.batches({"x": "number", "day": "time"})
    assert read.iloc[0].tolist() == [1234.5, pd.Timestamp("2024-01-31")]


# Values that stay text, with a warning


@pytest.mark.parametrize(
    ("cell", "says"),
    [
        (lambda i: f"{i} kg", r"is read as text, since its numbers have units, such as '0 kg'"),
        (lambda i: f"{i}.{i % 10}{'kM'[i % 2]}", "since its numbers have units, such as '0.0k'"),
        (lambda i: f"{i % 28 + 1} {['janvier', 'février', 'août'][i % 3]} 2024", "English only"),
    ],
)
def test_numbers_with_units_and_foreign_months_are_warned_of(
    tmp_path: Path, cell: Any, says: str
) -> None:
    path = csv(tmp_path / "a.csv", {"x": [cell(i) for i in range(60)], "n": ["1", "2"] * 30})
    with pytest.warns(DataWarning, match=says):
        frame = TableSource(path).read()
    assert frame["x"].tolist() == [cell(i) for i in range(60)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        TableSource(path, ReadOptions(text=("x",))).read()


@pytest.mark.parametrize(
    "cell",
    [
        lambda i: f"{i} {['Main', 'Oak', 'Elm'][i % 3]} Street",
        lambda i: f"{i}{'ABCDEFGH'[i % 8]}",
        lambda i: f"{i % 5} kg",
        lambda i: f"{'AB'[i % 2]}{i}",
    ],
)
def test_addresses_codes_and_categories_are_not_taken_for_units(tmp_path: Path, cell: Any) -> None:
    path = csv(tmp_path / "a.csv", {"x": [cell(i) for i in range(60)], "n": ["1", "2"] * 30})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert TableSource(path).read()["x"].tolist() == [cell(i) for i in range(60)]


# Offsets of times


@pytest.mark.parametrize(
    ("offsets", "dtype"),
    [
        (["+02:00"], "UTC+02:00"),
        (["-0430"], "UTC-04:30"),
        (["+01:00", "+02:00"], "UTC"),
        (["Z"], "UTC"),
    ],
)
def test_times_keep_an_offset_that_all_have(tmp_path: Path, offsets: list[str], dtype: str) -> None:
    n = len(offsets)
    cells = [*(f" 2024-03-{i + 1:02d}T10:00:00{offsets[i % n]}" for i in range(20)), "NA"]
    path = csv(tmp_path / "a.csv", {"t": cells, "n": [str(i) for i in range(21)]})
    frame, _ = read_both(path)
    assert str(frame["t"].dtype.tz) == dtype
    codec = TableCodec().fit(frame)
    decoded = codec_from_state(*codec.state()).decode(codec.encode(frame))
    pd.testing.assert_frame_equal(decoded, frame)
