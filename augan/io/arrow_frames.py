"""Conversion of Arrow tables to DataFrames without change of values."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)?")


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


def typed_frame(table: pa.Table, missing: Sequence[str]) -> pd.DataFrame:
    """Return a DataFrame to train on or score.

    Categories that are blank or among `missing` become missing values. Times with a constant offset
    get a `datetime.timezone`, whether pytz is installed or not.
    """
    frame: pd.DataFrame = table.to_pandas(date_as_object=False, ignore_metadata=True)
    marks = {"", *missing}
    for i, dtype in enumerate(frame.dtypes):
        if isinstance(dtype, pd.CategoricalDtype):
            blank = [c for c in dtype.categories if isinstance(c, str) and c.strip() in marks]
            if blank:
                name = frame.columns[i]
                frame[name] = frame[name].cat.remove_categories(blank)
        elif isinstance(dtype, pd.DatetimeTZDtype) and (offset := OFFSET.match(_zone(table, i))):
            name = frame.columns[i]
            frame[name] = frame[name].dt.tz_convert(zone_of(offset[0]))
    return frame


def with_nullable_integers(frame: pd.DataFrame, table: pa.Table) -> pd.DataFrame:
    """Return the frame with nullable integers for integer columns with missing values."""
    for field, column in zip(table.schema, table.columns, strict=True):
        if pa.types.is_integer(field.type) and column.null_count:
            signed = pa.types.is_signed_integer(field.type)
            dtype = f"{'Int' if signed else 'UInt'}{field.type.bit_width}"
            values = column.to_pandas(types_mapper=lambda _, dtype=dtype: pd.array([], dtype).dtype)
            frame[field.name] = values
    return frame


def zone_of(offset: str) -> datetime.timezone:
    """Return the time zone of an offset such as +02:00, -0430 or Z."""
    found = OFFSET.fullmatch(offset)
    if found is None:
        return datetime.UTC
    sign, hours, minutes = found.groups()
    delta = datetime.timedelta(hours=int(hours), minutes=int(minutes or 0))
    return datetime.timezone(-delta if sign == "-" else delta)


def _zone(table: pa.Table, i: int) -> str:
    return str(getattr(table.schema.field(i).type, "tz", None))
