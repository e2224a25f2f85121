"""Rows of Parquet files, and new rows with the same Arrow types."""

from __future__ import annotations

import decimal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from augan._files import atomic_path
from augan.exceptions import DataError
from augan.io.added_rows import Added

TRIED = 100  # rows that are converted back as a test


class ArrowRows:
    """The rows of Parquet files, in order.

    Parameters
    ----------
    files : sequence of Path
        The files.
    names : list of str
        Columns to take.
    """

    def __init__(self, files: Sequence[Path], names: list[str]) -> None:
        tables = [pyarrow.parquet.read_table(file, columns=names).select(names) for file in files]
        self.table: pa.Table = pa.concat_tables(tables, promote_options="permissive")

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def check(self, frame: pd.DataFrame) -> None:
        """Check that rows read by pandas can be converted back to the types of the file.

        Raises
        ------
        DataError
            Naming the first column that cannot.
        """
        self._converted(frame.iloc[:TRIED])

    def with_added(self, added: Added) -> pa.Table:
        """Return the rows, followed by the added ones."""
        table = pa.concat_tables([self.table, self._converted(added.new)])
        if added.mark is not None:
            flags = [False] * len(self) + [bool(flag) for flag in added.is_new]
            table = table.append_column(added.mark, pa.array(flags, pa.bool_()))
        return table.replace_schema_metadata(self.table.schema.metadata)

    def _converted(self, frame: pd.DataFrame) -> pa.Table:
        """Return a DataFrame's rows with the columns' types."""
        columns = []
        for i, field in enumerate(self.table.schema):
            try:
                columns.append(_typed(frame.iloc[:, i], field.type))
            except (pa.ArrowException, ValueError, TypeError, ArithmeticError) as error:
                raise DataError(
                    f"column {field.name!r}: new rows cannot have the type {field.type}"
                ) from error
        return pa.table(columns, schema=self.table.schema)


def _typed(values: pd.Series, kind: pa.DataType) -> pa.Array:
    """Return values as an array of a type; times and numbers are rounded to its precision."""
    if pa.types.is_dictionary(kind):
        return _typed(values.astype(object), kind.value_type).dictionary_encode().cast(kind)
    if pa.types.is_decimal(kind):
        return pa.array([_decimal(value, kind.scale) for value in values], kind)
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, _typed(values, kind.storage_type))
    array = pa.array(values.astype(object) if values.dtype == object else values, from_pandas=True)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.cast(array.type.value_type)
    if pa.types.is_integer(kind) and pa.types.is_floating(array.type):
        return pa.array(values.round().astype("Float64").astype("Int64"), from_pandas=True).cast(
            kind
        )
    return array.cast(kind, safe=not _rounds(kind))


def _rounds(kind: pa.DataType) -> bool:
    """Whether a type has a lower precision than that of pandas."""
    return bool(pa.types.is_temporal(kind) or pa.types.is_floating(kind))


def _decimal(value: Any, scale: int) -> decimal.Decimal | None:
    if pd.isna(value):
        return None
    exact = decimal.Decimal(str(value))
    return exact.quantize(decimal.Decimal(1).scaleb(-scale), context=decimal.Context(prec=80))


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a table atomically."""
    with atomic_path(path) as temporary:
        pyarrow.parquet.write_table(table, temporary)
