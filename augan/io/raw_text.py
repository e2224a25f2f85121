"""Records and fields of CSV and JSON lines files as raw text, with quotes and line ends."""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from augan.exceptions import DataError, shown

QUOTE = '"'
BYTE_ORDER_MARK = "\ufeff"
MARKS = {  # UTF-32 first, whose mark begins with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
NATIVE = {"utf-16": "utf-16-le", "utf-32": "utf-32-le", "utf-8-sig": "utf-8"}


@dataclass
class RawText:
    """The records of a text file. With `head` and `header` they make up its whole text.

    Attributes
    ----------
    encoding : str
        Encoding of the text. A byte order mark is part of `head`.
    head : str
        Text before header and records: a byte order mark, skipped lines.
    header : (str, str)
        The header of a CSV file and its line end.
    records : list of (str, str)
        Each record and its line end, with the blank lines after it.
    """

    encoding: str
    head: str = ""
    header: tuple[str, str] = ("", "")
    records: list[tuple[str, str]] = field(default_factory=list)

    @property
    def line_end(self) -> str:
        """The line end."""
        for _, end in (self.header, *self.records[:1]):
            for known in ("\r\n", "\n", "\r"):
                if end.startswith(known):
                    return known
        return "\n"


def read_csv_text(
    file: Path, *, delimiter: str, encoding: str | None, has_header: bool, skip_rows: int = 0
) -> RawText:
    """Return the records of a CSV file, plain or compressed, as raw text."""
    text, encoding = _decoded(file, encoding)
    records = list(_joined(_lines(text), delimiter))
    mark = BYTE_ORDER_MARK if text.startswith(BYTE_ORDER_MARK) else ""
    if mark and records:
        records[0] = (records[0][0].removeprefix(mark), records[0][1])
    head, n_skipped = mark, 0
    while records and (n_skipped < skip_rows or not records[0][0]):
        n_skipped += bool(records[0][0])
        head += "".join(records.pop(0))
    if has_header and records:
        result = RawText(encoding, head, records.pop(0))
    else:
        result = RawText(encoding, head)
    for body, end in records:
        if body:
            result.records.append((body, end))
        elif result.records:  # a blank line belongs to the record before it
            last, its_end = result.records[-1]
            result.records[-1] = (last, its_end + end)
        else:
            result.header = (result.header[0], result.header[1] + end)
    return result


def read_json_text(file: Path, encoding: str | None) -> RawText:
    """Return the lines of a JSON lines file, plain or compressed, as raw text."""
    text, encoding = _decoded(file, encoding)
    result = RawText(encoding)
    if text.startswith(BYTE_ORDER_MARK):
        text, result.head = text[1:], BYTE_ORDER_MARK
    for line in _lines(text):
        body = line.rstrip("\r\n")
        if body.strip():
            result.records.append((body, line[len(body) :]))
        elif result.records:
            last, end = result.records[-1]
            result.records[-1] = (last, end + line)
        else:
            result.head += line
    return result


def split_fields(record: str, delimiter: str) -> list[str]:
    """Return the fields of a CSV record with their quotes."""
    if QUOTE not in record:
        return record.split(delimiter)
    fields, start = [], 0
    while True:
        stop = _end_of_field(record, start, delimiter)
        fields.append(record[start:stop])
        if stop >= len(record):
            return fields
        start = stop + len(delimiter)


def unquoted(field: str) -> str:
    """Return the content of a CSV field."""
    if not field.startswith(QUOTE):
        return field
    inner, place = [], 1
    while (stop := field.find(QUOTE, place)) >= 0:
        inner.append(field[place:stop])
        if field[stop + 1 : stop + 2] != QUOTE:
            return "".join(inner) + field[stop + 1 :]
        inner.append(QUOTE)
        place = stop + 2
    return "".join(inner) + field[place:]


def quoted(text: str) -> str:
    """Return a text as a quoted CSV field."""
    return QUOTE + text.replace(QUOTE, 2 * QUOTE) + QUOTE


def needs_quotes(text: str, delimiter: str) -> bool:
    """Whether a text has to be quoted as a CSV field."""
    return text.startswith(QUOTE) or any(sign in text for sign in (delimiter, "\n", "\r"))


def split_members(record: str) -> list[tuple[str, str, str]]:
    """Return the members of a JSON object: key, raw text of the member, raw text of the value."""
    decoder = json.JSONDecoder()
    place = record.index("{") + 1
    members: list[tuple[str, str, str]] = []
    while True:
        place = _skip_space(record, place)
        if record[place] == "}":
            return members
        if record[place] == ",":
            place = _skip_space(record, place + 1)
        start = place
        key, place = decoder.raw_decode(record, place)
        place = _skip_space(record, _skip_space(record, place) + 1)  # the colon
        _, stop = decoder.raw_decode(record, place)
        members.append((key, record[start:stop], record[place:stop]))
        place = stop


def _skip_space(text: str, place: int) -> int:
    while text[place] in " \t\r\n":
        place += 1
    return place


def _end_of_field(record: str, start: int, delimiter: str) -> int:
    """Return the end of the field at `start`, beyond the record if a quote is open."""
    if record.startswith(QUOTE, start):
        place = start + 1
        while True:
            place = record.find(QUOTE, place)
            if place < 0:
                return len(record) + 1
            if not record.startswith(QUOTE, place + 1):
                break
            place += 2
        start = place + 1
    stop = record.find(delimiter, start)
    return len(record) if stop < 0 else stop


def _joined(lines: Iterator[str], delimiter: str) -> Iterator[tuple[str, str]]:
    """Yield records and their line ends; a record spans lines while a quote is open."""
    parts: list[str] = []
    is_open = False
    for line in lines:
        parts.append(line)
        if is_open or QUOTE in line:
            is_open = _is_open_after(line, is_open, delimiter)
        if not is_open:
            record = "".join(parts)
            body = record.rstrip("\r\n") if len(parts) == 1 else _without_end(record)
            yield body, record[len(body) :]
            parts = []
    if parts:
        yield "".join(parts), ""


def _without_end(record: str) -> str:
    for end in ("\r\n", "\n", "\r"):
        if record.endswith(end):
            return record[: -len(end)]
    return record


def _is_open_after(line: str, is_open: bool, delimiter: str) -> bool:
    """Whether a quote is open at the end of a line."""
    place = 0
    if is_open:
        line = QUOTE + line  # as if the quote began here
    while place <= len(line):
        place = _end_of_field(line, place, delimiter)
        if place > len(line):
            return True
        place += len(delimiter)
    return False


def _lines(text: str) -> Iterator[str]:
    """Yield lines with their line ends, LF, CRLF or CR."""
    return iter(io.StringIO(text, newline=""))


def _decoded(file: Path, encoding: str | None) -> tuple[str, str]:
    """Return the text of a file, and the encoding that gives the same bytes."""
    with pa.input_stream(str(file), compression="detect") as stream:
        content = stream.read()
    name = codecs.lookup(encoding or "utf-8").name
    if name in ("utf-8", *NATIVE):
        marks = (codec for mark, codec in MARKS.items() if content.startswith(mark))
        name = next(marks, NATIVE.get(name, name))
    try:
        return content.decode(name), name
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: not {name} text ({shown(str(error))[1:-1]})") from error
