"""New rows of a column model that meet conditions and obey the relations between columns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from augan.codecs.bins import Array, Given
from augan.sampling.asked_rows import AskedRows
from augan.sampling.columns import ColumnModel
from augan.sampling.conditions import Condition
from augan.sampling.relation_set import Relations
from augan.sampling.start import Start


@dataclass(frozen=True)
class ColumnRows:
    """The column model of a table, and the relations of its columns and, last, of its class."""

    model: ColumnModel
    relations: Relations

    def source(
        self, label: int, conditions: Iterable[Condition] = (), start: Start | None = None
    ) -> ColumnSource:
        """Return the source of a class's new rows that meet conditions.

        They start from real rows if these are given.

        Raises
        ------
        DataError
            If no training row meets conditions on columns that determine each other.
        """
        own = Condition(self.model.codec.width, float(label), float(label))
        return ColumnSource(self, (*conditions, own), start)

    def encoded(self, raw: Tensor) -> Tensor:
        """Return raw rows (n, d) as a pool holds them, encoded (n, D)."""
        encoded: Tensor = self.model.codec.module(raw)[0]
        return encoded

    def label_shares(self, conditions: Iterable[Condition], random: torch.Generator) -> Tensor:
        """Return the shares (n_classes,) of the classes among rows that meet conditions.

        Raises
        ------
        DataError
            If no row that is drawn meets them.
        """
        rows = AskedRows(self.relations, tuple(conditions), self.model.bins)
        shares = rows.label_shares(self.model.bins[-1].size, partial(_drawn, self.model, random))
        return torch.from_numpy(shares)


class ColumnSource:
    """New rows of a column model that meet conditions, as raw numbers."""

    def __init__(
        self, rows: ColumnRows, conditions: tuple[Condition, ...], start: Start | None = None
    ) -> None:
        self.model, self.start = rows.model, start
        self.rows = AskedRows(rows.relations, conditions, rows.model.bins)

    def draw(self, n: int, random: torch.Generator) -> Tensor:
        """Return `n` raw rows (n, d) without the class.

        Raises
        ------
        DataError
            If too few of the rows that are drawn are as asked; the message names what is not.
        """
        rows = self.rows.draw(n, partial(_drawn, self.model, random, start=self.start))
        return torch.from_numpy(np.ascontiguousarray(rows[:, :-1]))


def _drawn(
    model: ColumnModel,
    random: torch.Generator,
    n: int,
    given: dict[int, Given],
    start: Start | None = None,
) -> Array:
    return model.draw(n, random, given, start)
