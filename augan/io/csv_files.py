"""CSV files, read by pyarrow with every cell as text."""

from __future__ import annotations

import codecs
import csv
import re
import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv

from augan.exceptions import DataError, DataWarning, shown
from augan.io.options import ReadOptions
from augan.io.sniffing import Head, other_delimiter, read_head

BLOCK_BYTES = 4 * 2**20
UNICODE = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "ascii")
LARGEST_BLOCK = 64 * 2**20  # for rows that are longer than a block


class CsvFile:
    """One CSV file.

    Parameters
    ----------
    path : Path
        The file, plain or compressed.
    options : ReadOptions
        How it is written.
    label : str
        What it is called in messages.
    """

    def __init__(self, path: Path, options: ReadOptions, label: str) -> None:
        self.path, self.options, self.label = path, options, label

    @cached_property
    def names(self) -> list[str]:
        """Column names; blank ones are replaced as pandas does, by ``Unnamed: 3``."""
        return [
            name if name.strip() else f"Unnamed: {place}" for place, name in enumerate(self._header)
        ]

    @property
    def delimiter(self) -> str:
        """Delimiter between fields."""
        return self.options.delimiter or self._head.delimiter or ","

    @property
    def skip_rows(self) -> int:
        """Lines before the header."""
        return self._head.skip_rows

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Return columns as texts, null where a field is empty."""
        read, parse, convert = self._settings(columns)
        while True:
            try:
                table = pyarrow.csv.read_csv(self.path, read, parse, convert)
                break
            except pa.ArrowInvalid as error:
                read.block_size = self._larger(read.block_size, error)
        self._check_last_quote(table)
        return table.select(list(columns))

    def batches(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield columns as texts, a block of the file at a time."""
        read, parse, convert = self._settings(columns)
        given, last = 0, None
        while True:
            start = 0
            try:
                with pyarrow.csv.open_csv(self.path, read, parse, convert) as reader:
                    for batch in reader:
                        start += len(batch)
                        if start <= given:
                            continue  # read before, in smaller blocks
                        last = pa.Table.from_batches([batch])
                        last = last.slice(len(last) - (start - given))
                        given = start
                        yield last.select(list(columns))
                break
            except pa.ArrowInvalid as error:
                read.block_size = self._larger(read.block_size, error)
        if last is not None:
            self._check_last_quote(last)

    @cached_property
    def _head(self) -> Head:
        names = self.options.column_names
        n_columns = len(names) if names else None
        head = read_head(self.path, self.options.encoding, n_columns, label=self.label)
        if head.is_utf8 and codecs.lookup(head.encoding).name not in UNICODE:
            warnings.warn(
                f"{self.label}: looks like UTF-8, but is read as {head.encoding} (--encoding)",
                DataWarning,
                stacklevel=2,
            )
        return head

    @cached_property
    def _header(self) -> list[str]:
        """Column names as written in the file."""
        if self._without_header:
            return list(self.options.column_names or ())
        read, parse, _ = self._base_settings()
        with pyarrow.csv.open_csv(self.path, read, parse) as reader:
            names = list(reader.schema.names)
        likely = self._head.delimiter
        if self.options.delimiter and len(names) == 1 and likely:
            raise DataError(
                f"{self.label}: no {shown(self.options.delimiter)} in the header; the delimiter "
                f"seems to be {shown(likely)} (--delimiter {shown(likely)})"
            )
        if len(names) == 1 and not self.options.delimiter:
            other = other_delimiter(self._head.lines[self._head.skip_rows :])
            if other is not None:
                warnings.warn(
                    f"{self.label}: read as one column; the delimiter may be {shown(other)} "
                    f"(--delimiter {shown(other)})",
                    DataWarning,
                    stacklevel=2,
                )
        return names

    @cached_property
    def _without_header(self) -> bool:
        """Whether the column names are given and the first line does not repeat them."""
        names = self.options.column_names
        first = self._head.lines[self._head.skip_rows :][:1]
        there = next(csv.reader(first, delimiter=self.delimiter, skipinitialspace=True), [])
        return bool(names) and [name.strip() for name in there] != list(names or ())

    def _base_settings(self) -> tuple[Any, Any, Any]:
        """Return pyarrow's options; without threads, errors name the line."""
        read = pyarrow.csv.ReadOptions(
            use_threads=False,
            block_size=BLOCK_BYTES,
            encoding=self._head.encoding,
            skip_rows=self._head.skip_rows,
        )
        parse = pyarrow.csv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True)
        convert = pyarrow.csv.ConvertOptions(null_values=[""], strings_can_be_null=True)
        return read, parse, convert

    def _settings(self, columns: Sequence[str]) -> tuple[Any, Any, Any]:
        read, parse, convert = self._base_settings()
        if self._without_header:
            read.column_names = self.names
        elif self.names != self._header:
            read.column_names = self.names
            read.skip_rows_after_names = 1  # the header itself
        convert.include_columns = list(dict.fromkeys([*columns, self.names[-1]]))
        convert.column_types = {name: pa.string() for name in convert.include_columns}
        return read, parse, convert

    def _larger(self, block_size: int, error: pa.ArrowInvalid) -> int:
        """Return a larger block size for a row that does not fit; re-raise other errors."""
        if "straddling object" not in str(error):
            raise error
        if block_size >= LARGEST_BLOCK:
            raise DataError(
                f"{self.label}: a row of more than {LARGEST_BLOCK // 2**20} MB; is a quote not "
                "closed?"
            ) from error
        return min(16 * block_size, LARGEST_BLOCK)

    def _check_last_quote(self, table: pa.Table) -> None:
        """Raise DataError if the last field is the rest of the file after an open quote."""
        last = table.column(self.names[-1])
        value = last[len(last) - 1].as_py() if len(last) else None
        if value and "\n" in value.strip() and not self._ends_in_quote():
            raise DataError(
                f"{self.label}, column {shown(self.names[-1])}: a quote that is never closed; it "
                f"begins with {shown(value[:40])}"
            )

    def _ends_in_quote(self) -> bool:
        tail = b""
        with pa.input_stream(str(self.path), compression="detect") as stream:
            while block := stream.read(BLOCK_BYTES):
                tail = (tail + block)[-64:]
        return tail.replace(b"\0", b"").rstrip().endswith(b'"')


def explained(error: BaseException, columns: Sequence[str]) -> str:
    """Return the message of an error, with the line and column of the file if known."""
    text = (str(error).strip() or repr(error)).splitlines()[0]
    if isinstance(error, UnicodeError):
        return f"{text} (--encoding names another encoding)"
    if "Empty CSV" in text:
        return "the file is empty"
    if "smaller than the minimum file footer" in text:
        return "damaged: too short for a Parquet file"
    found = re.search(r"In CSV column #(\d+):(?: Row #(\d+):)? .*invalid UTF8", text)
    if found:
        number = int(found[1])
        where = f"line {found[2]}, " if found[2] else ""
        where += f"column {shown(columns[number] if number < len(columns) else number)}"
        return f"{where}: not UTF-8 text (--encoding names another encoding, such as cp1252)"
    found = re.search(r"(?:Row #(\d+): )?Expected (\d+) columns, got (\d+)", text)
    if found:
        where = f"line {found[1]}: " if found[1] else ""
        expected = "column names" if found[1] == "1" else "in the lines before"
        return f"{where}{found[3]} fields, but {found[2]} {expected}"
    return text
