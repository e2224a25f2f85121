"""Tables on disk, read with pyarrow: CSV (also compressed), Parquet, or a directory of either."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from augan.exceptions import DataError
from augan.io.regular import check_file
from augan.io.texts import converted, inferred, trimmed

BATCH_ROWS = 16_384
BLOCK_BYTES = 4 * 2**20
CSV_ENDINGS = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".csv.bz2", ".csv.zst", ".txt", ".data")
PARQUET_ENDINGS = (".parquet", ".pq")
USUAL_MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "#N/A")


@dataclass(frozen=True)
class CsvOptions:
    """How a CSV file is written.

    Parameters
    ----------
    delimiter : str
        Between two fields.
    encoding : str
        Of the text.
    missing : tuple of str
        Texts that mean a missing value, besides the usual ones.
    column_names : tuple of str, optional
        Names of the columns of a file without a header line.
    """

    delimiter: str = ","
    encoding: str = "utf-8"
    missing: tuple[str, ...] = ()
    column_names: tuple[str, ...] | None = None


class TableSource:
    """A table in one file or in several of one directory, in the order of their names."""

    is_table: ClassVar[bool] = True

    def __init__(self, path: Path, options: CsvOptions | None = None) -> None:
        self.path = path
        self.options = options or CsvOptions()
        self.files = _table_files(path)

    def columns(self) -> list[str]:
        """Return the column names of the first file."""
        return self._columns(self.files[0])

    def read(self, names: Sequence[str] = (), *, nullable: bool = False) -> pd.DataFrame:
        """Return the whole table, or its columns `names`, types inferred.

        Integers with missing values are floats, or with `nullable` pandas' nullable integers.
        """
        tables = [self._read_file(file, names) for file in self.files]
        for file, table in zip(self.files, tables, strict=True):
            if table.column_names != tables[0].column_names:
                raise DataError(f"{file}: other columns than {self.files[0].name}")
        with _named_errors(self.path):
            table = pa.concat_tables(tables, promote_options="permissive")
            if table.num_rows == 0:
                raise DataError(f"{self.path}: a header and no rows")
            frame = _to_pandas(table, self.path)
            return _with_nullable_integers(frame, table) if nullable else frame

    def batches(self, types: dict[str, str]) -> Iterator[pd.DataFrame]:
        """Give the columns in `types` in batches, in constant memory.

        `types` says for each whether it holds a "number", "time", "time with zone", "duration" or
        "text". The index of a batch counts the rows of the whole table.
        """
        start = 0
        for file in self.files:
            self._check_columns(file, types)
            first = start
            for table in self._file_batches(file, list(types)):
                with _named_errors(file):
                    table = converted(table, types, file, start - first)
                    frame = _to_pandas(table, file)
                frame.index = pd.RangeIndex(start, start + len(frame))
                start += len(frame)
                if len(frame):
                    yield frame
        if start == 0:
            raise DataError(f"{self.path}: a header and no rows")

    def _columns(self, file: Path) -> list[str]:
        with _named_errors(file):
            if _is_parquet(file):
                names = list(pyarrow.parquet.read_schema(file).names)
            else:
                with pyarrow.csv.open_csv(file, *self._csv_options()) as reader:
                    names = list(reader.schema.names)
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise DataError(f"{file}: column {repeated[0]!r} stands there twice")
        return names

    def _check_columns(self, file: Path, names: Iterable[str]) -> None:
        missing = [name for name in names if name not in self._columns(file)]
        if missing:
            raise DataError(f"{file}: no column {', '.join(map(repr, missing))}")

    def _read_file(self, file: Path, names: Sequence[str]) -> pa.Table:
        self._check_columns(file, names)
        with _named_errors(file, self._columns(file)):
            if _is_parquet(file):
                return pyarrow.parquet.read_table(file, columns=list(names) or None)
            table = pyarrow.csv.read_csv(file, *self._csv_options(columns=names))
            clock = [field.name for field in table.schema if pa.types.is_time(field.type)]
            if clock:  # times of day stay the texts that they are
                table = pyarrow.csv.read_csv(file, *self._csv_options(texts=clock, columns=names))
            return inferred(trimmed(table, self._missing()), file)

    def _file_batches(self, file: Path, names: list[str]) -> Iterator[pa.Table]:
        """Give columns as the file has them: texts for CSV."""
        with _named_errors(file, self._columns(file)):
            if _is_parquet(file):
                with pyarrow.parquet.ParquetFile(file) as parquet:
                    for batch in parquet.iter_batches(BATCH_ROWS, columns=names):
                        yield pa.Table.from_batches([batch]).select(names)
                return
            options = self._csv_options(texts=names, columns=names)
            with pyarrow.csv.open_csv(file, *options) as reader:
                for batch in reader:
                    yield trimmed(pa.Table.from_batches([batch]), self._missing())

    def _csv_options(
        self, texts: Sequence[str] = (), columns: Sequence[str] = ()
    ) -> tuple[Any, Any, Any]:
        """Return pyarrow's three; without threads its errors name the line."""
        names = self.options.column_names
        read = pyarrow.csv.ReadOptions(
            use_threads=False,
            block_size=BLOCK_BYTES,
            encoding=self.options.encoding,
            column_names=list(names) if names else None,
        )
        convert = pyarrow.csv.ConvertOptions(
            column_types={name: pa.string() for name in texts},
            include_columns=list(columns),  # none: all
            null_values=self._missing(),
            strings_can_be_null=True,
        )
        parse = pyarrow.csv.ParseOptions(delimiter=self.options.delimiter, newlines_in_values=True)
        return read, parse, convert

    def _missing(self) -> list[str]:
        return [*USUAL_MISSING, *self.options.missing]


class _named_errors:
    """Turns what pyarrow and the system say into one line that names the file."""

    def __init__(self, file: Path, columns: Sequence[str] = ()) -> None:
        self.file, self.columns = file, columns

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or isinstance(error, DataError):
            return
        if isinstance(error, FileNotFoundError):
            raise DataError(f"{self.file}: no such file") from error
        if isinstance(error, (pa.ArrowException, OSError, ValueError, LookupError)):
            raise DataError(f"{self.file}: {_explain(error, self.columns)}") from error


def _explain(error: BaseException, columns: Sequence[str]) -> str:
    """Say what is wrong with a file in words a user knows."""
    text = _first_line(error)
    if isinstance(error, UnicodeError):
        return f"{text} (--encoding names another encoding)"
    if "Empty CSV" in text:
        return "the file is empty"
    if "smaller than the minimum file footer" in text:
        return "damaged: too short for a Parquet file"
    found = re.search(r"In CSV column #(\d+):(?: Row #(\d+):)? .*invalid UTF8", text)
    if found:
        number = int(found[1])
        where = f"line {found[2]}, " if found[2] else ""
        where += f"column {columns[number] if number < len(columns) else number!r}"
        return f"{where}: not UTF-8 text (--encoding names another encoding)"
    found = re.search(r"(?:Row #(\d+): )?Expected (\d+) columns, got (\d+)", text)
    if found:
        where = f"line {found[1]}: " if found[1] else ""
        expected = "column names there are" if found[1] == "1" else "the lines before have"
        return f"{where}{found[3]} fields, {expected} {found[2]}"
    return text


def holds_tables(path: Path) -> bool:
    """Whether there is a CSV or Parquet file in a directory."""
    return bool(_tables_in(path))


def _tables_in(path: Path) -> list[Path]:
    shown = (file for file in path.iterdir() if not file.name.startswith("."))
    return sorted(file for file in shown if _is_parquet(file) or _is_csv(file))


def _table_files(path: Path) -> list[Path]:
    if path.is_dir():
        files = _tables_in(path)
        if not files:
            raise DataError(f"{path}: no CSV or Parquet file in this directory, and no image")
        if len({_is_parquet(file) for file in files}) > 1:
            raise DataError(f"{path}: CSV and Parquet files side by side; name one file")
        for file in files:
            check_file(file)
        return files
    if not path.exists():
        raise DataError(f"{path}: no such file")
    if not (_is_parquet(path) or _is_csv(path)):
        raise DataError(f"{path}: not a kind of file that augan reads (CSV, Parquet, .npy, .npz)")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty")
    return [path]


def _is_parquet(path: Path) -> bool:
    return path.name.lower().endswith(PARQUET_ENDINGS)


def _is_csv(path: Path) -> bool:
    return path.name.lower().endswith(CSV_ENDINGS)


def _to_pandas(table: pa.Table, file: Path) -> pd.DataFrame:
    """Return a DataFrame with dates as dates and decimals as floats."""
    for i, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            table = table.set_column(i, field.name, table.column(i).cast(pa.float64()))
        elif pa.types.is_nested(field.type):
            raise DataError(f"{file}: column {field.name!r} holds {field.type}, not one value")
    frame: pd.DataFrame = table.to_pandas(date_as_object=False, ignore_metadata=True)
    return frame


def _with_nullable_integers(frame: pd.DataFrame, table: pa.Table) -> pd.DataFrame:
    """Return a table's frame, its integer columns with missing values of pandas' own type."""
    for field, column in zip(table.schema, table.columns, strict=True):
        if pa.types.is_integer(field.type) and column.null_count:
            signed = pa.types.is_signed_integer(field.type)
            dtype = f"{'Int' if signed else 'UInt'}{field.type.bit_width}"
            values = column.to_pandas(types_mapper=lambda _, dtype=dtype: pd.array([], dtype).dtype)
            frame[field.name] = values
    return frame


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or repr(error)).splitlines()[0]
