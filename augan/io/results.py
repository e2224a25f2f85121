"""Tables of results, written batch by batch: CSV, Parquet or JSON lines, to a file or stdout."""

from __future__ import annotations

import contextlib
import datetime
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from augan.exceptions import ParameterError
from augan.io.atomic import atomic_path, is_stream

Write = Callable[[pd.DataFrame], None]
FORMATS = {".csv": "csv", ".parquet": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl"}


@contextlib.contextmanager
def open_results(path: Path | None, *, json_lines: bool = False) -> Iterator[Write]:
    """Give a function that writes a batch of results.

    The file appears under `path` when all is written; without `path` they go to stdout as CSV,
    or as JSON lines.
    """
    if path is None:
        with _named_stdout():
            yield _jsonl_writer(sys.stdout) if json_lines else _csv_writer(sys.stdout)
            sys.stdout.flush()
        return
    kind = result_format(path)
    with atomic_path(path) as temporary:
        if kind == "parquet":
            with _parquet_writer(temporary) as write:
                yield write
        else:
            with temporary.open("w", encoding="utf-8", newline="") as handle:
                yield _csv_writer(handle) if kind == "csv" else _jsonl_writer(handle)


@contextlib.contextmanager
def _named_stdout() -> Iterator[None]:
    """Let an OSError that names no file name stdout."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = "stdout"
        raise


def result_format(path: Path) -> str:
    """Return the format that a file's ending asks for; a device or a pipe may have none."""
    if path.suffix.lower() not in FORMATS and is_stream(path):
        return "csv"
    if path.suffix.lower() not in FORMATS:
        raise ParameterError(f"{path}: unknown ending; use {', '.join(FORMATS)}")
    return FORMATS[path.suffix.lower()]


def _csv_writer(handle: TextIO) -> Write:
    header = True

    def write(batch: pd.DataFrame) -> None:
        nonlocal header
        batch.to_csv(handle, index=False, header=header, lineterminator="\n")
        header = False

    return write


def _jsonl_writer(handle: TextIO) -> Write:
    def write(batch: pd.DataFrame) -> None:
        for record in batch.to_dict("records"):
            handle.write(json.dumps({k: _plain(v) for k, v in record.items()}) + "\n")

    return write


@contextlib.contextmanager
def _parquet_writer(path: Path) -> Iterator[Write]:
    writer: Any = None

    def write(batch: pd.DataFrame) -> None:
        nonlocal writer
        table = pa.Table.from_pandas(batch, preserve_index=False)
        if writer is None:
            writer = pyarrow.parquet.ParquetWriter(path, table.schema)
        writer.write_table(table)

    try:
        yield write
    finally:
        if writer is not None:
            writer.close()


def _plain(value: Any) -> Any:
    """Return what JSON can hold: None where a value is missing, dates and durations as texts."""
    if pd.isna(value):
        return None
    if isinstance(value, (datetime.date, datetime.timedelta)):
        return value.isoformat() if hasattr(value, "isoformat") else str(value)
    return value.item() if hasattr(value, "item") else value
