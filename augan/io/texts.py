"""Text columns of a file to numbers, dates and booleans, and how each of them is written."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from augan.exceptions import DataError, DataWarning, shown
from augan.io import date_texts, number_texts
from augan.io.date_texts import (
    order_of,
    read_dates,
    read_iso,
    suggested_formats,
    survey_dates,
)
from augan.io.formats import DateFormat, Format, NumberFormat
from augan.io.number_texts import has, plain_numbers, read_numbers
from augan.io.options import ANY_COLUMN, ReadOptions

MOSTLY = 0.9  # a text column with more numbers (dates) than this is one of numbers gone wrong
MIN_DISTINCT = 20  # unless it has so few of them that they may be categories
KINDS_OF_TIME = ("time", "time with zone")
NULLS = {  # types of a column without a value
    "number": pa.float64(),
    "time": pa.timestamp("us"),
    "time with zone": pa.timestamp("us", "UTC"),
    "duration": pa.duration("us"),
    "text": pa.string(),
}


@dataclass(frozen=True)
class Places:
    """Where the rows of a table stand: how many there are of each file."""

    labels: Sequence[str]
    lengths: Sequence[int]
    first_row: int = 0  # of the only file

    def where(self, row: int, column: str) -> str:
        """Return file, row and column for a message."""
        for label, length in zip(self.labels, self.lengths, strict=True):
            if row < length:
                return f"{label}, row {self.first_row + row}, column {shown(column)}"
            row -= length
        raise AssertionError("a row is of a file")  # pragma: no cover


@dataclass
class Undecided:
    """A column that may be read in several ways: as numbers, or as dates."""

    name: str
    text: pa.ChunkedArray
    numbers: list[NumberFormat] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)


@dataclass
class Typed:
    """The columns of a table as they are read so far.

    Parameters
    ----------
    options : ReadOptions
        What is known of the file.
    places : Places
        Of its rows.
    divided_by : str, optional
        What divides the fields of a CSV file.
    """

    options: ReadOptions
    places: Places
    divided_by: str | None = None
    columns: dict[str, pa.ChunkedArray] = field(default_factory=dict)
    formats: dict[str, Format] = field(default_factory=dict)
    undecided: list[Undecided] = field(default_factory=list)
    marks: set[str] = field(default_factory=set)  # decimal marks that columns show for certain
    orders: set[str] = field(default_factory=set)  # orders of day and month likewise
    dotted: dict[str, pa.ChunkedArray] = field(default_factory=dict)  # 1.704: one or thousands
    whole: list[str] = field(default_factory=list)  # columns of whole numbers

    def read(self, table: pa.Table) -> tuple[pa.Table, dict[str, Format]]:
        """Return a table of texts with numbers, dates and booleans, and how they are written."""
        for name in table.column_names:
            text = self._trimmed(name, table.column(name))
            self.columns[name] = self._column(name, text)
        self._decide_numbers()
        for column in self.undecided:
            if column.dates:
                self._decide_dates(column)
        columns = {name: self.columns[name] for name in table.column_names}
        return pa.table(columns), self.formats

    def _trimmed(self, name: str, text: pa.ChunkedArray) -> pa.ChunkedArray:
        result = trimmed(text, self.options.missing_texts())
        if self.options.default_missing and name not in self.options.text:
            _warn_of_marks(name, text, result, self.places.labels[0])
        return result

    def _column(self, name: str, text: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return the values of a column, or its text as long as they are undecided."""
        if name in self.options.text:
            return text
        if text.null_count == len(text):
            return pa.chunked_array([pa.nulls(len(text))])
        known = self._known_format(name, text)
        if known is not None:
            return known
        numbers = self._plain_numbers(name, text)
        if numbers is not None:
            return numbers
        lower = pc.utf8_lower(text)
        if not has_other(lower, ["true", "false"]):
            return pc.equal(lower, "true")
        times, odd = _iso_dates(text)
        if not odd.any():
            self.orders.add("ymd")
            return times
        self._check_odd(name, text, times, odd, "date")
        return self._written_numbers(name, text)

    def _known_format(self, name: str, text: pa.ChunkedArray) -> pa.ChunkedArray | None:
        """Return the values by the format that is given or stored for a column, if there is."""
        given = self.options.date_formats.get(name)
        how = DateFormat(given) if given else self.options.formats.get(name)
        if how is not None:
            self.formats[name] = how
            return read_as(text, how, name, self.places)
        given = self.options.date_formats.get(ANY_COLUMN)
        if given:
            times, odd = read_dates(text, given)
            if not odd.any():
                self.formats[name] = DateFormat(given)
                return times
        return None

    def _plain_numbers(self, name: str, text: pa.ChunkedArray) -> pa.ChunkedArray | None:
        """Return numbers that need no format, or the text of such as must stay what they are."""
        how = self.options.number_format(name)
        values = plain_numbers(text)
        if values is None:
            return None
        if number_texts.are_codes(text, values):
            return text
        if how.decimal == "." or pa.types.is_integer(values.type):
            check_finite(values, text, name, self.places)
            if pa.types.is_integer(values.type):
                self.whole.append(name)
                if how != NumberFormat():
                    self.formats[name] = how
            elif how.thousands is None and number_texts.are_dotted_groups(text):
                self.dotted[name] = text
            else:
                self.marks.add(".")
            return values
        return None

    def _written_numbers(self, name: str, text: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return numbers with marks, groups or signs; else dates; else the text."""
        given = self.options
        decimal = given.decimal or {",": ".", ".": ","}.get(given.thousands or "")
        found = number_texts.survey(text, decimal, given.thousands)
        n_texts = len(text) - text.null_count
        if found.odd is not None:
            if number_texts.has(text, number_texts.CODE):  # such as zip codes
                return text
            if found.n_numbers >= MOSTLY * n_texts and self._gone_wrong(text):
                raise self._odd_text(text, found.odd, name, "number", found.n_numbers)
            return self._written_dates(name, text)
        if len(found.signs) > 1:
            signs = " and ".join(shown(before or behind) for before, behind in found.signs[:2])
            self._not_one_format(name, text, f"numbers with signs {signs}")
            return text
        before, behind = found.signs[0] if found.signs else ("", "")
        formats = [replace(how, prefix=before, suffix=behind) for how in found.formats]
        if not formats:
            again = number_texts.survey(text, None, None) if decimal or given.thousands else found
            options = _options_for(again.formats, name)
            what = "numbers, but not as --decimal and --thousands say"
            if not again.formats:
                value = number_texts.unlike_most(text)
                where = f" in row {pc.index(text, value).as_py()}" if value else ""
                what = "numbers with several decimal marks"
                what += f", such as {shown(value)}{where}" if value else ""
            self._not_one_format(name, text, what, options)
            return text
        if len(formats) > 1:
            self.undecided.append(Undecided(name, text, numbers=formats))
            return text
        self.marks |= found.marks
        return self._with_format(name, text, formats[0])

    def _with_format(self, name: str, text: pa.ChunkedArray, how: Format) -> pa.ChunkedArray:
        if how != NumberFormat():
            self.formats[name] = how
        return read_as(text, how, name, self.places)

    def _written_dates(self, name: str, text: pa.ChunkedArray) -> pa.ChunkedArray:
        found = survey_dates(text)
        n_texts = len(text) - text.null_count
        if len(found.formats) > 1:
            self.undecided.append(Undecided(name, text, dates=found.formats))
        elif found.formats:
            self.orders.add(order_of(found.formats[0]))
            return self._with_format(name, text, DateFormat(found.formats[0]))
        elif found.n_dates == n_texts:
            self._not_one_format(
                name, text, "dates in several formats", f"--date-format '{name}=…'"
            )
        elif found.n_dates >= MOSTLY * n_texts and self._gone_wrong(text):
            assert found.odd is not None
            raise self._odd_text(text, found.odd, name, "date", found.n_dates)
        else:
            self._warn_of_unknown_mark(name, text)
            self._warn_of_format(name, text)
        return text

    def _warn_of_format(self, name: str, text: pa.ChunkedArray) -> None:
        """Warn where a column of many values may hold dates, or clock times."""
        if not self._gone_wrong(text) or not (formats := suggested_formats(text)):
            return
        ways = " or ".join(f"--date-format {shown(f'{name}={how}')}" for how in formats)
        warnings.warn(
            f"{self.places.labels[0]}: column {shown(name)} is read as text, such as "
            f"{shown(text.drop_null()[0].as_py())}: {ways} reads it as times (--text {shown(name)} "
            "keeps it without a word)",
            DataWarning,
            stacklevel=2,
        )

    def _warn_of_unknown_mark(self, name: str, text: pa.ChunkedArray) -> None:
        """Warn where all values but one text without a digit, such as "-", are numbers or dates."""
        has_digit = pc.match_substring_regex(text.drop_null(), r"\d")
        rest = text.drop_null().filter(has_digit)
        marks = text.drop_null().filter(pc.invert(has_digit)).unique()
        if len(marks) != 1 or not self._gone_wrong(rest):
            return
        if number_texts.survey(rest, None, None).odd is None:
            what = "numbers"
        elif not _iso_dates(rest)[1].any() or survey_dates(rest).n_dates == len(rest):
            what = "dates"
        else:
            return
        mark = shown(marks[0].as_py())
        warnings.warn(
            f"{self.places.labels[0]}: column {shown(name)} is read as text: {len(rest)} of its "
            f"values are {what}, {len(text) - text.null_count - len(rest)} are {mark} "
            f"(--missing {mark} reads these as missing)",
            DataWarning,
            stacklevel=2,
        )

    def _decide_numbers(self) -> None:
        """Read columns such as 1,704 by what other columns show; DataError where none does."""
        for column in self.undecided:
            if not column.numbers:
                continue
            used = [how for how in column.numbers if how.decimal in self.marks]
            only_dots = all("." in (how.decimal, how.thousands) for how in column.numbers)
            if len(used) != 1 and only_dots and has(column.text, r"\.") and not self.marks - {"."}:
                used = [how for how in column.numbers if how.decimal == "."]
            if len(used) != 1:
                raise self._undecided(column.name, column.text, column.numbers)
            self.columns[column.name] = self._with_format(column.name, column.text, used[0])
        if self.marks == {","}:
            for name in self.whole:
                self.formats.setdefault(name, NumberFormat(","))
            for name, text in self.dotted.items():
                how = NumberFormat(",", ".")
                self.columns[name] = self._with_format(name, text, how)
        elif not self.marks and self.divided_by == ";":
            for name, text in self.dotted.items():
                value = text.filter(pc.match_substring(text, "."))[0].as_py()
                warnings.warn(
                    f"{self.places.labels[0]}: column {shown(name)}: {value} is read as "
                    f"{float(value)}; if dots group thousands: --thousands .",
                    DataWarning,
                    stacklevel=2,
                )

    def _decide_dates(self, column: Undecided) -> None:
        """Read a column such as 01/02/2014 by the order that other columns show."""
        used = [how for how in column.dates if order_of(how) in self.orders - {"ymd"}]
        if len(used) != 1:
            value = column.text.drop_null()[0].as_py()
            ways = " or ".join(
                f"--date-format {shown(f'{column.name}={how}')}" for how in column.dates
            )
            raise DataError(
                f"{self._where(column.text, value, column.name)}: {shown(value)} is one date or "
                f"another: {ways} (or --text {shown(column.name)})"
            )
        self.columns[column.name] = self._with_format(column.name, column.text, DateFormat(used[0]))

    def _undecided(
        self, name: str, text: pa.ChunkedArray, formats: list[NumberFormat]
    ) -> DataError:
        value = text.filter(pc.match_substring_regex(text, "[.,]"))[0].as_py()
        return DataError(
            f"{self._where(text, value, name)}: {shown(value)} is one number or another: "
            f"{_options_for(formats, name)} (or --text {shown(name)})"
        )

    def _not_one_format(
        self, name: str, text: pa.ChunkedArray, what: str, options: str = ""
    ) -> None:
        """Raise, or of few values warn, that a column stays text that is none."""
        options = f"{options} reads it, " if options else ""
        message = (
            f"{self.places.labels[0]}: column {shown(name)} holds {what}; {options}--text "
            f"{shown(name)} keeps it as text"
        )
        if self._gone_wrong(text):
            raise DataError(message)
        warnings.warn(message, DataWarning, stacklevel=2)

    def _check_odd(
        self,
        name: str,
        text: pa.ChunkedArray,
        values: pa.ChunkedArray,
        odd: NDArray[np.bool_],
        what: str,
    ) -> None:
        n_right = len(values) - values.null_count
        if n_right >= MOSTLY * (len(text) - text.null_count) and self._gone_wrong(values):
            raise self._odd_text(text, int(odd.argmax()), name, what, n_right)

    def _gone_wrong(self, values: pa.ChunkedArray) -> bool:
        """Whether there are so many values that they can hardly be categories."""
        return bool(pc.count_distinct(values).as_py() >= MIN_DISTINCT)

    def _where(self, text: pa.ChunkedArray, value: str, name: str) -> str:
        return self.places.where(pc.index(text, value).as_py(), name)

    def _odd_text(
        self, text: pa.ChunkedArray, row: int, name: str, what: str, n_right: int
    ) -> DataError:
        return odd_text(self.places.where(row, name), text[row].as_py(), what, n_right)


def _options_for(formats: list[NumberFormat], name: str) -> str:
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
    """Return the error that names a text which is no number, or no date."""
    others = f"; {n_right} others are" if n_right else ""
    way = "--missing {0} reads it as missing"
    if what == "number":
        found = number_texts.survey(pa.chunked_array([[value]]), None, None)
        if found.n_numbers and found.signs:
            sign = "".join(found.signs[0])
            way = _options_for(found.formats, "") + " reads it"
            if sign:
                way = f"it carries the sign {shown(sign)}"
    else:
        found_dates = survey_dates(pa.chunked_array([[value]])).formats
        if found_dates:
            way = " or ".join(f"--date-format {shown(how)}" for how in found_dates) + " reads it"
    return DataError(
        f"{where}: {shown(value)} is not a {what}{others} ({way.format(shown(value))})"
    )


def trimmed(text: pa.ChunkedArray, missing: Sequence[str]) -> pa.ChunkedArray:
    """Strip texts; those that then mean a missing value become one."""
    bare = pc.utf8_trim_whitespace(text)
    empty = pc.is_in(bare, value_set=pa.array(list(missing), pa.string()))
    return pc.if_else(empty, pa.scalar(None, pa.string()), bare)


def converted(
    table: pa.Table, types: dict[str, str], options: ReadOptions, places: Places
) -> pa.Table:
    """Read the text columns that `types` calls numbers or times, as training read them."""
    columns = dict(zip(table.column_names, table.columns, strict=True))
    for name, kind in types.items():
        text = columns[name]
        if pa.types.is_null(text.type):  # of what type, only other files know
            columns[name] = text.cast(NULLS[kind])
        elif not pa.types.is_string(text.type):
            continue
        elif kind == "number":
            values = read_as(text, options.number_format(name), name, places)
            columns[name] = values.cast(pa.float64(), safe=False)
        elif kind in KINDS_OF_TIME:
            columns[name] = _times(name, text, options, places)
    return pa.table(columns)


def _times(
    name: str, text: pa.ChunkedArray, options: ReadOptions, places: Places
) -> pa.ChunkedArray:
    """Return times by the column's format, or else by that of any column, or else ISO's."""
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


def read_as(text: pa.ChunkedArray, how: Format, name: str, places: Places) -> pa.ChunkedArray:
    """Return the values of a column by its format; DataError names the first that has another."""
    if isinstance(how, DateFormat):
        values, odd = read_dates(text, how.date)
        wanted = f"a date like {how.date}"
    else:
        values, odd = read_numbers(text, how)
        wanted = "a number" if how == NumberFormat() else f"a number like {how.example()}"
    if odd.any():
        row = int(odd.argmax())
        raise _unlike(places.where(row, name), text[row].as_py(), wanted, how)
    check_finite(values, text, name, places)
    return values


def _unlike(where: str, value: str, wanted: str, how: Format) -> DataError:
    if how == NumberFormat():
        return odd_text(where, value, "number")
    option = "--date-format" if isinstance(how, DateFormat) else "--decimal, --thousands"
    return DataError(
        f"{where}: {shown(value)} is not {wanted}, as the others were ({option} names another "
        f"format, --missing {shown(value)} reads it as missing)"
    )


def check_finite(
    numbers: pa.ChunkedArray, text: pa.ChunkedArray, name: str, places: Places
) -> None:
    """Raise DataError at the first infinity."""
    if not pa.types.is_floating(numbers.type):
        return
    infinite = pc.fill_null(pc.is_inf(numbers), False)
    if pc.any(infinite).as_py():
        row = pc.index(infinite, True).as_py()
        value = text[row].as_py()
        way = f" (--missing {shown(value)} reads it as missing)" if isinstance(value, str) else ""
        raise DataError(f"{places.where(row, name)}: {shown(value)} is not a finite number{way}")


def has_other(text: pa.ChunkedArray, values: list[str]) -> bool:
    """Whether a text is none of these."""
    present = text.drop_null()
    return not pc.all(pc.is_in(present, value_set=pa.array(values, pa.string()))).as_py()


def _iso_dates(text: pa.ChunkedArray) -> tuple[pa.ChunkedArray, NDArray[np.bool_]]:
    """Return texts as times if most look like 2024-12-31; years and months alone do not."""
    alike = pc.sum(pc.match_substring_regex(text, date_texts.LOOKS_LIKE_DATE)).as_py() or 0
    if alike < MOSTLY * (len(text) - text.null_count):
        return pa.chunked_array([pa.nulls(len(text))]), np.ones(len(text), dtype=bool)
    return read_iso(text)


def _warn_of_marks(name: str, text: pa.ChunkedArray, result: pa.ChunkedArray, label: str) -> None:
    """Warn where "NA" or "None" is all that is missing among short codes, or among names."""
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
