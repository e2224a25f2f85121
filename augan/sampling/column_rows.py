"""New rows of a column model that meet conditions and obey the relations between columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from augan.codecs.bins import Given
from augan.exceptions import DataError
from augan.sampling.columns import ColumnModel
from augan.sampling.conditions import Condition
from augan.sampling.drawing import MAX_DRAWN, MAX_TRIES, MIN_DRAWN
from augan.sampling.relation_set import Relations
from augan.sampling.relations import Array, Mask
from augan.sampling.row_plan import RowPlan

N_SHARES = 4096  # rows that are drawn to find the shares of the classes


@dataclass(frozen=True)
class ColumnRows:
    """The column model of a table, and the relations of its columns and, last, of its class."""

    model: ColumnModel
    relations: Relations

    def source(self, label: int, conditions: Iterable[Condition] = ()) -> ColumnSource:
        """Return the source of a class's new rows that meet conditions.

        Raises
        ------
        DataError
            If no training row meets conditions on columns that determine each other.
        """
        own = Condition(self.model.codec.width, float(label), float(label))
        return ColumnSource(self, (*conditions, own))

    def label_shares(self, conditions: Iterable[Condition], random: torch.Generator) -> Tensor:
        """Return the shares (n_classes,) of the classes among rows that meet conditions.

        Raises
        ------
        DataError
            If no row that is drawn meets them.
        """
        rows, faults = ColumnSource(self, tuple(conditions)).drawn(N_SHARES, random)
        if not len(rows):
            raise _none_accepted(faults, N_SHARES)
        labels = torch.from_numpy(rows[:, -1]).long()
        return torch.bincount(labels, minlength=self.model.bins[-1].size) / len(rows)


class ColumnSource:
    """New rows of a column model that meet conditions, as raw numbers."""

    def __init__(self, rows: ColumnRows, conditions: tuple[Condition, ...]) -> None:
        self.model = rows.model
        self.plan = RowPlan.of(rows.relations, conditions)
        self.given = self._given(conditions)

    def draw(self, n: int, random: torch.Generator) -> Tensor:
        """Return `n` raw rows (n, d) without the class.

        Raises
        ------
        DataError
            If too few of the rows that are drawn are as asked; the message names what is not.
        """
        pieces: list[Array] = []
        faults: Counter[str] = Counter()
        found = drawn = 0
        while found < n:
            if drawn >= MAX_TRIES * max(n, MIN_DRAWN):
                raise _none_accepted(faults, drawn, n, found)
            rate = max(found, 1) / drawn if drawn else 1.0
            wanted = int(np.ceil((n - found) / rate))
            wanted = min(max(wanted, MIN_DRAWN if drawn else 1), MAX_DRAWN)
            rows, wrong = self.drawn(wanted, random)
            pieces.append(rows)
            faults.update(wrong)
            found, drawn = found + len(rows), drawn + wanted
        rows = np.concatenate(pieces) if pieces else np.zeros((0, self.model.codec.width + 1))
        return torch.from_numpy(np.ascontiguousarray(rows[:n, :-1]))

    def drawn(self, n: int, random: torch.Generator) -> tuple[Array, dict[str, int]]:
        """Draw `n` rows; return those that are as asked (m, d + 1), and numbers of faults."""
        cells = self.model.draw(n, random, self.given)
        raw = np.zeros((n, self.model.codec.width + 1))
        raw[:, self.model.places], raw[:, -1] = cells[:, :-1], cells[:, -1]
        raw = self.plan.complete(raw)
        faults: dict[str, Mask] = self.plan.faults(raw)
        wrong = np.logical_or.reduce([np.zeros(n, dtype=bool), *faults.values()])
        return raw[~wrong], {text: int(mask.sum()) for text, mask in faults.items()}

    def _given(self, conditions: tuple[Condition, ...]) -> dict[int, Given]:
        """Return what is known of the columns in the model's `bins`."""
        known = self.model.given(conditions)
        last = len(self.model.bins) - 1
        own = {place: i for i, place in enumerate(self.model.places.tolist())}
        own[self.model.codec.width] = last
        for one in conditions:
            if own.get(one.place) == last:
                known[last] = Given(one.low, one.high)
        for place, values in self.plan.allowed.items():
            known[own[place]] = Given(-np.inf, np.inf, tuple(values.tolist()))
        return known


def _none_accepted(faults: dict[str, int], drawn: int, n: int = 0, found: int = 0) -> DataError:
    """Return the error for rows of which too few are as asked; it names the most frequent fault."""
    text, count = max(faults.items(), key=lambda item: item[1])
    asked = f"; {n} requested, {found} accepted" if n else ""
    return DataError(f"{text} in {count} of {drawn} drawn rows{asked}")
