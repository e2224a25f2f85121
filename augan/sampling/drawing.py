"""Rejection sampling with an exact number of rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from augan.exceptions import DataError
from augan.sampling.asked_rows import MAX_DRAWN, MAX_TRIES, MIN_DRAWN

Check = Callable[[Tensor], Tensor]  # encoded rows to a mask of the accepted ones


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
        Number of rows.
    draw : callable
        Function from a number to that many new rows.
    checks : mapping of str to callable
        Functions from encoded rows to a mask of the accepted ones.
    refused : Counter
        Numbers of rejected rows by check; updated.
    what : str
        Start of the error message.

    Raises
    ------
    DataError
        If fewer than `n` of about ``MAX_TRIES * n`` rows pass.
    """
    if not checks:
        return draw(n)
    refused.update(dict.fromkeys(checks, 0))
    before = refused.copy()
    pieces: list[Tensor] = []
    found, drawn = 0, 0
    while found < n:
        if drawn >= MAX_TRIES * max(n, MIN_DRAWN):
            why = ", ".join(
                f"{name} rejected {count}" for name, count in (refused - before).items()
            )
            raise DataError(f"{what}{n} rows requested, {found} of {drawn} accepted ({why})")
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
