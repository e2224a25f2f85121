"""How many of the rows that are added are copies, and how many new."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.intp]


def split_added(counts: Counts, added: Counts, share: float | None) -> tuple[Counts, Counts]:
    """Return how many copies, and how many new rows, each class (k,) gets.

    Without a `share` all of `added` are new. With one, copies make classes of `counts` rows as
    large as is asked, and new rows on top of them are that share of each class.
    """
    if share is None:
        return np.zeros_like(added), added
    return added, np.rint((counts + added) * share / (1 - share)).astype(np.intp)


def draw_copies(codes: Counts, copies: Counts, random: np.random.Generator) -> Counts:
    """Return indices of rows of classes `codes` (n,) to repeat, each row about as often."""
    drawn = [np.empty(0, dtype=np.intp)]
    for code, n in enumerate(copies.tolist()):
        rows = random.permutation(np.flatnonzero(codes == code))
        drawn.append(np.resize(rows, n))
    return np.concatenate(drawn)
