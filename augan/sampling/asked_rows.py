"""Rows that meet conditions and obey relations, from the cells that a column model draws."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from augan.codecs.bins import Array, ColumnBins, Given, Mask
from augan.exceptions import DataError
from augan.sampling.conditions import Condition
from augan.sampling.given import given_columns, varying
from augan.sampling.relation_set import Relations
from augan.sampling.row_plan import RowPlan

MAX_TRIES = 100  # drawn rows for each requested one
MIN_DRAWN, MAX_DRAWN = 256, 16_384  # rows per batch
N_SHARES = 4096  # rows that are drawn to find the shares of the classes

# from n, and what is given of columns, to their cells (n, k)
Drawer = Callable[[int, dict[int, Given]], Array]


class AskedRows:
    """Raw rows (n, d + 1), the class last, that meet conditions and obey relations.

    Parameters
    ----------
    relations : Relations
        Relations of the columns of the table and, last, of its class.
    conditions : tuple of Condition
        What rows must meet; the class is column d.
    bins : sequence of ColumnBins
        The codes of each column that varies, and of the class.

    Raises
    ------
    DataError
        If no training row meets conditions on columns that determine each other.
    """

    def __init__(
        self, relations: Relations, conditions: tuple[Condition, ...], bins: Sequence[ColumnBins]
    ) -> None:
        self.width = len(relations.columns)
        self.places = [*varying(relations.columns[:-1]).tolist(), self.width - 1]
        self.plan = RowPlan.of(relations, conditions)
        self.given = given_columns(conditions, relations.columns[:-1], bins)
        for one in conditions:
            if one.place == self.places[-1]:
                self.given[len(bins) - 1] = Given(one.low, one.high)
        for place, values in self.plan.allowed.items():
            self.given[self.places.index(place)] = Given(-np.inf, np.inf, tuple(values.tolist()))

    def draw(self, n: int, drawer: Drawer) -> Array:
        """Return `n` rows of cells that ``drawer(n, given)`` draws.

        Raises
        ------
        DataError
            If too few of the rows that are drawn are as asked; the message names what is not.
        """
        pieces = [np.zeros((0, self.width))]
        faults: Counter[str] = Counter()
        found = drawn = 0
        while found < n:
            if drawn >= MAX_TRIES * max(n, MIN_DRAWN):
                raise _none_accepted(faults, drawn, f"; {n} requested, {found} accepted")
            rate = max(found, 1) / drawn if drawn else 1.0
            wanted = int(np.ceil((n - found) / rate))
            wanted = min(max(wanted, MIN_DRAWN if drawn else 1), MAX_DRAWN)
            rows, wrong = self._drawn(wanted, drawer)
            pieces.append(rows)
            faults.update(wrong)
            found, drawn = found + len(rows), drawn + wanted
        return np.concatenate(pieces)[:n]

    def label_shares(self, n_classes: int, drawer: Drawer) -> Array:
        """Return the shares (n_classes,) of the classes.

        Raises
        ------
        DataError
            If no row that is drawn is as asked.
        """
        rows, faults = self._drawn(N_SHARES, drawer)
        if not len(rows):
            raise _none_accepted(faults, N_SHARES)
        counts = np.bincount(rows[:, -1].astype(np.int64), minlength=n_classes)
        return counts / len(rows)

    def _drawn(self, n: int, drawer: Drawer) -> tuple[Array, dict[str, int]]:
        """Draw `n` rows; return those that are as asked (m, d + 1), and numbers of faults."""
        raw = np.zeros((n, self.width))
        raw[:, self.places] = drawer(n, self.given)
        raw = self.plan.complete(raw)
        faults: dict[str, Mask] = self.plan.faults(raw)
        wrong = np.logical_or.reduce([np.zeros(n, dtype=bool), *faults.values()])
        return raw[~wrong], {text: int(mask.sum()) for text, mask in faults.items()}


def _none_accepted(faults: dict[str, int], drawn: int, asked: str = "") -> DataError:
    """Return the error for rows of which too few are as asked; it names the most frequent fault."""
    text, count = max(faults.items(), key=lambda item: item[1])
    return DataError(f"{text} in {count} of {drawn} drawn rows{asked}")
