"""Numbers of copies and of synthetic rows among the added rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.intp]


def split_added(counts: Counts, added: Counts, share: float | None) -> tuple[Counts, Counts]:
    """Return the numbers of copies and of synthetic rows of each class (k,).

    Without a `share`, all `added` rows are synthetic. With one, they are copies of the `counts`
    real rows, and further synthetic rows then make up that share of each class.
    """
    if share is None:
        return np.zeros_like(added), added
    return added, np.rint((counts + added) * share / (1 - share)).astype(np.intp)


def draw_copies(codes: Counts, copies: Counts, random: np.random.Generator) -> Counts:
    """Return indices of rows to copy, given their classes `codes` (n,), each about as often."""
    drawn = [np.empty(0, dtype=np.intp)]
    for code, n in enumerate(copies.tolist()):
        rows = random.permutation(np.flatnonzero(codes == code))
        drawn.append(np.resize(rows, n))
    return np.concatenate(drawn)
