"""Tables as people have them: read right, or refused in one line; never something in between."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from .conftest import QUICK, TWO_HEADS, base_table, every_other, sampled

Writer = Callable[[pd.DataFrame, Path], Path]


def _csv(name: str = "t.csv", edit: Callable[[str], str] | None = None, **options: Any) -> Writer:
    encoding = options.pop("encoding", "utf-8")

    def write(frame: pd.DataFrame, folder: Path) -> Path:
        text = frame.to_csv(index=False, **options)
        data = (edit(text) if edit else text).encode(encoding)
        if name.endswith(".gz"):
            data = gzip.compress(data)
        if name.endswith(".bz2"):
            data = bz2.compress(data)
        (folder / name).write_bytes(data)
        return folder / name

    return write


def _formatted(edits: dict[str, Callable[[Any], str]], **options: Any) -> Writer:
    """Write a CSV file in which some columns are formatted by a function."""

    def write(frame: pd.DataFrame, folder: Path) -> Path:
        shown = frame.astype(object).where(frame.notna(), "")
        for name, edit in edits.items():
            shown[name] = [edit(v) if pd.notna(v) else "" for v in frame[name]]
        days = pd.to_datetime(frame["day"]).dt.strftime("%Y-%m-%d")
        if "day" not in edits:
            shown["day"] = days
        return _csv(**options)(shown, folder)

    return write


def _parquet(change: Callable[[pa.Table], pa.Table], **options: Any) -> Writer:
    def write(frame: pd.DataFrame, folder: Path) -> Path:
        table = change(pa.Table.from_pandas(frame, preserve_index=False))
        pq.write_table(table, folder / "t.parquet", **options)
        return folder / "t.parquet"

    return write


def _cast(**types: pa.DataType) -> Writer:
    def change(table: pa.Table) -> pa.Table:
        for name, kind in types.items():
            place = table.schema.get_field_index(name)
            table = table.set_column(place, name, table.column(name).cast(kind))
        return table

    return _parquet(change)


def _json_lines(name: str = "t.jsonl", **options: Any) -> Writer:
    def write(frame: pd.DataFrame, folder: Path) -> Path:
        shown = frame.assign(day=frame["day"].dt.strftime("%Y-%m-%d"))
        frame_text = shown.to_json(orient="records", lines=True, **options).encode()
        data = gzip.compress(frame_text) if name.endswith(".gz") else frame_text
        (folder / name).write_bytes(data)
        return folder / name

    return write


def _directory(frame: pd.DataFrame, folder: Path) -> Path:
    (folder / "parts").mkdir()
    for i, part in enumerate((frame[:50], frame[50:])):
        part.to_csv(folder / "parts" / f"{i}.csv", index=False)
    return folder / "parts"


def _grouped(value: float, comma: str = ",", point: str = ".") -> str:
    return f"{value:,.2f}".replace(",", "_").replace(".", point).replace("_", comma)


def _american(value: Any) -> str:
    return f"{value:%m/%d/%Y}"


def _german(value: Any) -> str:
    return f"{value:%d.%m.%Y}"


# files that hold the base table, which all have to be read as it, without an option
SAME: dict[str, Writer] = {
    "plain": _csv(),
    "semicolons": _csv(sep=";"),
    "tabs": _csv("t.tsv", sep="\t"),
    "tabs in csv": _csv(sep="\t"),
    "bars": _csv(sep="|"),
    "crlf": _csv(lineterminator="\r\n"),
    "all quoted": _csv(quoting=csv.QUOTE_ALL),
    "byte order mark": _csv(encoding="utf-8-sig"),
    "gzip": _csv("t.csv.gz"),
    "bzip2": _csv("t.csv.bz2"),
    "no last newline": _csv(edit=str.rstrip),
    "empty lines at the end": _csv(edit=lambda text: text + "\n\n"),
    "upper-case ending": _csv("T.CSV"),
    "NA marks": _csv(na_rep="NA"),
    "null marks": _csv(na_rep="NULL"),
    "spaces around": _csv(edit=lambda text: text.replace(",", " , ")),
    "excel, german": _formatted(
        {
            "amount": lambda v: _grouped(v, "", ","),
            "fee": lambda v: _grouped(v, "", ","),
            "day": _german,
        },
        sep=";",
    ),
    "german, thousands": _formatted(
        {
            "amount": lambda v: _grouped(v, ".", ","),
            "fee": lambda v: _grouped(v, ".", ","),
            "day": _german,
        },
        sep=";",
    ),
    "thousands": _formatted({"amount": _grouped}, quoting=csv.QUOTE_ALL),
    "dollars": _formatted({"amount": lambda v: f"${_grouped(v)}", "fee": lambda v: f"${v:.2f}"}),
    "euros behind": _formatted({"amount": lambda v: f"{v:.2f} €"}),
    "percent": _formatted({"fee": lambda v: f"{v}%"}),
    "american days": _formatted({"day": _american}),
    "german days": _formatted({"day": _german}),
    "days and hours": _formatted({"day": lambda v: f"{v:%Y-%m-%d %H:%M:%S}"}),
    "iso days": _formatted({"day": lambda v: f"{v:%Y-%m-%dT%H:%M:%S}"}),
    "parquet": _parquet(lambda table: table),
    "parquet, small groups": _parquet(lambda table: table, row_group_size=7),
    "parquet, date32": _cast(day=pa.date32()),
    "parquet, microseconds": _cast(day=pa.timestamp("us")),
    "parquet, dictionary": _cast(shop=pa.dictionary(pa.int8(), pa.string())),
    "parquet, large strings": _cast(shop=pa.large_string(), zip=pa.large_string()),
    "parquet, decimal": _cast(amount=pa.decimal128(20, 2)),
    "parquet, int8": _cast(count=pa.int8()),
    "json lines": _json_lines(),
    "json lines, gzip": _json_lines("t.jsonl.gz"),
    "ndjson": _json_lines("t.ndjson"),
    "directory": _directory,
}
PERCENT = {"percent"}  # 12 % may be read as 12 or as .12: the same rows are as unusual


@pytest.mark.parametrize("name", every_other(SAME))
def test_a_table_written_another_way_trains_the_same_model(
    name: str, house: Path, tmp_path: Path, command: Any, scores_of: Any, base_scores: Any
) -> None:
    path = SAME[name](base_table(), tmp_path)
    done = command("fit", path, "--out", tmp_path / "m.augan", *QUICK, *TWO_HEADS)
    assert done.exit_code == 0, done.stderr
    found, said = scores_of(tmp_path / "m.augan", path, tmp_path / "s.csv")
    assert found is not None, said
    np.testing.assert_allclose(found, base_scores, rtol=1e-5, atol=1e-6)
    assert "warning" not in said or "training" in said, said


@pytest.mark.parametrize("name", SAME)
def test_a_table_written_another_way_is_scored_alike_or_refused(
    name: str, house: Path, tmp_path: Path, scores_of: Any, base_scores: Any
) -> None:
    path = SAME[name](base_table(), tmp_path)
    found, said = scores_of(house / "base.augan", path, tmp_path / "s.csv")
    if found is not None and not np.allclose(found, base_scores, rtol=1e-5, atol=1e-6):
        assert "warning" in said, f"{name}: other scores, without a word"
        assert name in PERCENT, said


ODD_CELLS = [
    "x",
    "1.2.3",
    "--",
    "1e999",
    "inf",
    "-Infinity",
    "nan nan",
    "0x1F",
    "1_000",
    "½",
    "\x00",
]
ODD_CELLS += ["9" * 400, "💥", "=1+1", "2024-13-45", "' or 1=1", "\x1b[31mred", "12,5", "1,704.62"]


@pytest.mark.parametrize("column", ["amount", "day", pytest.param("count", marks=pytest.mark.slow)])
@pytest.mark.parametrize("cell", ODD_CELLS)
def test_a_cell_that_cannot_be_read_is_named_or_means_what_it_says(
    cell: str, column: str, house: Path, tmp_path: Path, scores_of: Any
) -> None:
    frame = base_table().astype(object)
    frame["day"] = [f"{day:%Y-%m-%d}" for day in frame["day"]]
    frame.loc[7, column] = cell
    frame.to_csv(tmp_path / "t.csv", index=False)
    found, said = scores_of(house / "base.augan", tmp_path / "t.csv", tmp_path / "s.csv")
    if found is None:
        assert "t.csv" in said
        assert column in said or "7" in said or "line" in said, said
    else:
        assert len(found) == len(frame)


@pytest.mark.parametrize("seed", sampled(60, 20))
def test_a_damaged_table_is_refused_or_read_whole(
    seed: int, house: Path, tmp_path: Path, command: Any, scores_of: Any
) -> None:
    random = np.random.default_rng(seed)
    data = bytearray(base_table().to_csv(index=False).encode())
    for _ in range(int(random.integers(1, 4))):
        place = int(random.integers(len(data)))
        piece = [b"\x00", b'"', b"\n", b",", b"\xff\xfe", b"\r", b";", b"\x1a", b"'", b"\\", b""]
        size = int(random.choice([0, 1, 1, 5, 300]))
        data[place : place + size] = piece[random.integers(len(piece))] * int(random.integers(1, 3))
    path = tmp_path / "t.csv"
    path.write_bytes(bytes(data))
    found, said = scores_of(house / "base.augan", path, tmp_path / "s.csv")
    if found is None:
        assert "t.csv" in said, said
    done = command("fit", path, "--out", tmp_path / "m.augan", *QUICK)
    if done.exit_code:
        assert "t.csv" in done.stderr, done.stderr


def _without(name: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda frame: frame.drop(columns=name)


def _renamed(**names: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda frame: frame.rename(columns=names)


# (what is done to the table, whether its scores stay those of the base)
OTHER: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], bool]] = {
    "columns in another order": (lambda frame: frame[frame.columns[::-1]], True),
    "one more column": (lambda frame: frame.assign(note="x"), True),
    "a column with brackets": (lambda frame: frame.assign(**{"load [kW]": 1, "x [/b]": 2}), True),
    "no amount": (_without("amount"), False),
    "no shop": (_without("shop"), False),
    "another name": (_renamed(amount="Amount"), False),
    "a space behind a name": (_renamed(amount="amount "), False),
    "amounts of text": (lambda frame: frame.assign(amount="much"), False),
    "days of numbers": (lambda frame: frame.assign(day=7), False),
    "no row": (lambda frame: frame[:0], False),
}


@pytest.mark.parametrize("name", OTHER)
@pytest.mark.parametrize(
    "kind", ["csv", "parquet", "jsonl", pytest.param("onnx", marks=pytest.mark.slow)]
)
def test_a_table_with_other_columns_is_matched_by_name_or_refused(
    name: str, kind: str, model_file: Any, tmp_path: Path, scores_of: Any, base_scores: Any
) -> None:
    change, same = OTHER[name]
    frame = change(base_table())
    if kind == "parquet":
        path = _parquet(lambda table: table)(frame, tmp_path)
    elif kind == "jsonl":
        path = tmp_path / "t.jsonl"
        path.write_text(frame.to_json(orient="records", lines=True, date_format="iso"))
    else:
        path = _csv()(frame, tmp_path)
    model = model_file("base.onnx" if kind == "onnx" else "base.augan")
    found, said = scores_of(model, path, tmp_path / "s.csv")
    if same:
        assert found is not None, said
        np.testing.assert_allclose(found, base_scores, rtol=1e-4, atol=1e-4)
    else:
        assert found is None
        assert "t." in said, said


@pytest.mark.parametrize("seed", sampled(40, 10))
def test_a_generated_table_is_trained_on_and_scored_or_refused(
    seed: int, tmp_path: Path, command: Any, scores_of: Any
) -> None:
    path = _strange_table(np.random.default_rng(seed), tmp_path)
    done = command("fit", path, "--out", tmp_path / "m.augan", *QUICK)
    if done.exit_code:
        assert path.name in done.stderr, done.stderr
        return
    found, said = scores_of(tmp_path / "m.augan", path, tmp_path / "s.csv")
    assert found is not None, said
    again, _ = scores_of(tmp_path / "m.augan", path, tmp_path / "s2.csv")
    np.testing.assert_array_equal(found, again)


def _strange_table(random: np.random.Generator, folder: Path) -> Path:
    """Write a table of columns that are odd in one way or another."""
    n = int(random.choice([2, 3, 10, 40]))
    makers: list[Callable[[], list[Any]]] = [
        lambda: random.normal(size=n).tolist(),
        lambda: (random.normal(size=n) * 10.0 ** float(random.integers(-300, 300))).tolist(),
        lambda: ["0" + str(v) for v in random.integers(0, 99, n)],
        lambda: [str(v) * 20 for v in random.integers(1, 9, n)],
        lambda: random.choice(["NA", "EU", "US"], n).tolist(),
        lambda: random.choice(["None", "yes", "no"], n).tolist(),
        lambda: random.choice(["true", "False", "TRUE"], n).tolist(),
        lambda: [""] * n,
        lambda: [" "] * n,
        lambda: ["same"] * n,
        lambda: [f"id{i}" for i in range(n)],
        lambda: [f"{v}:30" for v in random.integers(0, 24, n)],
        lambda: [f"{v:02}:30:15" for v in random.integers(0, 24, n)],
        lambda: ["9999-12-31" if v else "2024-01-05" for v in random.integers(0, 2, n)],
        lambda: [f"{v:04}-01-01" for v in random.integers(1, 9999, n)],
        lambda: [f"2024-01-{v:02}T10:00:00+02:00" for v in random.integers(1, 28, n)],
        lambda: random.choice(["a,b", 'say "x"', "two\nlines", "tab\there"], n).tolist(),
        lambda: random.choice(["ä", "ß€", "日本", "💥", "\u202eabc"], n).tolist(),
        lambda: random.choice([0, 1], n).tolist(),
        lambda: [2**63 - 1 - int(v) for v in random.integers(0, 9, n)],
        lambda: [10**19 + int(v) for v in random.integers(0, 9, n)],
        lambda: ["x" * int(v) for v in random.integers(1, 5000, n)],
        lambda: [f"{v:,.2f}" for v in random.integers(1000, 10**7, n)],
        lambda: [f"{v}%" for v in random.integers(0, 100, n)],
    ]
    names = ["a", "b c", "load [kW]", "x [/b]", "=cmd", "class", "score", "anomaly_score", "ü", "X"]
    names += ["1", "row", "synthetic", "explain", "n\nl", '"q"', "`tick`", "\x1b[31m"]
    chosen = random.choice(len(makers), int(random.integers(1, 6)), replace=False)
    titles = random.permutation(names)[: len(chosen)]
    frame = pd.DataFrame({title: makers[i]() for title, i in zip(titles, chosen, strict=True)})
    text = io.StringIO()
    frame.to_csv(text, index=False)
    (folder / "t.csv").write_text(text.getvalue(), encoding="utf-8")
    return folder / "t.csv"
