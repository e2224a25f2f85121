"""From raw rows to scores: encoding, inversion, heads, calibration and fusion in one module."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from augan.codecs.image_encoder import ImageEncoder
from augan.networks import Networks, PretextNetwork
from augan.scoring.calibration import Conformal, Fusion, RobustScale, fuse
from augan.scoring.distances import Neighbours
from augan.scoring.explainer import Explainer
from augan.scoring.head import Head
from augan.scoring.heads import DataResidual, FeatureResidual
from augan.scoring.maps import BackboneMemory, CoarseMemory, Heatmap, MapHead, ResidualMap
from augan.scoring.view import MAX_BATCH, View, fits
from augan.training.rows import LazyRows, TrainingRows

PaperScore = Callable[[View], tuple[Tensor, Tensor]]

FIT_ROWS = 10_000  # training rows that the heads learn from
TRIM_ROUNDS = 2  # of scoring the training rows and leaving the oddest out
FIT_MAPS = 256  # images whose maps say what is usual
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
        Trained generator and critic, and the pretext network where a head asks for it.
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
        self.pretext, self.restoration, self.backbone = (
            networks.pretext,
            networks.restoration,
            networks.backbone,
        )
        self.score, self.fusion, self.paper = score, fusion, paper
        self.heads = nn.ModuleDict(heads if score == "calibrated" else {})
        self.scale = RobustScale()
        self.conformal = Conformal()
        self.explainer = Heatmap() if owners is None else Explainer(owners)

    @property
    def part_names(self) -> tuple[str, ...]:
        """Names of the columns of the parts that `forward` returns."""
        return tuple(self.heads) if self.score == "calibrated" else PAPER_PARTS

    def place(self, device: torch.device) -> AnomalyScorer:
        """Move what works in float32 to `device`; encoding and p-values stay on the CPU."""
        for part in (self.generator, self.critic, self.inversion, self.heads, self.scale):
            part.to(device)
        for network in (self.pretext, self.restoration, self.backbone):
            if network is not None:
                network.to(device)
        self.explainer.to(device)
        return self

    @property
    def weights(self) -> tuple[float, ...]:
        """Weights of the parts in the fused score."""
        return tuple(head.weight for head in self._heads())

    def forward(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores (B,), higher = more abnormal, and their parts (B, H)."""
        return self.score_of(self.view(raw))

    def score_of(self, view: View) -> tuple[Tensor, Tensor]:
        """Return what `forward` does, of rows as the model sees them."""
        if self.score == "paper":
            parts = torch.stack(self.paper(view), dim=1)
            return parts.sum(dim=1), parts
        parts = self.scale(_raw_parts(self.heads, view))
        return self._fused(parts), parts

    def view(
        self,
        raw: Tensor | LazyRows,
        pretext: PretextNetwork | None = None,
        encoder: nn.Module | None = None,
    ) -> View:
        """Encode raw rows; the networks run when a head asks for what they give.

        `pretext` and `encoder` stand in for the scorer's own pretext network and encoding.
        """
        codec = encoder or self.codec
        if fits(raw, MAX_BATCH):
            encoded, standard = codec(raw)
        else:
            parts = [codec(batch) for batch in raw.split(MAX_BATCH)]
            encoded, standard = (torch.cat(part) for part in zip(*parts, strict=True))
        device = next(self.generator.parameters()).device
        return View(
            encoded.to(device),
            standard.to(device),
            inversion=self.inversion,
            generator=self.generator,
            critic=self.critic,
            pretext=pretext or self.pretext,
            restoration=self.restoration,
            backbone=self.backbone,
            codec=self.codec if isinstance(self.codec, ImageEncoder) else None,
            raw=raw,
        )

    @torch.no_grad()
    def fit(
        self,
        rows: TrainingRows,
        *,
        members: Sequence[PretextNetwork],
        n_calibration: int,
        trim: float,
        random: np.random.Generator,
        leave_out: bool = False,
    ) -> None:
        """Fit the heads on trusted rows, and what calibrates them on scores of rows not seen.

        Parameters
        ----------
        rows : TrainingRows
            A row's score for calibration comes from heads fitted without its fold; only held-out
            ones calibrate the GAN's heads.
        members : sequence of PretextNetwork
            Pretext networks trained without each fold.
        n_calibration : int
            Most rows that calibrate.
        trim : float
            Share of the rows, those with the highest scores, that neither teach the heads nor
            calibrate.
        random : Generator
            Draws the rows, where there are more than are needed.
        leave_out : bool, default=False
            Whether the heads that are kept do without the first fold, as those that calibrate do
            without one: of more columns than rows each further row makes unseen rows look nearer.
        """
        rows = rows[_at_most(torch.arange(len(rows.raw)), FIT_ROWS, random)]
        if self.heads and trim > 0:
            rows = self._without_oddest(rows, trim, members, random)
        once = ("gan", "restoration")  # trained once, without the rows that are held out
        uses_once = not self.heads or any(head.needs in once for head in self._heads())
        calibrating = rows.held_out if uses_once else torch.ones_like(rows.held_out)
        chosen = _at_most(calibrating.nonzero()[:, 0], n_calibration, random)
        if self.heads:
            scores = self._cross_fitted_scores(rows, chosen, members, random)
            learned = rows.trusted & (rows.folds != 0) if leave_out else rows.trusted
            n_banked = int(rows.trusted.sum() * (1 - 1 / len(rows.folds.unique())))
            self._fit_heads(self.heads, self.view(rows.raw[learned]), random, n_banked)
        else:
            scores = torch.cat([self(batch)[0] for batch in rows.raw[chosen].split(MAX_BATCH)])
        self.conformal.fit(scores[scores <= scores.quantile(1 - trim)].cpu())
        unseen = rows.trusted & rows.held_out
        usual = _at_most(
            (unseen if unseen.any() else rows.held_out).nonzero()[:, 0], n_calibration, random
        )
        if isinstance(self.explainer, Heatmap):
            maps = self._cross_fitted_maps(rows, usual[:FIT_MAPS], random)
            self.explainer.fit(maps, random)
        else:
            batches = rows.raw[usual].split(MAX_BATCH)
            found = [self._differences(self.view(batch)) for batch in batches]
            self.explainer.fit(torch.cat(found))

    def explanation_of(self, view: View) -> Tensor:
        """Return how unusual each column (B, columns), or pixel (B, height, width), of a row is.

        Of columns the squared differences to the reconstruction, and to what a pretext network
        would repair, as multiples of what held-out normals have. Of pixels the mean of the heads'
        maps, without such heads that of the reconstruction's residual, in robust z-scores.
        """
        if isinstance(self.explainer, Heatmap):
            heat: Tensor = self.explainer([head.map(view) for head in self._map_heads()])
            return heat
        scaled: Tensor = self.explainer(self._differences(view))
        return scaled

    def _without_oddest(
        self,
        rows: TrainingRows,
        share: float,
        members: Sequence[PretextNetwork],
        random: np.random.Generator,
    ) -> TrainingRows:
        """Return the rows; of each fold the share with the highest scores is no longer trusted.

        Scores come from heads that have not seen the row; a second round's come from heads that
        have not seen the first round's oddest either.
        """
        every, kept = torch.arange(len(rows.raw)), rows
        for _ in range(TRIM_ROUNDS):
            scores = self._cross_fitted_scores(kept, every, members, random)
            trusted = rows.trusted.clone()
            for fold in rows.folds.unique():
                inside = (rows.trusted & (rows.folds == fold)).nonzero()[:, 0]
                n_left_out = min(round(share * int((rows.folds == fold).sum())), len(inside) // 2)
                trusted[inside[scores[inside].topk(n_left_out).indices]] = False
            kept = replace(rows, trusted=trusted)
        return kept

    def _cross_fitted_scores(
        self,
        rows: TrainingRows,
        chosen: Tensor,
        members: Sequence[PretextNetwork],
        random: np.random.Generator,
    ) -> Tensor:
        """Return scores (n,) of the chosen rows, on the scale that their parts set."""
        parts = self._cross_fitted(rows, chosen, members, random)
        self.scale.fit(parts)
        return self._fused(self.scale(parts))

    def _cross_fitted(
        self,
        rows: TrainingRows,
        chosen: Tensor,
        members: Sequence[PretextNetwork],
        random: np.random.Generator,
    ) -> Tensor:
        """Return the parts (n, H) of the chosen rows, each from heads that have not seen it."""
        parts: list[Tensor] = []
        order: list[Tensor] = []
        for fold in rows.folds[chosen].unique().tolist():
            heads = copy.deepcopy(self.heads)
            pretext = members[fold] if members else None
            encoder = rows.encoders[fold] if rows.encoders else None
            learned = rows.trusted & (rows.folds != fold)
            self._fit_heads(heads, self.view(rows.raw[learned], pretext, encoder), random)
            unseen = chosen[rows.folds[chosen] == fold]
            for batch in unseen.split(MAX_BATCH):
                parts.append(_raw_parts(heads, self.view(rows.raw[batch], pretext, encoder)))
            order.append(unseen)
        return torch.cat(parts)[torch.cat(order).argsort()]

    def _cross_fitted_maps(
        self, rows: TrainingRows, chosen: Tensor, random: np.random.Generator
    ) -> list[Tensor]:
        """Return the maps (n, h, w) of the chosen rows, of heads that have not seen them."""
        parts: list[list[Tensor]] = []
        for fold in rows.folds[chosen].unique().tolist():
            heads = copy.deepcopy(nn.ModuleList(self._map_heads()))
            learned = self.view(rows.raw[rows.trusted & (rows.folds != fold)])
            unseen = self.view(rows.raw[chosen[rows.folds[chosen] == fold]])
            for head in heads:
                assert isinstance(head, MapHead)
                head.fit(learned, random)
            parts.append([head.map(unseen) for head in heads if isinstance(head, MapHead)])
        return [torch.cat(maps) for maps in zip(*parts, strict=True)]

    def _fit_heads(
        self,
        heads: nn.ModuleDict,
        view: View,
        random: np.random.Generator,
        n_banked: int | None = None,
    ) -> None:
        """Fit the heads to a view; banks of neighbours keep `n_banked` of its rows.

        As many as they had without a fold: among more rows the neighbours are nearer, and
        p-values would be too high.
        """
        for head in heads.values():
            if isinstance(head, (Neighbours, CoarseMemory, BackboneMemory)):
                head.fit(view, random, n_banked)
            elif isinstance(head, Head):
                head.fit(view, random)

    def _fused(self, parts: Tensor) -> Tensor:
        return fuse(parts, parts.new_tensor(self.weights), self.fusion)

    def _heads(self) -> list[Head]:
        return [head for head in self.heads.values() if isinstance(head, Head)]

    def _map_heads(self) -> list[MapHead]:
        """Return what says where in an image something is unusual."""
        found = [head for head in self.heads.values() if isinstance(head, MapHead)]
        return found or [ResidualMap()]

    def _differences(self, view: View) -> Tensor:
        residual = (view.x - view.x_hat).square()
        if self.pretext is None:
            return torch.cat([residual, torch.zeros_like(view.standard)], dim=1)
        return torch.cat([residual, view.repair_error.abs()], dim=1)


def _raw_parts(heads: nn.ModuleDict, view: View) -> Tensor:
    return torch.stack([head(view) for head in heads.values()], dim=1)


def _at_most(rows: Tensor, n: int, random: np.random.Generator) -> Tensor:
    if len(rows) <= n:
        return rows
    return rows[torch.from_numpy(np.sort(random.choice(len(rows), n, replace=False)))]
