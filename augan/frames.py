"""Conversion of DataFrames of any library to pandas and back."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import pandas as pd
import pyarrow as pa
import pyarrow.interchange

from augan.exceptions import DataError, shown

PANDAS = "pandas"
LIBRARIES = (PANDAS, "polars", "pyarrow", "modin", "cudf")  # that results can have


def is_frame(X: Any) -> bool:
    """Whether `X` is a DataFrame of any library."""
    if isinstance(X, pd.DataFrame) or nw.dependencies.is_into_dataframe(X):
        return True
    if is_series(X):
        return False
    lazy = isinstance(X, nw.LazyFrame) or nw.dependencies.is_polars_lazyframe(X)
    return bool(lazy or hasattr(X, "__arrow_c_stream__") or hasattr(X, "__dataframe__"))


def is_series(X: Any) -> bool:
    """Whether `X` is a Series of any library."""
    return bool(nw.dependencies.is_into_series(X))


def library_of(X: Any) -> str:
    """Return the library of the DataFrame `X`; "pandas" for anything else."""
    if isinstance(X, pd.DataFrame) or not is_frame(X):
        return PANDAS
    try:
        name = nw.from_native(nw.to_native(X, pass_through=True)).implementation.name.lower()
    except TypeError:  # a frame that only exports its data
        return PANDAS
    return name if name in LIBRARIES else PANDAS


def to_pandas(X: Any) -> pd.DataFrame:
    """Return a DataFrame of any library as one of pandas, with Arrow dtypes.

    Raises
    ------
    DataError
        If column names are duplicate or have several levels, or Arrow has no type for a column.
    """
    frame = X if isinstance(X, pd.DataFrame) else _converted(X)
    names = frame.columns
    if isinstance(names, pd.MultiIndex):
        raise DataError(
            f"X has column names of {names.nlevels} levels, such as {shown(names.tolist()[0])}: "
            "give each column one name"
            if len(names)
            else "X has no columns"
        )
    if not names.is_unique:
        raise DataError(f"X: duplicate column name {shown(names[names.duplicated()].tolist()[0])}")
    return frame


def given_back(frame: pd.DataFrame, library: str) -> Any:
    """Return rows as a DataFrame of another library; of pandas if that is not installed."""
    if library == PANDAS:
        return frame
    try:
        table = pa.Table.from_pandas(frame.rename(columns=str), preserve_index=False)
        table = table.unify_dictionaries()
        backend: Any = library
        found = nw.from_arrow(table.replace_schema_metadata(None), backend=backend)
    except (ImportError, pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return frame
    names = dict(zip(found.columns, table.column_names, strict=True))  # polars renames ""
    found = found.rename({name: own for name, own in names.items() if name != own})
    if library == "polars":  # which drops the order of categories
        chunks = {field.name: table.column(i).chunks for i, field in enumerate(table.schema)}
        ordered = {
            name: parts[0].dictionary.to_pylist()
            for name, parts in chunks.items()
            if parts and pa.types.is_dictionary(parts[0].type) and parts[0].type.ordered
        }
        found = found.with_columns(
            nw.col(name).cast(nw.Enum(map(str, categories))) for name, categories in ordered.items()
        )
    return found.to_native()


def like(frame: pd.DataFrame, X: Any) -> Any:
    """Return results for the rows of `X` with its index, as a DataFrame of its library."""
    if isinstance(X, pd.DataFrame):
        return frame.set_axis(X.index)
    return given_back(frame, library_of(X))


def _converted(X: Any) -> pd.DataFrame:
    """Return a DataFrame of another library as one of pandas."""
    X = nw.to_native(X, pass_through=True)
    if nw.dependencies.is_polars_lazyframe(X):
        X = X.collect()
    try:
        if nw.dependencies.is_into_dataframe(X):
            found = nw.from_native(X, eager_only=True)
            if found.implementation.is_pandas_like():
                return found.to_pandas()
            _refuse_objects(found)
            table = found.to_arrow()
        elif hasattr(X, "__arrow_c_stream__"):
            table = pa.table(X)
        else:
            table = pyarrow.interchange.from_dataframe(X)
    except pa.ArrowException as error:
        raise DataError(f"X: {str(error).splitlines()[0]}") from error
    columns = map(pd.arrays.ArrowExtensionArray, table.columns)
    frame = pd.DataFrame(dict(enumerate(columns)), index=pd.RangeIndex(table.num_rows))
    return frame.set_axis(table.column_names, axis=1)


def _refuse_objects(X: nw.DataFrame[Any]) -> None:
    """Raise DataError if a column holds Python objects, which Arrow would read as bytes."""
    for name, dtype in X.schema.items():
        if dtype == nw.Object:
            raise DataError(f"column {shown(name)} holds Python objects: give it a specific dtype")
