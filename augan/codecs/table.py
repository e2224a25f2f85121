"""Codec of tables: quantile-mapped numbers, one-hot categories, missing values."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from augan._callers import caller_level
from augan.codecs.columns import CategoryColumn, NumericColumn
from augan.codecs.drift import warn_of_drift
from augan.codecs.dtypes import as_plain
from augan.codecs.fit_columns import fit_column
from augan.codecs.identifiers import IdentifierColumn
from augan.codecs.kinds import column_from_state, frame_of
from augan.codecs.origin import from_json, to_json
from augan.codecs.spec import Span, VectorSpec
from augan.codecs.table_decoder import TableDecoder
from augan.codecs.table_encoder import TableEncoder
from augan.codecs.usual import usual_values
from augan.exceptions import DataError, DataWarning, shown
from augan.frames import LIBRARIES, PANDAS

UNKNOWN_ROWS = 10**9  # training rows of a file that does not say how many
EXACT = 2.0**53  # integers up to here are float64 numbers


class TableCodec:
    """Encodes rows of a DataFrame or a 2-D array as float tensors, and decodes them.

    Numbers are mapped to normal quantiles, and linearly, then logarithmically, beyond the training
    range. Frequent single values such as zero, and missing values, have their own channels.
    Categories and booleans are one-hot encoded, with one channel for rare and unseen ones.

    Parameters
    ----------
    max_categories : int, default=50
        Most categories of a column with their own channel; the rarer ones share one.

    Attributes
    ----------
    columns : list of Column
        The fitted columns.
    spec : VectorSpec
        Layout of the encoded rows.
    n_rows : int
        Number of training rows.
    """

    kind: ClassVar[Literal["table"]] = "table"
    library = PANDAS  # of the training DataFrame

    def __init__(self, max_categories: int = 50) -> None:
        self.max_categories = max_categories

    def fit(self, X: pd.DataFrame | NDArray[Any]) -> TableCodec:
        """Fit the columns to `X` (n, d).

        Warns of columns with very many categories or very large integers.

        Raises
        ------
        DataError
            If no column varies, or a cell has an unsupported type.
        """
        frame = _as_frame(X)
        self.array_dtype = None if isinstance(X, pd.DataFrame) else str(X.dtype)
        self.labels, self.n_rows = tuple(frame.columns), len(frame)
        self.columns = [
            fit_column(frame.iloc[:, i], str(name), self.max_categories)
            for i, name in enumerate(frame.columns)
        ]
        if not self.n_varying:
            raise DataError("no column varies")
        self._warn_of_many_texts(frame)
        self._warn_of_lost_digits()
        self._build()
        return self

    def prepare(self, X: pd.DataFrame | NDArray[Any]) -> Tensor:
        """Return raw numbers (n, d) float64: values, category codes, NaN if missing.

        Raises
        ------
        DataError
            If `X` has another number of columns, or a cell cannot be read.
        """
        if X.shape[1] != len(self.columns):
            raise DataError(f"X has {X.shape[1]} columns, but {self.width} in training")
        if isinstance(X, np.ndarray) and self._are_numbers(X):
            return torch.from_numpy(X.astype(np.float64))
        frame = _as_frame(X)
        raw = [column.to_raw(frame.iloc[:, i]) for i, column in enumerate(self.columns)]
        return torch.from_numpy(np.stack(raw, axis=1))

    def _are_numbers(self, X: NDArray[Any]) -> bool:
        """Return whether an array's finite numbers are the raw numbers of its columns."""
        if X.dtype.kind not in "fiu" or np.isinf(X).any():
            return False
        return all(
            isinstance(column, NumericColumn) and column.origin.quantity == "number"
            for column in self.columns
        )

    def encode(self, X: pd.DataFrame | NDArray[Any]) -> Tensor:
        """Encode rows (n, d) as float32 (n, spec.size)."""
        encoded: Tensor = self.module(self.prepare(X))[0]
        return encoded

    def decode(self, encoded: Tensor, like: Any = None) -> pd.DataFrame | NDArray[Any]:
        """Return rows with the columns, dtypes, bounds and rounding of training.

        If `like` is a DataFrame, the result has its index.
        """
        return self.from_raw(self.decoder(encoded.detach().cpu()).numpy(), like)

    def from_raw(self, raw: NDArray[np.float64], like: Any = None) -> pd.DataFrame | NDArray[Any]:
        """Return rows with the columns and dtypes of training for raw numbers (n, d)."""
        frame = frame_of(self.columns, raw)
        if self.array_dtype is not None:
            return frame.to_numpy(dtype=self.array_dtype)
        frame.columns = pd.Index(self.labels)
        return frame.set_axis(like.index) if isinstance(like, pd.DataFrame) else frame

    def batches(self, raw: Tensor) -> Iterator[Tensor]:
        """Yield parts of raw rows (n, d) that can be encoded at once: all of them."""
        yield raw

    def as_decoded(self, encoded: Tensor) -> Tensor:
        """Return encoded rows as they are after decoding: rounded and within the bounds."""
        return self.encode(self.decode(encoded))

    def explanation(self, found: Tensor) -> pd.DataFrame:
        """Return shares (n, d) of the anomaly score as a DataFrame with the columns' labels."""
        return pd.DataFrame(found.double().numpy(), columns=list(self.labels))

    def warn_of_drift(self, X: pd.DataFrame | NDArray[Any], raw: Tensor | None = None) -> None:
        """Warn of columns of `X` (n, d) that differ from training; `raw` are its raw numbers."""
        warn_of_drift(self.columns, X, None if raw is None else raw.numpy())

    def usual(self, rows: pd.DataFrame | NDArray[Any] | None = None) -> dict[str, Any]:
        """Return the usual values of each column; see `augan.codecs.usual.usual_values`."""
        return usual_values(self.columns, rows)

    def facts(self) -> dict[str, Any]:
        """Return what an exported file says of the data, as JSON can hold it."""
        return {
            "columns": [column.state()[0] for column in self.columns],
            "labels": to_json(self.labels),
            "array_dtype": self.array_dtype,
            "library": self.library,
        }

    def example(self, n: int) -> Tensor:
        """Return `n` raw rows (n, d) of zeros, which are each column's first category."""
        return torch.zeros(n, self.width, dtype=torch.float64)

    @property
    def working_shape(self) -> tuple[int, ...]:
        """Shape (d,) of one row."""
        return (self.width,)

    @property
    def n_varying(self) -> int:
        """Number of columns that vary in training."""
        return sum(column.varies for column in self.columns)

    @property
    def is_mixed(self) -> bool:
        """Whether some column that varies holds categories."""
        return any(column.kind == "category" for column in self.columns)

    def to_module(self) -> TableEncoder:
        """Return the encoding as a module: raw (n, d) to encoded and standardised rows."""
        return TableEncoder(self.columns)

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.columns)

    def owners(self) -> tuple[Tensor, Tensor]:
        """Return the index of the column of each encoded, and of each standardised channel."""
        encoded = [i for i, c in enumerate(self.columns) for _, n in c.spans() for _ in range(n)]
        return torch.tensor(encoded, device="cpu"), self.module.standard_owner

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return the state for a model file: JSON values, and arrays by name."""
        values, arrays = [], {}
        for i, column in enumerate(self.columns):
            plain, own = column.state()
            values.append(plain)
            arrays.update({f"{i}.{name}": array for name, array in own.items()})
        header: dict[str, Any] = {"max_categories": self.max_categories, "n_rows": self.n_rows}
        header["array_dtype"] = self.array_dtype
        if self.library != PANDAS:
            header["library"] = self.library
        labels = to_json(self.labels)
        return {"kind": self.kind, **header, "labels": labels, "columns": values}, arrays

    @classmethod
    def from_state(cls, values: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> TableCodec:
        """Rebuild a codec from `state`.

        Raises
        ------
        ValueError
            If the library of DataFrames is unknown.
        """
        codec = cls(values["max_categories"])
        codec.array_dtype = values["array_dtype"]
        codec.labels = from_json(values["labels"])
        codec.n_rows = values.get("n_rows") or UNKNOWN_ROWS
        codec.library = values.get("library", PANDAS)
        if codec.library not in LIBRARIES:
            raise ValueError(f"library {shown(codec.library)}")
        codec.columns = []
        for i, plain in enumerate(values["columns"]):
            prefix = f"{i}."
            own = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
            codec.columns.append(column_from_state(plain, own))
        codec._build()
        return codec

    def standardise_by(self, encoder: TableEncoder) -> None:
        """Use the encoder returned by `TableEncoder.standardised_by`."""
        places = encoder.numeric.tolist()
        found = zip(places, encoder.mean.tolist(), encoder.scale.tolist(), strict=True)
        for i, mean, scale in found:
            column = self.columns[i]
            assert isinstance(column, NumericColumn)
            self.columns[i] = replace(column, mean=mean, scale=scale)
        self._build()

    def _build(self) -> None:
        """Build spec, encoder and decoder from the columns."""
        spans: list[Span] = []
        for column in self.columns:
            for activation, size in column.spans():
                start = spans[-1].stop if spans else 0
                spans.append(Span(column.name, start, start + size, activation))  # type: ignore[arg-type]
        self.spec = VectorSpec(tuple(spans))
        self.module = self.to_module()
        self.decoder = TableDecoder(self.columns)

    def _warn_of_many_texts(self, frame: pd.DataFrame) -> None:
        for i, column in enumerate(self.columns):
            if isinstance(column, IdentifierColumn):
                warnings.warn(
                    f"column {shown(column.name)} has a different string in each row: it is "
                    "ignored, and new rows get new strings of the same form",
                    DataWarning,
                    stacklevel=caller_level(),
                )
            elif isinstance(column, CategoryColumn) and column.rare:
                found = as_plain(frame.iloc[:, i]).nunique()
                warnings.warn(
                    f"column {shown(column.name)} has {found} categories: the "
                    f"{found - self.max_categories} rarest share one (max_categories="
                    f"{self.max_categories}); drop the column if it is an identifier",
                    DataWarning,
                    stacklevel=caller_level(),
                )

    def _warn_of_lost_digits(self) -> None:
        """Warn of integers that are too large for float64, such as identifiers."""
        for column in self.columns:
            largest = column.largest_integer()
            if largest > EXACT:
                warnings.warn(
                    f"column {column.name!r} has integers up to {largest:.3g}: above 2**53, "
                    "the last digits are lost; drop it or make it text if it is an identifier",
                    DataWarning,
                    stacklevel=caller_level(),
                )


def _as_frame(X: pd.DataFrame | NDArray[Any]) -> pd.DataFrame:
    """Return a DataFrame, with inferred dtypes for an object array."""
    if isinstance(X, pd.DataFrame):
        return X
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    return frame.infer_objects() if X.dtype == object else frame
