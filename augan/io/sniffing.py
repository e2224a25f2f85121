"""Inference of encoding and delimiter from the first lines of a text file."""

from __future__ import annotations

import codecs
import csv
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from augan.exceptions import DataError

HEAD_BYTES = 2**18
MOST_LINES = 100
DELIMITERS = ("\t", ";", "|", ",")  # those that are rare within fields first
OTHER_DELIMITERS = ("~", "^", "\x01", "\x1f", ":", " ")  # only suggested
OTHER_KINDS = {  # files that are not text, by their first bytes
    b"\x1f\x8b": "compressed; its name must end in .csv.gz",
    b"BZh": "compressed; its name must end in .csv.bz2",
    b"\x28\xb5\x2f\xfd": "compressed; its name must end in .csv.zst",
    b"PAR1": "a Parquet file; its name must end in .parquet",
    b"PK\x03\x04": "a zip archive or a workbook, not a CSV file",
    b"\x93NUMPY": "a NumPy array; its name must end in .npy",
}
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@dataclass(frozen=True)
class Head:
    """The first lines of a text file.

    Parameters
    ----------
    encoding : str
        Encoding of the text.
    delimiter : str, optional
        The likely delimiter.
    skip_rows : int
        Number of lines before the header: 1 after a line "sep=;" of Excel.
    lines : list of str
        The lines themselves.
    is_utf8 : bool
        Whether they have non-ASCII characters in valid UTF-8.
    """

    encoding: str
    delimiter: str | None
    skip_rows: int = 0
    lines: list[str] = field(default_factory=list)
    is_utf8: bool = False


def read_head(
    file: Path, encoding: str | None, n_columns: int | None = None, *, label: str = ""
) -> Head:
    """Return encoding and delimiter of a CSV file, inferred from its first lines.

    Parameters
    ----------
    file : Path
        The file.
    encoding : str or None
        Its encoding, if given.
    n_columns : int, optional
        The number of columns, if it is known.
    label : str, default=""
        What the file is called in messages; its path if empty.

    Raises
    ------
    DataError
        If the file is of another kind.
    """
    with pa.input_stream(str(file), compression="detect") as stream:
        content = stream.read(HEAD_BYTES)
    for start, what in OTHER_KINDS.items():
        if content.startswith(start):
            raise DataError(f"{label or file}: {what}")
    encoding = encoding_of(content, encoding)
    lines = first_lines(content, encoding)
    if lines and _is_json_object(lines[0]):
        raise DataError(f"{label or file}: JSON lines; its name must end in .jsonl")
    if lines and (found := re.fullmatch('\ufeff?"?sep=([^"])"?', lines[0].strip("\r\n"))):
        return Head(encoding, found[1], 1, lines)
    return Head(encoding, likely_delimiter(lines, n_columns), 0, lines, _is_utf8(content))


def _is_json_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def other_delimiter(lines: list[str]) -> str | None:
    """Return an unusual delimiter that gives nearly all lines as many fields, three or more."""
    lines = [line.strip() for line in lines[:MOST_LINES] if line.strip()]
    for delimiter in OTHER_DELIMITERS:
        n_fields = lines[0].count(delimiter) if lines else 0
        alike = sum(line.count(delimiter) == n_fields for line in lines)
        if n_fields >= 2 and len(lines) > 2 and alike > 0.95 * len(lines):
            return delimiter
    return None


def _is_utf8(content: bytes) -> bool:
    """Whether there are bytes beyond ASCII, and all of them are UTF-8."""
    if content.isascii():
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(content)  # the last character may be cut
    except UnicodeDecodeError:
        return False
    return True


def encoding_of(content: bytes, given: str | None) -> str:
    """Return the given encoding, else that of the byte order mark, else UTF-8."""
    if given is None or codecs.lookup(given).name == "utf-8":
        for mark, name in BYTE_ORDER_MARKS.items():
            if content.startswith(mark):
                return name
    return given or "utf-8"


def first_lines(content: bytes, encoding: str) -> list[str]:
    """Return the complete lines at the start of a file."""
    text = content.decode(encoding, errors="replace").removeprefix("\ufeff")
    lines = text.splitlines(keepends=True)
    return lines[:-1] if len(content) == HEAD_BYTES and len(lines) > 1 else lines


def likely_delimiter(lines: list[str], n_columns: int | None = None) -> str | None:
    """Return the delimiter that gives most lines as many fields as the first, two or more."""
    best, most = None, 0.5
    for delimiter in DELIMITERS:
        counts = _n_fields(lines, delimiter)
        if not counts or counts[0] < 2 or n_columns not in (None, counts[0]):
            continue
        alike = sum(n == counts[0] for n in counts) / len(counts)
        if alike > most:
            best, most = delimiter, alike
    return best


def _n_fields(lines: list[str], delimiter: str) -> list[int]:
    """Return the number of fields of each of the first rows."""
    counts: list[int] = []
    try:
        for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True):
            if row:
                counts.append(len(row))
            if len(counts) == MOST_LINES:
                break
    except csv.Error:  # a field of more than 128 KiB
        pass
    return counts
