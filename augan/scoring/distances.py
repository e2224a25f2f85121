"""Heads that are distances to the mean of the training rows, in different feature spaces."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from augan.networks.layers import steady_product
from augan.scoring.covariance import principal_components, shrinkage_of
from augan.scoring.head import Head
from augan.scoring.view import View

MAX_DIRECTIONS = 128  # of a Mahalanobis distance, with variances of their own
LEADING = 32  # directions with the largest variances, along which most of the squared norm lies
SMALLEST_VARIANCE = 1e-10  # of a direction, relative to the largest
SMALLEST_DEVIATION = 0.01  # smallest standard deviation of a feature, as a share of the mean one
ROW_WEIGHT = 0.5  # of heads that compare rows themselves, without a network


class Distance(Head):
    """A distance between features; `of` is the name of the features in a `View`."""

    of: str

    def features(self, view: View) -> Tensor:
        """Return the features, (B, F)."""
        features: Tensor = getattr(view, self.of)
        return features


class Mahalanobis(Distance):
    """Squared Mahalanobis distance of features, with a shrunk covariance (Ledoit and Wolf 2004).

    Along the `MAX_DIRECTIONS` principal components with the largest variances it is exact (the last
    of them has the largest); the others have the mean of their variances, as they hardly differ
    after shrinkage.
    """

    mean: Tensor
    directions: Tensor
    variances: Tensor
    remainder: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_buffers("mean", "directions", "variances", "remainder")

    def fit(self, view: View, random: np.random.Generator, n_rows: int | None = None) -> None:
        """Fit mean (F,), directions (F, K) and variances (K,) to the training features."""
        features = self.features(view).flatten(1)
        n_features = features.shape[1]
        self.mean = features.mean(dim=0)
        centred = features - self.mean
        self.directions = principal_components(centred, random, MAX_DIRECTIONS)
        found = (centred @ self.directions).square().mean(dim=0).double()
        total = float(centred.square().sum(dim=1).mean())
        shrinkage, mean = shrinkage_of(centred), (total or float(n_features)) / n_features
        largest = (1 - shrinkage) * found + shrinkage * mean
        n_rest = n_features - len(found)
        rest = (1 - shrinkage) * max(total - float(found.sum()), 0.0) + shrinkage * mean * n_rest
        least = SMALLEST_VARIANCE * max(float(largest.max()), SMALLEST_VARIANCE)
        self.variances = largest.clamp(min=least).to(features)
        self.remainder = features.new_tensor(1 / max(rest / n_rest, least) if n_rest else 0.0)

    def forward(self, view: View) -> Tensor:
        """Return scores (B,)."""
        leading, others, squared_norms = self.leading_of(view)
        n_other = self.directions.shape[1] - leading.shape[1]
        found = (leading.square() / self.variances[n_other:]).sum(dim=1)
        rest = squared_norms
        if n_other > 0:
            squares = steady_product(others, self.directions[:, :n_other]).square()
            found = found + (squares / self.variances[:n_other]).sum(dim=1)
            rest = (squared_norms - squares.sum(dim=1)).clamp(min=0)
        return found + rest * self.remainder

    def leading_of(self, view: View) -> tuple[Tensor, Tensor, Tensor]:
        """Return the `leading` components of the features of a view, which are computed once."""
        if self not in view.components:
            view.components[self] = self.leading(self.features(view))
        return view.components[self]

    def leading(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return components along the `LEADING` last directions, and what features have beside.

        These are components (B, k), centred features (B, F) without them, and the squared norms
        (B,) of the latter. They are small, so that the squares of further components can be
        subtracted: squared norms of all centred features have rounding errors as large as the
        difference.
        """
        rows, directions = features - self.mean, self.directions[:, -LEADING:]
        components = steady_product(rows, directions)
        others = torch.addmm(rows, components, directions.T, alpha=-1)
        return components, others, others.norm(dim=1).square()


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


class QuantileMahalanobis(Mahalanobis):
    """Mahalanobis distance of rows whose numbers are normal quantiles: a Gaussian copula."""

    of, weight = "x", ROW_WEIGHT
