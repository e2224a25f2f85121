"""Writing of results in batches: CSV, Parquet or JSON lines, to a file or stdout."""

from __future__ import annotations

import contextlib
import csv
import datetime
import json
import math
import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd

from augan._files import atomic_path, is_stream
from augan.exceptions import ParameterError
from augan.io.parquet import ParquetWriter

Write = Callable[[pd.DataFrame], None]
FORMATS = {".csv": "csv", ".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl"}
FORMULA = ("=", "+", "-", "@", "\t", "\r")
NUMBER = re.compile(r"[+-]?[\d.,\s]*\d[\d.,\s]*(e[+-]?\d+)?\s*%?", re.IGNORECASE)


@contextlib.contextmanager
def open_results(
    path: Path | None,
    *,
    json_lines: bool = False,
    neutral: bool = False,
    delimiter: str = ",",
    encoding: str = "utf-8",
) -> Iterator[Write]:
    """Yield a function that writes a batch of results.

    Parameters
    ----------
    path : Path or None
        The file, created when all batches are written; None writes to stdout.
    json_lines : bool, default=False
        Whether stdout gets JSON lines instead of CSV.
    neutral : bool, default=False
        Whether texts in CSV that a spreadsheet would run as a formula get an apostrophe in front.
    delimiter, encoding : str
        Delimiter and encoding of CSV.

    Raises
    ------
    ParameterError
        If the ending of `path` is unknown.
    """
    csv_writer = partial(_csv_writer, neutral=neutral, delimiter=delimiter)
    if path is None:
        with _named_stdout():
            handle: Any = _Terminal(sys.stdout) if sys.stdout.isatty() else sys.stdout
            yield _jsonl_writer(handle) if json_lines else csv_writer(handle)
            sys.stdout.flush()
        return
    kind = result_format(path)
    with atomic_path(path) as temporary:
        if kind == "parquet":
            with _parquet_writer(temporary) as write:
                yield write
        else:
            encoding = encoding if kind == "csv" else "utf-8"
            with temporary.open(
                "w", encoding=encoding, newline="", errors="backslashreplace"
            ) as handle:
                yield csv_writer(handle) if kind == "csv" else _jsonl_writer(handle)


class _Terminal:
    """A terminal, with control characters escaped."""

    def __init__(self, handle: TextIO) -> None:
        self.handle = handle

    def write(self, text: str) -> int:
        """Write a text with its control characters escaped."""
        kept = (c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in text)
        return self.handle.write("".join(kept))


@contextlib.contextmanager
def _named_stdout() -> Iterator[None]:
    """Set the file name of an OSError without one to "stdout"."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = "stdout"
        raise


def result_format(path: Path) -> str:
    """Return the format for the ending of a file; CSV for a device or pipe without one.

    Raises
    ------
    ParameterError
        If the ending is unknown.
    """
    if path.suffix.lower() not in FORMATS and is_stream(path):
        return "csv"
    if path.suffix.lower() not in FORMATS:
        raise ParameterError(f"{path}: unknown ending; use {', '.join(FORMATS)}")
    return FORMATS[path.suffix.lower()]


def _csv_writer(handle: TextIO, *, neutral: bool, delimiter: str = ",") -> Write:
    header = True

    def write(batch: pd.DataFrame) -> None:
        nonlocal header
        texts = [i for i in range(batch.shape[1]) if _may_hold_texts(batch.iloc[:, i])]
        batch = _mapped(batch, texts, _csv_cell)
        if neutral:
            batch = _mapped(batch, texts, _no_formula)
            batch.columns = [_no_formula(name) for name in batch.columns]
        returns = any("\r" in str(cell) for i in texts for cell in _distinct(batch.iloc[:, i]))
        batch.to_csv(
            handle,
            index=False,
            header=header,
            sep=delimiter,
            lineterminator="\n",
            quoting=csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL,
        )
        header = False

    return write


def _jsonl_writer(handle: TextIO) -> Write:
    def write(batch: pd.DataFrame) -> None:
        names = [str(name) for name in batch.columns]
        cells = [_each(batch.iloc[:, i], plain) for i in range(batch.shape[1])]
        for row in zip(*cells, strict=True):
            handle.write(json.dumps(dict(zip(names, row, strict=True))) + "\n")

    return write


@contextlib.contextmanager
def _parquet_writer(path: Path) -> Iterator[Write]:
    writer = ParquetWriter(path, as_text)
    try:
        yield writer.write
    finally:
        writer.close()


def plain(value: Any) -> Any:
    """Return a value as JSON has it: None if missing, text if JSON has no such type."""
    if isinstance(value, np.generic) and not isinstance(value, (np.datetime64, np.timedelta64)):
        value = value.item()
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    if isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return as_text(value)


def as_text(value: Any) -> str | None:
    """Return a value as text that can be encoded, None if it is missing."""
    if pd.api.types.is_scalar(value) and pd.isna(value):
        return None
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "backslashreplace")
    if isinstance(value, (datetime.date, datetime.time, pd.Timedelta)):
        return str(value.isoformat())
    return str(value).encode("utf-8", "backslashreplace").decode()


def _may_hold_texts(column: pd.Series[Any]) -> bool:
    kinds = pd.api.types
    return not (kinds.is_numeric_dtype(column.dtype) or kinds.is_datetime64_any_dtype(column.dtype))


def _csv_cell(value: Any) -> Any:
    """Return the content of a CSV cell: bytes and unencodable texts with escapes."""
    return as_text(value) if isinstance(value, (str, bytes, bytearray)) else value


def _mapped(batch: pd.DataFrame, places: list[int], function: Callable[[Any], Any]) -> pd.DataFrame:
    """Return a table with a function applied to the cells of some columns."""
    batch = batch.copy(deep=False)
    for i in places:
        column = batch.iloc[:, i]
        if _is_text(column):
            batch.isetitem(i, column.map({cell: function(cell) for cell in _distinct(column)}))
        else:
            batch.isetitem(i, column.map(function))
    return batch


def _each(column: pd.Series[Any], function: Callable[[Any], Any]) -> list[Any]:
    """Return the results of a function for the cells of a column (n,)."""
    if not _is_text(column):
        return [function(cell) for cell in column]
    codes, texts = pd.factorize(column)
    known = [*map(function, texts), None]  # code -1: missing
    return [known[code] for code in codes.tolist()]


def _distinct(column: pd.Series[Any]) -> Any:
    """Return the distinct texts of a column of texts, else all cells."""
    return column.dropna().unique() if _is_text(column) else column


def _is_text(column: pd.Series[Any]) -> bool:
    return isinstance(column.dtype, pd.StringDtype)


def _no_formula(value: Any) -> Any:
    """Put an apostrophe before a text that a spreadsheet would take for a formula."""
    if not isinstance(value, str) or not value.startswith(FORMULA) or NUMBER.fullmatch(value):
        return value
    return "'" + value
