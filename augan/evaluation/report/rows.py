"""Rows of a report: those kept in memory while batches are scored, and what is shown of them."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

OUTCOMES = {
    (True, True): "found",
    (True, False): "missed",
    (False, True): "false alarm",
    (False, False): "passed",
}


class Kept(NamedTuple):
    """A kept row, sorted by `order`; of equal ones the earlier row comes first."""

    order: float
    turn: int
    i: int
    row: Any


class Highest:
    """Keeps the `n` rows of highest order among all rows offered."""

    def __init__(self, n: int) -> None:
        self.n = n
        self._heap: list[Kept] = []

    def offer(self, order: float, i: int, rows: Any, at: int) -> None:
        """Keep row `i` of the data, which is ``rows[at]``, if its order is high enough."""
        if len(self._heap) == self.n and order <= self._heap[0].order:
            return
        kept = Kept(order, -i, i, rows[at : at + 1].copy())
        (heapq.heappush if len(self._heap) < self.n else heapq.heapreplace)(self._heap, kept)

    def sorted(self) -> list[Kept]:
        """Return the kept rows, highest order first."""
        return sorted(self._heap, key=lambda kept: (-kept.order, kept.i))


@dataclass
class Shown:
    """A row on the page."""

    name: str
    label: str
    score: float
    p_value: float
    outcome: str
    reasons: Sequence[tuple[str, str, float]] = ()
    image: str = ""
    heat: str = ""
    mask: str = ""


@dataclass(frozen=True)
class ScoredRows:
    """All rows that were scored, (n,) each."""

    names: list[str]
    labels: list[str]
    scores: Floats
    is_anomaly: Mask
    p_values: Floats
    flagged: Mask

    def shown(self, i: int) -> Shown:
        """Return row `i` as it is shown."""
        return Shown(
            name=self.names[i],
            label=self.labels[i],
            score=float(self.scores[i]),
            p_value=float(self.p_values[i]),
            outcome=OUTCOMES[bool(self.is_anomaly[i]), bool(self.flagged[i])],
        )
