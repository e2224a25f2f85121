"""Formats of the numbers and dates of a text column."""

from __future__ import annotations

import datetime
import decimal
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from augan.exceptions import ParameterError

MOST = 100  # characters of a format
THOUSANDS = (",", ".", "'", " ")


@dataclass(frozen=True)
class NumberFormat:
    """Format of the numbers of a column.

    Parameters
    ----------
    decimal : str
        Decimal mark.
    thousands : str, optional
        Separator of groups of three digits. A space or an apostrophe stands for all of its
        Unicode variants.
    prefix, suffix : str
        A sign before or after each number, such as "$" or "%".
    """

    decimal: str = "."
    thousands: str | None = None
    prefix: str = ""
    suffix: str = ""

    def __post_init__(self) -> None:
        if self.decimal not in (".", ","):
            raise ParameterError(f"--decimal {self.decimal!r}: must be '.' or ','")
        if self.thousands is not None and self.thousands not in THOUSANDS:
            listed = ", ".join(map(repr, THOUSANDS))
            raise ParameterError(f"--thousands {self.thousands!r}: must be one of {listed}")
        if self.decimal == self.thousands:
            raise ParameterError(f"--decimal and --thousands are both {self.decimal!r}")
        for sign in (self.prefix, self.suffix):
            if not isinstance(sign, str) or len(sign) > MOST:
                raise ParameterError(f"a number's sign must be a short text, not {sign!r:.60}")

    def write(self, value: Any) -> str:
        """Return a number as text."""
        return self.as_written(f"{decimal.Decimal(repr(value)):f}".removesuffix(".0"))

    def as_written(self, plain: str) -> str:
        """Return a number such as "-2.5" in the format of the column."""
        minus, digits = ("-", plain[1:]) if plain.startswith("-") else ("", plain)
        return f"{minus}{self.prefix}{digits.replace('.', self.decimal)}{self.suffix}"

    def example(self) -> str:
        """Return a number in this format, as an example."""
        return f"{self.prefix}1{self.thousands or ''}234{self.decimal}5{self.suffix}"


@dataclass(frozen=True)
class DateFormat:
    """Format of the dates of a column, as in `datetime.strptime`."""

    date: str

    def __post_init__(self) -> None:
        check_date_format(self.date)

    def write(self, value: datetime.datetime) -> str:
        """Return a date as text."""
        return value.strftime(self.date.replace("%Y", f"{value.year:04d}"))


Format = NumberFormat | DateFormat


def in_formats(frame: pd.DataFrame, formats: Mapping[str, Format]) -> pd.DataFrame:
    """Return a table whose numbers and dates with a format are texts in that format."""
    texts = {}
    for name, how in formats.items():
        if name not in frame:
            continue
        kind = pd.api.types.is_datetime64_any_dtype if isinstance(how, DateFormat) else _is_number
        if kind(frame[name].dtype):
            cells = zip(frame[name].tolist(), frame[name].isna().tolist(), strict=True)
            texts[name] = [None if missing else how.write(value) for value, missing in cells]
    columns = {name: pd.Series(v, frame.index, dtype=object) for name, v in texts.items()}
    return frame.assign(**columns)


def _is_number(dtype: Any) -> bool:
    return bool(pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype))


def check_date_format(text: Any) -> None:
    """Check that a text is a format of `strptime`.

    Raises
    ------
    ParameterError
        If it is not.
    """
    what = f"--date-format {text!r:.60}"
    if not isinstance(text, str) or len(text) > MOST or not re.search("%[a-zA-Z]", text):
        raise ParameterError(f"{what}: must be like '%d.%m.%Y' or 'COLUMN=%d.%m.%Y'")
    try:
        shown = datetime.datetime(2024, 11, 28, 13, 14, 15).strftime(text)
        datetime.datetime.strptime(shown, text)
    except (ValueError, re.error, UnicodeError) as error:
        raise ParameterError(f"{what}: {error}") from None


def format_to_dict(how: Format) -> dict[str, Any]:
    """Return a format as JSON can hold it."""
    return asdict(how)


def format_from_dict(values: Any) -> Format:
    """Rebuild a format from `format_to_dict`.

    Raises
    ------
    ParameterError
        If `values` is not a result of `format_to_dict`.
    """
    if isinstance(values, dict):
        if set(values) == {"date"}:
            return DateFormat(values["date"])
        if set(values) <= {"decimal", "thousands", "prefix", "suffix"}:
            return NumberFormat(**values)
    raise ParameterError(f"not a format of a column: {values!r:.60}")
