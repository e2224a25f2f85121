"""The distinct rows among those that are drawn column by column, as far as they are drawn."""

from __future__ import annotations

import torch
from torch import Tensor

FEW = 0.9  # share of distinct rows up to which they are kept apart from their copies


class Prefixes:
    """Rows of the codes that have been drawn so far; equal ones are computed once.

    All rows start equal, so the network's work on the first columns is small.

    Parameters
    ----------
    hidden : Tensor of shape (width,)
        Output of the first layer if no column is drawn yet.
    n : int
        Number of rows.

    Attributes
    ----------
    hidden : Tensor of shape (m, width)
        Output of the first layer for the distinct rows.
    """

    def __init__(self, hidden: Tensor, n: int) -> None:
        self.hidden = hidden.expand(min(n, 1), -1).clone()
        self._of: Tensor | None = torch.zeros(n, dtype=torch.long)  # distinct row of each row

    def spread(self, values: Tensor) -> Tensor:
        """Return the values (m, ...) of the distinct rows for all rows (n, ...)."""
        return values if self._of is None else values[self._of]

    def extend(self, codes: Tensor, inputs: Tensor) -> None:
        """Add the next column's codes (n,); `inputs` (size, width) is what they add to `hidden`."""
        if self._of is None:
            self.hidden += inputs[codes]
            return
        keys = self._of * len(inputs) + codes
        distinct, of = torch.unique(keys, return_inverse=True)
        if len(distinct) > FEW * len(codes):
            self.hidden, self._of = self.hidden[self._of] + inputs[codes], None
            return
        former, last = distinct // len(inputs), distinct % len(inputs)
        self.hidden, self._of = self.hidden[former] + inputs[last], of
