"""The heads: anomaly scores (B,) of rows, higher = more abnormal."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from augan.scoring.distances import (
    CriticMahalanobis,
    PretextDeviation,
    PretextMahalanobis,
    QuantileMahalanobis,
)
from augan.scoring.head import Head
from augan.scoring.maps import (
    DetailRestoration,
    ImageNeighbours,
    LocalNeighbours,
)
from augan.scoring.neighbours import (
    CriticNeighbours,
    DataNeighbours,
    Neighbours,
    PretextNeighbours,
    QuantileNeighbours,
    RepairNeighbours,
)
from augan.scoring.patches import (
    BackboneFine,
    BackboneGaussian,
    BackboneMemory,
    BackboneResidual,
)
from augan.scoring.view import View

INVERSION_WEIGHT = 1 / 3  # of heads that depend on the inversion


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
    """|z|^2 / latent_dim: distance of a row's latent from the mean of the prior N(0, I)."""

    weight = INVERSION_WEIGHT
    needs = "gan"

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        return view.z.square().mean(dim=1)


class LatentCycle(Head):
    """|z - z'|^2 / latent_dim, where z' is the latent of G(z) (Akcay 2018, eq. 5, squared)."""

    weight = INVERSION_WEIGHT
    needs = "gan"

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        return (view.z - view.z_hat).square().mean(dim=1)


class Transforms(Head):
    """Negative log-likelihood of an image's transformations (Golan 2018, eq. 1, simplified)."""

    needs = "pretext"

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        return view.transform_nll


class Repair(Head):
    """Mean absolute error of the reconstruction of columns by the pretext network."""

    needs = "pretext"

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        return view.repair_error.abs().mean(dim=1)


class Surprise(Head):
    """Sum of the surprise of all columns: negative log-pseudo-likelihood (Besag 1975), in nats."""

    needs = "columns"

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        return view.surprise.sum(dim=1)


HEADS: dict[str, type[Head]] = {
    "data_residual": DataResidual,
    "feature_residual": FeatureResidual,
    "latent": Latent,
    "latent_cycle": LatentCycle,
    "critic_mahalanobis": CriticMahalanobis,
    "critic_neighbors": CriticNeighbours,
    "data_neighbors": DataNeighbours,
    "quantile_mahalanobis": QuantileMahalanobis,
    "quantile_neighbors": QuantileNeighbours,
    "pretext_mahalanobis": PretextMahalanobis,
    "pretext_neighbors": PretextNeighbours,
    "pretext_deviation": PretextDeviation,
    "repair": Repair,
    "repair_neighbors": RepairNeighbours,
    "surprise": Surprise,
    "transforms": Transforms,
    "local_neighbors": LocalNeighbours,
    "image_neighbors": ImageNeighbours,
    "detail_restoration": DetailRestoration,
    "backbone_memory": BackboneMemory,
    "backbone_gaussian": BackboneGaussian,
    "backbone_fine": BackboneFine,
    "backbone_residual": BackboneResidual,
}
TABLE_HEADS = (  # for tables only
    *("repair", "repair_neighbors", "surprise"),
    *("quantile_mahalanobis", "quantile_neighbors"),
)
BACKBONE_HEADS = (
    *("backbone_memory", "backbone_gaussian", "backbone_fine"),
    "backbone_residual",
)
IMAGE_HEADS = (  # for images only
    *("transforms", "local_neighbors", "image_neighbors", "detail_restoration"),
    *BACKBONE_HEADS,
)


def build_head(name: str, *, n_neighbors: int, memory_size: int, of_images: bool) -> Head:
    """Return the head called `name`, not fitted."""
    cls: Any = HEADS[name]
    if issubclass(cls, Neighbours):
        return cls(n_neighbors, memory_size, of_images=of_images)
    head: Head = cls(n_neighbors, memory_size) if cls.has_memory else cls()
    return head


def share_components(heads: dict[str, Head]) -> None:
    """Let heads that need the same principal components compute them once."""
    fitted: list[PretextMahalanobis] = []
    for head in heads.values():  # in the order in which they are fitted
        if isinstance(head, PretextMahalanobis):
            fitted.append(head)
        elif isinstance(head, PretextNeighbours) and fitted:
            head.share(fitted[0])


def heads_in(heads: nn.ModuleDict) -> list[Head]:
    """Return the heads of a scorer, in their order."""
    return [head for head in heads.values() if isinstance(head, Head)]


def score_heads(heads: nn.ModuleDict, view: View) -> Tensor:
    """Return the scores (B, H) of the heads, not calibrated."""
    return torch.stack([head(view) for head in heads.values()], dim=1)


def fit_heads(
    heads: nn.ModuleDict, view: View, random: np.random.Generator, n_rows: int | None = None
) -> None:
    """Fit the heads to training rows; memories stand for at most `n_rows` of them."""
    for head in heads_in(heads):
        head.fit(view, random, n_rows)
