"""JSON lines files, whose values are read as text, like the cells of a CSV file."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from augan.exceptions import DataError, shown
from augan.io.formats import NumberFormat
from augan.io.options import ReadOptions
from augan.io.sniffing import encoding_of

BATCH_ROWS = 16_384
LONGEST_LINE = 64 * 2**20  # characters
TEXTS = {True: "true", False: "false", None: None}


class Literal(str):
    """The digits of a number, as written in the file."""


class JsonLinesFile:
    """One file with a JSON object on each line.

    Parameters
    ----------
    path : Path
        The file, plain or compressed.
    options : ReadOptions
        Only the encoding is used.
    label : str
        What the file is called in messages.
    """

    def __init__(self, path: Path, options: ReadOptions, label: str) -> None:
        self.path, self.options, self.label = path, options, label

    @cached_property
    def names(self) -> list[str]:
        """The keys of all objects, in order of appearance."""
        names: dict[str, None] = {}
        for record in self._records():
            names.update(dict.fromkeys(record))
        return list(names)

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Return columns as texts, null if a value is null or its key is absent."""
        tables = list(self.batches(columns))
        empty = pa.schema([(name, pa.string()) for name in columns]).empty_table()
        return pa.concat_tables(tables) if tables else empty

    def batches(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Yield columns as texts, some thousand rows at a time."""
        texts: dict[str, list[str | None]] = {name: [] for name in columns}
        row = -1
        for row, record in enumerate(self._records()):
            for name, cells in texts.items():
                cells.append(self._text(record.get(name), row, name))
            if (row + 1) % BATCH_ROWS == 0:
                yield self._table(texts)
                texts = {name: [] for name in columns}
        if (row + 1) % BATCH_ROWS:
            yield self._table(texts)

    def _records(self) -> Iterator[dict[str, Any]]:
        """Yield the objects of the file, with numbers as their digits."""
        decoder = json.JSONDecoder(
            parse_int=Literal,
            parse_float=Literal,
            parse_constant=Literal,
            object_pairs_hook=_object,
        )
        with pa.input_stream(str(self.path), compression="detect") as stream:
            encoding = encoding_of(stream.read(4), self.options.encoding)
        encoding = "utf-8-sig" if encoding == "utf-8" else encoding
        with pa.input_stream(str(self.path), compression="detect") as stream:
            handle = io.TextIOWrapper(stream, encoding=encoding)
            number = 0
            while line := handle.readline(LONGEST_LINE):
                number += 1
                if len(line) == LONGEST_LINE:
                    raise DataError(f"{self.label}, line {number}: longer than 64 MB")
                if line.strip():
                    yield self._record(decoder, line, number)

    def _record(self, decoder: json.JSONDecoder, line: str, number: int) -> dict[str, Any]:
        where = f"{self.label}, line {number}"
        try:
            record = decoder.decode(line.strip())
        except (ValueError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else error
            raise DataError(f"{where}: {reason}") from error
        if not isinstance(record, dict):
            raise DataError(f"{where}: {shown(line.strip())} is not a JSON object")
        return record

    def _text(self, value: Any, row: int, name: str) -> str | None:
        if isinstance(value, Literal):
            how = self.options.formats.get(name)
            return how.as_written(value) if isinstance(how, NumberFormat) else str(value)
        if isinstance(value, str):
            return value
        if value is None or isinstance(value, bool):
            return TEXTS[value]
        kind = "an object" if isinstance(value, dict) else "a list"
        raise DataError(
            f"{self.label}, row {row}, column {shown(name)} holds {kind}, not one value"
        )

    def _table(self, texts: dict[str, list[str | None]]) -> pa.Table:
        return pa.table({name: pa.array(cells, pa.string()) for name, cells in texts.items()})


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the members of an object; ValueError if a key is duplicate."""
    record = dict(pairs)
    if len(record) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"duplicate column name {shown(repeated)}")
    return record
