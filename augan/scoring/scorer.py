"""From raw rows to scores: encoding, inversion, heads, calibration and fusion in one module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from augan.networks import Networks
from augan.scoring.calibration import FLOOR, Conformal, Fusion, RobustScale, fuse
from augan.scoring.heads import (
    DataNeighbours,
    DataResidual,
    FeatureResidual,
    FittedModule,
    Head,
)
from augan.scoring.view import View

PaperScore = Callable[[View], tuple[Tensor, Tensor]]

FIT_ROWS = 10_000  # training rows that the heads learn from
PAPER_PARTS = ("data_residual", "feature_residual")


@dataclass(frozen=True)
class FAnoGANScore:
    """A(x) = A_R(x) + kappa A_D(x) (Schlegl 2019, eq. 5)."""

    kappa: float

    def __call__(self, view: View) -> tuple[Tensor, Tensor]:
        """Return the two terms (B,), their weights applied."""
        return DataResidual()(view), self.kappa * FeatureResidual()(view)


@dataclass(frozen=True)
class AnoGANScore:
    """A(x) = (1 - w) R(x) + w D(x), sums of absolute differences (Schlegl 2017, eq. 6)."""

    feature_weight: float

    def __call__(self, view: View) -> tuple[Tensor, Tensor]:
        """Return the two terms (B,), their weights applied."""
        residual = (view.x - view.x_hat).abs().flatten(1).sum(dim=1)
        discrimination = (view.f_x - view.f_x_hat).abs().sum(dim=1)
        return (1 - self.feature_weight) * residual, self.feature_weight * discrimination


class AnomalyScorer(nn.Module):
    """Scores raw rows; the same module scores here and is what gets exported.

    Parameters
    ----------
    codec_module : Module
        Raw rows to encoded and standardised rows.
    networks : Networks
        Trained generator and critic.
    inversion : Module
        Encoded rows to latents.
    heads : dict of str to Head
        The heads that the calibrated score fuses.
    score : {"calibrated", "paper"}
        What `forward` returns: fused heads, or the paper's A(x) and nothing else.
    fusion : {"top2", "mean", "max"}
        How calibrated heads become one score.
    owners : tuple of Tensor, optional
        Which column each encoded and each standardised channel belongs to; tables only.
    """

    def __init__(
        self,
        codec_module: nn.Module,
        networks: Networks,
        inversion: nn.Module,
        *,
        heads: dict[str, Head],
        paper: PaperScore,
        score: Literal["calibrated", "paper"] = "calibrated",
        fusion: Fusion = "top2",
        owners: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.codec = codec_module
        self.generator, self.critic, self.inversion = (
            networks.generator,
            networks.critic,
            inversion,
        )
        self.score, self.fusion, self.paper = score, fusion, paper
        self.heads = nn.ModuleDict(heads if score == "calibrated" else {})
        self.scale = RobustScale()
        self.conformal = Conformal()
        self.explainer = Explainer(owners)

    @property
    def part_names(self) -> tuple[str, ...]:
        """Names of the columns of the parts that `forward` returns."""
        return tuple(self.heads) if self.score == "calibrated" else PAPER_PARTS

    def place(self, device: torch.device) -> AnomalyScorer:
        """Move what works in float32 to `device`; encoding and p-values stay on the CPU."""
        for part in (self.generator, self.critic, self.inversion, self.heads, self.scale):
            part.to(device)
        self.explainer.to(device)
        return self

    @property
    def weights(self) -> tuple[float, ...]:
        """Weights of the parts in the fused score."""
        return tuple(head.weight for head in self._heads())

    def forward(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores (B,), higher = more abnormal, and their parts (B, H)."""
        view = self.view(raw)
        if self.score == "paper":
            parts = torch.stack(self.paper(view), dim=1)
            return parts.sum(dim=1), parts
        parts = self.scale(self._raw_parts(view))
        return fuse(parts, parts.new_tensor(self.weights), self.fusion), parts

    def view(self, raw: Tensor) -> View:
        """Encode raw rows; the networks run when a head asks for what they give."""
        encoded, standard = self.codec(raw)
        device = next(self.generator.parameters()).device
        return View(
            encoded.to(device),
            standard.to(device),
            inversion=self.inversion,
            generator=self.generator,
            critic=self.critic,
        )

    @torch.no_grad()
    def fit(self, train: Tensor, held_out: Tensor, random: np.random.Generator) -> None:
        """Fit heads on raw training rows; scale, conformal scores and explainer on held-out."""
        if self.heads:
            view = self.view(_at_most(train, FIT_ROWS, random))
            for head in self._heads():
                head.fit(view, random)
            self.scale.fit(self._on_held_out(held_out, self._raw_parts))
        self.conformal.fit(torch.cat([self(batch)[0].cpu() for batch in held_out.split(512)]))
        self.explainer.fit(self._on_held_out(held_out, self._differences))

    def explain(self, raw: Tensor) -> Tensor:
        """Return how unusual each column (B, columns), or pixel (B, height, width), of a row is.

        Squared differences to the reconstruction, and, for tables whose data neighbours are a
        head, to the mean of the nearest training rows, as multiples of what held-out normals
        have.
        """
        scaled: Tensor = self.explainer(self._differences(self.view(raw)))
        return scaled

    def _raw_parts(self, view: View) -> Tensor:
        return torch.stack([head(view) for head in self._heads()], dim=1)

    def _heads(self) -> list[Head]:
        return [head for head in self.heads.values() if isinstance(head, Head)]

    def _differences(self, view: View) -> Tensor:
        residual = (view.x - view.x_hat).square()
        if residual.ndim == 4:
            return F.avg_pool2d(residual, 3, stride=1, padding=1, count_include_pad=False)
        head = next((h for h in self.heads.values() if isinstance(h, DataNeighbours)), None)
        if head is None:
            return torch.cat([residual, torch.zeros_like(view.standard)], dim=1)
        nearest = (head.bank[head.nearest(view.standard)[1]] + head.centre).mean(dim=1)
        return torch.cat([residual, (view.standard - nearest).square()], dim=1)

    def _on_held_out(self, rows: Tensor, function: Callable[[View], Tensor]) -> Tensor:
        return torch.cat([function(self.view(batch)) for batch in rows.split(512)])


class Explainer(FittedModule):
    """Squared differences by column, or by pixel, as multiples of what is usual on normals.

    Parameters
    ----------
    owners : Tensor or None
        Column that owns each encoded channel and, after those, each standardised one; ``None``
        for images.
    """

    usual: Tensor

    def __init__(self, owners: tuple[Tensor, Tensor] | None) -> None:
        super().__init__()
        self.add_buffers("usual")
        self.owners: Tensor | None = None
        if owners is not None:
            self.n_columns = int(max(owner.max() for owner in owners if len(owner))) + 1
            encoded, standard = owners
            self.owners = torch.cat([encoded, standard + self.n_columns])

    def fit(self, differences: Tensor) -> None:
        """Learn what is usual, a column or over all pixels."""
        usual = self._by_column(differences)
        usual = usual.mean(dim=0) if self.owners is not None else usual.mean()
        floor = max(float(usual.mean()) * FLOOR, torch.finfo(usual.dtype).tiny)
        self.usual = usual.clamp(min=floor)

    def forward(self, differences: Tensor) -> Tensor:
        """Return multiples of what is usual: (B, columns), or (B, height, width)."""
        scaled = self._by_column(differences) / self.usual
        if self.owners is None:
            return scaled
        return scaled.unflatten(1, (2, self.n_columns)).mean(dim=1)

    def _by_column(self, differences: Tensor) -> Tensor:
        if self.owners is None:
            return differences.mean(dim=1)
        sums = differences.new_zeros(len(differences), 2 * self.n_columns)
        return sums.index_add(1, self.owners.to(differences.device), differences)


def _at_most(rows: Tensor, n: int, random: np.random.Generator) -> Tensor:
    if len(rows) <= n:
        return rows
    return rows[torch.from_numpy(np.sort(random.choice(len(rows), n, replace=False)))]
