"""Tables in files: CSV and JSON lines (also compressed), Parquet, or a directory of one kind."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from augan.exceptions import DataError, DataWarning, listed, shown
from augan.io.arrow_frames import to_frame, typed_frame, with_nullable_integers
from augan.io.cell_errors import Places
from augan.io.csv_files import CsvFile, explained
from augan.io.known_types import converted, trimmed
from augan.io.number_texts import is_number
from augan.io.options import ANY_COLUMN, ReadOptions
from augan.io.parquet_files import ParquetFile
from augan.io.table_files import TableFile, kind_of, table_files
from augan.io.type_inference import TypeInference

INDEX_NAMES = ("Unnamed: 0", "__index_level_0__", "level_0")  # names that pandas gives
CsvOptions = ReadOptions


class TableSource:
    """A table in one file, or in the files of a directory, sorted by name.

    Parameters
    ----------
    path : Path
        The file or directory.
    options : ReadOptions, optional
        How its text is read.
    label : str, optional
        What the file is called in messages; defaults to its path.

    Attributes
    ----------
    resolved : ReadOptions
        The options, after `read` with the inferred formats of the columns, for reading other files
        in the same way.
    """

    is_table: ClassVar[bool] = True

    def __init__(
        self, path: Path, options: ReadOptions | None = None, *, label: str | None = None
    ) -> None:
        self.path = path
        self.label = label or str(path)
        self.options = options or ReadOptions()
        self.resolved = self.options
        self.files = [
            kind_of(file)(file, self.options, label or str(file))
            for file in table_files(path, self.label)
        ]

    def columns(self) -> list[str]:
        """Return the column names of the first file."""
        return self._columns(self.files[0])

    def read(
        self, names: Sequence[str] = (), *, drop: Sequence[str] = (), nullable: bool = False
    ) -> pd.DataFrame:
        """Return the whole table, with inferred types.

        Parameters
        ----------
        names : sequence of str, default=()
            Columns to read; all if empty.
        drop : sequence of str, default=()
            Columns to leave out.
        nullable : bool, default=False
            Whether integers with missing values become nullable integers instead of floats.

        Returns
        -------
        DataFrame

        Raises
        ------
        DataError
            If a file is missing, damaged or empty, or its cells cannot be read.
        """
        if not names:
            self._check_options()
        names = [name for name in names or self.columns() if name not in drop]
        self._check_columns(self.files[0], names)
        tables = []
        for file in self.files:
            self._check_same_columns(file)
            self._check_columns(file, names)
            with _named_errors(file.label, file):
                tables.append(file.read(names))
        places = Places([file.label for file in self.files], [len(table) for table in tables])
        if not sum(places.lengths):
            raise DataError(f"{self.label}: a header and no rows")
        with _named_errors(self.label):
            table = self._joined(tables)
            if not isinstance(self.files[0], ParquetFile):
                inference = TypeInference(self.options, places, delimiter=self._delimiter())
                table, formats = inference.infer(table)
                self.resolved = replace(self.options, formats={**self.options.formats, **formats})
            self._warn_of_names(table)
            self._warn_of_index(table)
            frame = typed_frame(table, self.options.missing)
            return with_nullable_integers(frame, table) if nullable else frame

    def batches(self, types: dict[str, str]) -> Iterator[pd.DataFrame]:
        """Yield batches of columns, in constant memory.

        The index of a batch continues that of the batch before.

        Parameters
        ----------
        types : dict of str to str
            For each column "number", "time", "time with zone", "duration" or "text".
        """
        for frame, _ in self.kept_batches(types, ()):
            yield frame

    def kept_batches(
        self, types: dict[str, str], kept: Sequence[str]
    ) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
        """Yield batches as `batches` does, each with the columns `kept` as in the file.

        Raises
        ------
        DataError
            If a file is missing, damaged or empty, or its cells cannot be read.
        """
        start = 0
        for file in self.files:
            self._check_columns(file, [*types, *kept])
            first = start
            for table, as_is in self._file_batches(file, types, kept):
                with _named_errors(file.label, file):
                    places = Places([file.label], [len(table)], start - first)
                    table = converted(table, types, self.options, places)
                    frame = typed_frame(table, self.options.missing)
                frame.index = pd.RangeIndex(start, start + len(frame))
                start += len(frame)
                if len(frame):
                    yield frame, to_frame(as_is)
        if start == 0:
            raise DataError(f"{self.label}: a header and no rows")

    def _check_options(self) -> None:
        """Raise DataError if an option names an unknown column."""
        dates = [name for name in self.options.date_formats if name != ANY_COLUMN]
        for option, names in (("--text", self.options.text), ("--date-format", dates)):
            for name in names:
                if name not in self.columns():
                    raise DataError(
                        f"{self.label}: no column {shown(name)} ({option}); it has "
                        f"{listed(self.columns())}"
                    )

    def _columns(self, file: TableFile) -> list[str]:
        with _named_errors(file.label):
            names = file.names
        if len(set(names)) < len(names):
            repeated = sorted({name for name in names if names.count(name) > 1})
            headless = any(is_number(name) for name in repeated)
            way = " (--column-names, if there is no header line)" if headless else ""
            raise DataError(f"{file.label}: duplicate column name {shown(repeated[0])}{way}")
        if not names:
            raise DataError(f"{file.label}: no columns")
        return names

    def _check_columns(self, file: TableFile, names: Iterable[str]) -> None:
        known = set(self._columns(file))
        missing = [name for name in names if name not in known]
        if missing:
            raise DataError(f"{file.label}: no column {listed(map(repr, missing))}")

    def _check_same_columns(self, file: TableFile) -> None:
        names, first = self._columns(file), self.columns()
        first_file = self.files[0].path.name
        for name in first:
            if name not in names:
                raise DataError(f"{file.label}: no column {shown(name)}, which {first_file} has")
        for name in names:
            if name not in first:
                raise DataError(f"{file.label}: column {shown(name)} is not in {first_file}")

    def _joined(self, tables: list[pa.Table]) -> pa.Table:
        """Return the concatenated tables of all files; DataError if types differ."""
        try:
            return pa.concat_tables(tables, promote_options="permissive")
        except pa.ArrowException:
            for file, table in zip(self.files, tables, strict=True):
                for name in table.column_names:
                    kind, first = table.field(name).type, tables[0].field(name).type
                    with _named_errors(self.label):
                        fields = [pa.schema([(name, kind)]), pa.schema([(name, first)])]
                        try:
                            pa.unify_schemas(fields, promote_options="permissive")
                        except pa.ArrowException:
                            raise DataError(
                                f"{file.label}: column {shown(name)} holds {kind}, in "
                                f"{self.files[0].path.name} {first}"
                            ) from None
            raise

    def _file_batches(
        self, file: TableFile, types: dict[str, str], kept: Sequence[str]
    ) -> Iterator[tuple[pa.Table, pa.Table]]:
        """Yield the columns of a file, as text for CSV and JSON lines, and the kept ones."""
        names, missing = list(types), self.options.missing_texts()
        with _named_errors(file.label, file):
            if isinstance(file, ParquetFile):
                yield from file.kept_batches(names, types, kept)
                return
            for table in file.batches(list(dict.fromkeys([*names, *kept]))):
                columns = {name: trimmed(table.column(name), missing) for name in names}
                yield pa.table(columns), table.select(list(kept))

    def _delimiter(self) -> str | None:
        first = self.files[0]
        return first.delimiter if isinstance(first, CsvFile) else None

    def _warn_of_names(self, table: pa.Table) -> None:
        """Warn if the header seems to be a row of data."""
        names = table.column_names
        numbers = len(names) > 1 and all(map(is_number, names))
        if numbers and any(not name.strip().isdecimal() for name in names):
            warnings.warn(
                f"{self.label}: the column names are numbers ({listed(names, 3)}): is there no "
                "header line? --column-names names the columns",
                DataWarning,
                stacklevel=3,
            )

    def _warn_of_index(self, table: pa.Table) -> None:
        """Warn of a column that is the index of a DataFrame."""
        for name in set(INDEX_NAMES) & set(table.column_names):
            column = table.column(name)
            whole = pa.types.is_integer(column.type) and not column.null_count
            if whole and pc.count_distinct(column).as_py() == len(column) > 1:
                warnings.warn(
                    f"{self.label}: column {shown(name)} looks like the index of a "
                    f"pandas DataFrame: --drop {shown(name)} leaves it out",
                    DataWarning,
                    stacklevel=3,
                )


class _named_errors:
    """Turns errors of pyarrow and the system into one line that names the file."""

    def __init__(self, label: str, file: TableFile | None = None) -> None:
        self.label, self.file = label, file

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or isinstance(error, DataError):
            return
        if isinstance(error, FileNotFoundError):
            raise DataError(f"{self.label}: no such file") from error
        if isinstance(error, (pa.ArrowException, OSError, ValueError, LookupError, EOFError)):
            columns = [] if self.file is None else self.file.names
            raise DataError(f"{self.label}: {explained(error, columns)}") from error
