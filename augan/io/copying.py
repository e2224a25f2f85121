"""Copies of CSV and JSON lines files, with new rows written in the same style."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from augan.exceptions import DataError
from augan.io.added_rows import Added, informative_rows
from augan.io.raw_text import (
    QUOTE,
    RawText,
    needs_quotes,
    quoted,
    read_csv_text,
    read_json_text,
    split_fields,
    split_members,
    unquoted,
)
from augan.io.written import ColumnText


@dataclass(frozen=True)
class CsvLayout:
    """Delimiter, encoding and header of a CSV file."""

    delimiter: str = ","
    encoding: str | None = None
    has_header: bool = True
    skip_rows: int = 0


class CsvRows:
    """The rows of CSV files, with the header of the first.

    Parameters
    ----------
    files : list of (Path, CsvLayout)
        The files in order.
    columns : list of str
        Names of their columns.
    dropped : sequence of str
        Columns to leave out.
    date_formats : dict of str to str
        Formats of dates, by column, that were read by one.
    """

    def __init__(
        self,
        files: list[tuple[Path, CsvLayout]],
        columns: list[str],
        dropped: Sequence[str] = (),
        date_formats: dict[str, str] | None = None,
    ) -> None:
        self.delimiter = files[0][1].delimiter
        for file, layout in files:
            if layout.delimiter != self.delimiter:
                raise DataError(
                    f"{file}: the delimiter is {layout.delimiter!r}, in {files[0][0].name} it is "
                    f"{self.delimiter!r}"
                )
        self.texts = [_read_csv(file, layout) for file, layout in files]
        self.columns = columns
        self.places = [i for i, name in enumerate(columns) if name not in dropped]
        self.is_whole = len(self.places) == len(columns)
        self.has_header = files[0][1].has_header
        self._seen: dict[int, list[str]] = {}
        self.date_formats = date_formats or {}

    def __len__(self) -> int:
        return sum(len(text.records) for text in self.texts)

    def write(self, added: Added) -> Iterator[bytes]:
        """Yield the bytes of the files, then those of the added rows."""
        new, mark = added.new, added.mark
        first = self.texts[0]
        end_of_line, quote = first.line_end, quoted if self._quotes_all() else str
        yield first.head.encode(first.encoding, "surrogateescape")
        if self.has_header:
            header, end = first.header
            name = "" if mark is None else self.delimiter + self._quote_name(mark)
            yield self._encoded(self._kept(header) + name + (end or end_of_line))
        old, fresh = (
            "" if mark is None else self.delimiter + quote(text) for text in ("False", "True")
        )
        for body, end in _all_records(self.texts, end_of_line, more=bool(len(new))):
            yield self._encoded(self._kept(body) + old + end)
        if not len(new):
            return
        cells = [self._cells(added, i, place) for i, place in enumerate(self.places)]
        for is_new, row in zip(added.is_new, zip(*cells, strict=True), strict=True):
            line = self.delimiter.join(row) + (fresh if is_new else old)
            yield self._encoded(line + end_of_line)

    def _cells(self, added: Added, i: int, place: int) -> list[str]:
        """Return the cells of a column's added rows."""
        values, new = added.frame.iloc[:, i], added.new.iloc[:, i]
        rows = informative_rows(values, new)
        cells = [self._fields(row)[place] for row in rows]
        texts = [cell for cell in cells if cell]
        always = 2 * sum(cell.startswith(QUOTE) for cell in texts) > len(texts)

        def quote(text: str) -> str:
            return quoted(text) if always or needs_quotes(text, self.delimiter) else text

        how = self.date_formats.get(self.columns[place])
        column = ColumnText.learn(
            cells, values.iloc[rows], plain=unquoted, quote=quote, date_format=how
        )
        return column.write(new)

    def _fields(self, row: int) -> list[str]:
        if row not in self._seen:
            self._seen[row] = split_fields(_nth(self.texts, row), self.delimiter)
        return self._seen[row]

    def _kept(self, record: str) -> str:
        if self.is_whole:
            return record
        fields = split_fields(record, self.delimiter)
        return self.delimiter.join(fields[place] for place in self.places)

    def _quotes_all(self) -> bool:
        """Whether every field is quoted."""
        rows = [split_fields(body, self.delimiter) for body, _ in self.texts[0].records[:100]]
        return all(field.startswith(QUOTE) for fields in rows for field in fields)

    def _quote_name(self, name: str) -> str:
        fields = split_fields(self.texts[0].header[0], self.delimiter)
        always = all(field.startswith(QUOTE) for field in fields)
        return quoted(name) if always or needs_quotes(name, self.delimiter) else name

    def _encoded(self, text: str) -> bytes:
        return text.encode(self.texts[0].encoding, "surrogateescape")


class JsonRows:
    """The rows of JSON lines files, without the members that are dropped."""

    def __init__(
        self,
        files: list[tuple[Path, str | None]],
        columns: list[str],
        dropped: Sequence[str] = (),
        date_formats: dict[str, str] | None = None,
    ) -> None:
        self.texts = [read_json_text(file, encoding) for file, encoding in files]
        self.names = [name for name in columns if name not in dropped]
        self.dropped = set(dropped)
        self.date_formats = date_formats or {}
        first = self.texts[0].records[0][0] if self.texts[0].records else "{}"
        self.comma = ", " if '", ' in first or ', "' in first or first.count(",") == 0 else ","
        self.colon = '": ' if '": ' in first or '":' not in first else '":'
        self._seen: dict[int, dict[str, str]] = {}
        self.is_ascii = all(body.isascii() for text in self.texts for body, _ in text.records)

    def __len__(self) -> int:
        return sum(len(text.records) for text in self.texts)

    def write(self, added: Added) -> Iterator[bytes]:
        """Yield the bytes of the files, then those of the added rows."""
        new, mark = added.new, added.mark
        first = self.texts[0]
        yield self._encoded(first.head)
        for body, end in _all_records(self.texts, first.line_end, more=bool(len(new))):
            yield self._encoded(self._marked(body, mark, "false") + end)
        if not len(new):
            return
        cells = [self._cells(added, i) for i in range(len(self.names))]
        keys = [self._dump(name)[:-1] + self.colon for name in self.names]
        for is_new, row in zip(added.is_new, zip(*cells, strict=True), strict=True):
            members = [key + cell for key, cell in zip(keys, row, strict=True)]
            body = "{" + self.comma.join(members) + "}"
            flag = "true" if is_new else "false"
            yield self._encoded(self._marked(body, mark, flag) + first.line_end)

    def _marked(self, body: str, mark: str | None, value: str) -> str:
        """Return an object without the dropped members and with the mark."""
        if self.dropped and any(name in self.dropped for name, _, _ in split_members(body)):
            kept = [text for name, text, _ in split_members(body) if name not in self.dropped]
            body = "{" + self.comma.join(kept) + "}"
        if mark is None:
            return body
        stop = body.rindex("}")
        is_empty = body[:stop].rstrip().endswith("{")
        member = self._dump(mark)[:-1] + self.colon + value
        inner = len(body[:stop].rstrip())
        return f"{body[:inner]}{'' if is_empty else self.comma}{member}{body[inner:]}"

    def _cells(self, added: Added, i: int) -> list[str]:
        """Return the values of a member of the added rows."""
        values, new = added.frame.iloc[:, i], added.new.iloc[:, i]
        rows = informative_rows(values, new)
        name = self.names[i]
        cells = [self._members(row).get(name, "null") for row in rows]
        strings = sum(cell.startswith(QUOTE) for cell in cells)
        is_text = 2 * strings > sum(cell != "null" for cell in cells)
        column = ColumnText.learn(
            *(cells, values.iloc[rows]),
            plain=_plain_json,
            quote=self._dump if is_text else str,
            missing="null",
            date_format=self.date_formats.get(name),
        )
        return column.write(new)

    def _members(self, row: int) -> dict[str, str]:
        if row not in self._seen:
            members = split_members(_nth(self.texts, row))
            self._seen[row] = {name: value for name, _, value in members}
        return self._seen[row]

    def _dump(self, text: str) -> str:
        return json.dumps(text, ensure_ascii=self.is_ascii)

    def _encoded(self, text: str) -> bytes:
        return text.encode(self.texts[0].encoding, "surrogateescape")


def _read_csv(file: Path, layout: CsvLayout) -> RawText:
    return read_csv_text(
        file,
        delimiter=layout.delimiter,
        encoding=layout.encoding,
        has_header=layout.has_header,
        skip_rows=layout.skip_rows,
    )


def _all_records(
    texts: list[RawText], end_of_line: str, *, more: bool
) -> Iterator[tuple[str, str]]:
    """Yield records and their line ends, which only the last may lack, if no `more` follow."""
    for i, text in enumerate(texts):
        is_last = i == len(texts) - 1 and not more
        for j, (body, end) in enumerate(text.records):
            needed = not is_last or j < len(text.records) - 1
            yield body, end or (end_of_line if needed else "")


def _nth(texts: list[RawText], row: int) -> str:
    """Return a record, counted through all files."""
    for text in texts:
        if row < len(text.records):
            return text.records[row][0]
        row -= len(text.records)
    raise IndexError(row)


def _plain_json(cell: str) -> str:
    return str(json.loads(cell)) if cell.startswith(QUOTE) else cell
