"""Anomaly scores of a row, each from another side; all (B,), higher = more abnormal."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import PCA
from torch import Tensor, nn

from augan.scoring.view import View

INVERSION_WEIGHT = 1 / 3
MAX_FEATURES = 512  # of the critic up to which the Mahalanobis distance is taken in all of them
MAX_COMPONENTS = 200  # else in so many principal components


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
    inversion say less, since a GAN can often make anomalies too.
    """

    weight: float = 1.0

    def fit(self, view: View, random: np.random.Generator) -> None:
        """Learn from training rows; most heads have nothing to learn."""

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        raise AssertionError("a head scores")  # pragma: no cover


class DataResidual(Head):
    """|x - G(z)|^2 / n (Schlegl 2019, eq. 5, A_R)."""

    weight = INVERSION_WEIGHT

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        return (view.x - view.x_hat).square().flatten(1).mean(dim=1)


class FeatureResidual(Head):
    """|f(x) - f(G(z))|^2 / n_f (Schlegl 2019, eq. 5, A_D)."""

    weight = INVERSION_WEIGHT

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        return (view.f_x - view.f_x_hat).square().mean(dim=1)


class Latent(Head):
    """|z|^2 / latent_dim: how far from the prior N(0, I) a row's latent lies."""

    weight = INVERSION_WEIGHT

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        return view.z.square().mean(dim=1)


class CriticMahalanobis(Head):
    """Squared Mahalanobis distance of the critic's features, covariance shrunk (Ledoit 2004).

    Where there are more than `MAX_FEATURES`, in their principal components.
    """

    mean: Tensor
    whitening: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_buffers("mean", "whitening")

    def fit(self, view: View, random: np.random.Generator) -> None:
        """Learn mean (F,) and whitening (F, K) of the training features."""
        features = view.f_x.double().cpu().numpy()
        mean = features.mean(axis=0)
        centred = features - mean
        basis = _principal_components(centred, random)
        covariance = np.eye(basis.shape[1])  # of rows that are all the same
        if centred.any():
            covariance, _ = ledoit_wolf(centred @ basis, assume_centered=True)
        values, vectors = np.linalg.eigh(covariance)
        values = np.maximum(values, values.max() * 1e-10)
        self.mean = torch.from_numpy(mean).to(view.f_x)
        self.whitening = torch.from_numpy(basis @ (vectors / np.sqrt(values))).to(view.f_x)

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        return ((view.f_x - self.mean) @ self.whitening).square().sum(dim=1)


class Neighbours(Head):
    """Mean distance to the nearest rows of a bank of training normals."""

    centre: Tensor
    bank: Tensor

    def __init__(self, n_neighbors: int, memory_size: int) -> None:
        super().__init__()
        self.n_neighbors, self.memory_size = n_neighbors, memory_size
        self.add_buffers("centre", "bank")

    def fit(self, view: View, random: np.random.Generator) -> None:
        """Keep at most `memory_size` training rows."""
        rows = self.rows(view)
        if len(rows) > self.memory_size:
            kept = np.sort(random.choice(len(rows), self.memory_size, replace=False))
            rows = rows[torch.from_numpy(kept).to(rows.device)]
        self.centre = rows.mean(dim=0)
        self.bank = rows - self.centre

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        return self.nearest(self.rows(view))[0].mean(dim=1)

    def nearest(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return distances and indices (B, k) of the nearest rows of the bank."""
        rows = rows - self.centre
        squares = rows.square().sum(dim=1, keepdim=True) + self.bank.square().sum(dim=1)
        distances = (squares - 2 * rows @ self.bank.T).clamp(min=0).sqrt()
        k = min(self.n_neighbors, len(self.bank))
        nearest = distances.topk(k, dim=1, largest=False)
        return nearest.values, nearest.indices

    def rows(self, view: View) -> Tensor:
        """Return what distances are taken between, (B, F)."""
        raise AssertionError("a subclass says between what")  # pragma: no cover


class CriticNeighbours(Neighbours):
    """Mean distance to the nearest training normals in the critic's features."""

    def rows(self, view: View) -> Tensor:
        """Return the critic's features."""
        return view.f_x


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
}


def build_head(name: str, *, n_neighbors: int, memory_size: int) -> Head:
    """Build the head called `name`."""
    cls = HEADS[name]
    return cls(n_neighbors, memory_size) if issubclass(cls, Neighbours) else cls()


def _principal_components(centred: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return a basis (F, K): the identity where there are few features."""
    n_rows, n_features = centred.shape
    if n_features <= MAX_FEATURES:
        return np.eye(n_features)
    n_components = min(MAX_COMPONENTS, n_rows - 1)
    seed = int(random.integers(2**31))
    pca = PCA(n_components, svd_solver="randomized", random_state=seed).fit(centred)
    return np.asarray(pca.components_.T)
