"""Anomaly scores of a row, each from another side; all (B,), higher = more abnormal."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import PCA
from torch import Tensor, nn

from augan.scoring.view import View

INVERSION_WEIGHT = 1 / 3
MAX_FEATURES = 512  # up to which a covariance is that of all of them
MAX_COMPONENTS = 200  # else of so many principal components
MAX_NEIGHBOUR_COMPONENTS = 128  # in which neighbours are sought, and by what lies outside them
FLOOR = 0.01  # of the features' mean deviation, that each one's is at least


class FittedModule(nn.Module):
    """A module whose buffers get their shapes from data: loading a state takes them as they are."""

    def add_buffers(self, *names: str) -> None:
        """Register empty buffers that `fit` or a loaded state fills."""
        for name in names:
            self.register_buffer(name, torch.empty(0))

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        for name, buffer in self._buffers.items():
            loaded = state_dict.get(prefix + name)
            if loaded is not None and buffer is not None:
                self._buffers[name] = torch.empty_like(loaded, device=buffer.device)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


class Head(FittedModule):
    """One score. `fit` sees training normals; `forward` scores any rows.

    `weight` is what the calibrated head counts in the fused score: heads that depend on the
    inversion say less, since a GAN can often make anomalies too. `needs` says whose networks it
    asks: those of the GAN, the pretext network, or none.
    """

    weight: float = 1.0
    needs: Literal["gan", "pretext"] | None = None

    def fit(self, view: View, random: np.random.Generator) -> None:
        """Learn from training rows; most heads have nothing to learn."""

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        raise AssertionError("a head scores")  # pragma: no cover


class DataResidual(Head):
    """|x - G(z)|^2 / n (Schlegl 2019, eq. 5, A_R)."""

    weight = INVERSION_WEIGHT
    needs = "gan"

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        return (view.x - view.x_hat).square().flatten(1).mean(dim=1)


class FeatureResidual(Head):
    """|f(x) - f(G(z))|^2 / n_f (Schlegl 2019, eq. 5, A_D)."""

    weight = INVERSION_WEIGHT
    needs = "gan"

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        return (view.f_x - view.f_x_hat).square().mean(dim=1)


class Latent(Head):
    """|z|^2 / latent_dim: how far from the prior N(0, I) a row's latent lies."""

    weight = INVERSION_WEIGHT
    needs = "gan"

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        return view.z.square().mean(dim=1)


class Transforms(Head):
    """Mean of -log p(transform) over turned and shifted images (Golan 2018, eq. 1, simplified)."""

    needs = "pretext"

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        return view.surprise


class Repair(Head):
    """Mean absolute error of the pretext network's repair."""

    needs = "pretext"

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        return view.repair_error.abs().mean(dim=1)


class Mahalanobis(Head):
    """Squared Mahalanobis distance of features, their covariance shrunk (Ledoit 2004).

    Where there are more than `MAX_FEATURES`, in their principal components.
    """

    mean: Tensor
    whitening: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_buffers("mean", "whitening")

    def fit(self, view: View, random: np.random.Generator) -> None:
        """Learn mean (F,) and whitening (F, K) of the training features."""
        features = self.rows(view).double().cpu().numpy()
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
        return ((self.rows(view) - self.mean) @ self.whitening).square().sum(dim=1)

    def rows(self, view: View) -> Tensor:
        """Return the features, (B, F)."""
        raise AssertionError("a subclass says of what")  # pragma: no cover


class CriticMahalanobis(Mahalanobis):
    """Mahalanobis distance in the critic's features."""

    needs = "gan"

    def rows(self, view: View) -> Tensor:
        """Return the critic's features."""
        return view.f_x


class PretextMahalanobis(Mahalanobis):
    """Mahalanobis distance in the pretext network's features."""

    needs = "pretext"

    def rows(self, view: View) -> Tensor:
        """Return the pretext network's features."""
        return view.pretext_features


class PretextDeviation(Head):
    """Mean squared deviation of the pretext network's features, each in its own deviations.

    A Mahalanobis distance whose covariance is shrunk all the way to its diagonal: what lies far
    from the middle counts, be it far along directions in which the features often vary.
    """

    needs = "pretext"
    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_buffers("mean", "deviation")

    def fit(self, view: View, random: np.random.Generator) -> None:
        """Learn mean and deviation (F,) of the training features."""
        features = view.pretext_features
        self.mean = features.mean(dim=0)
        deviation = features.std(dim=0, unbiased=False)
        floor = FLOOR * deviation.mean()  # of features that hardly vary
        self.deviation = torch.where(floor > 0, deviation.clamp(min=floor), 1.0)

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        return ((view.pretext_features - self.mean) / self.deviation).square().mean(dim=1)


class Neighbours(Head):
    """Mean distance to the nearest rows of a bank of training normals.

    In units of the training rows' spread, so that distances in two networks' features compare.
    Of many features the principal components and the length of the rest are compared.
    """

    centre: Tensor
    unit: Tensor
    basis: Tensor
    bank: Tensor
    squares: Tensor

    def __init__(self, n_neighbors: int, memory_size: int) -> None:
        super().__init__()
        self.n_neighbors, self.memory_size = n_neighbors, memory_size
        self.add_buffers("centre", "unit", "basis", "bank", "squares")

    def fit(self, view: View, random: np.random.Generator, n_rows: int | None = None) -> None:
        """Keep at most `memory_size`, and at most `n_rows`, training rows."""
        rows = self.rows(view)
        self.centre = rows.mean(dim=0)
        centred = rows - self.centre
        spread = float(centred.square().sum(dim=1).mean().sqrt())
        self.unit = rows.new_tensor(spread if spread > 0 else 1.0)
        self.basis = rows.new_empty(rows.shape[1], 0)
        if rows.shape[1] > MAX_NEIGHBOUR_COMPONENTS:
            matrix = centred.double().cpu().numpy()
            basis = _principal_components(matrix, random, MAX_NEIGHBOUR_COMPONENTS)
            self.basis = torch.from_numpy(basis).to(rows)
        most = min(self.memory_size, n_rows or len(rows))
        if len(rows) > most:
            kept = np.sort(random.choice(len(rows), most, replace=False))
            rows = rows[torch.from_numpy(kept).to(rows.device)]
        self.bank = self._compared(rows)
        self.squares = self.bank.square().sum(dim=1)

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        rows = self._compared(self.rows(view))
        # |x - b|^2 = |b|^2 - 2 x b + |x|^2, whose last term is the same for all b
        nearness = torch.addmm(self.squares, rows, self.bank.T, alpha=-2)
        k = min(self.n_neighbors, len(self.bank))
        nearest = nearness.topk(k, dim=1, largest=False).values
        squared = (nearest + rows.square().sum(dim=1, keepdim=True)).clamp(min=0)
        return squared.sqrt().mean(dim=1)

    def _compared(self, rows: Tensor) -> Tensor:
        rows = (rows - self.centre) / self.unit
        if self.basis.shape[1] == 0:
            return rows
        components = rows @ self.basis
        rest = (rows - components @ self.basis.T).norm(dim=1, keepdim=True)
        return torch.cat([components, rest], dim=1)

    def rows(self, view: View) -> Tensor:
        """Return what distances are taken between, (B, F)."""
        raise AssertionError("a subclass says between what")  # pragma: no cover


class CriticNeighbours(Neighbours):
    """Mean distance to the nearest training normals in the critic's features."""

    needs = "gan"

    def rows(self, view: View) -> Tensor:
        """Return the critic's features."""
        return view.f_x


class PretextNeighbours(Neighbours):
    """Mean distance to the nearest training normals in the pretext network's features."""

    needs = "pretext"

    def rows(self, view: View) -> Tensor:
        """Return the pretext network's features."""
        return view.pretext_features


class RepairNeighbours(Neighbours):
    """Mean distance to the nearest training normals between the errors of the repair.

    Columns that can never be repaired well have large errors in every row, so that what counts is
    an error of another size or sign than usual.
    """

    needs = "pretext"

    def rows(self, view: View) -> Tensor:
        """Return the errors of the pretext network's repair."""
        return view.repair_error


class DataNeighbours(Neighbours):
    """Mean distance to the nearest training normals in data space."""

    def rows(self, view: View) -> Tensor:
        """Return standardised rows, or pixels."""
        return view.standard


HEADS: dict[str, type[Head]] = {
    "data_residual": DataResidual,
    "feature_residual": FeatureResidual,
    "latent": Latent,
    "critic_mahalanobis": CriticMahalanobis,
    "critic_neighbors": CriticNeighbours,
    "data_neighbors": DataNeighbours,
    "pretext_mahalanobis": PretextMahalanobis,
    "pretext_neighbors": PretextNeighbours,
    "pretext_deviation": PretextDeviation,
    "repair": Repair,
    "repair_neighbors": RepairNeighbours,
    "transforms": Transforms,
}
TABLE_HEADS, IMAGE_HEADS = ("repair", "repair_neighbors"), ("transforms",)  # of one kind of data


def build_head(name: str, *, n_neighbors: int, memory_size: int) -> Head:
    """Build the head called `name`."""
    cls = HEADS[name]
    return cls(n_neighbors, memory_size) if issubclass(cls, Neighbours) else cls()


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
