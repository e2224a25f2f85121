"""From raw rows to scores: encoding, inversion, heads, calibration and fusion in one module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from augan.networks import Networks, PretextNetwork
from augan.scoring.calibration import Conformal, Fusion, NegativeLogP, fuse
from augan.scoring.cross_fitting import (
    CrossFitting,
    by_fold,
    folds_of,
    with_patches,
    without_suspicious,
)
from augan.scoring.explainer import Explainer
from augan.scoring.head import Head
from augan.scoring.heads import fit_heads, heads_in, score_heads
from augan.scoring.heatmap import PIXEL_IMAGES, Heatmap, PixelDeviation
from augan.scoring.maps import MapHead, NeighbourMap, ResidualMap
from augan.scoring.neighbours import DataNeighbours
from augan.scoring.paper import PAPER_PARTS, PaperScore
from augan.scoring.patches import PatchHead
from augan.scoring.view import MAX_BATCH, Encoder, View, fits
from augan.training.rows import LazyRows, TrainingRows, at_most

FIT_ROWS = 10_000  # training rows, at most, that the heads are fitted to
FIT_MAPS = 256  # images, at most, whose maps calibrate the heatmap
TRAINED_ONCE = ("gan", "restoration", "columns")  # networks trained without held-out rows


class AnomalyScorer(nn.Module):
    """Module that scores raw rows. An exported file holds the same module.

    Parameters
    ----------
    codec_module : Module
        Raw rows to encoded and standardised rows.
    networks : Networks
        Trained generator and critic, and the other networks that a head needs.
    inversion : Module
        Encoded rows to latents.
    heads : dict of str to Head
        The heads that the calibrated score fuses.
    score : {"calibrated", "paper"}
        What `forward` returns: the fused heads, or the paper's score A(x).
    fusion : {"top2", "mean", "max"}
        How the calibrated heads are combined into one score.
    owners : tuple of Tensor, optional
        Column of each encoded channel, and of each standardised one; tables only.
    closest : DataNeighbours, optional
        Nearest training rows for explanations, if there is neither a generator nor a head
        "data_neighbors".
    """

    def __init__(
        self,
        codec_module: Encoder,
        networks: Networks,
        inversion: nn.Module,
        *,
        heads: dict[str, Head],
        paper: PaperScore,
        score: Literal["calibrated", "paper"] = "calibrated",
        fusion: Fusion = "top2",
        owners: tuple[Tensor, Tensor] | None = None,
        closest: DataNeighbours | None = None,
    ) -> None:
        super().__init__()
        self.codec = codec_module
        self.generator, self.critic = networks.generator, networks.critic
        self.inversion = inversion
        self.pretext, self.backbone = networks.pretext, networks.backbone
        self.restoration, self.columns = networks.restoration, networks.columns
        self.score, self.fusion, self.paper = score, fusion, paper
        self.heads = nn.ModuleDict(heads if score == "calibrated" else {})
        self.scale = NegativeLogP()
        self.conformal = Conformal()
        self.has_generator, self.own_closest = networks.has_generator, closest
        self.explainer = self._explainer(owners)
        self.device = torch.device("cpu")

    def _explainer(self, owners: tuple[Tensor, Tensor] | None) -> Heatmap | Explainer:
        if owners is None:
            weights = [head.heat_weight for head in self._map_heads()]
            return Heatmap(weights, None if self.backbone is None else PixelDeviation())
        encoded, standard = owners
        kinds = [encoded if self.has_generator else standard]
        kinds += [standard] * (self.pretext is not None)
        return Explainer(kinds, int(standard.max()) + 1)  # every column has a standardised channel

    @property
    def part_names(self) -> tuple[str, ...]:
        """Names of the parts that `forward` returns."""
        return tuple(self.heads) if self.score == "calibrated" else PAPER_PARTS

    def place(self, device: torch.device) -> AnomalyScorer:
        """Move all but the encoding and the p-values, which are float64, to `device`."""
        self.device = device
        for part in (self.generator, self.critic, self.inversion, self.heads, self.scale):
            part.to(device)
        for network in (self.pretext, self.restoration, self.backbone, self.own_closest):
            if network is not None:
                network.to(device)
        if self.columns is not None:
            self.columns.place(device)
        self.explainer.to(device)
        return self

    @property
    def weights(self) -> tuple[float, ...]:
        """Weights of the parts in the fused score."""
        return tuple(head.weight for head in heads_in(self.heads))

    def forward(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores (B,), higher = more abnormal, and their parts (B, H)."""
        return self.score_of(self.view(raw))

    def score_of(self, view: View) -> tuple[Tensor, Tensor]:
        """Return scores (B,) and parts (B, H), as `forward` does, of a view."""
        if self.score == "paper":
            parts = torch.stack(self.paper(view), dim=1)
            return parts.sum(dim=1), parts
        parts = self.scale(score_heads(self.heads, view))
        return self._fused(parts), parts

    def view(
        self,
        raw: Tensor | LazyRows,
        pretext: PretextNetwork | None = None,
        encoder: Encoder | None = None,
    ) -> View:
        """Return a view of raw rows. It runs a network when a head first reads its output.

        `pretext` and `encoder` replace the scorer's own pretext network and encoding.
        """
        codec = encoder or self.codec
        if isinstance(raw, LazyRows) and "x" in raw.known:
            encoded, standard = raw.known["x"], raw.known["standard"]
        elif fits(raw, MAX_BATCH):
            encoded, standard = codec(raw)
        else:
            parts = [codec(batch) for batch in raw.split(MAX_BATCH)]
            encoded, standard = (torch.cat(part) for part in zip(*parts, strict=True))
        return View(
            encoded.to(self.device),
            standard.to(self.device),
            inversion=self.inversion,
            generator=self.generator,
            critic=self.critic,
            pretext=pretext or self.pretext,
            restoration=self.restoration,
            backbone=self.backbone,
            columns=self.columns,
            codec=codec,
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
        """Fit the heads to trusted rows, and the calibration to scores of unseen rows.

        Parameters
        ----------
        rows : TrainingRows
            Training rows. A row is scored for calibration by heads fitted without its fold; if a
            head uses a network that is trained once, only held-out rows calibrate.
        members : sequence of PretextNetwork
            Pretext networks trained without each fold.
        n_calibration : int
            Largest number of rows that calibrate.
        trim : float
            Share of anomalies among the rows. The most suspicious rows are excluded when the heads
            are fitted, and this share, those with the highest scores, when they are calibrated.
        random : Generator
            Draws the rows if there are too many.
        leave_out : bool, default=False
            Whether the heads that are kept are fitted without the first fold, as those that
            calibrate are fitted without one. With more columns than rows, one more fold of rows
            makes unseen rows look nearer.
        """
        rows = rows[_to_fit_and_calibrate(rows.folds, n_calibration, random)]
        if self.backbone is not None:
            rows = with_patches(rows, self.view, self.backbone, list(self.modules()), random)
        crossed = CrossFitting(self.view, members, random, {} if self.backbone else None)
        if self.heads and trim > 0:
            rows = without_suspicious(
                rows, trim, lambda kept, chosen: self._cross_fitted_scores(crossed, kept, chosen)
            )
        once = not self.heads or any(head.needs in TRAINED_ONCE for head in heads_in(self.heads))
        calibrating = rows.held_out if once else rows.folds >= 0
        chosen = at_most(calibrating.nonzero()[:, 0], n_calibration, random)
        if self.heads:
            scores = self._cross_fitted_scores(crossed, rows, chosen)
            learned = rows.trusted & (rows.folds != 0) if leave_out else rows.trusted
            # as many rows as without a fold: among more rows, neighbours are nearer
            left = [rows.trusted & (rows.folds != fold) for fold in folds_of(rows.folds)]
            n_rows = int(torch.stack(left).sum(dim=1).float().mean())
            fit_heads(self.heads, self.view(rows.raw[learned]), random, n_rows)
        else:
            scores = torch.cat([self(batch)[0] for batch in rows.raw[chosen].split(MAX_BATCH)])
        self.conformal.fit(scores[scores <= scores.quantile(1 - trim)].cpu())
        self._fit_explainer(crossed, rows, n_calibration)

    def explanation_of(self, view: View) -> Tensor:
        """Return how unusual each column (B, columns), or pixel (B, height, width), is.

        For tables, differences as multiples of their means in held-out normal rows: the squared
        ones to the generator's reconstruction, or without a generator the absolute ones to the
        nearest training rows, and the absolute ones to the pretext network's reconstruction. For
        images, the mean of the heads' maps in robust z-scores; if no head has a map, the squared
        residual of the reconstruction, or the difference from the nearest training images.
        """
        if isinstance(self.explainer, Heatmap):
            heat: Tensor = self.explainer([head.map(view) for head in self._map_heads()], view)
            return heat
        heads = [] if self.has_generator else [self.closest]
        scaled: Tensor = self.explainer(self._differences(view, heads))
        return scaled

    @property
    def closest(self) -> DataNeighbours:
        """The nearest training rows, from which rows without a reconstruction differ."""
        own = "data_neighbors" in self.heads
        found = self.heads["data_neighbors"] if own else self.own_closest
        assert isinstance(found, DataNeighbours)
        return found

    def _fit_explainer(self, crossed: CrossFitting, rows: TrainingRows, n_calibration: int) -> None:
        unseen = rows.trusted & rows.held_out
        unseen = unseen if unseen.any() else rows.held_out
        chosen = at_most(unseen.nonzero()[:, 0], n_calibration, crossed.random)
        if isinstance(self.explainer, Heatmap):
            chosen = by_fold(rows, chosen[:FIT_MAPS])
            maps = crossed.maps(self._map_heads(), rows, chosen)
            learned = (rows.trusted & ~rows.held_out).nonzero()[:, 0]
            some = at_most(learned, PIXEL_IMAGES, crossed.random)
            view, others = (self.view(rows.raw[part]) for part in (chosen, some))
            self.explainer.fit(maps, view, others, crossed.random)
        else:
            heads = [] if self.has_generator else [self.closest]
            self.explainer.fit(torch.cat(crossed.each(heads, rows, chosen, self._differences)))
        if self.own_closest is not None:
            self.own_closest.fit(self.view(rows.raw[rows.trusted]), crossed.random)

    def _cross_fitted_scores(
        self, crossed: CrossFitting, rows: TrainingRows, chosen: Tensor
    ) -> Tensor:
        """Fit the scale to cross-fitted parts of the chosen rows; return their scores (n,)."""
        parts = crossed.scores(self.heads, rows, chosen)
        self.scale.fit(parts)
        return self._fused(self.scale(parts))

    def _fused(self, parts: Tensor) -> Tensor:
        heads = heads_in(self.heads)
        patches = [i for i, head in enumerate(heads) if isinstance(head, PatchHead)]
        return fuse(parts, parts.new_tensor(self.weights), self.fusion, patches)

    def _map_heads(self) -> list[MapHead]:
        found = [head for head in heads_in(self.heads) if isinstance(head, MapHead)]
        return found or [ResidualMap() if self.has_generator else NeighbourMap(self.closest)]

    def _differences(self, view: View, heads: Sequence[Head]) -> Tensor:
        """Return the differences that explain a row of a table, of several kinds side by side.

        `heads` has the head that finds the nearest training rows, if there is no generator.
        """
        parts = [head.difference(view) for head in heads if isinstance(head, DataNeighbours)]
        if self.has_generator:
            parts.append((view.x - view.x_hat).square())
        if self.pretext is not None:
            parts.append(view.repair_error.abs())
        return torch.cat(parts, dim=1)


def _to_fit_and_calibrate(folds: Tensor, n_calibration: int, random: np.random.Generator) -> Tensor:
    """Return at most `FIT_ROWS` of all rows, or of those that are never left out and some others.

    `folds` (n,) are the folds of the rows. Rows of no fold are never left out; at most
    `n_calibration` of the others are returned then.
    """
    always = folds < 0
    if not always.any():
        return at_most(torch.arange(len(folds)), FIT_ROWS, random)
    learned = at_most(always.nonzero()[:, 0], FIT_ROWS, random)
    return torch.cat([learned, at_most((~always).nonzero()[:, 0], n_calibration, random)])
