"""Tables to tensors and back: quantile-mapped numbers, one-hot categories, missing values."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from augan.codecs.columns import (
    UNEXPECTED,
    CategoryColumn,
    Column,
    NumericColumn,
    column_from_state,
    fit_column,
)
from augan.codecs.spec import Span, VectorSpec
from augan.exceptions import DataError, DataWarning

MAX_DEVIATIONS = 1e4  # a standardised number is cut off here, so that squares stay finite


class TableCodec:
    """Rows of a DataFrame or a 2-D array as float tensors, both ways.

    Numbers are mapped to normal quantiles, with logarithmic tails beyond the training range;
    frequent single values (zeros) and missing values get channels of their own; categories and
    booleans are one-hot, with one channel shared by rare and unseen ones.

    Parameters
    ----------
    max_categories : int, default=50
        Categories of a column with a channel of their own; the rarer ones share one.

    Attributes
    ----------
    columns : list of Column
        What `fit` learned, a column each.
    spec : VectorSpec
        Layout of the encoded rows.
    """

    kind = "table"

    def __init__(self, max_categories: int = 50) -> None:
        self.max_categories = max_categories

    def fit(self, X: pd.DataFrame | NDArray[Any]) -> TableCodec:
        """Learn the columns of `X` (n, d); warns of columns that carry little or too much."""
        frame = _as_frame(X)
        self.array_dtype = None if isinstance(X, pd.DataFrame) else str(X.dtype)
        self.columns = [
            fit_column(frame.iloc[:, i], str(name), self.max_categories)
            for i, name in enumerate(frame.columns)
        ]
        if not any(column.spans() for column in self.columns):
            raise DataError("no column varies: there is nothing to learn")
        self._warn_of_high_cardinality(frame)
        self._build()
        return self

    def prepare(self, X: pd.DataFrame | NDArray[Any]) -> Tensor:
        """Return raw numbers (n, d) float64: values, category codes, NaN where missing."""
        frame = _as_frame(X)
        if frame.shape[1] != len(self.columns):
            raise DataError(f"X has {frame.shape[1]} columns, in training it had {self.width}")
        raw = [column.to_raw(frame.iloc[:, i]) for i, column in enumerate(self.columns)]
        return torch.from_numpy(np.stack(raw, axis=1))

    def encode(self, X: pd.DataFrame | NDArray[Any]) -> Tensor:
        """Encode rows (n, d) as float32 (n, spec.size)."""
        encoded: Tensor = self.module(self.prepare(X))[0]
        return encoded

    def decode(self, encoded: Tensor, like: Any = None) -> pd.DataFrame | NDArray[Any]:
        """Return rows as `fit` saw them: columns, order, dtypes, bounds and rounding."""
        block = encoded.detach().cpu().numpy().astype(np.float64)
        start, series = 0, {}
        for i, column in enumerate(self.columns):
            size = sum(n for _, n in column.spans())
            series[i] = column.from_encoded(block[:, start : start + size])
            start += size
        frame = pd.DataFrame(series)
        if self.array_dtype is not None:
            return frame.to_numpy(dtype=self.array_dtype)
        frame.columns = pd.Index([column.name for column in self.columns])
        return frame

    def to_module(self) -> TableEncoder:
        """Return the encoding as a module: raw (n, d) to encoded and standardised rows."""
        return TableEncoder(self.columns)

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.columns)

    def owners(self) -> tuple[Tensor, Tensor]:
        """Return which column owns each encoded, and each standardised, channel."""
        encoded = [i for i, c in enumerate(self.columns) for _, n in c.spans() for _ in range(n)]
        return torch.tensor(encoded, device="cpu"), self.module.standard_owner

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return what a model file keeps: JSON values, and arrays by name."""
        values, arrays = [], {}
        for i, column in enumerate(self.columns):
            plain, own = column.state()
            values.append(plain)
            arrays.update({f"{i}.{name}": array for name, array in own.items()})
        header = {"max_categories": self.max_categories, "array_dtype": self.array_dtype}
        return {"kind": self.kind, **header, "columns": values}, arrays

    @classmethod
    def from_state(cls, values: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> TableCodec:
        """Rebuild a codec from `state`."""
        codec = cls(values["max_categories"])
        codec.array_dtype = values["array_dtype"]
        codec.columns = []
        for i, plain in enumerate(values["columns"]):
            prefix = f"{i}."
            own = {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
            codec.columns.append(column_from_state(plain, own))
        codec._build()
        return codec

    def _build(self) -> None:
        """Lay the columns' channels out one after the other."""
        spans: list[Span] = []
        for column in self.columns:
            for activation, size in column.spans():
                start = spans[-1].stop if spans else 0
                spans.append(Span(column.name, start, start + size, activation))  # type: ignore[arg-type]
        self.spec = VectorSpec(tuple(spans))
        self.module = self.to_module()

    def _warn_of_high_cardinality(self, frame: pd.DataFrame) -> None:
        for i, column in enumerate(self.columns):
            if isinstance(column, CategoryColumn) and column.rare:
                found = frame.iloc[:, i].nunique()
                warnings.warn(
                    f"column {column.name!r} has {found} categories: the "
                    f"{found - self.max_categories} rarest share one (max_categories="
                    f"{self.max_categories}); drop the column if it is an identifier",
                    DataWarning,
                    stacklevel=5,
                )


class TableEncoder(nn.Module):
    """Raw rows (n, d) float64 to encoded (n, D) and standardised (n, S) float32 rows.

    The encoded row is what the networks see. The standardised row is the same row in units of
    training standard deviations, for heads that measure distances in data space.
    """

    numeric: Tensor
    knots: Tensor
    normals: Tensor
    last: Tensor
    tail: Tensor
    median: Tensor
    mean: Tensor
    scale: Tensor
    masses: Tensor
    value_channel: Tensor
    mode_channel: Tensor
    missing_mode: Tensor
    missing_weight: Tensor
    categorical: Tensor
    n_codes: Tensor
    missing_code: Tensor
    code_channel: Tensor
    standard_code: Tensor
    constant: Tensor
    standard_owner: Tensor
    code_weight: Tensor

    def __init__(self, columns: list[Column]) -> None:
        super().__init__()
        starts = np.cumsum([0, *(sum(n for _, n in c.spans()) for c in columns)])
        self.size = int(starts[-1])
        numeric = [(i, c) for i, c in enumerate(columns) if isinstance(c, NumericColumn)]
        categorical = [(i, c) for i, c in enumerate(columns) if isinstance(c, CategoryColumn)]
        constant = [i for i, c in enumerate(columns) if not c.spans()]
        self._add_numeric(numeric, starts)
        self._add_categorical(categorical, starts, 2 * len(numeric))
        self._add("constant", constant, torch.long)
        owner = [i for i, _ in numeric] * 2
        owner += [i for i, c in categorical for _ in range(len(c.categories) + 2)]
        self._add("standard_owner", owner + constant, torch.long)
        self.standard_size = len(owner) + len(constant)

    def forward(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Return encoded (n, D) and standardised (n, S) rows."""
        encoded = raw.new_zeros(raw.shape[0], self.size)
        standard = raw.new_zeros(raw.shape[0], self.standard_size)
        if len(self.numeric):
            self._encode_numeric(raw[:, self.numeric], encoded, standard)
        if len(self.categorical):
            self._encode_categorical(raw[:, self.categorical], encoded, standard)
        if len(self.constant):
            standard[:, -len(self.constant) :] = UNEXPECTED * raw[:, self.constant]
        return encoded.float(), standard.float()

    def _encode_numeric(self, raw: Tensor, encoded: Tensor, standard: Tensor) -> None:
        missing = torch.isnan(raw)
        values = torch.where(missing, self.median, raw)
        encoded[:, self.value_channel] = self._to_normal(values)
        equal = (values.unsqueeze(2) == self.masses) & ~missing.unsqueeze(2)  # (n, C, M)
        order = torch.arange(1, self.masses.shape[1] + 1, device=raw.device)
        mode = (equal * order).amax(dim=2)
        mode = torch.where(missing, self.missing_mode, mode)
        known = self.mode_channel >= 0
        channels = (self.mode_channel + mode)[:, known]
        encoded.scatter_(1, channels, torch.ones_like(channels, dtype=encoded.dtype))
        deviations = ((values - self.mean) / self.scale).clamp(-MAX_DEVIATIONS, MAX_DEVIATIONS)
        n = len(self.numeric)
        standard[:, :n] = deviations
        standard[:, n : 2 * n] = missing * self.missing_weight

    def _to_normal(self, values: Tensor) -> Tensor:
        """Piecewise linear between the knots, logarithmic beyond the outermost."""
        columns = values.T.contiguous()  # (C, n)
        right = torch.searchsorted(self.knots, columns).clamp(min=1)
        right = torch.minimum(right, self.last.unsqueeze(1))
        x0, x1 = self.knots.gather(1, right - 1), self.knots.gather(1, right)
        y0, y1 = self.normals.gather(1, right - 1), self.normals.gather(1, right)
        share = ((columns - x0) / (x1 - x0)).clamp(0, 1)
        low = self.knots[:, :1]
        high = self.knots.gather(1, self.last.unsqueeze(1))
        tail = self.tail.unsqueeze(1)
        above = torch.log1p((columns - high).clamp(min=0) / tail)
        below = torch.log1p((low - columns).clamp(min=0) / tail)
        return (y0 + share * (y1 - y0) + above - below).T

    def _encode_categorical(self, raw: Tensor, encoded: Tensor, standard: Tensor) -> None:
        missing = torch.isnan(raw)
        code = torch.where(missing, self.missing_code.to(raw.dtype), raw).long()
        ones = torch.ones_like(raw)
        encoded.scatter_(1, self.code_channel + code, ones)
        code = torch.where(missing, self.n_codes, code)  # here missing always has a channel
        standard.scatter_(1, self.standard_code + code, ones)
        start = 2 * len(self.numeric)
        standard[:, start : start + len(self.code_weight)] *= self.code_weight

    def _add_numeric(
        self, numeric: list[tuple[int, NumericColumn]], starts: NDArray[np.intp]
    ) -> None:
        columns = [column for _, column in numeric]
        longest = max((len(c.knots) for c in columns), default=2)
        most = max((len(c.masses) for c in columns), default=0)
        pad = [longest - len(c.knots) for c in columns]
        self._add("numeric", [i for i, _ in numeric], torch.long)
        self._add(
            "knots",
            [[*c.knots, *[np.inf] * p] for c, p in zip(columns, pad, strict=True)],
        )
        self._add(
            "normals",
            [[*c.normals, *[c.normals[-1]] * p] for c, p in zip(columns, pad, strict=True)],
        )
        self._add("last", [len(c.knots) - 1 for c in columns], torch.long)
        for name in ("tail", "median", "mean", "scale"):
            self._add(name, [getattr(c, name) for c in columns])
        padded = [[*c.masses, *[np.nan] * max(1, most - len(c.masses))] for c in columns]
        self._add("masses", [row[: max(1, most)] for row in padded])
        self._add("value_channel", [starts[i] for i, _ in numeric], torch.long)
        modes = [starts[i] + 1 if c.n_modes else -1 for i, c in numeric]
        self._add("mode_channel", modes, torch.long)
        missing = [c.n_modes - 1 if c.has_missing else 0 for c in columns]
        self._add("missing_mode", missing, torch.long)
        self._add("missing_weight", [1.0 if c.has_missing else UNEXPECTED for c in columns])

    def _add_categorical(
        self, categorical: list[tuple[int, CategoryColumn]], starts: NDArray[np.intp], offset: int
    ) -> None:
        columns = [column for _, column in categorical]
        other = [len(c.categories) for c in columns]
        self._add("categorical", [i for i, _ in categorical], torch.long)
        missing = [n + c.has_missing for n, c in zip(other, columns, strict=True)]
        self._add("missing_code", missing, torch.long)
        self._add("n_codes", [n + 1 for n in other], torch.long)
        self._add("code_channel", [starts[i] for i, _ in categorical], torch.long)
        sizes = [n + 2 for n in other]
        firsts = offset + np.cumsum([0, *sizes])[:-1]
        self._add("standard_code", list(firsts), torch.long)
        weights = [
            [*[1.0] * n, 1.0 if c.rare else UNEXPECTED, 1.0 if c.has_missing else UNEXPECTED]
            for n, c in zip(other, columns, strict=True)
        ]
        self._add("code_weight", [w for row in weights for w in row])

    def _add(self, name: str, values: Any, dtype: torch.dtype = torch.float64) -> None:
        array = np.array(values, dtype=np.int64 if dtype == torch.long else np.float64)
        self.register_buffer(name, torch.from_numpy(array), persistent=False)


def _as_frame(X: pd.DataFrame | NDArray[Any]) -> pd.DataFrame:
    """Return a DataFrame; columns of an object array get the type that their values have."""
    if isinstance(X, pd.DataFrame):
        return X
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    return frame.infer_objects() if X.dtype == object else frame
