"""Options for reading tables, which are saved with the model."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from augan.exceptions import ParameterError, shown
from augan.io.formats import (
    Format,
    NumberFormat,
    check_date_format,
    format_from_dict,
    format_to_dict,
)
from augan.io.image_options import image_options

ANY_COLUMN = "*"  # among the date formats
USUAL_MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "#N/A")
KINDS = ("images", "table")
MOST_TEXTS = 100_000  # column names or texts for missing values


@dataclass(frozen=True)
class ReadOptions:
    """Options for reading CSV and JSON lines files, and folders of images.

    Parameters
    ----------
    delimiter : str, optional
        Delimiter of fields; if not set, inferred from the first lines.
    encoding : str, optional
        Encoding; if not set, UTF-8, or that of the byte order mark.
    missing : tuple of str
        Texts that mean a missing value, in addition to the usual ones. They also apply to
        Parquet files.
    column_names : tuple of str, optional
        Names of the columns of a CSV file without a header line.
    default_missing : bool
        Whether the usual texts (NA, NaN, null, None …) mean a missing value. An empty field
        always does.
    text : tuple of str
        Columns that are read as text, without type inference.
    decimal : str, optional
        Decimal mark, "." or ","; if not set, inferred for each column.
    thousands : str, optional
        Separator of groups of three digits; if not set, inferred for each column.
    date_formats : mapping of str to str
        Formats of `datetime.strptime` by column; the format of "*" is tried for every column.
    formats : mapping of str to NumberFormat or DateFormat
        Inferred formats of columns, if not the default. Later files are read with them.
    kind : {"images", "table"}, optional
        What to read from a folder that holds both.
    page, max_pixels : int, optional
        As in `ImageOptions`.
    """

    delimiter: str | None = None
    encoding: str | None = None
    missing: tuple[str, ...] = ()
    column_names: tuple[str, ...] | None = None
    default_missing: bool = True
    text: tuple[str, ...] = ()
    decimal: str | None = None
    thousands: str | None = None
    date_formats: Mapping[str, str] = field(default_factory=dict)
    formats: Mapping[str, Format] = field(default_factory=dict)
    kind: str | None = None
    page: int | None = None
    max_pixels: int | None = None

    def __post_init__(self) -> None:
        _check_delimiter(self.delimiter)
        _check_encoding(self.encoding)
        for name in ("missing", "column_names", "text"):
            _check_texts(name, getattr(self, name))
        if not isinstance(self.default_missing, bool):
            raise ParameterError(
                f"default_missing must be a bool, not {self.default_missing!r:.60}"
            )
        if self.decimal is not None or self.thousands is not None:
            other = "," if self.thousands == "." else "."
            NumberFormat(self.decimal if self.decimal is not None else other, self.thousands)
        for name in ("date_formats", "formats"):
            given = getattr(self, name)
            if not isinstance(given, Mapping) or not all(isinstance(key, str) for key in given):
                raise ParameterError(f"{name} must be a mapping by column, not {given!r:.60}")
        for text in self.date_formats.values():
            check_date_format(text)
        if self.kind is not None and self.kind not in KINDS:
            raise ParameterError(f"--kind {shown(self.kind)}: must be {' or '.join(KINDS)}")
        image_options(self)

    def missing_texts(self) -> list[str]:
        """Return all texts that mean a missing value."""
        return [
            *dict.fromkeys([*(USUAL_MISSING if self.default_missing else ("",)), *self.missing])
        ]

    def number_format(self, column: str) -> NumberFormat:
        """Return the format of the numbers of a column."""
        found = self.formats.get(column)
        if isinstance(found, NumberFormat):
            return found
        other = "," if self.thousands == "." else "."
        return NumberFormat(self.decimal or other, self.thousands)

    def over(self, stored: ReadOptions) -> tuple[ReadOptions, list[str]]:
        """Return `stored` updated with the options set here, and the names of those that changed.

        Parameters
        ----------
        stored : ReadOptions
            The options that a model was trained with.

        Returns
        -------
        options : ReadOptions
        changed : list of str
            Names of the options that make values be read in another way than in training.
        """
        plain = ReadOptions()
        given = {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if getattr(self, f.name) != getattr(plain, f.name)
        }
        given["formats"] = _kept_formats(stored, self) | dict(self.formats)
        if self.date_formats:
            given["date_formats"] = dict(stored.date_formats) | dict(self.date_formats)
        if self.text:
            given["text"] = tuple(dict.fromkeys([*stored.text, *self.text]))
        others = {*given["formats"].items()} != {*stored.formats.items()}
        of_formats = ("decimal", "thousands", "date_formats", "text") if others else ()
        changed = [
            name
            for name, value in given.items()
            if name != "formats" and value != getattr(stored, name)
            if name in of_formats or getattr(stored, name) != getattr(plain, name)
        ]
        return replace(stored, **given), changed

    def to_dict(self) -> dict[str, Any]:
        """Return the options that differ from the defaults as JSON values."""
        values: dict[str, Any] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if value in (None, (), {}) or (f.name == "default_missing" and value):
                continue
            if f.name == "formats":
                value = {column: format_to_dict(how) for column, how in value.items()}
            elif isinstance(value, tuple):
                value = list(value)
            elif isinstance(value, Mapping):
                value = dict(value)
            values[f.name] = value
        return values

    @classmethod
    def from_dict(cls, values: Any) -> ReadOptions:
        """Rebuild options from `to_dict`.

        Raises
        ------
        ParameterError
            If `values` is not a result of `to_dict`.
        """
        known = {f.name for f in fields(cls)}
        if not isinstance(values, dict) or not set(values) <= known:
            raise ParameterError(f"not reading options: {values!r:.60}")
        given: dict[str, Any] = dict(values)
        given |= {k: tuple(v) for k, v in values.items() if isinstance(v, list)}
        if "formats" in given:
            if not isinstance(given["formats"], dict):
                raise ParameterError(f"not formats of columns: {given['formats']!r:.60}")
            given["formats"] = {k: format_from_dict(v) for k, v in given["formats"].items()}
        return cls(**given)


def _kept_formats(stored: ReadOptions, given: ReadOptions) -> dict[str, Format]:
    """Return the stored formats with the given decimal mark, separator and dates."""
    kept: dict[str, Format] = {}
    for column, how in stored.formats.items():
        if column in given.text:
            continue
        if isinstance(how, NumberFormat):
            decimal = given.decimal or ("," if given.thousands == "." else how.decimal)
            thousands = given.thousands if given.thousands is not None else how.thousands
            if thousands == decimal:
                thousands = None
            kept[column] = replace(how, decimal=decimal, thousands=thousands)
        elif given.date_formats.get(column, given.date_formats.get(ANY_COLUMN)) in (None, how.date):
            kept[column] = how
    return kept


def _check_delimiter(delimiter: Any) -> None:
    if delimiter is None:
        return
    if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise ParameterError(f"--delimiter {delimiter!r:.60}: must be one character, not a quote")
    if ord(delimiter) > 127:
        raise ParameterError(f"--delimiter {delimiter!r}: must be an ASCII character")


def _check_encoding(encoding: Any) -> None:
    if encoding is None:
        return
    try:
        known = codecs.lookup(encoding)._is_text_encoding
    except (LookupError, TypeError, ValueError):
        known = False
    if not known:
        raise ParameterError(f"--encoding {encoding!r:.60}: not a text encoding, such as cp1252")


def _check_texts(name: str, texts: Any) -> None:
    if name == "column_names" and texts is None:
        return
    if not isinstance(texts, tuple) or not all(isinstance(text, str) for text in texts):
        raise ParameterError(f"{name} must be a tuple of texts, not {texts!r:.60}")
    if len(texts) > MOST_TEXTS:
        raise ParameterError(f"{name}: {len(texts)} texts, at most {MOST_TEXTS} can be given")
    if name == "column_names":
        repeated = [text for text in dict.fromkeys(texts) if texts.count(text) > 1]
        if repeated:
            raise ParameterError(f"--column-names: duplicate column name {repeated[0]!r:.60}")
