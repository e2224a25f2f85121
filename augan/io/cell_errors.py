"""Errors that name the cell of a table's file that cannot be read, and the option that helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from augan.exceptions import DataError, shown
from augan.io import number_texts
from augan.io.date_texts import survey_dates
from augan.io.formats import DateFormat, Format, NumberFormat


@dataclass(frozen=True)
class Places:
    """Files that the rows of a table come from, and the number of rows of each.

    Parameters
    ----------
    labels : sequence of str
        What the files are called in messages.
    lengths : sequence of int
        Number of rows of each file.
    first_row : int, default=0
        Number of the first row, if there is only one file.
    """

    labels: Sequence[str]
    lengths: Sequence[int]
    first_row: int = 0

    def where(self, row: int, column: str) -> str:
        """Return file, row and column for a message."""
        for label, length in zip(self.labels, self.lengths, strict=True):
            if row < length:
                return f"{label}, row {self.first_row + row}, column {shown(column)}"
            row -= length
        raise AssertionError("no file has this row")  # pragma: no cover


def options_for(formats: list[NumberFormat], name: str) -> str:
    """Return the command-line options that select one of these formats."""
    ways = []
    for how in formats:
        given = []
        if how.thousands:
            given.append(f"--thousands {shown(how.thousands)}")
        if how.thousands is None or (how.decimal == "," and how.thousands != "."):
            given.append(f"--decimal {shown(how.decimal)}")
        ways.append(" ".join(given))
    return " or ".join(ways)


def odd_text(where: str, value: str, what: str, n_right: int = 0) -> DataError:
    """Return the error for a text that is not a number, or not a date.

    Parameters
    ----------
    where : str
        File, row and column.
    value : str
        The text.
    what : {"number", "date"}
        What the other values of the column are.
    n_right : int, default=0
        Number of values that are numbers or dates.
    """
    others = f"; {n_right} others are" if n_right else ""
    way = "--missing {0} reads it as missing"
    if what == "number":
        found = number_texts.survey(pa.chunked_array([[value]]), None, None)
        if found.n_numbers and found.signs:
            sign = "".join(found.signs[0])
            way = options_for(found.formats, "") + " reads it"
            if sign:
                way = f"it carries the sign {shown(sign)}"
    else:
        found_dates = survey_dates(pa.chunked_array([[value]])).formats
        if found_dates:
            way = " or ".join(f"--date-format {shown(how)}" for how in found_dates) + " reads it"
    return DataError(
        f"{where}: {shown(value)} is not a {what}{others} ({way.format(shown(value))})"
    )


def unlike_others(where: str, value: str, wanted: str, how: Format) -> DataError:
    """Return the error for a text that is not written in the format of its column."""
    if how == NumberFormat():
        return odd_text(where, value, "number")
    option = "--date-format" if isinstance(how, DateFormat) else "--decimal, --thousands"
    return DataError(
        f"{where}: {shown(value)} is not {wanted}, the format of the column ({option} gives "
        f"another format, --missing {shown(value)} reads it as missing)"
    )


def check_finite(
    numbers: pa.ChunkedArray, text: pa.ChunkedArray, name: str, places: Places
) -> None:
    """Check that a column has no infinite number.

    Raises
    ------
    DataError
        Naming the cell of the first infinite number.
    """
    if not pa.types.is_floating(numbers.type):
        return
    infinite = pc.fill_null(pc.is_inf(numbers), False)
    if pc.any(infinite).as_py():
        row = pc.index(infinite, True).as_py()
        value = text[row].as_py()
        way = f" (--missing {shown(value)} reads it as missing)" if isinstance(value, str) else ""
        raise DataError(f"{places.where(row, name)}: {shown(value)} is not a finite number{way}")
