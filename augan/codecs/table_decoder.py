"""The decoding of rows as a module: the same in Python and in an exported graph."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from augan.codecs.columns import LINEAR_TAIL, CategoryColumn, Column, NumericColumn

MOST_DIGITS = 2.0**52  # larger float64 numbers have no decimals


class TableDecoder(nn.Module):
    """Encoded rows (n, D) to raw ones (n, d) float64, as `TableCodec.prepare` gives them.

    Numbers are clipped and rounded as in training; if training had few distinct values, one of
    these is chosen. Of categories and point masses, the most likely is chosen. NaN is missing.
    Constant columns are zero.
    """

    knots: Tensor
    normals: Tensor
    last: Tensor
    modes: Tensor
    value_channel: Tensor
    unit: Tensor
    tail: Tensor
    low: Tensor
    high: Tensor
    step: Tensor
    factor: Tensor
    few: Tensor
    edges: Tensor
    has_few: Tensor

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__()
        starts = np.cumsum([0, *(sum(n for _, n in c.spans()) for c in columns)])
        kept = [(c, int(start)) for c, start in zip(columns, starts, strict=False)]
        numeric = [(c, start) for c, start in kept if isinstance(c, NumericColumn)]
        self.mode_spans = [(start + 1, start + 1 + c.n_modes) for c, start in numeric]
        self.codes = [
            (start, start + c.n_codes, len(c.categories), bool(c.rare))
            for c, start in kept
            if isinstance(c, CategoryColumn)
        ]
        kinds = [CategoryColumn if isinstance(c, CategoryColumn) else type(c) for c in columns]
        # kind of each column, and its index among that kind
        self.order = [(kind, kinds[:i].count(kind)) for i, kind in enumerate(kinds)]
        self._add_numeric([c for c, _ in numeric])
        self.register_buffer(
            "value_channel", torch.tensor([start for _, start in numeric], dtype=torch.long), False
        )

    def forward(self, encoded: Tensor) -> Tensor:
        """Return raw rows (n, d)."""
        found: dict[type[Column], Sequence[Tensor]] = {}
        if self.mode_spans:
            found[NumericColumn] = self._numbers(encoded).unbind(1)
        found[CategoryColumn] = [self._code(encoded, *place) for place in self.codes]
        constant = torch.zeros_like(encoded[:, 0], dtype=torch.float64)
        parts = [found[kind][i] if kind in found else constant for kind, i in self.order]
        return torch.stack(parts, dim=1)

    def _numbers(self, encoded: Tensor) -> Tensor:
        normal = encoded[:, self.value_channel].double()
        numbers = self._from_normal(normal)
        mode = torch.stack([_argmax(encoded[:, a:b]) for a, b in self.mode_spans], dim=1)
        numbers = torch.where(mode > 0, self.modes.gather(1, mode.T).T, numbers)
        missing = torch.isnan(numbers)
        numbers = torch.minimum(torch.maximum(numbers, self.low), self.high)
        coarse = (numbers / self.step).round() * self.step
        fine = (numbers * self.factor).round() / self.factor
        fine = torch.where(numbers.abs() >= MOST_DIGITS, numbers, fine)
        rounded = torch.where(self.step >= 1, coarse, fine)
        rounded = torch.where(self.step > 0, rounded, numbers)
        if self.edges.shape[1]:
            place = torch.searchsorted(self.edges, normal.T.contiguous())
            one_of_few = self.few.gather(1, place).T
            one_of_few = torch.where(mode > 0, rounded, one_of_few)
            rounded = torch.where(self.has_few, one_of_few, rounded)
        return torch.where(missing, torch.nan, rounded)

    def _from_normal(self, normal: Tensor) -> Tensor:
        """Piecewise linear between the knots; beyond the outermost the inverse of the tails."""
        columns = normal.T.contiguous()  # (C, n)
        right = torch.searchsorted(self.normals, columns, right=True).clamp(min=1)
        right = torch.minimum(right, self.last.unsqueeze(1))
        x0, x1 = self.normals.gather(1, right - 1), self.normals.gather(1, right)
        y0, y1 = self.knots.gather(1, right - 1), self.knots.gather(1, right)
        share = ((columns - x0) / (x1 - x0)).clamp(0, 1)
        inside = torch.where(share == 1, y1, y0 + share * (y1 - y0))
        low, high = self.normals[:, :1], self.normals.gather(1, self.last.unsqueeze(1))
        above = _from_tail((columns - high).clamp(min=0))
        below = _from_tail((low - columns).clamp(min=0))
        return inside.T * self.unit + self.tail * above.T - self.tail * below.T

    def _code(self, encoded: Tensor, start: int, stop: int, other: int, has_rare: bool) -> Tensor:
        """Return the index of the category or of "other" (n,); NaN for missing."""
        block = encoded[:, start:stop]
        if not has_rare:  # "other" did not occur in training
            block = torch.cat([block[:, :other], block[:, other + 1 :]], dim=1)
        code = _argmax(block).double()
        is_missing = code == other + has_rare
        return torch.where(is_missing, torch.nan, code)

    def _add_numeric(self, columns: list[NumericColumn]) -> None:
        longest = max((len(c.knots) for c in columns), default=2)
        most = max((len(c.masses) for c in columns), default=0) + 2
        pad = [longest - len(c.knots) for c in columns]
        both = list(zip(columns, pad, strict=True))
        self._add("knots", [[*(c.knots / c.unit), *[c.knots[-1] / c.unit] * p] for c, p in both])
        self._add("normals", [[*c.normals, *[np.inf] * p] for c, p in both])
        self.register_buffer("last", torch.tensor([len(c.knots) - 1 for c in columns]), False)
        modes = [[0.0, *c.masses, *[np.nan] * (most - 1 - len(c.masses))] for c in columns]
        self._add("modes", modes)
        for name in ("unit", "tail", "low", "high"):
            self._add(name, [getattr(c, name) for c in columns])
        self._add("step", [c.step or 0.0 for c in columns])
        decimals = [max(0, round(-np.log10(c.step))) if c.step else 0 for c in columns]
        self._add("factor", [10.0**n for n in decimals])
        most = max((len(c.few) for c in columns), default=0)
        few = [[*c.few, *[np.nan] * (most - len(c.few))] for c in columns]
        self._add("few", few)
        edges = [[*c.edges, *[np.inf] * (most - 1 - len(c.edges))] for c in columns]
        self._add("edges", edges)
        self.register_buffer("has_few", torch.tensor([bool(c.few) for c in columns]), False)

    def _add(self, name: str, values: list[float] | list[list[float]]) -> None:
        self.register_buffer(name, torch.tensor(values, dtype=torch.float64), persistent=False)


def _argmax(block: Tensor) -> Tensor:
    """Return the index of the first maximum of (n, k); 0 if k is 0."""
    if block.shape[1] == 0:
        return torch.zeros_like(block.sum(dim=1), dtype=torch.long)
    return block.argmax(dim=1)


def _from_tail(units: Tensor) -> Tensor:
    """Invert `TableEncoder`'s tails: linear up to `LINEAR_TAIL`, exponential beyond."""
    beyond = LINEAR_TAIL * ((units / LINEAR_TAIL).clamp(min=1) - 1).exp()
    return torch.where(units <= LINEAR_TAIL, units, beyond)
