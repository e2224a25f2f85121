"""Writing of Parquet files in batches, whose columns may need other types later on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet

REFUSED = (pa.ArrowException, UnicodeError, OverflowError, TypeError, ValueError)


class ParquetWriter:
    """Writes batches of a table to one file.

    A column without a value in the first batches gets the type of its first values; whole
    numbers of which some are missing in a batch stay integers. If a later batch needs a
    wider type, earlier batches are rewritten.

    Parameters
    ----------
    path : Path
        The file.
    as_text : callable
        Converts a cell that Arrow has no type for to text.
    """

    def __init__(self, path: Path, as_text: Callable[[Any], str | None]) -> None:
        self.path, self.as_text = path, as_text
        self.writer: Any = None
        self.schema: Any = None
        self.without_value: set[int] = set()  # indices of columns

    def write(self, batch: pd.DataFrame) -> None:
        """Write the next rows."""
        table = self._table(batch)
        if self.writer is None:
            self._open(table.schema)
            self.without_value = set(range(table.num_columns))
        elif not table.schema.equals(self.schema):
            table = self._fitted(table)
        self.writer.write_table(table)
        self.without_value = {i for i in self.without_value if _is_empty(table.column(i))}

    def close(self) -> None:
        """Finish the file."""
        if self.writer is not None:
            self.writer.close()

    def _open(self, schema: Any) -> None:
        self.schema = schema
        self.writer = pyarrow.parquet.ParquetWriter(self.path, schema)

    def _table(self, batch: pd.DataFrame) -> Any:
        """Return a batch as an Arrow table; columns that Arrow has no type for become text."""
        try:
            return pa.Table.from_pandas(batch, preserve_index=False)
        except REFUSED:
            batch = batch.copy(deep=False)
            for i in range(batch.shape[1]):
                if not _has_type(batch.iloc[:, i]):
                    batch.isetitem(i, batch.iloc[:, i].map(self.as_text).astype(object))
            return pa.Table.from_pandas(batch, preserve_index=False)

    def _fitted(self, table: Any) -> Any:
        """Return a table with the schema of the file, which is widened if needed."""
        kinds = [
            _common(pa.null() if i in self.without_value else field.type, table.column(i))
            or field.type
            for i, field in enumerate(self.schema)
        ]
        fields = [pa.field(f.name, kind) for f, kind in zip(self.schema, kinds, strict=True)]
        wanted = pa.schema(fields, metadata=self.schema.metadata)
        if not wanted.equals(self.schema):
            self._write_again(wanted)
        return _cast(table, wanted)

    def _write_again(self, schema: Any) -> None:
        self.writer.close()
        former = self.path.with_name(f"{self.path.name.removesuffix('.tmp')}-former.tmp")
        self.path.replace(former)
        try:
            self._open(schema)
            with pyarrow.parquet.ParquetFile(former) as file:
                for batch in file.iter_batches():
                    self.writer.write_table(_cast(pa.Table.from_batches([batch]), schema))
        finally:
            former.unlink()


def _is_empty(column: Any) -> bool:
    return bool(column.null_count == len(column))


def _has_type(column: pd.Series[Any]) -> bool:
    try:
        pa.array(column, from_pandas=True)
    except REFUSED:
        return False
    return True


def _common(old: Any, column: Any) -> Any:
    """Return a common type for the file's column and new values; None if both are empty."""
    if _is_empty(column):
        return None if pa.types.is_null(old) else old
    if pa.types.is_null(old):
        return column.type
    for kind in (old, *_wider(old, column.type), column.type):
        if _is_kin(kind, old) and _is_kin(kind, column.type) and _fits(column, kind):
            return kind
    return pa.string()


def _fits(column: Any, kind: Any) -> bool:
    """Whether the values of a column survive conversion to another type."""
    try:
        return bool(column.cast(kind).cast(column.type).equals(column))
    except pa.ArrowException:
        return False


def _is_kin(kind: Any, other: Any) -> bool:
    """Whether both types are numbers, both dates or both texts."""
    types = pa.types
    families = (
        (types.is_integer, types.is_floating, types.is_decimal),
        (types.is_date, types.is_timestamp),
        (types.is_string, types.is_large_string, types.is_dictionary),
    )
    return kind.equals(other) or any(
        all(any(is_of(t) for is_of in family) for t in (kind, other)) for family in families
    )


def _wider(old: Any, new: Any) -> list[Any]:
    """Return a list of the common type of two types; empty if there is none."""
    schemas = [pa.schema([("x", kind)]) for kind in (old, new)]
    try:
        return [pa.unify_schemas(schemas, promote_options="permissive").field(0).type]
    except pa.ArrowException:
        return []


def _cast(table: Any, schema: Any) -> Any:
    """Return a table with another schema; numbers may lose digits."""
    columns = [table.column(i).cast(field.type, safe=False) for i, field in enumerate(schema)]
    return pa.Table.from_arrays(columns, schema=schema)
