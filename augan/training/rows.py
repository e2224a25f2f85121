"""Splits of the training rows: trusted rows, held-out rows and folds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from augan._random import numpy_stream
from augan.codecs.table_encoder import TableEncoder
from augan.training.contamination import Suspicion

MIN_HELD_OUT = 64  # held-out rows of a class; smaller classes have none


class LazyRows:
    """A selection of rows of a tensor that may be larger than memory; copied in batches.

    `known` are tensors (n, ...) that have been computed of the selected rows, by name.
    """

    def __init__(
        self, rows: Tensor, index: Tensor | None = None, known: dict[str, Tensor] | None = None
    ) -> None:
        self.rows = rows
        self.index = torch.arange(len(rows)) if index is None else index
        self.known = known or {}

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, chosen: Tensor) -> LazyRows:
        """Return a selection of these rows, without a copy."""
        known = {name: values[chosen] for name, values in self.known.items()}
        return LazyRows(self.rows, self.index[chosen], known)

    def first(self, n: int) -> Tensor:
        """Return the first rows, at most `n`."""
        return self.rows[self.index[:n]]

    def split(self, n: int) -> Iterator[Tensor]:
        """Yield the rows, `n` at a time."""
        for part in self.index.split(n):
            yield self.rows[part]


@dataclass(frozen=True)
class TrainingRows:
    """Raw rows (n, ...) and the use of each of them (n,).

    Attributes
    ----------
    raw : Tensor or LazyRows
        The rows.
    trusted : Tensor
        Whether networks and heads are fitted to it. Calibration uses the other rows as well.
    held_out : Tensor
        Whether it is held out from the GAN, for early stopping and calibration.
    folds : Tensor
        Its fold: networks and heads that are fitted without it score it for calibration. -1 is no
        fold: the row is never left out.
    encoders : tuple of Module, default=()
        For tables with few rows, an encoding fitted without each fold. The model then keeps the
        parts that were fitted without the first fold.
    suspicion : Suspicion, optional
        What tells that rows may be anomalies, where their share is known.
    """

    raw: Tensor | LazyRows
    trusted: Tensor
    held_out: Tensor
    folds: Tensor
    encoders: tuple[TableEncoder, ...] = ()
    suspicion: Suspicion | None = None

    def __getitem__(self, chosen: Tensor) -> TrainingRows:
        """Return a selection of the rows."""
        parts = (self.trusted[chosen], self.held_out[chosen], self.folds[chosen])
        suspicion = None if self.suspicion is None else self.suspicion[chosen]
        return TrainingRows(self.raw[chosen], *parts, self.encoders, suspicion)


def split_rows(
    raw: Tensor | LazyRows,
    suspicion: Suspicion | None,
    *,
    validation_fraction: float,
    n_folds: int,
    seed: int,
    groups: NDArray[np.intp] | None = None,
) -> TrainingRows:
    """Split raw rows at random; trusted and other rows are split in the same shares.

    With one fold, it is the held-out rows; otherwise each row is in one of the folds. Rows of the
    same one of the `groups` (n,) are kept together.
    """
    n = len(raw)
    trusted = torch.ones(n, dtype=torch.bool) if suspicion is None else ~suspicion.clustered
    random = numpy_stream(seed, "split")
    if groups is not None:
        held_out, folds = split_groups(groups, validation_fraction, n_folds, random)
        return TrainingRows(raw, trusted, held_out, folds, suspicion=suspicion)
    order = torch.from_numpy(random.permutation(n))
    learned, left_out = order[trusted[order]], order[~trusted[order]]
    held_out, folds = torch.zeros(n, dtype=torch.bool), torch.full((n,), -1)
    n_held_out = round(validation_fraction * len(learned))
    held_out[learned[: min(max(1, n_held_out), len(learned) - 1)]] = True
    held_out[left_out[: round(validation_fraction * len(left_out))]] = True
    if n_folds == 1:
        folds[held_out] = 0
    else:
        for part in (learned, left_out):
            folds[part] = torch.arange(len(part)) % min(n_folds, len(learned))
    return TrainingRows(raw, trusted, held_out, folds, suspicion=suspicion)


def split_groups(
    groups: NDArray[np.intp], validation_fraction: float, n_folds: int, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Return which rows (n,) are held out, and their folds (n,), of whole groups numbered from 0.

    Groups are taken in random order: first those that are held out, until they have that share of
    the rows; each group goes to the fold with the fewest rows.
    """
    sizes = np.bincount(groups)
    order = random.permutation(len(sizes))
    before = np.cumsum(sizes[order]) - sizes[order]
    is_held_out = np.zeros(len(sizes), dtype=bool)
    is_held_out[order[before < validation_fraction * len(groups)][: len(sizes) - 1]] = True
    is_held_out[order[0]] = True
    fold_of, rows_in = np.zeros(len(sizes), dtype=np.int64), np.zeros(min(n_folds, len(sizes)))
    for group in order:
        fold_of[group] = rows_in.argmin()
        rows_in[fold_of[group]] += sizes[group]
    if n_folds == 1:
        fold_of = np.where(is_held_out, 0, -1)
    return torch.from_numpy(is_held_out[groups]), torch.from_numpy(fold_of[groups])


def split_held_out(labels: np.ndarray, share: float, seed: int) -> Tensor:
    """Return which rows (n,) are held out from training, a share of each large class."""
    random = numpy_stream(seed, "split")
    held_out = np.zeros(len(labels), dtype=bool)
    largest = np.bincount(labels).argmax()
    for label in np.unique(labels):
        rows = random.permutation(np.flatnonzero(labels == label))
        n = round(share * len(rows))
        if n >= MIN_HELD_OUT or label == largest:
            held_out[rows[: max(1, min(n, len(rows) - 1))]] = True
    return torch.from_numpy(held_out)


def at_most(rows: Tensor, n: int, random: np.random.Generator) -> Tensor:
    """Return rows (m,), or a random sample of `n` of them, in order."""
    if len(rows) <= n:
        return rows
    return rows[torch.from_numpy(np.sort(random.choice(len(rows), n, replace=False)))]
