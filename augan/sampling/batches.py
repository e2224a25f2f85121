"""New rows in batches of any size, and how many rows fit into memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from augan.exceptions import ParameterError

MOST_ROWS = 16_384  # that are drawn at a time
MOST_NUMBERS = 2**24  # in them
MOST_LABELS = 2**20  # that are drawn at a time

Block = tuple[int, Tensor]  # a class, and new rows of it


def block_rows(n_numbers: int) -> int:
    """Return how many rows of `n_numbers` each are drawn at a time."""
    return max(1, min(MOST_ROWS, MOST_NUMBERS // max(n_numbers, 1)))


def blocks_of(n: int, size: int) -> Iterator[int]:
    """Yield the numbers of rows of blocks of at most `size`, which add up to `n`."""
    for start in range(0, n, size):
        yield min(size, n - start)


def rebatched(blocks: Iterable[Block], size: int) -> Iterator[tuple[Tensor, NDArray[np.intp]]]:
    """Yield `size` rows (n, ...) at a time, the last ones fewer, and their classes (n,)."""
    rows: list[Tensor] = []
    labels: list[int] = []
    for label, block in blocks:
        while len(block):
            part, block = block.tensor_split([size - len(labels)])
            rows.append(part)
            labels += [label] * len(part)
            if len(labels) == size:
                yield torch.cat(rows), np.array(labels, dtype=np.intp)
                rows, labels = [], []
    if labels:
        yield torch.cat(rows), np.array(labels, dtype=np.intp)


def label_counts(shares: Tensor, n: int, random: torch.Generator) -> list[int]:
    """Return how many of `n` rows are of each class (k,), drawn by their shares."""
    counts = torch.zeros(len(shares), dtype=torch.long)
    for size in blocks_of(n, MOST_LABELS):
        drawn = torch.multinomial(shares, size, replacement=True, generator=random)
        counts += torch.bincount(drawn, minlength=len(shares))
    found: list[int] = counts.tolist()
    return found


def check_memory(n: int, row_bytes: int) -> None:
    """Check that `n` rows of `row_bytes` each fit into the computer's memory.

    Raises
    ------
    ParameterError
        If they do not.
    """
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not known on this system
        return
    if n * row_bytes > memory > 0:
        raise ParameterError(
            f"n_samples={n}: {n * row_bytes / 2**30:.0f} GB of rows do not fit into memory "
            f"({memory / 2**30:.0f} GB); sample_batches makes them a batch at a time"
        )
