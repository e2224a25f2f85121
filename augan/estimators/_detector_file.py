"""What a model file keeps of a detector, beside its parameters and its codec."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from augan.codecs.image import ImageCodec
from augan.estimators._build import build
from augan.inversion import SearchInversion
from augan.io.tensors import check_like

if TYPE_CHECKING:
    from augan.estimators._base import BaseDetector


def to_file(detector: BaseDetector) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return JSON values, and tensors by name."""
    return {"offset": float(detector.offset_)}, dict(detector.scorer_.state_dict())


def from_file(
    detector: BaseDetector, values: dict[str, Any], tensors: dict[str, Tensor], device: torch.device
) -> None:
    """Build networks without memory, take the stored weights over, score one row as a test.

    Raises
    ------
    ValueError, KeyError, RuntimeError, ...
        When the parts do not fit together.
    """
    detector.offset_ = float(values["offset"])
    if not math.isfinite(detector.offset_):
        raise ValueError(f"offset {detector.offset_}")
    latent_dim = detector._auto("latent_dim")
    starts = tensors.get("inversion.starts", torch.empty(0))
    if not detector._has_encoder and (starts.ndim != 2 or starts.shape[1] != latent_dim):
        raise ValueError(f"latent_dim={latent_dim} is not what the weights have")
    with torch.device("meta"), warnings.catch_warnings(action="ignore"):  # of odd sizes
        build(detector)
    check_like(tensors, detector.scorer_, "parts.")
    detector.scorer_.load_state_dict(tensors, assign=True)
    detector.scorer_.requires_grad_(False).eval().place(device)
    _score_one_row(detector)


def _score_one_row(detector: BaseDetector) -> None:
    """Score a row of zeros; a search takes one step for it, however many it usually takes."""
    codec, scorer = detector.codec_, detector.scorer_
    if isinstance(codec, ImageCodec):
        row = torch.full((1, codec.spec.channels, *codec.shape[:2]), codec.low)
    else:
        row = torch.zeros(1, codec.width, dtype=torch.float64)  # or each column's first category
    search = scorer.inversion if isinstance(scorer.inversion, SearchInversion) else None
    n_steps = search.n_steps if search else 0
    if search:
        search.n_steps = 1
    with torch.no_grad():
        score = scorer(row)[0]
    if search:
        search.n_steps = n_steps
    if score.shape != (1,) or not torch.isfinite(score).all():
        raise ValueError("a test row has no score")
