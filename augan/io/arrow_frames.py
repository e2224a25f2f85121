"""Conversion of Arrow tables to DataFrames without change of values."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Return a DataFrame to write to text files; decimals, dates and integers keep their types."""
    frame: pd.DataFrame = table.to_pandas(
        ignore_metadata=True, date_as_object=True, types_mapper=_nullable
    )
    return frame


def _nullable(kind: pa.DataType) -> Any:
    """Return pandas' type for integers that may be missing; None for other types."""
    if not pa.types.is_integer(kind):
        return None
    return pd.array([], dtype="UInt64" if pa.types.is_unsigned_integer(kind) else "Int64").dtype
