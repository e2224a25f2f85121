"""CSV and JSON lines as the text that they are: their records and fields, quotes and all."""

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
MARKS = {  # the longer first: UTF-32 begins as UTF-16 does
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
NATIVE = {"utf-16": "utf-16-le", "utf-32": "utf-32-le", "utf-8-sig": "utf-8"}


@dataclass
class RawText:
    """The records of a text file; together with `head` and `header` they are its text.

    Attributes
    ----------
    encoding : str
        Encoding that the text came in, a byte order mark apart, which `head` begins with.
    head : str
        What stands before header and records: a byte order mark, lines to skip.
    header : (str, str)
        The header of a CSV file, and what ends it.
    records : list of (str, str)
        Each record, and what ends it: a line end and perhaps blank lines, or nothing.
    """

    encoding: str
    head: str = ""
    header: tuple[str, str] = ("", "")
    records: list[tuple[str, str]] = field(default_factory=list)

    @property
    def line_end(self) -> str:
        """What ends a line."""
        for _, end in (self.header, *self.records[:1]):
            for known in ("\r\n", "\n", "\r"):
                if end.startswith(known):
                    return known
        return "\n"


def read_csv_text(
    file: Path, *, delimiter: str, encoding: str | None, has_header: bool, skip_rows: int = 0
) -> RawText:
    """Return the records of a CSV file, plain or compressed, as they stand."""
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
        elif result.records:  # a blank line is no record, but stays where it is
            last, its_end = result.records[-1]
            result.records[-1] = (last, its_end + end)
        else:
            result.header = (result.header[0], result.header[1] + end)
    return result


def read_json_text(file: Path, encoding: str | None) -> RawText:
    """Return the lines of a JSON lines file, plain or compressed, as they stand."""
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
    """Return the fields of a CSV record as they stand, with their quotes."""
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
    """Return what a CSV field says."""
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
    """Return a CSV field with quotes around it."""
    return QUOTE + text.replace(QUOTE, 2 * QUOTE) + QUOTE


def needs_quotes(text: str, delimiter: str) -> bool:
    """Whether a text is a CSV field only with quotes around it."""
    return text.startswith(QUOTE) or any(sign in text for sign in (delimiter, "\n", "\r"))


def split_members(record: str) -> list[tuple[str, str, str]]:
    """Return the members of a JSON object as they stand: key, all of it, and its value."""
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
    """Return where the field that begins at `start` ends, beyond the record if it is open."""
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
    """Give records and what ends them: lines, or several where a quote is open."""
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
        line = QUOTE + line  # goes on as if it began here
    while place <= len(line):
        place = _end_of_field(line, place, delimiter)
        if place > len(line):
            return True
        place += len(delimiter)
    return False


def _lines(text: str) -> Iterator[str]:
    """Give lines with their ends, be they of Unix, Windows or old Macs."""
    return iter(io.StringIO(text, newline=""))


def _decoded(file: Path, encoding: str | None) -> tuple[str, str]:
    """Return the text of a file, and the encoding that writes it the same way."""
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
