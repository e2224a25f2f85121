"""Which files are tables, and of which kind, by their names."""

from __future__ import annotations

from pathlib import Path

from augan._files import check_file
from augan.exceptions import DataError
from augan.io.csv_files import CsvFile
from augan.io.json_files import JsonLinesFile
from augan.io.parquet_files import ParquetFile

CSV_ENDINGS = (".csv", ".tsv", ".txt", ".data")
JSON_ENDINGS = (".jsonl", ".ndjson")
PARQUET_ENDINGS = (".parquet", ".pq")
COMPRESSED = ("", ".gz", ".bz2", ".zst")

TableFile = CsvFile | JsonLinesFile | ParquetFile


def holds_tables(path: Path) -> bool:
    """Whether a directory holds a table."""
    return bool(tables_in(path))


def is_table_name(name: str) -> bool:
    """Whether a file of this name is read as a table."""
    lower = name.lower()
    texts = tuple(ending + more for ending in CSV_ENDINGS + JSON_ENDINGS for more in COMPRESSED)
    return lower.endswith(texts + PARQUET_ENDINGS)


def kind_of(path: Path) -> type[TableFile]:
    """Return the reader for a file, by its name."""
    name = path.name.lower()
    if name.endswith(PARQUET_ENDINGS):
        return ParquetFile
    if name.endswith(tuple(ending + more for ending in JSON_ENDINGS for more in COMPRESSED)):
        return JsonLinesFile
    return CsvFile


def tables_in(path: Path) -> list[Path]:
    """Return the tables in a directory, without hidden files, sorted by name."""
    shown_files = (file for file in path.iterdir() if not file.name.startswith("."))
    return sorted(file for file in shown_files if is_table_name(file.name))


def table_files(path: Path, label: str) -> list[Path]:
    """Return the files of a table: `path` itself, or those in the directory `path`.

    Parameters
    ----------
    path : Path
        A file or a directory.
    label : str
        What it is called in messages.

    Raises
    ------
    DataError
        If there is no such file, it is empty or of a kind that is not read, or the directory holds
        no table or tables of several kinds.
    """
    if path.is_dir():
        files = tables_in(path)
        if not files:
            raise DataError(f"{path}: no CSV or Parquet file in this directory, and no image")
        if len({kind_of(file) for file in files}) > 1:
            raise DataError(
                f"{path}: CSV, JSON lines and Parquet files in one directory; name one file"
            )
        for file in files:
            check_file(file)
        return files
    if not path.exists():
        raise DataError(f"{path}: no such file")
    if not is_table_name(path.name):
        raise DataError(
            f"{path}: unknown kind of file, not one of (CSV, JSON lines, Parquet, .npy, .npz)"
        )
    if path.stat().st_size == 0:
        raise DataError(f"{label}: the file is empty")
    return [path]
