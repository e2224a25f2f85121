"""Training rows in which relations are searched, and the check of a formula."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from augan._random import numpy_stream
from augan.codecs.columns import Column
from augan.sampling.formulas import Formula
from augan.sampling.relations import Array, Grids

FEWEST = 20  # rows without missing values
SAMPLE = 512
CHANCE = np.log(1e-9)  # log probability of a relation by chance that is accepted
VARYING = 0.01  # share of the rows in which each column must matter
PERMUTED = 4000  # rows that are permuted to see how much a column matters

F = TypeVar("F", bound=Formula)


@dataclass(frozen=True)
class Rows:
    """Training rows, and what the searches for relations need of them.

    Attributes
    ----------
    raw : ndarray (n, d)
        Distinct training rows.
    columns : sequence of Column
        The columns.
    grids : sequence of Grid or None
        The rounding of numeric columns.
    """

    raw: Array
    columns: tuple[Column, ...]
    grids: Grids

    @property
    def numeric(self) -> list[int]:
        """Columns of numbers that vary, not only by missing values."""
        spread = [_varies(self.raw[:, i]) for i, _ in enumerate(self.columns)]
        return [i for i, g in enumerate(self.grids) if g is not None and spread[i]]

    def is_rounded(self, formula: Formula) -> bool:
        """Return whether the formula's result is rounded."""
        grid = self.grids[formula.result]
        return grid is not None and grid.step > 0

    def sample(self, numeric: list[int]) -> Array:
        """Return a sample of rows, those first whose numbers are least frequent in it."""
        order = numpy_stream(0, "relations/sample").permutation(len(self.raw))
        chosen = list(order[:SAMPLE])
        for place in numeric:
            values = self.raw[order, place]
            chosen += list(order[np.flatnonzero(~np.isnan(values) & (values != mode(values)))[:4]])
        rows = self.raw[sorted(set(chosen))]
        rare = sum(~np.isnan(rows[:, i]) & (rows[:, i] != mode(rows[:, i])) for i in numeric)
        return rows[np.argsort(-np.asarray(rare), kind="stable")]


def mode(values: Array) -> float:
    """Return the most frequent number that is not missing; NaN if there is none."""
    found, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    return float(found[counts.argmax()]) if len(found) else np.nan


def _varies(values: Array) -> bool:
    seen = values[~np.isnan(values)]
    return bool(len(seen) and seen.min() < seen.max())


def checked(formula: F, rows: Rows, candidates: int) -> F | None:
    """Return a formula with its missing values if it holds in all rows, and not by chance.

    Each of its columns must matter: with the column permuted among the rows, the formula must
    break so often that it would not hold in all rows by chance. `candidates` is the number of
    formulas that were tried.
    """
    if formula.broken(rows.raw, rows.grids).any():
        return None
    complete = ~(np.isnan(formula.value(rows.raw)) | np.isnan(rows.raw[:, formula.result]))
    n = int(complete.sum())
    if n < FEWEST:
        return None
    random = numpy_stream(0, "relations/permutation")
    part = rows.raw[complete]
    part = part[random.permutation(n)[:PERMUTED]]
    for place in formula.places:
        moved = part.copy()
        moved[:, place] = random.permutation(moved[:, place])
        share = min(float(formula.broken(moved, rows.grids).mean()), 1 - 0.5 / len(part))
        if share < VARYING or n * np.log1p(-share) > CHANCE - np.log(candidates):
            return None
    return formula.with_missing(rows.raw)
