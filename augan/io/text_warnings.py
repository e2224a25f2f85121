"""Warnings of columns that are read as text and may have been meant as something else."""

from __future__ import annotations

import warnings

import pyarrow as pa
import pyarrow.compute as pc

from augan.exceptions import DataWarning, shown
from augan.io import number_texts
from augan.io.date_texts import read_iso_dates, suggested_formats, survey_dates

MIN_DISTINCT = 20  # a column with fewer distinct values may be one of categories
MOSTLY = 0.9  # share of the values that have the same form
UNIT = r"^[+-]?\d[\d.,']*[ \x{a0}\x{202f}]?(?P<unit>[\p{L}µ°][\p{L}µ°²³/*^.-]{0,11})$"
MAX_UNITS = 5
MONTH = r"^\d{1,2}\.? (?:de )?(?P<month>\p{L}{3,10})\.?,? (?:de )?\d{4}\b"
MAX_MONTHS = 24  # names and abbreviations


def has_many_values(values: pa.ChunkedArray) -> bool:
    """Whether a column has too many distinct values to be one of categories."""
    return bool(pc.count_distinct(values).as_py() >= MIN_DISTINCT)


def warn_of_text(label: str, name: str, text: pa.ChunkedArray) -> None:
    """Warn where a column that stays text may hold numbers, dates or times.

    Parameters
    ----------
    label : str
        What the file is called.
    name : str
        The column.
    text : ChunkedArray
        Its values.
    """
    says = _other_mark(text) or _time_format(name, text)
    says = says or _unit(name, text) or _foreign_months(name, text)
    if says:
        message = f"{label}: column {shown(name)} is read as text{says}"
        warnings.warn(message, DataWarning, stacklevel=2)


def warn_of_missing_marks(
    label: str, name: str, text: pa.ChunkedArray, result: pa.ChunkedArray
) -> None:
    """Warn where "NA" or "None", read as missing, may be one of the codes or names of a column.

    Parameters
    ----------
    label : str
        What the file is called.
    name : str
        The column.
    text, result : ChunkedArray
        Its values before and after the usual marks were read as missing.
    """
    if result.null_count == text.null_count:
        return
    marks = text.filter(pc.and_(text.is_valid(), result.is_null())).unique().to_pylist()
    if len(marks) != 1 or text.null_count or marks[0] not in ("NA", "None"):
        return
    others = result.unique().drop_null()
    if not 2 <= len(others) <= 50:
        return
    pattern = r"^[A-Z]{2,3}$" if marks[0] == "NA" else r"^[A-Z][A-Za-z ]+$"
    if not number_texts.has_not(others, pattern):
        warnings.warn(
            f"{label}: column {shown(name)}: {shown(marks[0])} is read as missing, "
            f"{result.null_count} times; --missing '' keeps it",
            DataWarning,
            stacklevel=2,
        )


def _other_mark(text: pa.ChunkedArray) -> str:
    """Return a message if all values but one text without a digit are numbers or dates."""
    has_digit = pc.match_substring_regex(text.drop_null(), r"\d")
    rest = text.drop_null().filter(has_digit)
    marks = text.drop_null().filter(pc.invert(has_digit)).unique()
    if len(marks) != 1 or not has_many_values(rest):
        return ""
    if number_texts.survey(rest, None, None).odd is None:
        what = "numbers"
    elif not read_iso_dates(rest, MOSTLY)[1].any() or survey_dates(rest).n_dates == len(rest):
        what = "dates"
    else:
        return ""
    mark = shown(marks[0].as_py())
    return (
        f": {len(rest)} of its values are {what}, {len(text) - text.null_count - len(rest)} are "
        f"{mark} (--missing {mark} reads these as missing)"
    )


def _time_format(name: str, text: pa.ChunkedArray) -> str:
    """Return a message if a column may hold dates or times of day."""
    if not has_many_values(text) or not (formats := suggested_formats(text)):
        return ""
    ways = " or ".join(f"--date-format {shown(f'{name}={how}')}" for how in formats)
    return (
        f", such as {_first(text)}: {ways} reads it as times (--text {shown(name)} turns this "
        "warning off)"
    )


def _unit(name: str, text: pa.ChunkedArray) -> str:
    """Return a message if most values are numbers with a unit behind them."""
    if not _mostly(text, UNIT, "unit", MAX_UNITS):
        return ""
    return (
        f", since its numbers have units, such as {_first(text)}: remove the units to have it "
        f"read as numbers (--text {shown(name)} turns this warning off)"
    )


def _foreign_months(name: str, text: pa.ChunkedArray) -> str:
    """Return a message if most values are dates with names of months that are not English."""
    if not _mostly(text, MONTH, "month", MAX_MONTHS):
        return ""
    return (
        f", since names of months are read in English only, such as {_first(text)}: dates such "
        f"as 2024-12-31 are read as times (--text {shown(name)} turns this warning off)"
    )


def _mostly(text: pa.ChunkedArray, pattern: str, group: str, most: int) -> bool:
    """Whether most of many values match, and have few distinct texts in the group."""
    present = text.drop_null()
    if not has_many_values(present):
        return False
    found = pc.struct_field(pc.extract_regex(present, pattern), group)
    alike = len(found) - found.null_count
    return alike >= MOSTLY * len(present) and pc.count_distinct(found).as_py() <= most


def _first(text: pa.ChunkedArray) -> str:
    return shown(text.drop_null()[0].as_py())
