"""Texts in a file to numbers and dates; what is neither is named by file, row and column."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from augan.exceptions import DataError

MOSTLY = 0.9  # a text column with more numbers (dates) than this is one of numbers gone wrong
MIN_DISTINCT = 20  # unless it has so few of them that they may be categories
LOOKS_LIKE_DATE = r"^\d{4}-\d\d-\d\d"
TIMES = [pa.timestamp(unit, zone) for unit in ("s", "us", "ns") for zone in (None, "UTC")]


def trimmed(table: pa.Table, missing: Sequence[str]) -> pa.Table:
    """Strip texts; those that then mean a missing value become one."""
    tokens = pa.array(missing)
    for i, field in enumerate(table.schema):
        if _is_text(field.type):
            text = pc.utf8_trim_whitespace(table.column(i))
            empty = pc.is_in(text, value_set=tokens.cast(field.type))
            text = pc.if_else(empty, pa.scalar(None, field.type), text)
            table = table.set_column(i, field.name, text)
    return table


def inferred(table: pa.Table, file: Path) -> pa.Table:
    """Read as numbers, or dates, the text columns that hold nothing else.

    A column of numbers (dates) with a few odd texts is refused: taken as categories, it would
    be of no use.
    """
    for i, field in enumerate(table.schema):
        text = table.column(i)
        if pa.types.is_binary(field.type):
            raise _not_decoded(text, field.name, file)
        if pa.types.is_date(field.type):  # the next file of a directory may have hours
            table = table.set_column(i, field.name, text.cast(pa.timestamp("s")))
        if not _is_text(field.type) or text.null_count == len(text):
            continue
        for what, parse in (("number", _numbers), ("date", _dates)):
            values, odd = parse(text)
            if not odd.any():
                table = table.set_column(i, field.name, values)
                break
            if _gone_wrong(values, _n_present(text)):
                raise _odd_text(text, odd, field.name, file, what, n_right=_n_present(values))
    return table


def converted(table: pa.Table, types: dict[str, str], file: Path, first_row: int) -> pa.Table:
    """Read the text columns that `types` calls numbers or times; `first_row` is the table's."""
    for name, kind in types.items():
        text = table.column(name)
        if not _is_text(text.type) or kind not in ("number", "time", "time with zone"):
            continue
        values, odd = _numbers(text) if kind == "number" else _times(text)
        if odd.any():
            what = "number" if kind == "number" else "date"
            raise _odd_text(text, odd, name, file, what, first_row=first_row)
        if kind == "number":
            values = values.cast(pa.float64(), safe=False)
        table = table.set_column(table.schema.get_field_index(name), name, values)
    return table


def _numbers(text: pa.ChunkedArray) -> tuple[pa.ChunkedArray, NDArray[np.bool_]]:
    """Return texts as numbers, and which of them are none."""
    for kind in (pa.int64(), pa.float64()):
        with contextlib.suppress(pa.ArrowInvalid):
            return text.cast(kind), np.zeros(len(text), dtype=bool)
    values = text.to_pandas()
    return _parsed(values, pd.to_numeric(values, errors="coerce"))


def _dates(text: pa.ChunkedArray) -> tuple[pa.ChunkedArray, NDArray[np.bool_]]:
    """Return texts as times if most look like dates; years and months alone do not."""
    alike = pc.sum(pc.match_substring_regex(text, LOOKS_LIKE_DATE)).as_py() or 0
    if alike < MOSTLY * _n_present(text):
        return pa.chunked_array([pa.nulls(len(text))]), np.ones(len(text), dtype=bool)
    return _times(text)


def _times(text: pa.ChunkedArray) -> tuple[pa.ChunkedArray, NDArray[np.bool_]]:
    """Return texts as times, and which of them are none."""
    for kind in TIMES:
        with contextlib.suppress(pa.ArrowInvalid):
            return text.cast(kind), np.zeros(len(text), dtype=bool)
    values = text.to_pandas()
    times = pd.to_datetime(values, errors="coerce", format="ISO8601", utc=True)
    return _parsed(values, times)


def _parsed(values: pd.Series, parsed: pd.Series) -> tuple[pa.ChunkedArray, NDArray[np.bool_]]:
    odd = (parsed.isna() & values.notna()).to_numpy()
    return pa.chunked_array([pa.array(parsed, from_pandas=True)]), odd


def _gone_wrong(values: pa.ChunkedArray, n_texts: int) -> bool:
    """Whether so many texts were parsed that the others must be mistakes."""
    if _n_present(values) < MOSTLY * n_texts:
        return False
    return bool(pc.count_distinct(values).as_py() >= MIN_DISTINCT)


def _odd_text(
    text: pa.ChunkedArray,
    odd: NDArray[np.bool_],
    name: str,
    file: Path,
    what: str,
    *,
    first_row: int = 0,
    n_right: int = 0,
) -> DataError:
    """Return the error that names the first odd text."""
    row = int(odd.argmax())
    value = text[row].as_py()
    others = f"; {n_right} others are" if n_right else ""
    return DataError(
        f"{file}, row {first_row + row}, column {name!r}: {value!r} is not a {what}{others} "
        f"(--missing {value!r} reads it as missing)"
    )


def _not_decoded(values: pa.ChunkedArray, name: str, file: Path) -> DataError:
    """Return the error that names the first bytes that are not UTF-8."""
    texts = values.to_pylist()
    row = next(i for i, value in enumerate(texts) if value and not _is_utf8(value))
    return DataError(
        f"{file}, row {row}, column {name!r}: {texts[row]!r} is not UTF-8 text "
        "(--encoding names another encoding)"
    )


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _n_present(values: Any) -> int:
    return len(values) - int(values.null_count)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)
