"""Heads that are distances to the training rows, in different feature spaces."""

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

MAX_FEATURES = 512  # if there are more, the covariance is that of principal components
MAX_COMPONENTS = 200  # number of these principal components
MAX_NEIGHBOUR_COMPONENTS = 64  # principal components in which neighbours are found
SMALLEST_DEVIATION = 0.01  # smallest standard deviation of a feature, as a share of the mean one
ROWS_PER_CENTRE = 4  # training rows per k-means centre
KMEANS_ITERATIONS = 10
NEGLIGIBLE = 1e-3  # distances below this share of the rows' spread are dominated by rounding


class Distance(Head):
    """A distance between features; `of` is the name of the features in a `View`."""

    of: str

    def features(self, view: View) -> Tensor:
        """Return the features, (B, F)."""
        features: Tensor = getattr(view, self.of)
        return features


class Mahalanobis(Distance):
    """Squared Mahalanobis distance of features, with a shrunk covariance (Ledoit and Wolf 2004).

    If there are more than `MAX_FEATURES`, it is that of their principal components.
    """

    mean: Tensor
    whitening: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_buffers("mean", "whitening")

    def fit(self, view: View, random: np.random.Generator, n_rows: int | None = None) -> None:
        """Fit mean (F,) and whitening matrix (F, K) to the training features."""
        features = self.features(view).double().cpu().numpy()
        mean = features.mean(axis=0)
        centred = features - mean
        basis = np.eye(centred.shape[1])
        if centred.shape[1] > MAX_FEATURES:
            basis = _principal_components(centred, random, MAX_COMPONENTS)
        covariance = np.eye(basis.shape[1])  # if all rows are equal
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
    """Mean squared z-score of the pretext network's features.

    A Mahalanobis distance with a diagonal covariance, divided by the number of features. Unlike the
    full distance, it is large also along directions in which the features often vary.
    """

    needs, of = "pretext", "pretext_features"
    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_buffers("mean", "deviation")

    def fit(self, view: View, random: np.random.Generator, n_rows: int | None = None) -> None:
        """Fit mean and standard deviation (F,) to the training features."""
        features = self.features(view)
        self.mean = features.mean(dim=0)
        deviation = features.std(dim=0, unbiased=False)
        floor = SMALLEST_DEVIATION * deviation.mean()  # for features that hardly vary
        self.deviation = torch.where(floor > 0, deviation.clamp(min=floor), 1.0)

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        return ((self.features(view) - self.mean) / self.deviation).square().mean(dim=1)


class Neighbours(Distance):
    """Mean distance to the k nearest neighbours in a memory of training rows.

    The memory (`bank`) holds the training rows or, if there are many, their k-means centres.
    Distances are divided by the root mean square distance of the training rows to their mean. If
    there are many features, distances are taken between principal components, with the norm of the
    remainder as one more component.
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
        """Store at most `memory_size` rows or centres of `n_rows` training rows, or of all."""
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
        most = min(ROWS_PER_CENTRE * self.memory_size, n_rows or len(rows))
        if len(rows) > most:
            kept = np.sort(random.choice(len(rows), most, replace=False))
            rows = rows[torch.from_numpy(kept).to(rows.device)]
        self.bank = _centres(self._compared(rows), self.memory_size, random)
        self.squares = self.bank.square().sum(dim=1)

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        rows = self._compared(self.features(view))
        # |x - b|^2 = |b|^2 - 2 x b + |x|^2; the last term is the same for all b
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
    """Mean distance to the nearest training rows in the critic's features."""

    needs, of = "gan", "f_x"


class PretextNeighbours(Neighbours):
    """Mean distance to the nearest training rows in the pretext network's features."""

    needs, of = "pretext", "pretext_features"


class RepairNeighbours(Neighbours):
    """Mean distance to the nearest training rows between errors of column reconstruction.

    A column that cannot be predicted from the others has large errors in every row. The distance
    is large only if an error has an unusual size or sign.
    """

    needs, of = "pretext", "repair_error"


class DataNeighbours(Neighbours):
    """Mean distance to the nearest training rows between standardised rows, or pixels."""

    of = "standard"


def _centres(rows: Tensor, n: int, random: np.random.Generator) -> Tensor:
    """Return rows (m, F), m <= n: the rows or, if they are more, their k-means centres."""
    if len(rows) <= n:
        return rows
    seed = int(random.integers(2**31))
    means = KMeans(n, init="random", n_init=1, max_iter=KMEANS_ITERATIONS, random_state=seed)
    with threadpool_limits(1), warnings.catch_warnings():  # one thread, so results are reproducible
        warnings.simplefilter("ignore", ConvergenceWarning)  # if rows are equal
        means.fit(rows.cpu().numpy())
    return torch.from_numpy(means.cluster_centers_).to(rows)


def _principal_components(
    centred: np.ndarray, random: np.random.Generator, n_components: int
) -> np.ndarray:
    """Return an orthonormal basis (F, K) of at most `n_components` directions."""
    n_rows, n_features = centred.shape
    if (centred == centred[0]).all():  # all directions are equivalent
        return np.linalg.qr(random.normal(size=(n_features, n_components)))[0]
    seed = int(random.integers(2**31))
    n_components = min(n_components, n_rows - 1)
    pca = PCA(n_components, svd_solver="randomized", random_state=seed).fit(centred)
    return np.asarray(pca.components_.T)
