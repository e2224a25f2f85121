"""Formats of the values of a column in a text file, learned from its cells."""

from __future__ import annotations

import datetime
import decimal
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pandas.api import types as pdt
from pandas.tseries.api import guess_datetime_format

from augan.io.arrow_frames import zone_of

DATE_FORMATS = (
    *("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"),
    *("%Y-%m-%d %H:%M:%S.%3f", "%Y-%m-%dT%H:%M:%S.%3f"),
    *("%Y-%m-%d %H:%M:%S.%f", "%Y-%m-%dT%H:%M:%S.%f"),
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y/%m/%d", "%Y%m%d", "%d.%m.%y"),
    *("%-d.%-m.%Y", "%-d/%-m/%Y", "%-m/%-d/%Y", "%d.%m.%Y %H:%M", "%m/%d/%Y %H:%M"),
)
PLAIN_MARKS = ((".", ""), (",", ""), (".", ","), (",", "."))
ZONES = ("", "Z", "%z", "%:z", " %z", "%3z")  # %3z: hours only


@dataclass(frozen=True)
class ColumnText:
    """Text of the cells of a column: of known, missing and new values."""

    known: dict[Any, str]
    missing: str
    style: NumberStyle | DateStyle | None
    quote: Callable[[str], str]

    @classmethod
    def learn(
        cls,
        cells: Sequence[str],
        values: pd.Series,
        *,
        plain: Callable[[str], str] = str,
        quote: Callable[[str], str] = str,
        missing: str = "",
        date_format: str | None = None,
    ) -> ColumnText:
        """Learn from cells and the values that they were read as.

        `plain` removes the quotes of a cell, `quote` adds them to a new one if needed. `missing` is
        the text of missing values if there was none.
        """
        given = pd.Series(list(cells), dtype=object)
        values = values.reset_index(drop=True)
        absent = values.isna().to_numpy(bool)
        marks = Counter(given[absent]).most_common(1)
        values, given = values[~absent], given[~absent]
        texts, read = [plain(cell) for cell in given], values.tolist()
        style: NumberStyle | DateStyle | None = None
        if read and pdt.is_datetime64_any_dtype(values.dtype):
            style = DateStyle.learn(texts, read, date_format)
        elif read and pdt.is_numeric_dtype(values.dtype) and not pdt.is_bool_dtype(values.dtype):
            style = NumberStyle.learn(texts, read)
        first = ~values.duplicated().to_numpy(bool)
        known = dict(zip(values[first].tolist(), given[first], strict=True))
        return cls(known, marks[0][0] if marks else missing, style, quote)

    def write(self, values: pd.Series) -> list[str]:
        """Return the text of new cells."""
        absent = values.isna().tolist()
        cells = zip(values.tolist(), absent, strict=True)
        return [self.missing if gone else self._one(value) for value, gone in cells]

    def _one(self, value: Any) -> str:
        found = self.known.get(value)
        if found is not None:
            return found
        return self.quote(str(value) if self.style is None else self.style.write(value))


@dataclass(frozen=True)
class NumberStyle:
    """Style of numbers: decimals, thousands separator, prefix and suffix."""

    before: str = ""
    behind: str = ""
    decimal: str = "."
    group: str = ""
    decimals: int = 15
    fixed: bool = False  # whether all have the same number of decimals
    leading_zero: bool = True

    @classmethod
    def learn(cls, texts: Sequence[str], values: Sequence[Any]) -> NumberStyle:
        """Learn from cells and their numbers."""
        parts = [found.groups() for text in texts if (found := _NUMBER.match(text))]
        if not parts:
            return cls()
        before = _usual(re.sub("[-+]", "", lead) for lead, _, _ in parts)
        behind = _usual(trail for _, _, trail in parts)
        bodies = [body for _, body, _ in parts]
        spaces = {sign for body in bodies for sign in re.findall(r"[^\d.,]", body)}
        pairs = [*PLAIN_MARKS, *((mark, space) for space in sorted(spaces) for mark in ".,")]
        styles = [cls._of(bodies, before, behind, *marks) for marks in pairs]
        few = slice(None, None, max(1, len(texts) // 500))
        cells = list(zip(texts[few], values[few], strict=True))
        return max(styles, key=lambda style: sum(style.write(v) == text for text, v in cells))

    @classmethod
    def _of(
        cls, bodies: Sequence[str], before: str, behind: str, decimal: str, group: str
    ) -> NumberStyle:
        lengths = {len(body.partition(decimal)[2]) for body in bodies}
        starts = sum(body.startswith(decimal) for body in bodies)
        below = sum(body.startswith("0" + decimal) for body in bodies)
        fixed = len(lengths) == 1
        return cls(before, behind, decimal, group, max(lengths), fixed, below >= starts)

    def write(self, value: Any) -> str:
        """Return a number as text."""
        sign, whole, rest = self._digits(value)
        if self.group:
            whole = f"{int(whole):,}".replace(",", self.group)
        if whole == "0" and rest and not self.leading_zero:
            whole = ""
        body = f"{whole}{self.decimal}{rest}" if rest else whole
        return f"{self.before}{sign}{body}{self.behind}"

    def _digits(self, value: Any) -> tuple[str, str, str]:
        """Return the sign, and the digits before and after the decimal mark."""
        exact = decimal.Decimal(repr(value))
        if self.decimals < 15 and abs(value) < 2.0**53:
            exact = decimal.Decimal(repr(round(value, self.decimals)))
        digits = f"{exact:f}"
        negative = exact < 0
        whole, _, rest = digits.lstrip("-").partition(".")
        rest = rest.ljust(self.decimals, "0") if self.fixed else rest.rstrip("0")
        if self.fixed and not self.decimals:
            rest = rest.rstrip("0")
        return "-" if negative else "", whole, rest


@dataclass(frozen=True)
class DateStyle:
    """Format of dates, as in `strftime`; also %-d and %-m without zero, %3f and %:z.

    `zone` is the most frequent offset of dates that have one.
    """

    form: str | None
    zone: datetime.timezone | None = None

    @classmethod
    def learn(
        cls, texts: Sequence[str], values: Sequence[Any], date_format: str | None = None
    ) -> DateStyle:
        """Learn from cells and their dates."""
        zones = [_zone_in(text, value) for text, value in zip(texts, values, strict=True)]
        own = [_in_zone(value, zone) for value, zone in zip(values, zones, strict=True)]
        forms = ([date_format] if date_format else []) + _candidates(texts)
        found = {form: _agreement(form, texts, own) for form in forms}
        best = max(found, key=lambda form: found[form])
        zone = Counter(zones).most_common(1)[0][0] if zones else None
        if zone is not None and best.endswith("Z"):  # which is the offset of UTC
            zone = datetime.UTC
        return cls(best if found[best] else None, zone)

    def write(self, value: Any) -> str:
        """Return a date as text."""
        value = _in_zone(value, self.zone)
        return value.isoformat(sep=" ") if self.form is None else _formatted(value, self.form)


def _zone_in(text: str, value: Any) -> datetime.timezone | None:
    """Return the zone of an offset at the end of a text; None if the date has no zone."""
    found = re.search(r":\d\d(?:\.\d+)? ?([+-]\d\d(?::?\d\d)?|Z)$", text.strip())
    return zone_of(found[1]) if found and value.tzinfo is not None else None


def _in_zone(value: Any, zone: datetime.timezone | None) -> Any:
    return value if zone is None else value.tz_convert(zone)


_NUMBER = re.compile(r"^([^\d.,]*)(\d[\d.,'’ \u00a0\u202f]*\d|\d|[.,]\d+)([^\d]*)$")


def _usual(found: Iterable[str]) -> str:
    return Counter(found).most_common(1)[0][0]


def _candidates(texts: Sequence[str]) -> list[str]:
    guessed = []
    with warnings.catch_warnings(action="ignore"):  # that the day may come first: the values decide
        for text in texts[:: max(1, len(texts) // 5)][:5]:
            form = guess_datetime_format(text.strip())
            guessed += [form] if form else []
    return [form + zone for form in (*DATE_FORMATS, *guessed) for zone in ZONES]


def _agreement(form: str, texts: Sequence[str], values: Sequence[Any]) -> int:
    """Return how many dates the format writes as they are in the file."""
    few = slice(None, None, max(1, len(texts) // 200))
    pairs = zip(texts[few], values[few], strict=True)
    return sum(_formatted(value, form) == text.strip() for text, value in pairs)


def _formatted(value: Any, form: str) -> str:
    moment: datetime.datetime = value.to_pydatetime(warn=False)
    if "%-d" in form or "%-m" in form:
        form = form.replace("%-d", str(moment.day)).replace("%-m", str(moment.month))
    form = form.replace("%3f", f"{moment.microsecond // 1000:03d}")
    form = form.replace("%Y", f"{moment.year:04d}")
    if "%:z" in form or "%3z" in form:
        offset = moment.strftime("%z")
        form = form.replace("%:z", f"{offset[:3]}:{offset[3:5]}" if offset else "")
        form = form.replace("%3z", offset[:3])
    return moment.strftime(form)
