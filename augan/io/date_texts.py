"""Dates in text, and their formats."""

from __future__ import annotations

import contextlib
import datetime
import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from augan.codecs.cells import PANDAS_2

LOOKS_LIKE_DATE = r"^\d{4}-\d\d-\d\d"
TRAILING_OFFSET = r"\d(?P<offset>[+-]\d\d:?\d\d)$"
TIMES = [pa.timestamp(unit, zone) for unit in ("s", "us", "ns") for zone in (None, "UTC")]
CLOCK = r"(?:[ T]+(\d{1,2}:\d\d)(:\d\d)?(\.\d{1,6})?( ?[AaPp][Mm])?)?"
IN_NUMBERS = re.compile(rf"(\d{{4}}|\d\d?)([./-])(\d\d?)\2(\d{{4}}|\d\d?){CLOCK}")
MONTH = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*"
IN_WORDS = re.compile(
    rf"(?:\d{{1,2}}\.?([ -/]){MONTH}\.?\1\d{{2,4}}|{MONTH}\.?( )\d{{1,2}},? \d{{4}}){CLOCK}", re.I
)
LIKE_DATES = (  # a year of two digits needs a day and month of two digits
    r"(?i)^(?:\d{4}[./-]\d\d?[./-]\d\d?|\d\d?[./-]\d\d?[./-]\d{4}|\d\d[./-]\d\d[./-]\d\d"
    rf"|\d{{1,2}}\.?[ -/]{MONTH}\.?[ -/]\d{{2,4}}|{MONTH}\.? \d{{1,2}},? \d{{4}}){CLOCK}$"
)
UNSURE = {  # formats to suggest for texts that may be dates or times of day
    r"^\d{1,2}:\d\d$": ("%H:%M",),
    r"^\d{1,2}:\d\d:\d\d$": ("%H:%M:%S",),
    r"^\d{4}-\d\d?$": ("%Y-%m",),
    r"^\d\d?/\d{4}$": ("%m/%Y",),
    r"^\d\d?/\d\d?/\d\d$": ("%d/%m/%y", "%m/%d/%y"),
    r"^\d\d?\.\d\d?\.\d\d$": ("%d.%m.%y",),
    r"^\d\d?-\d\d?-\d\d$": ("%d-%m-%y", "%m-%d-%y"),
}
MOST_SHAPES = 100  # texts from which formats are derived
WORDS = (
    *("%d{0}%b{0}%Y", "%d{0}%B{0}%Y", "%d{0}%b{0}%y", "%d.{0}%b{0}%Y", "%d.{0}%B{0}%Y"),
    *("%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y"),
)


@dataclass(frozen=True)
class DateSurvey:
    """Possible formats of the dates in a column of text.

    Parameters
    ----------
    formats : list of str
        Formats of `strptime` in which every text is a date.
    n_dates : int
        Number of texts that look like dates.
    odd : int, optional
        The first row whose text is not a date in the most frequent format.
    """

    formats: list[str] = field(default_factory=list)
    n_dates: int = 0
    odd: int | None = None


def survey_dates(text: pa.ChunkedArray) -> DateSurvey:
    """Find the formats in which texts are dates."""
    like = pc.match_substring_regex(text, LIKE_DATES)
    n_dates = pc.sum(like).as_py() or 0
    n_texts = len(text) - text.null_count
    if 2 * n_dates < n_texts or not n_dates:
        return DateSurvey(n_dates=n_dates)
    distinct = text.filter(like).unique().to_pandas()
    rights = {
        how: _strptime(distinct, how).notna().to_numpy()
        for how in _candidates(distinct[:MOST_SHAPES])
    }
    if not rights:
        return DateSurvey()
    are_dates = np.any(list(rights.values()), axis=0)
    dates = pa.array(distinct[are_dates], pa.string())
    is_date = pc.is_in(text, value_set=dates)
    n_dates = pc.sum(is_date).as_py()
    if n_dates == n_texts:
        formats = [how for how, right in rights.items() if right.all()]
        if formats:
            return DateSurvey(_without_odd_orders(formats), n_dates)
        best = max(rights.values(), key=np.sum)
        return DateSurvey([], n_dates, pc.index(text, distinct.iloc[int(best.argmin())]).as_py())
    odd = pc.and_(text.is_valid(), pc.invert(is_date))
    return DateSurvey([], n_dates, pc.index(odd, True).as_py())


def suggested_formats(text: pa.ChunkedArray) -> list[str]:
    """Return formats that read all texts of a column that is not recognized as dates."""
    for pattern, formats in UNSURE.items():
        if pc.all(pc.match_substring_regex(text, pattern)).as_py():
            return [how for how in formats if not read_dates(text, how)[1].any()]
    return []


def order_of(how: str) -> str:
    """Return the order of day, month and year, such as "dmy"."""
    return "".join(c.lower() for c in re.findall("%([dmyYbB])", how)).replace("b", "m")


def read_iso(text: pa.ChunkedArray) -> tuple[pa.ChunkedArray, NDArray[np.bool_]]:
    """Return texts such as 2024-12-31 as times, and a mask of those that are not dates."""
    for kind in TIMES:
        with contextlib.suppress(pa.ArrowInvalid):
            return text.cast(kind), np.zeros(len(text), dtype=bool)
    values = text.to_pandas()
    times = pd.to_datetime(values, errors="coerce", format="ISO8601", utc=True)
    odd = (times.isna() & values.notna()).to_numpy()
    return pa.chunked_array([pa.array(times, from_pandas=True)]), odd


def read_iso_dates(
    text: pa.ChunkedArray, share: float
) -> tuple[pa.ChunkedArray, NDArray[np.bool_]]:
    """Return texts as `read_iso` does, if a share of them has year, month and day; else nulls."""
    alike = pc.sum(pc.match_substring_regex(text, LOOKS_LIKE_DATE)).as_py() or 0
    if alike < share * (len(text) - text.null_count):
        return pa.chunked_array([pa.nulls(len(text))]), np.ones(len(text), dtype=bool)
    return read_iso(text)


def with_offset(text: pa.ChunkedArray, times: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return times in UTC with the offset of the texts, such as +02:00, if all have the same."""
    if getattr(times.type, "tz", None) != "UTC":
        return times
    found = pc.struct_field(pc.extract_regex(text.drop_null(), TRAILING_OFFSET), [0])
    offsets = pc.replace_substring_regex(found, r"(\d\d)(\d\d)$", r"\1:\2").unique()
    offset = offsets[0].as_py() if len(offsets) == 1 else None
    if offset in (None, "+00:00", "-00:00"):
        return times
    return times.cast(pa.timestamp(times.type.unit, offset))


def read_dates(text: pa.ChunkedArray, how: str) -> tuple[pa.ChunkedArray, NDArray[np.bool_]]:
    """Return texts in a format of `strptime` as times, and a mask of those that are not."""
    values = text.to_pandas()
    times = _strptime(values, how)
    odd = (times.isna() & values.notna()).to_numpy()
    kind = pa.timestamp("us", "UTC") if "%z" in how else pa.timestamp("us")
    read = pa.chunked_array([pa.array(times, from_pandas=True).cast(kind)])
    if odd.any():  # dates such as 2024-12-31 are read with any format
        alike = pc.and_(pa.array(odd), pc.match_substring_regex(text, LOOKS_LIKE_DATE))
        plain, also_odd = read_iso(pc.if_else(alike, text, pa.scalar(None, pa.string())))
        read = pc.coalesce(read, plain.cast(kind))
        odd = odd & (also_odd | ~pc.fill_null(alike, False).to_numpy())
    return read, odd


def _strptime(texts: pd.Series, how: str) -> pd.Series:
    """Return times, NaT for texts in another format."""
    times = pd.to_datetime(texts, format=how, errors="coerce", utc="%z" in how)
    left = times.isna() & texts.notna()
    if PANDAS_2 and left.any():  # nanoseconds cannot hold years before 1677 or after 2262
        zone = "[us, UTC]" if "%z" in how else "[us]"
        times = times.astype(f"datetime64{zone}")
        times[left] = texts[left].map(lambda text: _one(text, how)).astype(times.dtype)
    return times


def _one(text: str, how: str) -> datetime.datetime | None:
    try:
        return datetime.datetime.strptime(text, how)
    except ValueError:
        return None


def _candidates(texts: pd.Series) -> list[str]:
    """Return the formats that some of the texts may have."""
    return list(dict.fromkeys(how for text in texts for how in _formats_of(text)))


def _formats_of(text: str) -> list[str]:
    found = IN_NUMBERS.fullmatch(text)
    if found:
        first, between, _, last, *clock = found.groups()
        if len(first) == 4:
            orders = ["%Y{0}%m{0}%d", "%Y{0}%d{0}%m"]
        elif len(last) == 4:
            orders = ["%d{0}%m{0}%Y", "%m{0}%d{0}%Y"]
        else:
            orders = ["%d{0}%m{0}%y", "%m{0}%d{0}%y", "%y{0}%m{0}%d"]
        return [how.format(between) + _clock_format(*clock) for how in orders]
    found = IN_WORDS.fullmatch(text)
    if found:
        between, _, *clock = found.groups()
        return [how.format(between or " ") + _clock_format(*clock) for how in WORDS]
    return []


def _clock_format(
    minutes: str | None, seconds: str | None, parts: str | None, half: str | None
) -> str:
    if minutes is None:
        return ""
    hours = "%I:%M" if half else "%H:%M"
    after = " %p" if half and half.startswith(" ") else "%p" if half else ""
    return f" {hours}{':%S' if seconds else ''}{'.%f' if parts else ''}{after}"


def _without_odd_orders(formats: list[str]) -> list[str]:
    """Return the formats without unusual ones, if a usual one fits."""
    if any(how.startswith("%Y") for how in formats) or len(set(map(order_of, formats))) == 1:
        return formats[:1]
    if len(formats) > 1 and "." in formats[0][:3]:  # with dots, the day is first
        return formats[:1]
    return formats
