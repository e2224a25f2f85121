"""Conversion of columns between their own dtype and a plain one that the codec reads."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from pandas.api import types as pdt

ARROW = "[pyarrow]"  # suffix of the names of Arrow dtypes
DECIMAL = re.compile(r"decimal(32|64|128|256)\((\d{1,2}), (-?\d{1,2})\)")
DICTIONARY = re.compile(r"dictionary<values=([^<>]+), indices=(u?int\d+), ordered=([01])>")
SPARSE = re.compile(r"Sparse\[(\w+), ([^\]]+)\]")
STRING = re.compile(r"(str|string)\[(python|pyarrow)\]")


def as_plain(values: pd.Series, *, keep_blank: bool = False) -> pd.Series:
    """Return a dense column with a dtype of numpy or pandas, blank texts as missing.

    `keep_blank` keeps empty texts, for older models that have them as a category.
    """
    dtype = values.dtype
    if isinstance(dtype, pd.SparseDtype):
        values = values.sparse.to_dense()
    elif isinstance(dtype, pd.ArrowDtype):
        values = _from_arrow(values, dtype.pyarrow_dtype)
    return values if keep_blank else _without_blanks(values)


def native_name(dtype: Any) -> str | None:
    """Return a name for dtypes that pandas cannot restore from their own name, else None."""
    if isinstance(dtype, pd.SparseDtype):
        fill = dtype.fill_value
        fill = fill.item() if isinstance(fill, np.generic) else fill
        return f"Sparse[{dtype.subtype}, {fill!r}]"
    if isinstance(dtype, pd.ArrowDtype):
        kind = dtype.pyarrow_dtype
        if pa.types.is_string(kind):
            return f"utf8{ARROW}"  # pandas has another dtype "string[pyarrow]"
        return f"{kind}{ARROW}" if _is_odd(kind) else None
    if isinstance(dtype, pd.StringDtype) and pdt.pandas_dtype(str(dtype)) != dtype:
        kind = "str" if dtype.na_value is np.nan else "string"
        return f"{kind}[{dtype.storage.removesuffix('_numpy')}]"
    return None


def as_native(values: pd.Series, name: str | None) -> pd.Series:
    """Return a column with the dtype of a name from `native_name`.

    Raises
    ------
    ValueError
        If there is no such name.
    """
    if name is None:
        return values
    if text := STRING.fullmatch(name):
        return values.astype(_text_dtype(*text.groups()))
    if sparse := SPARSE.fullmatch(name):
        return values.astype(pd.SparseDtype(sparse[1], _fill_value(*sparse.groups())))
    if name.endswith(ARROW):
        return _to_arrow(values, arrow_type(name.removesuffix(ARROW)))
    raise ValueError(f"{name!r} is not a dtype of a column")


def check_name(name: str) -> None:
    """Check a name from `native_name`.

    Raises
    ------
    ValueError or TypeError
        If there is no such name.
    """
    if sparse := SPARSE.fullmatch(name):
        _fill_value(*sparse.groups())
    elif name.endswith(ARROW) and not STRING.fullmatch(name):
        arrow_type(name.removesuffix(ARROW))
    elif not STRING.fullmatch(name):
        raise ValueError(f"{name!r} is not a dtype of a column")


def arrow_type(name: str) -> pa.DataType:
    """Return the Arrow type whose `str` is `name`; ValueError if there is none."""
    if decimal := DECIMAL.fullmatch(name):
        return getattr(pa, f"decimal{decimal[1]}")(int(decimal[2]), int(decimal[3]))
    if found := DICTIONARY.fullmatch(name):
        return pa.dictionary(arrow_type(found[2]), arrow_type(found[1]), found[3] == "1")
    try:
        return pd.ArrowDtype.construct_from_string(name + ARROW).pyarrow_dtype
    except (TypeError, NotImplementedError):  # types with another name in pandas
        return pa.type_for_alias(name)


def _is_odd(kind: pa.DataType) -> bool:
    """Whether pandas cannot name an Arrow type or calculate with it."""
    types = pa.types
    return types.is_decimal(kind) or types.is_dictionary(kind) or types.is_duration(kind)


def _from_arrow(values: pd.Series, kind: pa.DataType) -> pd.Series:
    """Return decimals as floats, dictionaries as categoricals; other types unchanged."""
    if not _is_odd(kind):
        return values
    array = pa.chunked_array(values.array.__arrow_array__())
    if pa.types.is_decimal(kind):
        array = array.cast(pa.float64())
    elif pa.types.is_dictionary(kind):  # Arrow before 23 converts no unsigned indices
        array = array.cast(pa.dictionary(pa.int64(), kind.value_type, kind.ordered))
    read: pd.Series = array.to_pandas()
    return read.set_axis(values.index).rename(values.name)


def _text_dtype(kind: str, storage: str) -> pd.StringDtype:
    """Return the dtype "str", whose missing texts are NaN, or "string", where they are NA."""
    try:
        return pd.StringDtype(storage, na_value=np.nan if kind == "str" else pd.NA)
    except TypeError:  # pandas 2.2, which has one dtype with NaN, under another name
        return pd.StringDtype("pyarrow_numpy" if kind == "str" else storage)


def _to_arrow(values: pd.Series, kind: pa.DataType) -> pd.Series:
    """Return a pandas column with an Arrow type."""
    if pa.types.is_dictionary(kind):
        codes = values.cat.codes.to_numpy()
        indices = pa.array(codes, mask=codes < 0).cast(kind.index_type)
        categories = pa.array(values.cat.categories, type=kind.value_type, from_pandas=True)
        array = pa.DictionaryArray.from_arrays(indices, categories, ordered=kind.ordered)
    elif pa.types.is_decimal(kind):
        array = pa.array(values.astype("float64"), from_pandas=True).cast(kind)
    else:
        array = pa.array(values, type=kind, from_pandas=True)
    extended = pd.arrays.ArrowExtensionArray(pa.chunked_array([array]))
    return pd.Series(extended, index=values.index, name=values.name)


def _without_blanks(values: pd.Series) -> pd.Series:
    """Return a column whose texts that are empty or only spaces are missing."""
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        blank = [value for value in dtype.categories if is_blank(value)]
        return values.mask(values.isin(blank)) if blank else values
    if isinstance(dtype, pd.StringDtype) or _is_arrow_text(dtype):
        gone = values.str.strip().eq("").fillna(False).to_numpy(bool)
        return values.mask(gone) if gone.any() else values
    if not pdt.is_object_dtype(dtype):
        return values
    gone = np.fromiter(map(is_blank, values), dtype=bool, count=len(values))
    return values.mask(gone, None) if gone.any() else values


def is_blank(value: Any) -> bool:
    """Whether a cell is a text that is empty or only spaces."""
    return isinstance(value, str) and not value.strip()


def _is_arrow_text(dtype: Any) -> bool:
    if not isinstance(dtype, pd.ArrowDtype):
        return False
    kind = dtype.pyarrow_dtype
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _fill_value(subtype: str, written: str) -> Any:
    """Return the value of the cells that a sparse column does not store."""
    if written == "nan":
        return np.nan
    if subtype == "bool":
        return written == "True"
    return np.dtype(subtype).type(written)
