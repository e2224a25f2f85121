"""Cross-fitting: each training row is scored by heads that were fitted without its fold.

Scores of the rows that heads were fitted to are too low; calibration needs scores as unseen rows
get them (cross-conformal prediction, Vovk 2015).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from augan.networks import Backbone, PretextNetwork
from augan.scoring.head import Head
from augan.scoring.heads import heads_in, score_heads
from augan.scoring.heatmap import PixelDeviation
from augan.scoring.maps import MapHead
from augan.scoring.patches import PatchHead, are_aligned
from augan.scoring.view import MAX_BATCH, Encoder, View
from augan.training.rows import LazyRows, TrainingRows

# raw rows, and the pretext network and encoding to use instead of the scorer's own
MakeView = Callable[[Tensor | LazyRows, PretextNetwork | None, Encoder | None], View]

COMPARED_IMAGES = 64  # images, at most, that tell whether all are aligned
COMPONENT_IMAGES = 64  # images, at most, that a backbone's principal components are fitted to
MOST_IMAGES = 3000  # whose patches are stored in `fit`, about 150 kB each
AT_ONCE = 16  # images that a backbone reads
EXCLUDING_ROUNDS = 2  # of scoring the training rows and excluding the most suspicious


@dataclass(frozen=True)
class CrossFitting:
    """Fits copies of heads without each fold, and applies them to that fold.

    Parameters
    ----------
    view : callable
        Raw rows, a pretext network or None, and an encoding or None, to what the heads read.
    members : sequence of PretextNetwork
        Pretext networks trained without each fold; empty if no head uses one.
    random : Generator
        Random numbers for fitting the heads.
    kept : dict, optional
        Where fitted copies of `scores` are kept, by fold, for `maps`.
    """

    view: MakeView
    members: Sequence[PretextNetwork]
    random: np.random.Generator
    kept: dict[int, dict[Head, Head]] | None = None

    def scores(self, heads: nn.ModuleDict, rows: TrainingRows, chosen: Tensor) -> Tensor:
        """Return the scores (n, H) of the heads for the chosen rows (n,)."""
        names = list(heads)

        def score(view: View, fitted: Sequence[Head]) -> Tensor:
            return score_heads(nn.ModuleDict(dict(zip(names, fitted, strict=True))), view)

        parts = self.each(heads_in(heads), rows, chosen, score)
        return torch.cat(parts)[by_fold(rows, chosen).argsort()]

    def each(
        self,
        heads: Sequence[Head],
        rows: TrainingRows,
        chosen: Tensor,
        function: Callable[[View, Sequence[Head]], Tensor],
    ) -> list[Tensor]:
        """Return the results of a function for the chosen rows (n,), fold by fold.

        It gets views of rows, and copies of the heads that were fitted without their fold.
        """
        parts: list[Tensor] = []
        for fold in folds_of(rows.folds[chosen]):
            fitted = copy.deepcopy(list(heads))
            pretext = self.members[fold] if self.members else None
            encoder = rows.encoders[fold] if rows.encoders else None
            learned = self.view(rows.raw[rows.trusted & (rows.folds != fold)], pretext, encoder)
            for head in fitted:
                head.fit(learned, self.random)
            if self.kept is not None:
                self.kept[fold] = dict(zip(heads, fitted, strict=True))
            for batch in chosen[rows.folds[chosen] == fold].split(MAX_BATCH):
                parts.append(function(self.view(rows.raw[batch], pretext, encoder), fitted))
        return parts

    def maps(self, heads: Sequence[MapHead], rows: TrainingRows, chosen: Tensor) -> list[Tensor]:
        """Return the maps (n, h, w) of each head for the chosen rows (n,), fold by fold."""
        parts: list[list[Tensor]] = []
        for fold in folds_of(rows.folds[chosen]):
            unseen = self.view(rows.raw[chosen[rows.folds[chosen] == fold]], None, None)
            parts.append([head.map(unseen) for head in self._of_fold(heads, rows, fold)])
        return [torch.cat(maps) for maps in zip(*parts, strict=True)]

    def _of_fold(self, heads: Sequence[MapHead], rows: TrainingRows, fold: int) -> list[MapHead]:
        """Return copies of heads that were fitted without a fold."""
        kept = (self.kept or {}).get(fold, {})
        if all(head in kept for head in heads):
            return [head for key in heads if isinstance(head := kept[key], MapHead)]
        fitted = copy.deepcopy(list(heads))
        learned = self.view(rows.raw[rows.trusted & (rows.folds != fold)], None, None)
        for head in fitted:
            head.fit(learned, self.random)
        return fitted


def with_patches(
    rows: TrainingRows,
    view: MakeView,
    backbone: Backbone,
    parts: Sequence[nn.Module],
    random: np.random.Generator,
) -> TrainingRows:
    """Fit a backbone's principal components; return at most `MOST_IMAGES` with their patches.

    Patches are read once, as each fold needs them, and stored in half precision. The `parts` that
    ask for it learn whether the images are aligned.
    """
    if len(rows.raw) > MOST_IMAGES:
        rows = rows[torch.from_numpy(np.sort(random.permutation(len(rows.raw))[:MOST_IMAGES]))]
    raw, some = rows.raw, rows.trusted.nonzero()[:, 0]
    assert isinstance(raw, LazyRows)
    some = some[torch.from_numpy(random.permutation(len(some))[:COMPONENT_IMAGES])]
    features = [view(raw[part], None, None).features for part in some.split(AT_ONCE)]
    backbone.components.fit(coarse for coarse, _ in features)
    backbone.fine_components.fit(fine for _, fine in features)
    read = [_read(view(raw[part], None, None)) for part in torch.arange(len(raw)).split(AT_ONCE)]
    known = {name: torch.cat([part[name] for part in read]) for name in read[0]}
    compared = some[:COMPARED_IMAGES]
    shifted = _shifted(raw[compared].first(len(compared)), random)
    moved = torch.cat([view(part, None, None).patches.cpu() for part in shifted.split(AT_ONCE)])
    aligned = are_aligned(known["patches"][compared].float(), moved, random)
    for part in parts:
        if isinstance(part, PatchHead | PixelDeviation):
            part.aligned = aligned
    return replace(rows, raw=LazyRows(raw.rows, raw.index, known))


def _read(view: View) -> dict[str, Tensor]:
    """Return what heads read of photographs, the patches in half precision."""
    patches = {"patches": view.patches, "fine_patches": view.fine_patches}
    halves = {name: values.half().cpu() for name, values in patches.items()}
    return halves | {"x": view.x.cpu(), "standard": view.standard.cpu()}


def _shifted(images: Tensor, random: np.random.Generator) -> Tensor:
    """Return raw images (n, C, H, W), each shifted at random; what leaves comes in again."""
    height, width = images.shape[2:]
    shifts = random.integers((height, width), size=(len(images), 2)).tolist()
    moved = [image.roll(shift, (1, 2)) for image, shift in zip(images, shifts, strict=True)]
    return torch.stack(moved)


def by_fold(rows: TrainingRows, chosen: Tensor) -> Tensor:
    """Return chosen rows (n,) in the order of `CrossFitting.each`."""
    folds = rows.folds[chosen]
    return torch.cat([chosen[folds == fold] for fold in folds_of(folds)])


def folds_of(folds: Tensor) -> list[int]:
    """Return the folds among those of some rows (n,), without -1 for none."""
    return [fold for fold in folds.unique().tolist() if fold >= 0]


def without_suspicious(
    rows: TrainingRows, share: float, score: Callable[[TrainingRows, Tensor], Tensor]
) -> TrainingRows:
    """Return the rows, of which the most suspicious `share` of each fold is no longer trusted.

    Parameters
    ----------
    rows : TrainingRows
        The rows, and what is suspicious of them.
    share : float
        Share of the rows of each fold.
    score : callable
        Rows, and which of them (n,), to their cross-fitted scores (n,). The second round uses
        heads that were fitted without the rows that the first round excluded.
    """
    assert rows.suspicion is not None
    every, kept = torch.arange(len(rows.raw)), rows
    for _ in range(EXCLUDING_ROUNDS):
        suspicion = rows.suspicion.with_scores(score(kept, every))
        trusted = rows.trusted.clone()
        for fold in rows.folds.unique():
            inside = (rows.trusted & (rows.folds == fold)).nonzero()[:, 0]
            n_excluded = min(round(share * int((rows.folds == fold).sum())), len(inside) // 2)
            trusted[inside[suspicion[inside].topk(n_excluded).indices]] = False
        kept = replace(rows, trusted=trusted)
    return kept
