"""Base classes of the heads."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from torch import Tensor

from augan.networks.fitted import FittedModule
from augan.scoring.view import View


class Head(FittedModule):
    """One anomaly score: `fit` is given normal training rows, `forward` scores any rows.

    Attributes
    ----------
    weight : float
        Weight of the calibrated head in the fused score. It is lower for heads that depend on the
        inversion, because a generator often reconstructs anomalies too.
    needs : {"gan", "pretext", "restoration", "columns"} or None
        The trained networks that the head uses.
    has_memory : bool
        Whether the head stores training rows; it is then built with `n_neighbors` and
        `memory_size`.
    """

    weight: float = 1.0
    needs: Literal["gan", "pretext", "restoration", "columns"] | None = None
    has_memory: ClassVar[bool] = False

    def fit(self, view: View, random: np.random.Generator, n_rows: int | None = None) -> None:
        """Fit to training rows; by default there is nothing to fit.

        Parameters
        ----------
        view : View
            Training rows.
        random : Generator
            Random numbers.
        n_rows : int, optional
            Number of training rows, at most, that a memory stands for.
        """

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        raise AssertionError("a head scores")  # pragma: no cover
