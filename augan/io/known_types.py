"""Text columns whose types and formats are known, read as numbers and times."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from augan.io.cell_errors import Places, check_finite, odd_text, unlike_others
from augan.io.date_texts import read_dates, read_iso
from augan.io.formats import DateFormat, Format, NumberFormat
from augan.io.number_texts import read_numbers
from augan.io.options import ANY_COLUMN, ReadOptions

KINDS_OF_TIME = ("time", "time with zone")
NULLS = {  # types of a column without a value
    "number": pa.float64(),
    "time": pa.timestamp("us"),
    "time with zone": pa.timestamp("us", "UTC"),
    "duration": pa.duration("us"),
    "text": pa.string(),
}


def converted(
    table: pa.Table, types: dict[str, str], options: ReadOptions, places: Places
) -> pa.Table:
    """Read text columns as the numbers or times that training data had in them.

    Parameters
    ----------
    table : Table
        Columns of text, or already typed ones, which stay as they are.
    types : dict of str to str
        Kind of each column; see `augan.io.tables.TableSource.batches`.
    options : ReadOptions
        How numbers and dates are written.
    places : Places
        Files of the rows, for messages.

    Returns
    -------
    Table

    Raises
    ------
    DataError
        Naming the first cell that is not written like the others.
    """
    columns = dict(zip(table.column_names, table.columns, strict=True))
    for name, kind in types.items():
        text = columns[name]
        if pa.types.is_null(text.type):  # only other files tell the type
            columns[name] = text.cast(NULLS[kind])
        elif not pa.types.is_string(text.type):
            continue
        elif kind == "number":
            values = read_as(text, options.number_format(name), name, places)
            columns[name] = values.cast(pa.float64(), safe=False)
        elif kind in KINDS_OF_TIME:
            columns[name] = _times(name, text, options, places)
    return pa.table(columns)


def read_as(text: pa.ChunkedArray, how: Format, name: str, places: Places) -> pa.ChunkedArray:
    """Return the values of a column that is written in one format.

    Raises
    ------
    DataError
        Naming the first cell that is written in another way, or is infinite.
    """
    if isinstance(how, DateFormat):
        values, odd = read_dates(text, how.date)
        wanted = f"a date like {how.date}"
    else:
        values, odd = read_numbers(text, how)
        wanted = "a number" if how == NumberFormat() else f"a number like {how.example()}"
    if odd.any():
        row = int(odd.argmax())
        raise unlike_others(places.where(row, name), text[row].as_py(), wanted, how)
    check_finite(values, text, name, places)
    return values


def trimmed(text: pa.ChunkedArray, missing: Sequence[str]) -> pa.ChunkedArray:
    """Strip white space, and make texts that mean a missing value null."""
    bare = pc.utf8_trim_whitespace(text)
    empty = pc.is_in(bare, value_set=pa.array(list(missing), pa.string()))
    return pc.if_else(empty, pa.scalar(None, pa.string()), bare)


def _times(
    name: str, text: pa.ChunkedArray, options: ReadOptions, places: Places
) -> pa.ChunkedArray:
    """Return times, read by the column's own format, that of all columns, or ISO 8601."""
    given = options.date_formats.get(name)
    how = DateFormat(given) if given else options.formats.get(name)
    if isinstance(how, DateFormat):
        return read_as(text, how, name, places)
    times, odd = read_iso(text)
    given = options.date_formats.get(ANY_COLUMN)
    if given:
        others, also_odd = read_dates(text, given)
        times = pc.coalesce(others.cast(pa.timestamp("us")), times.cast(pa.timestamp("us")))
        odd = odd & also_odd
    if odd.any():
        row = int(odd.argmax())
        raise odd_text(places.where(row, name), text[row].as_py(), "date")
    return times
