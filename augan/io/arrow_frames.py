"""Arrow tables as DataFrames whose values are what they were."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pyarrow as pa


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Return a DataFrame for text files: decimals, dates and integers as they are."""
    frame: pd.DataFrame = table.to_pandas(
        ignore_metadata=True, date_as_object=True, types_mapper=_nullable
    )
    return frame


def _nullable(kind: pa.DataType) -> Any:
    """Return pandas' type for integers that may be missing; None for other types."""
    if not pa.types.is_integer(kind):
        return None
    return pd.array([], dtype="UInt64" if pa.types.is_unsigned_integer(kind) else "Int64").dtype
