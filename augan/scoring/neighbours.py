"""Heads that are distances to the nearest training rows, in different feature spaces."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from augan.networks.layers import steady_product
from augan.scoring.covariance import principal_components
from augan.scoring.distances import LEADING, ROW_WEIGHT, Distance, PretextMahalanobis
from augan.scoring.nearest import GROUP, rounding_error, smallest, spacing, to_others
from augan.scoring.view import View

IMAGE_COMPONENTS = 64  # the same for images, and of pixels
MANY_COMPONENTS = 1024  # of rows themselves, of which each column may count
SPACING_ROWS = 10  # neighbours of a row of the memory, whose mean distance is its spacing
MORE = 15  # candidates in addition to k, where products are in single precision
NEGLIGIBLE = 1e-3  # distances below this share of the rows' spread are dominated by rounding
LARGEST_ROUNDING = 1e-3  # error of a squared distance, with which neighbours are ranked


class Neighbours(Distance):
    """Mean distance to the k nearest neighbours in a memory of training rows, by local spacing.

    The memory (`bank`) holds training rows, a random sample if there are many. Each distance to one
    of its rows is divided by the square root of that row's own mean distance to its `SPACING_ROWS`
    nearest neighbours in the memory, so that a distance counts for more where training rows lie
    close together: a mild form of the local outlier factor (Breunig 2000). The neighbours are those
    with the smallest quotients. Between images, which lie far apart everywhere, distances are not
    divided. Distances are in units of the root mean square distance of the training rows to their
    mean. With more than `max_components` features that vary, they are taken between principal
    components, otherwise between these features; the norm of the remainder is one more component.

    Parameters
    ----------
    n_neighbors, memory_size : int
        The number of neighbours k, and the largest number of rows in the memory.
    of_images : bool, default=False
        Whether the rows are images.
    """

    centre: Tensor
    unit: Tensor
    basis: Tensor
    bank: Tensor
    weights: Tensor
    rounding: Tensor
    has_memory = True
    table_components: ClassVar[int] = LEADING  # principal components of the networks' features

    def __init__(self, n_neighbors: int, memory_size: int, *, of_images: bool = False) -> None:
        super().__init__()
        self.n_neighbors, self.memory_size, self.of_images = n_neighbors, memory_size, of_images
        self.max_components = IMAGE_COMPONENTS if of_images else self.table_components
        self.add_buffers("centre", "unit", "basis", "bank", "weights", "rounding")
        self._in_double = True
        self._known: tuple[Tensor, Tensor] | None = None

    def fit(self, view: View, random: np.random.Generator, n_rows: int | None = None) -> None:
        """Store at most `memory_size` of `n_rows` training rows, or of all."""
        rows = self.features(view)
        self.centre = rows.mean(dim=0)
        centred = rows - self.centre
        spread = float(centred.square().sum(dim=1).mean().sqrt())
        self.unit = rows.new_tensor(spread if spread > 0 else 1.0)
        self.basis = self._basis_of(rows, random)
        most = min(self.memory_size, n_rows or len(rows))
        if len(rows) > most:
            kept = np.sort(random.choice(len(rows), most, replace=False))
            rows = rows[torch.from_numpy(kept).to(rows.device)]
        self.bank = self._compared(rows)
        if self.of_images:
            self.weights, rounding = rows.new_ones(len(rows)), 1.0
        else:
            others = to_others(self.bank, SPACING_ROWS)
            self.weights = spacing(others, NEGLIGIBLE).rsqrt()
            rounding = rounding_error(self.bank, others, NEGLIGIBLE)
        self.rounding = rows.new_tensor(rounding)
        self._in_double = rounding > LARGEST_ROUNDING

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        return self._nearest(self._compared_of(view))[0].mean(dim=1)

    def difference(self, view: View) -> Tensor:
        """Return mean absolute differences (B, F) of features from those of the neighbours."""
        features = self.features(view)
        near = self.bank[self._nearest(self._compared(features))[1]]  # (B, k, F), or components
        if self.basis.shape[1]:
            near = near[..., :-1] @ self.basis.T
        rows = (features - self.centre) / self.unit
        return (rows.unsqueeze(1) - near).abs().mean(dim=1) * self.unit

    def _nearest(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return distances by spacing (B, k) to the nearest rows of the memory, and indices."""
        factors = self._factors()
        exact = rows.to(factors.dtype)
        squares = exact.square().sum(dim=1, keepdim=True)
        products = torch.cat([exact, squares, torch.ones_like(squares)], dim=1) @ factors
        k = min(self.n_neighbors, self.bank.shape[0])
        # where products in single precision do not rank rows, but double precision is missing
        spare = MORE if self._in_double and factors.dtype == torch.float32 else 0
        chosen = smallest(products, min(k + spare, self.bank.shape[0]))
        near = F.embedding(chosen, self.bank)  # self.bank[chosen], faster in exported files
        distances = (rows.unsqueeze(1) - near).square().sum(dim=2)
        quotients = (distances + NEGLIGIBLE**2).sqrt() * self.weights[chosen]
        if quotients.shape[1] == 1:
            return quotients, chosen
        found, order = quotients.topk(k, dim=1, largest=False)
        return found, chosen.gather(1, order)

    def _factors(self) -> Tensor:
        """Return what the product with [x, |x|^2, 1] makes squared distances by spacing of.

        |x - b|^2 / s = |x|^2 / s - 2 x b / s + |b|^2 / s for a row b of the memory with spacing s;
        `NEGLIGIBLE` is added to |b|^2 as to the distances. Columns of infinite distances are
        added, up to a multiple of `GROUP`. The factors are computed once.
        """
        known = self._known
        if known is not None and known[0] is self.bank and known[1].device == self.bank.device:
            return known[1]
        in_double = self._in_double and self.bank.device.type != "mps"
        bank = self.bank.double() if in_double else self.bank
        squares = bank.square().sum(dim=1, keepdim=True) + NEGLIGIBLE**2
        parts = torch.cat([-2 * bank, torch.ones_like(squares), squares], dim=1)
        factors = (parts * self.weights.to(bank.dtype).square().unsqueeze(1)).T
        nowhere = factors.new_zeros(factors.shape[0], -self.bank.shape[0] % GROUP)
        nowhere[-1] = torch.inf
        found = torch.cat([factors, nowhere], dim=1)
        if not torch.compiler.is_exporting():
            self._known = self.bank, found
        return found

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        self._in_double = bool(self.rounding > LARGEST_ROUNDING)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_known": None}  # computed again from the memory

    def _basis_of(self, rows: Tensor, random: np.random.Generator) -> Tensor:
        """Return the basis (F, K) in which rows are compared; with K = 0, they are themselves."""
        varying = (rows != rows[:1]).any(dim=0).nonzero()[:, 0]
        if len(varying) > self.max_components:
            return principal_components(rows - self.centre, random, self.max_components)
        if len(varying) == rows.shape[1]:
            varying = varying[:0]
        return rows.new_zeros(rows.shape[1], len(varying)).scatter(0, varying[None], 1.0)

    def _compared_of(self, view: View) -> Tensor:
        return self._compared(self.features(view))

    def _compared(self, rows: Tensor) -> Tensor:
        rows = rows - self.centre
        if self.basis.shape[1] == 0:
            return rows / self.unit
        components = steady_product(rows, self.basis)
        rest = (rows - components @ self.basis.T).norm(dim=1, keepdim=True)
        return torch.cat([components, rest], dim=1) / self.unit


class CriticNeighbours(Neighbours):
    """Distance to the nearest training rows in the critic's features."""

    needs, of = "gan", "f_x"


class PretextNeighbours(Neighbours):
    """Distance to the nearest training rows in the pretext network's features.

    Of tables it takes the principal components of `PretextMahalanobis`, if there is that head.
    """

    needs, of = "pretext", "pretext_features"

    def __init__(self, n_neighbors: int, memory_size: int, *, of_images: bool = False) -> None:
        super().__init__(n_neighbors, memory_size, of_images=of_images)
        self._shared: tuple[PretextMahalanobis, ...] = ()  # at most one; no submodule of this head

    def share(self, head: PretextMahalanobis) -> None:
        """Use the principal components of a head that is fitted before this one."""
        self._shared = (head,)

    def _basis_of(self, rows: Tensor, random: np.random.Generator) -> Tensor:
        return rows.new_zeros(rows.shape[1], 0) if self._shared else super()._basis_of(rows, random)

    def _compared_of(self, view: View) -> Tensor:
        if not self._shared:
            return super()._compared_of(view)
        return self._of_components(*self._shared[0].leading_of(view))

    def _compared(self, rows: Tensor) -> Tensor:
        if not self._shared:
            return super()._compared(rows)
        return self._of_components(*self._shared[0].leading(rows))

    def _of_components(self, leading: Tensor, _: Tensor, squared_norms: Tensor) -> Tensor:
        return torch.cat([leading, squared_norms.sqrt().unsqueeze(1)], dim=1) / self.unit


class RepairNeighbours(Neighbours):
    """Distance to the nearest training rows between errors of column reconstruction.

    A column that cannot be predicted from the others has large errors in every row. The distance
    is large only if an error has an unusual size or sign.
    """

    needs, of = "pretext", "repair_error"


class DataNeighbours(Neighbours):
    """Distance to the nearest training rows between rows in units of ranges, or pixels."""

    of, weight = "ranged", ROW_WEIGHT
    table_components = MANY_COMPONENTS


class QuantileNeighbours(Neighbours):
    """Distance to the nearest training rows between rows whose numbers are normal quantiles."""

    of, weight = "x", ROW_WEIGHT
    table_components = MANY_COMPONENTS
