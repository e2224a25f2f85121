"""Explanations of tables: which columns of a row are unusual."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from augan.networks.fitted import FittedModule

SMALLEST_MEAN = 0.01  # smallest mean difference of a column, as a share of the average one


class Explainer(FittedModule):
    """Differences of each column, as multiples of their means in held-out normal rows.

    Parameters
    ----------
    owners : sequence of Tensor
        For each kind of difference, the column of each of its channels.
    n_columns : int
        Number of columns.
    """

    usual: Tensor

    def __init__(self, owners: Sequence[Tensor], n_columns: int) -> None:
        super().__init__()
        self.add_buffers("usual")
        self.n_kinds, self.n_columns = len(owners), n_columns
        self.owners = torch.cat([own + i * self.n_columns for i, own in enumerate(owners)])

    def fit(self, differences: Tensor) -> None:
        """Fit the mean difference of each column."""
        usual = self._by_column(differences).mean(dim=0)
        floor = max(float(usual.mean()) * SMALLEST_MEAN, torch.finfo(usual.dtype).tiny)
        self.usual = usual.clamp(min=floor)

    def forward(self, differences: Tensor) -> Tensor:
        """Return multiples of the mean difference, (B, columns)."""
        scaled = self._by_column(differences) / self.usual
        return scaled.unflatten(1, (self.n_kinds, self.n_columns)).mean(dim=1)

    def _by_column(self, differences: Tensor) -> Tensor:
        sums = differences.new_zeros(differences.shape[0], self.n_kinds * self.n_columns)
        return sums.index_add(1, self.owners.to(differences.device), differences)
