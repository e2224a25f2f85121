"""How many of the rows that are added are copies, and how many new."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.intp]


def with_share(counts: Counts, added: Counts, share: float) -> tuple[Counts, Counts]:
    """Return how many copies, and how many new rows, each class (k,) gets.

    `counts` real rows and `added` copies make classes as large as is asked; new rows on top of
    them are `share` of each class.
    """
    sizes = counts + added
    return added, np.rint(sizes * share / (1 - share)).astype(np.intp)


def draw_copies(codes: Counts, copies: Counts, random: np.random.Generator) -> Counts:
    """Return indices of rows of classes `codes` (n,) to repeat, each row about as often."""
    drawn = [np.empty(0, dtype=np.intp)]
    for code, n in enumerate(copies.tolist()):
        rows = random.permutation(np.flatnonzero(codes == code))
        drawn.append(np.resize(rows, n))
    return np.concatenate(drawn)
