"""The scores of the papers, which are sums of two terms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from augan.scoring.heads import DataResidual, FeatureResidual
from augan.scoring.view import View

PaperScore = Callable[[View], tuple[Tensor, Tensor]]

PAPER_PARTS = ("data_residual", "feature_residual")


@dataclass(frozen=True)
class FAnoGANScore:
    """A(x) = A_R(x) + kappa A_D(x) (Schlegl 2019, eq. 5)."""

    kappa: float

    def __call__(self, view: View) -> tuple[Tensor, Tensor]:
        """Return the two weighted terms (B,)."""
        return DataResidual()(view), self.kappa * FeatureResidual()(view)


@dataclass(frozen=True)
class AnoGANScore:
    """A(x) = (1 - w) R(x) + w D(x), sums of absolute differences (Schlegl 2017, eq. 6)."""

    feature_weight: float

    def __call__(self, view: View) -> tuple[Tensor, Tensor]:
        """Return the two weighted terms (B,)."""
        residual = (view.x - view.x_hat).abs().flatten(1).sum(dim=1)
        discrimination = (view.f_x - view.f_x_hat).abs().sum(dim=1)
        return (1 - self.feature_weight) * residual, self.feature_weight * discrimination
