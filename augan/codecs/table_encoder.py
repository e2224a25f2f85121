"""The encoding of a table's rows as a module: the same in Python and in an exported graph."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from augan.codecs.columns import (
    LINEAR_TAIL,
    UNEXPECTED,
    CategoryColumn,
    Column,
    NumericColumn,
)

MAX_DEVIATIONS = 1e4  # standardised numbers are clipped, so that squares stay finite
RANGE_QUANTILE = 2.5758  # normal quantile of 99.5 %; a column's range is the middle 99 %
DEVIATIONS_A_RANGE = 4.0  # smallest range of a column, in standard deviations
MAX_TAILS = 1e300  # numbers further beyond the training range, in units of the tail, are clipped


class TableEncoder(nn.Module):
    """Raw rows (n, d) float64 to encoded (n, D) and standardised (n, S) float32 rows.

    Encoded rows are the input of the GAN. Standardised rows are in units of the standard
    deviations of training, for the pretext network and for distances.
    """

    numeric: Tensor
    knots: Tensor
    normals: Tensor
    last: Tensor
    tail: Tensor
    most_tails: Tensor
    unit: Tensor
    median: Tensor
    mean: Tensor
    scale: Tensor
    masses: Tensor
    value_channel: Tensor
    mode_channel: Tensor
    with_modes: Tensor
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
    varying: Tensor
    column_range: Tensor

    def __init__(self, columns: list[Column]) -> None:
        super().__init__()
        starts = np.cumsum([0, *(sum(n for _, n in c.spans()) for c in columns)])
        self.size = int(starts[-1])
        numeric = [(i, c) for i, c in enumerate(columns) if isinstance(c, NumericColumn)]
        categorical = [(i, c) for i, c in enumerate(columns) if isinstance(c, CategoryColumn)]
        constant = [i for i, c in enumerate(columns) if not c.spans()]
        self._add_numeric(numeric, starts)
        self._add_categorical(categorical, starts)
        self._add("constant", constant, torch.long)
        owner = [i for i, _ in numeric] * 2
        owner += [i for i, c in categorical for _ in range(len(c.categories) + 2)]
        self._add("standard_owner", owner + constant, torch.long)
        self.standard_size = len(owner) + len(constant)
        self._add("varying", _varying(numeric, categorical), torch.long)

    def forward(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Return encoded (n, D) and standardised (n, S) rows."""
        encoded = raw.new_zeros(raw.shape[0], self.size)
        standard = []
        if len(self.numeric):
            standard += self._encode_numeric(raw[:, self.numeric], encoded)
        if len(self.categorical):
            standard.append(self._encode_categorical(raw[:, self.categorical], encoded))
        if len(self.constant):
            standard.append(UNEXPECTED * raw[:, self.constant])
        return encoded.float(), torch.cat([part.float() for part in standard], dim=1)

    @property
    def range_units(self) -> Tensor:
        """Units (S,), in standard deviations, of standardised rows by ranges.

        A number's unit is a quarter of its column's range, at least one deviation: so a column
        with heavy tails, or with a rare value, does not count for more than others.
        """
        units = torch.ones(self.standard_size)
        ratio = self.column_range / self.scale / DEVIATIONS_A_RANGE
        units[: len(self.numeric)] = ratio.clamp(min=1).float()
        return units

    def standardised_by(self, raw: Tensor, seen: Tensor) -> TableEncoder:
        """Return the same encoding, with standardised numbers in units of other rows.

        Parameters
        ----------
        raw : Tensor
            Raw rows (n, d) that give means and standard deviations.
        seen : Tensor
            Raw rows (m, d), including `raw`. If a number is constant in `raw`, the furthest value
            in `seen` counts `UNEXPECTED` deviations.
        """
        encoder = copy.deepcopy(self)
        values = raw[:, self.numeric] / self.unit
        mean = values.nanmean(dim=0)
        spread = (values - mean).square().nanmean(dim=0).sqrt()
        furthest = (seen[:, self.numeric] / self.unit - mean).abs().nan_to_num(0).amax(dim=0)
        spread = torch.where(spread > 0, spread, furthest / UNEXPECTED)
        known = torch.isfinite(mean) & (spread > 0)
        encoder.mean = torch.where(known, mean * self.unit, self.mean)
        encoder.scale = torch.where(known, spread * self.unit, self.scale)
        return encoder

    def _encode_numeric(self, raw: Tensor, encoded: Tensor) -> list[Tensor]:
        """Set encoded numbers; return standardised ones and marks of missing ones, (n, C) each."""
        missing = torch.isnan(raw)
        values = torch.where(missing, self.median, raw)
        encoded[:, self.value_channel] = self._to_normal(values)
        if len(self.with_modes):
            self._encode_modes(values, missing, encoded)
        deviations = ((values - self.mean) / self.scale).clamp(-MAX_DEVIATIONS, MAX_DEVIATIONS)
        return [deviations, missing * self.missing_weight]

    def _encode_modes(self, values: Tensor, missing: Tensor, encoded: Tensor) -> None:
        """Set the channel of a frequent value, of a missing one, or of any other."""
        equal = (values.unsqueeze(2) == self.masses) & ~missing.unsqueeze(2)  # (n, C, M)
        order = torch.arange(1, self.masses.shape[1] + 1, device=values.device)
        mode = (equal * order).amax(dim=2)
        mode = torch.where(missing, self.missing_mode, mode)
        channels = (self.mode_channel + mode)[:, self.with_modes]
        encoded.scatter_(1, channels, torch.ones_like(channels, dtype=encoded.dtype))

    def _to_normal(self, values: Tensor) -> Tensor:
        """Piecewise linear between the knots; beyond the outermost see `_to_tail`."""
        columns = (values / self.unit).T.contiguous()  # (C, n)
        right = torch.searchsorted(self.knots, columns).clamp(min=1)
        right = torch.minimum(right, self.last.unsqueeze(1))
        x0, x1 = self.knots.gather(1, right - 1), self.knots.gather(1, right)
        y0, y1 = self.normals.gather(1, right - 1), self.normals.gather(1, right)
        share = ((columns - x0) / (x1 - x0)).clamp(0, 1)
        low = self.knots[:, :1]
        high = self.knots.gather(1, self.last.unsqueeze(1))
        tail = self.tail.unsqueeze(1)
        beyond = columns - columns.maximum(low).minimum(high)
        units = torch.minimum(beyond.abs() / tail, self.most_tails)
        return (y0 + share * (y1 - y0) + beyond.sign() * _to_tail(units)).T

    def _encode_categorical(self, raw: Tensor, encoded: Tensor) -> Tensor:
        """Set encoded categories; return standardised ones (n, K)."""
        missing = torch.isnan(raw)
        code = torch.where(missing, self.missing_code.to(raw.dtype), raw).long()
        ones = torch.ones_like(raw)
        encoded.scatter_(1, self.code_channel + code, ones)
        code = torch.where(
            missing, self.n_codes, code
        )  # with a channel for missing values in any case
        found = raw.new_zeros(raw.shape[0], len(self.code_weight))
        return found.scatter(1, self.standard_code + code, ones) * self.code_weight

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
            [[*(c.knots / c.unit), *[np.inf] * p] for c, p in zip(columns, pad, strict=True)],
        )
        self._add(
            "normals",
            [[*c.normals, *[c.normals[-1]] * p] for c, p in zip(columns, pad, strict=True)],
        )
        self._add("last", [len(c.knots) - 1 for c in columns], torch.long)
        self._add("tail", [c.tail / c.unit for c in columns])
        self._add("most_tails", MAX_TAILS)
        self._add("unit", [c.unit for c in columns])
        for name in ("median", "mean", "scale"):
            self._add(name, [getattr(c, name) for c in columns])
        self._add("column_range", [_range(c) for c in columns])
        padded = [[*c.masses, *[np.nan] * max(1, most - len(c.masses))] for c in columns]
        self._add("masses", [row[: max(1, most)] for row in padded])
        self._add("value_channel", [starts[i] for i, _ in numeric], torch.long)
        modes = [starts[i] + 1 if c.n_modes else -1 for i, c in numeric]
        self._add("mode_channel", modes, torch.long)
        self._add("with_modes", np.flatnonzero(np.array(modes) >= 0), torch.long)
        missing = [c.n_modes - 1 if c.has_missing else 0 for c in columns]
        self._add("missing_mode", missing, torch.long)
        self._add("missing_weight", [1.0 if c.has_missing else UNEXPECTED for c in columns])

    def _add_categorical(
        self, categorical: list[tuple[int, CategoryColumn]], starts: NDArray[np.intp]
    ) -> None:
        columns = [column for _, column in categorical]
        other = [len(c.categories) for c in columns]
        self._add("categorical", [i for i, _ in categorical], torch.long)
        missing = [n + c.has_missing for n, c in zip(other, columns, strict=True)]
        self._add("missing_code", missing, torch.long)
        self._add("n_codes", [n + 1 for n in other], torch.long)
        self._add("code_channel", [starts[i] for i, _ in categorical], torch.long)
        sizes = [n + 2 for n in other]
        firsts = np.cumsum([0, *sizes])[:-1]
        self._add("standard_code", list(firsts), torch.long)
        weights = [
            [*[1.0] * n, 1.0 if c.rare else UNEXPECTED, 1.0 if c.has_missing else UNEXPECTED]
            for n, c in zip(other, columns, strict=True)
        ]
        self._add("code_weight", [w for row in weights for w in row])

    def _add(self, name: str, values: Any, dtype: torch.dtype = torch.float64) -> None:
        array = np.array(values, dtype=np.int64 if dtype == torch.long else np.float64)
        self.register_buffer(name, torch.from_numpy(array), persistent=False)


def _range(column: NumericColumn) -> float:
    """Return the width of the middle 99 % of a column, of few values from the first to the last."""
    if column.few:
        return column.high - column.low
    ends = (-RANGE_QUANTILE, RANGE_QUANTILE)
    low, high = np.interp(ends, column.normals, column.knots / column.unit)
    return float(high - low) * column.unit


def _varying(
    numeric: list[tuple[int, NumericColumn]], categorical: list[tuple[int, CategoryColumn]]
) -> list[int]:
    """Return the channels (V,) of standardised rows, without those that training never changes.

    These are the marks of missing values in columns without any, and of unseen categories.
    """
    found = [True] * len(numeric) + [column.has_missing for _, column in numeric]
    for _, column in categorical:
        found += [True] * len(column.categories) + [bool(column.rare), column.has_missing]
    return np.flatnonzero(found).tolist()


def _to_tail(units: Tensor) -> Tensor:
    """Return distances beyond the training range: linear up to `LINEAR_TAIL`, then logarithmic."""
    beyond = LINEAR_TAIL * (1 + (units / LINEAR_TAIL).clamp(min=1).log())
    return torch.where(units <= LINEAR_TAIL, units, beyond)
