"""Former names of heads, which parameters and files may still use."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from augan._callers import caller_level

FORMER_HEADS = {"detail_repair": "detail_restoration"}


def current_heads(heads: Iterable[str]) -> tuple[str, ...]:
    """Return names of heads with former names replaced by the current ones."""
    return tuple(FORMER_HEADS.get(name, name) for name in heads)


def warn_of_former_heads(heads: Iterable[str]) -> None:
    """Issue a FutureWarning for each former name in `heads`."""
    for name in heads:
        if name in FORMER_HEADS:
            warnings.warn(
                f"heads: {name!r} is now called {FORMER_HEADS[name]!r}; the former name will be "
                "removed in a later version",
                FutureWarning,
                stacklevel=caller_level(),
            )
