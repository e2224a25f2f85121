"""Exactly as many rows as are asked for, however many are refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from augan.exceptions import DataError

Check = Callable[[Tensor], Tensor]  # encoded rows to a mask of those that are kept

MAX_TRIES = 100  # rows that are drawn for one that is asked for, before giving up
MIN_DRAWN, MAX_DRAWN = 256, 16_384  # rows at once, where some are refused


def draw_passing(
    n: int,
    draw: Callable[[int], Tensor],
    checks: Mapping[str, Check],
    refused: Counter[str],
    what: str = "",
) -> Tensor:
    """Return `n` encoded rows that pass all checks.

    Parameters
    ----------
    n : int
        How many.
    draw : callable
        Returns so many new rows.
    checks : mapping of str to callable
        Each returns a mask of the rows that it keeps.
    refused : Counter
        Where the rows that each check refuses are counted.
    what : str
        What an error begins with.

    Raises
    ------
    DataError
        When too few of `MAX_TRIES` times as many rows pass.
    """
    if not checks:
        return draw(n)
    refused.update(dict.fromkeys(checks, 0))
    before = refused.copy()
    pieces: list[Tensor] = []
    found, drawn = 0, 0
    while found < n:
        if drawn >= MAX_TRIES * max(n, MIN_DRAWN):
            why = ", ".join(f"{name} refused {count}" for name, count in (refused - before).items())
            raise DataError(f"{what}{n} rows are asked for, {found} of {drawn} passed ({why})")
        rate = max(found, 1) / drawn if drawn else 1.0
        rows = draw(int(np.clip(1.1 * (n - found) / rate, MIN_DRAWN, MAX_DRAWN)))
        drawn += len(rows)
        for name, check in checks.items():
            if len(rows):
                kept = check(rows)
                refused[name] += int((~kept).sum())
                rows = rows[kept]
        pieces.append(rows)
        found += len(rows)
    return torch.cat(pieces)[:n]
