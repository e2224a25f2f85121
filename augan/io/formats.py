"""How the numbers and dates of a text column are written."""

from __future__ import annotations

import datetime
import re
from dataclasses import asdict, dataclass
from typing import Any

from augan.exceptions import ParameterError

MOST = 100  # characters of a format
THOUSANDS = (",", ".", "'", " ")


@dataclass(frozen=True)
class NumberFormat:
    """How the numbers of a column are written.

    Parameters
    ----------
    decimal : str
        Between units and decimals.
    thousands : str, optional
        Between groups of three digits; a space stands for any kind of it, an
        apostrophe too.
    prefix, suffix : str
        A sign that each number has before or behind it, such as "$" or "%".
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

    def example(self) -> str:
        """Return a number that is written so."""
        return f"{self.prefix}1{self.thousands or ''}234{self.decimal}5{self.suffix}"


@dataclass(frozen=True)
class DateFormat:
    """How the dates of a column are written: a format of `datetime.strptime`."""

    date: str

    def __post_init__(self) -> None:
        check_date_format(self.date)


Format = NumberFormat | DateFormat


def check_date_format(text: Any) -> None:
    """Raise ParameterError unless dates can be read with a format of `strptime`."""
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
    """Rebuild what `format_to_dict` gave; ParameterError for anything else."""
    if isinstance(values, dict):
        if set(values) == {"date"}:
            return DateFormat(values["date"])
        if set(values) <= {"decimal", "thousands", "prefix", "suffix"}:
            return NumberFormat(**values)
    raise ParameterError(f"not a format of a column: {values!r:.60}")
