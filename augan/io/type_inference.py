"""Inference of the types and formats of text columns: numbers, dates, booleans or text."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace

import pyarrow as pa
import pyarrow.compute as pc

from augan.exceptions import DataError, DataWarning, shown
from augan.io import number_texts
from augan.io.cell_errors import Places, check_finite, odd_text, options_for
from augan.io.date_texts import order_of, read_dates, read_iso_dates, survey_dates, with_offset
from augan.io.formats import DateFormat, Format, NumberFormat
from augan.io.known_types import read_as, trimmed
from augan.io.number_texts import has, plain_numbers
from augan.io.options import ANY_COLUMN, ReadOptions
from augan.io.text_warnings import MOSTLY, has_many_values, warn_of_missing_marks, warn_of_text


@dataclass
class AmbiguousColumn:
    """A column whose texts are numbers, or dates, in more than one format."""

    name: str
    text: pa.ChunkedArray
    numbers: list[NumberFormat] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)


@dataclass
class TypeInference:
    """Finds out what the text columns of a table hold.

    A column whose numbers or dates can be read in several formats is read in the one that other
    columns of the table use.

    Parameters
    ----------
    options : ReadOptions
        Options and formats that are given.
    places : Places
        Files of the rows, for messages.
    delimiter : str, optional
        Delimiter of a CSV file.
    """

    options: ReadOptions
    places: Places
    delimiter: str | None = None
    columns: dict[str, pa.ChunkedArray] = field(default_factory=dict)
    formats: dict[str, Format] = field(default_factory=dict)
    ambiguous: list[AmbiguousColumn] = field(default_factory=list)
    marks: set[str] = field(default_factory=set)  # decimal marks that are certain
    orders: set[str] = field(default_factory=set)  # orders of day, month, year that are certain
    dotted: dict[str, pa.ChunkedArray] = field(default_factory=dict)  # such as 1.704
    whole: list[str] = field(default_factory=list)  # columns of integers

    def infer(self, table: pa.Table) -> tuple[pa.Table, dict[str, Format]]:
        """Return the table with typed columns, and the formats that they are written in.

        Parameters
        ----------
        table : Table
            Columns of text.

        Returns
        -------
        table : Table
            The same columns as numbers, times, booleans or text.
        formats : dict of str to NumberFormat or DateFormat
            By column, where it is not the default format.

        Raises
        ------
        DataError
            If a cell does not fit its column, or the format of a column is ambiguous.
        """
        for name in table.column_names:
            text = self._trimmed(name, table.column(name))
            self.columns[name] = with_offset(text, self._column(name, text))
        self._decide_numbers()
        for column in self.ambiguous:
            if column.dates:
                self._decide_dates(column)
        columns = {name: self.columns[name] for name in table.column_names}
        return pa.table(columns), self.formats

    def _trimmed(self, name: str, text: pa.ChunkedArray) -> pa.ChunkedArray:
        result = trimmed(text, self.options.missing_texts())
        if self.options.default_missing and name not in self.options.text:
            warn_of_missing_marks(self.places.labels[0], name, text, result)
        return result

    def _column(self, name: str, text: pa.ChunkedArray) -> pa.ChunkedArray:
        """Return the values of a column, or its text while its format is ambiguous."""
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
        if not _has_other(lower, ["true", "false"]):
            return pc.equal(lower, "true")
        times, odd = read_iso_dates(text, MOSTLY)
        if not odd.any():
            self.orders.add("ymd")
            return times
        n_right = len(times) - times.null_count
        if n_right >= MOSTLY * (len(text) - text.null_count) and has_many_values(times):
            raise self._odd_text(text, int(odd.argmax()), name, "date", n_right)
        return self._written_numbers(name, text)

    def _known_format(self, name: str, text: pa.ChunkedArray) -> pa.ChunkedArray | None:
        """Return the values read in the given or stored format; None if there is none."""
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
        """Return numbers in the default format, or the text if they are codes; None otherwise."""
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
        """Return numbers with a decimal comma, groups or signs; else dates; else the text."""
        given = self.options
        decimal = given.decimal or {",": ".", ".": ","}.get(given.thousands or "")
        found = number_texts.survey(text, decimal, given.thousands)
        n_texts = len(text) - text.null_count
        if found.odd is not None:
            if number_texts.has(text, number_texts.CODE):  # such as zip codes
                return text
            if found.n_numbers >= MOSTLY * n_texts and has_many_values(text):
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
            options = options_for(again.formats, name)
            what = "numbers, but not as --decimal and --thousands say"
            if not again.formats:
                value = number_texts.unlike_most(text)
                where = f" in row {pc.index(text, value).as_py()}" if value else ""
                what = "numbers with several decimal marks"
                what += f", such as {shown(value)}{where}" if value else ""
            self._not_one_format(name, text, what, options)
            return text
        if len(formats) > 1:
            self.ambiguous.append(AmbiguousColumn(name, text, numbers=formats))
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
            self.ambiguous.append(AmbiguousColumn(name, text, dates=found.formats))
        elif found.formats:
            self.orders.add(order_of(found.formats[0]))
            return self._with_format(name, text, DateFormat(found.formats[0]))
        elif found.n_dates == n_texts:
            self._not_one_format(
                name, text, "dates in several formats", f"--date-format '{name}=…'"
            )
        elif found.n_dates >= MOSTLY * n_texts and has_many_values(text):
            assert found.odd is not None
            raise self._odd_text(text, found.odd, name, "date", found.n_dates)
        else:
            warn_of_text(self.places.labels[0], name, text)
        return text

    def _decide_numbers(self) -> None:
        """Read columns such as 1,704 in the format that other columns use."""
        for column in self.ambiguous:
            if not column.numbers:
                continue
            used = [how for how in column.numbers if how.decimal in self.marks]
            only_dots = all("." in (how.decimal, how.thousands) for how in column.numbers)
            if len(used) != 1 and only_dots and has(column.text, r"\.") and not self.marks - {"."}:
                used = [how for how in column.numbers if how.decimal == "."]
            if len(used) != 1:
                raise self._ambiguous(column.name, column.text, column.numbers)
            self.columns[column.name] = self._with_format(column.name, column.text, used[0])
        if self.marks == {","}:
            for name in self.whole:
                self.formats.setdefault(name, NumberFormat(","))
            for name, text in self.dotted.items():
                how = NumberFormat(",", ".")
                self.columns[name] = self._with_format(name, text, how)
        elif not self.marks and self.delimiter == ";":
            for name, text in self.dotted.items():
                value = text.filter(pc.match_substring(text, "."))[0].as_py()
                warnings.warn(
                    f"{self.places.labels[0]}: column {shown(name)}: {value} is read as "
                    f"{float(value)}; if dots group thousands: --thousands .",
                    DataWarning,
                    stacklevel=2,
                )

    def _decide_dates(self, column: AmbiguousColumn) -> None:
        """Read a column such as 01/02/2014 in the order of day and month that others use."""
        used = [how for how in column.dates if order_of(how) in self.orders - {"ymd"}]
        if len(used) != 1:
            value = column.text.drop_null()[0].as_py()
            ways = " or ".join(
                f"--date-format {shown(f'{column.name}={how}')}" for how in column.dates
            )
            raise DataError(
                f"{self._where(column.text, value, column.name)}: {shown(value)} is an ambiguous "
                f"date: {ways} (or --text {shown(column.name)})"
            )
        self.columns[column.name] = self._with_format(column.name, column.text, DateFormat(used[0]))

    def _ambiguous(
        self, name: str, text: pa.ChunkedArray, formats: list[NumberFormat]
    ) -> DataError:
        value = text.filter(pc.match_substring_regex(text, "[.,]"))[0].as_py()
        return DataError(
            f"{self._where(text, value, name)}: {shown(value)} is an ambiguous number: "
            f"{options_for(formats, name)} (or --text {shown(name)})"
        )

    def _not_one_format(
        self, name: str, text: pa.ChunkedArray, what: str, options: str = ""
    ) -> None:
        """Raise, or warn if there are few values, that a column cannot be read in one format."""
        options = f"{options} reads it, " if options else ""
        message = (
            f"{self.places.labels[0]}: column {shown(name)} holds {what}; {options}--text "
            f"{shown(name)} keeps it as text"
        )
        if has_many_values(text):
            raise DataError(message)
        warnings.warn(message, DataWarning, stacklevel=2)

    def _where(self, text: pa.ChunkedArray, value: str, name: str) -> str:
        return self.places.where(pc.index(text, value).as_py(), name)

    def _odd_text(
        self, text: pa.ChunkedArray, row: int, name: str, what: str, n_right: int
    ) -> DataError:
        return odd_text(self.places.where(row, name), text[row].as_py(), what, n_right)


def _has_other(text: pa.ChunkedArray, values: list[str]) -> bool:
    """Whether some text is not among `values`."""
    present = text.drop_null()
    return not pc.all(pc.is_in(present, value_set=pa.array(values, pa.string()))).as_py()
