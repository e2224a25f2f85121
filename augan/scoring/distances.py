"""Heads that say how far a row lies from training normals, in one space or another."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits
from torch import Tensor

from augan.networks.layers import steady_product
from augan.scoring.head import Head
from augan.scoring.nearest import nearest_by
from augan.scoring.view import View

MAX_FEATURES = 512  # up to which a covariance is that of all of them
MAX_COMPONENTS = 200  # else of so many principal components
MAX_NEIGHBOUR_COMPONENTS = 64  # in which neighbours are sought, and by what lies outside them
FLOOR = 0.01  # of the features' mean deviation, that each one's is at least
ROWS_A_CENTRE = 4  # training rows that a row of a full bank stands for
CENTRING_ROUNDS = 10  # of k-means
NEGLIGIBLE = 1e-3  # distance, of the rows' spread, below which rounding takes part


class Distance(Head):
    """A distance between features; `of` says which part of a view they are."""

    of: str

    def features(self, view: View) -> Tensor:
        """Return the features, (B, F)."""
        features: Tensor = getattr(view, self.of)
        return features


class Mahalanobis(Distance):
    """Squared Mahalanobis distance of features, their covariance shrunk (Ledoit 2004).

    Where there are more than `MAX_FEATURES`, in their principal components.
    """

    mean: Tensor
    whitening: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_buffers("mean", "whitening")

    def fit(self, view: View, random: np.random.Generator, n_rows: int | None = None) -> None:
        """Learn mean (F,) and whitening (F, K) of the training features."""
        features = self.features(view).double().cpu().numpy()
        mean = features.mean(axis=0)
        centred = features - mean
        basis = np.eye(centred.shape[1])
        if centred.shape[1] > MAX_FEATURES:
            basis = _principal_components(centred, random, MAX_COMPONENTS)
        covariance = np.eye(basis.shape[1])  # of rows that are all the same
        if centred.any():
            covariance, _ = ledoit_wolf(centred @ basis, assume_centered=True)
        values, vectors = np.linalg.eigh(covariance)
        values = np.maximum(values, values.max() * 1e-10)
        self.mean = torch.from_numpy(mean).to(view.x)
        self.whitening = torch.from_numpy(basis @ (vectors / np.sqrt(values))).to(view.x)

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        return steady_product(self.features(view) - self.mean, self.whitening).square().sum(dim=1)


class CriticMahalanobis(Mahalanobis):
    """Mahalanobis distance in the critic's features."""

    needs, of = "gan", "f_x"


class PretextMahalanobis(Mahalanobis):
    """Mahalanobis distance in the pretext network's features."""

    needs, of = "pretext", "pretext_features"


class PretextDeviation(Distance):
    """Mean squared deviation of the pretext network's features, each in its own deviations.

    A Mahalanobis distance whose covariance is shrunk all the way to its diagonal: what lies far
    from the middle counts, be it far along directions in which the features often vary.
    """

    needs, of = "pretext", "pretext_features"
    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_buffers("mean", "deviation")

    def fit(self, view: View, random: np.random.Generator, n_rows: int | None = None) -> None:
        """Learn mean and deviation (F,) of the training features."""
        features = self.features(view)
        self.mean = features.mean(dim=0)
        deviation = features.std(dim=0, unbiased=False)
        floor = FLOOR * deviation.mean()  # of features that hardly vary
        self.deviation = torch.where(floor > 0, deviation.clamp(min=floor), 1.0)

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        return ((self.features(view) - self.mean) / self.deviation).square().mean(dim=1)


class Neighbours(Distance):
    """Mean distance to the nearest rows of a bank that stands for training normals.

    The bank holds the training rows or, where they are many, the centres of their clusters. In
    units of the training rows' spread, so that distances in two networks' features compare.
    Of many features the principal components and the length of the rest are compared.
    """

    centre: Tensor
    unit: Tensor
    basis: Tensor
    bank: Tensor
    squares: Tensor
    has_memory = True

    def __init__(self, n_neighbors: int, memory_size: int) -> None:
        super().__init__()
        self.n_neighbors, self.memory_size = n_neighbors, memory_size
        self.add_buffers("centre", "unit", "basis", "bank", "squares")

    def fit(self, view: View, random: np.random.Generator, n_rows: int | None = None) -> None:
        """Keep at most `memory_size` rows that stand for `n_rows` training rows, or for all."""
        rows = self.features(view)
        self.centre = rows.mean(dim=0)
        centred = rows - self.centre
        spread = float(centred.square().sum(dim=1).mean().sqrt())
        self.unit = rows.new_tensor(spread if spread > 0 else 1.0)
        self.basis = rows.new_empty(rows.shape[1], 0)
        if rows.shape[1] > MAX_NEIGHBOUR_COMPONENTS:
            matrix = centred.double().cpu().numpy()
            basis = _principal_components(matrix, random, MAX_NEIGHBOUR_COMPONENTS)
            self.basis = torch.from_numpy(basis).to(rows)
        most = min(ROWS_A_CENTRE * self.memory_size, n_rows or len(rows))
        if len(rows) > most:
            kept = np.sort(random.choice(len(rows), most, replace=False))
            rows = rows[torch.from_numpy(kept).to(rows.device)]
        self.bank = _centres(self._compared(rows), self.memory_size, random)
        self.squares = self.bank.square().sum(dim=1)

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        rows = self._compared(self.features(view))
        # |x - b|^2 = |b|^2 - 2 x b + |x|^2, whose last term is the same for all b
        nearness = torch.addmm(self.squares, rows, self.bank.T, alpha=-2)
        distances, _ = nearest_by(nearness, rows, self.bank, self.n_neighbors)
        return (distances.square() + NEGLIGIBLE**2).sqrt().mean(dim=1)

    def _compared(self, rows: Tensor) -> Tensor:
        rows = (rows - self.centre) / self.unit
        if self.basis.shape[1] == 0:
            return rows
        components = steady_product(rows, self.basis)
        rest = (rows - components @ self.basis.T).norm(dim=1, keepdim=True)
        return torch.cat([components, rest], dim=1)


class CriticNeighbours(Neighbours):
    """Mean distance to the nearest training normals in the critic's features."""

    needs, of = "gan", "f_x"


class PretextNeighbours(Neighbours):
    """Mean distance to the nearest training normals in the pretext network's features."""

    needs, of = "pretext", "pretext_features"


class RepairNeighbours(Neighbours):
    """Mean distance to the nearest training normals between the errors of the repair.

    Columns that can never be repaired well have large errors in every row, so that what counts is
    an error of another size or sign than usual.
    """

    needs, of = "pretext", "repair_error"


class DataNeighbours(Neighbours):
    """Mean distance to the nearest training normals between standardised rows, or pixels."""

    of = "standard"


def _centres(rows: Tensor, n: int, random: np.random.Generator) -> Tensor:
    """Return rows (n, F) at most: the rows, or the centres of so many clusters (k-means)."""
    if len(rows) <= n:
        return rows
    seed = int(random.integers(2**31))
    means = KMeans(n, init="random", n_init=1, max_iter=CENTRING_ROUNDS, random_state=seed)
    with threadpool_limits(1), warnings.catch_warnings():  # one thread: sums in one order
        warnings.simplefilter("ignore", ConvergenceWarning)  # of alike rows, in fewer clusters
        means.fit(rows.cpu().numpy())
    return torch.from_numpy(means.cluster_centers_).to(rows)


def _principal_components(
    centred: np.ndarray, random: np.random.Generator, n_components: int
) -> np.ndarray:
    """Return a basis (F, K) of at most `n_components` directions, at right angles."""
    n_rows, n_features = centred.shape
    if (centred == centred[0]).all():  # one direction is as good as another
        return np.linalg.qr(random.normal(size=(n_features, n_components)))[0]
    seed = int(random.integers(2**31))
    n_components = min(n_components, n_rows - 1)
    pca = PCA(n_components, svd_solver="randomized", random_state=seed).fit(centred)
    return np.asarray(pca.components_.T)
