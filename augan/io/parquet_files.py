"""Parquet files, whose columns are converted to types that pandas can have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from augan.exceptions import DataError
from augan.io.cell_errors import Places, check_finite
from augan.io.options import ReadOptions

BATCH_ROWS = 16_384
EXACT = 2**53  # integers up to this are exact in float64


class ParquetFile:
    """One Parquet file.

    Parameters
    ----------
    path : Path
        The file.
    options : ReadOptions
        Only the texts that mean a missing value are used.
    label : str
        What the file is called in messages.
    """

    def __init__(self, path: Path, options: ReadOptions, label: str) -> None:
        self.path, self.options, self.label = path, options, label

    @cached_property
    def names(self) -> list[str]:
        """Column names."""
        return list(pyarrow.parquet.read_schema(self.path).names)

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Return columns."""
        table = pyarrow.parquet.read_table(self.path, columns=list(columns)).select(list(columns))
        return self._plain(table, {}, 0)

    def batches(self, columns: Sequence[str], types: dict[str, str]) -> Iterator[pa.Table]:
        """Yield columns, some thousand rows at a time; see `TableSource.batches` for `types`."""
        for table, _ in self.kept_batches(columns, types, ()):
            yield table

    def kept_batches(
        self, columns: Sequence[str], types: dict[str, str], kept: Sequence[str]
    ) -> Iterator[tuple[pa.Table, pa.Table]]:
        """Yield the columns as `batches` does, together with the columns `kept`, unchanged."""
        row, names = 0, list(dict.fromkeys([*columns, *kept]))
        with pyarrow.parquet.ParquetFile(self.path) as parquet:
            for batch in parquet.iter_batches(BATCH_ROWS, columns=names):
                table = pa.Table.from_batches([batch])
                yield self._plain(table.select(list(columns)), types, row), table.select(list(kept))
                row += len(table)

    def _plain(self, table: pa.Table, types: dict[str, str], first_row: int) -> pa.Table:
        """Return a table with types that pandas has; DataError names a column that cannot."""
        for i, field in enumerate(table.schema):
            values = table.column(i)
            try:
                plain = plain_column(values, types.get(field.name))
            except (pa.ArrowException, ValueError, OverflowError):
                plain = None
            if plain is None:
                raise DataError(
                    f"{self.label}: column {field.name!r} holds {field.type}, which a table "
                    "cannot have"
                )
            if is_text(plain.type):
                plain = with_missing(plain, ["", *self.options.missing])
            if pa.types.is_floating(plain.type):
                places = Places([self.label], [len(table)], first_row)
                check_finite(plain, plain, field.name, places)
            table = table.set_column(i, field.name, plain)
        return table


def plain_column(values: pa.ChunkedArray, wanted: str | None) -> pa.ChunkedArray | None:
    """Return a column with a type that pandas has, None if there is none."""
    kind = values.type
    if isinstance(kind, pa.BaseExtensionType):
        if kind.extension_name == "arrow.uuid":
            texts = [None if value is None else str(value) for value in values.to_pylist()]
            return pa.chunked_array([pa.array(texts, pa.string())])
        return values if hasattr(kind, "to_pandas_dtype") else None
    if pa.types.is_dictionary(kind):
        simple = is_text(kind.value_type) or pa.types.is_integer(kind.value_type)
        return values if simple else plain_column(values.cast(kind.value_type), wanted)
    if pa.types.is_decimal(kind):
        return _plain_decimal(values, wanted)
    if is_text(kind) or _is_binary(kind):
        return values.cast(pa.string())  # checks that bytes are UTF-8
    if pa.types.is_float16(kind):
        return values.cast(pa.float32())
    if pa.types.is_nested(kind) or pa.types.is_interval(kind):
        return None
    return values


def _plain_decimal(values: pa.ChunkedArray, wanted: str | None) -> pa.ChunkedArray:
    """Return decimals as floats, or as integers or texts if they would lose digits."""
    if wanted == "text":
        return values.cast(pa.string())
    floats = values.cast(pa.float64())
    largest = pc.max(pc.abs(floats)).as_py() or 0
    if wanted is None and values.type.scale == 0 and largest >= EXACT:
        return values.cast(pa.int64()) if largest < 2**63 else values.cast(pa.string())
    return floats


def with_missing(values: pa.ChunkedArray, marks: Sequence[str]) -> pa.ChunkedArray:
    """Return texts, with those that mean a missing value replaced by null."""
    bare = pc.utf8_trim_whitespace(values)
    empty = pc.is_in(bare, value_set=pa.array(list(marks), pa.string()))
    return pc.if_else(empty, pa.scalar(None, pa.string()), values)


def is_text(kind: pa.DataType) -> bool:
    """Whether a type is a text type."""
    views = getattr(pa.types, "is_string_view", lambda _: False)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or views(kind))


def _is_binary(kind: pa.DataType) -> bool:
    views = getattr(pa.types, "is_binary_view", lambda _: False)
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or views(kind)
    )
