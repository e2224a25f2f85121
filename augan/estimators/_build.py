"""From an estimator's parameters to networks without training, and the scorer around them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from augan.codecs.codec import Codec
from augan.codecs.image import MAX_SIDE, ImageCodec
from augan.codecs.spec import ImageSpec
from augan.codecs.table import TableCodec
from augan.estimators._defaults import IMAGE, PHOTOGRAPH
from augan.exceptions import ParameterError, shown
from augan.inputs.reading import Data
from augan.inversion import EncoderInversion, SearchInversion
from augan.networks import (
    PretextNetwork,
    build_backbone,
    build_networks,
    build_pretext,
    build_restoration,
)
from augan.scoring.former_heads import warn_of_former_heads
from augan.scoring.heads import BACKBONE_HEADS, HEADS, IMAGE_HEADS, TABLE_HEADS, build_head
from augan.scoring.paper import AnoGANScore, FAnoGANScore
from augan.scoring.scorer import AnomalyScorer

if TYPE_CHECKING:
    from augan.estimators._base import BaseDetector

IMAGE_SETTINGS = ("image_size", "standardize_images", "detail_size")


def make_codec(detector: BaseDetector, data: Data) -> Codec:
    """Return the codec, not fitted yet, for this kind of data."""
    if isinstance(data, np.ndarray) and data.ndim > 2:
        defaults = PHOTOGRAPH if max(data.shape[1:3]) > MAX_SIDE else IMAGE
        return ImageCodec(*(detector._auto(name, defaults) for name in IMAGE_SETTINGS))
    return TableCodec(detector.max_categories)


def build(detector: BaseDetector) -> None:
    """Build networks and scorer for the detector's codec, before any training."""
    _check_heads(detector)
    codec = detector.codec_
    detector.networks_ = build_networks(
        codec.spec,
        latent_dim=detector._auto("latent_dim"),
        width=detector._auto("width"),
        architecture=detector._auto("architecture"),
        spectral_norm=detector._auto("spectral_norm"),
        with_encoder=detector._has_encoder,
        seed=detector.seed_,
    )
    if _needs(detector, "pretext"):
        detector.networks_.pretext = pretext_networks(detector, 1)[0]
    if _needs(detector, "restoration"):
        assert isinstance(codec.spec, ImageSpec)
        detector.networks_.restoration = build_restoration(codec.spec, seed=detector.seed_)
    if detector.backbone is not None:
        detector.networks_.backbone = build_backbone(detector.backbone)
    detector.scorer_ = _build_scorer(detector)


def pretext_networks(detector: BaseDetector, n_networks: int) -> list[PretextNetwork]:
    """Return untrained pretext networks; the first is always the same one."""
    codec = detector.codec_
    owner = codec.owners()[1] if isinstance(codec, TableCodec) else None
    return build_pretext(
        *(codec.spec, owner),
        width=detector._auto("width"),
        n_networks=n_networks,
        seed=detector.seed_,
    )


def _needs(detector: BaseDetector, network: str) -> bool:
    needs = {HEADS[name].needs for name in detector._auto("heads")}
    return detector.score == "calibrated" and network in needs


def _check_heads(detector: BaseDetector) -> None:
    if detector.heads != "auto":
        warn_of_former_heads(detector.heads, stacklevel=5)
    images = isinstance(detector.codec_, ImageCodec)
    heads = set(detector._auto("heads"))
    wrong = heads & set(TABLE_HEADS if images else IMAGE_HEADS)
    if wrong:
        kind = "tables" if images else "images"
        raise ParameterError(
            f"heads={shown(detector.heads)}: {shown(min(wrong))} is for {kind} only"
        )
    if detector.backbone is not None and not images:
        raise ParameterError(f"backbone={shown(detector.backbone)}: is for images only")
    deep = heads & set(BACKBONE_HEADS)
    if deep and detector.backbone is None:
        raise ParameterError(f"heads={shown(detector.heads)}: {shown(min(deep))} needs backbone")


def _build_scorer(detector: BaseDetector) -> AnomalyScorer:
    """Build the scorer of an detector around its networks."""
    networks, codec = detector.networks_, detector.codec_
    paper: FAnoGANScore | AnoGANScore
    if networks.encoder is not None:
        inversion: nn.Module = EncoderInversion(networks.encoder)
        paper = FAnoGANScore(detector.kappa)
    else:
        inversion = SearchInversion(
            networks.generator,
            networks.critic,
            latent_dim=networks.latent_dim,
            n_steps=detector.search_steps,
            lr=detector.search_lr,
            feature_weight=detector.feature_weight,
            seed=detector.seed_,
        )
        paper = AnoGANScore(detector.feature_weight)
    sizes = {name: detector._auto(name) for name in ("n_neighbors", "memory_size")}
    return AnomalyScorer(
        codec.module,
        networks,
        inversion,
        heads={name: build_head(name, **sizes) for name in detector._auto("heads")},
        paper=paper,
        score=detector.score,
        fusion=detector._auto("fusion"),
        owners=codec.owners() if isinstance(codec, TableCodec) else None,
    ).eval()
