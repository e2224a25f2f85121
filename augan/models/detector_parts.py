"""Untrained parts of a detector, and checks that they go with the kind of data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from augan.codecs.codec import Codec
from augan.codecs.table import TableCodec
from augan.exceptions import ParameterError, shown
from augan.inversion import EncoderInversion, SearchInversion
from augan.models.config import DetectorConfig
from augan.models.generator_use import generator_heads
from augan.networks import Networks, PretextNetwork, build_pretext
from augan.networks.absent import AbsentNetwork
from augan.scoring.head import Head
from augan.scoring.heads import (
    BACKBONE_HEADS,
    IMAGE_HEADS,
    TABLE_HEADS,
    build_head,
    share_components,
)
from augan.scoring.maps import ImageNeighbours
from augan.scoring.neighbours import DataNeighbours, QuantileNeighbours
from augan.scoring.paper import AnoGANScore, FAnoGANScore
from augan.scoring.scorer import AnomalyScorer

COARSE_WEIGHT = 0.6  # of `image_neighbors` beside a backbone: of new parts it says little
QUANTILE_SHARE = 0.25  # of `memory_size`, for `quantile_neighbors`, which more rows hardly help


def pretext_networks(
    config: DetectorConfig, codec: Codec, n_networks: int, seed: int
) -> list[PretextNetwork]:
    """Return untrained pretext networks; the first does not depend on their number."""
    places = None
    if isinstance(codec, TableCodec):
        places = codec.module.standard_owner, codec.module.varying
    return build_pretext(
        codec.spec,
        places,
        width=config.width,
        n_networks=n_networks,
        seed=seed,
        reconstruction_weight=config.reconstruction_weight,
        linear_up_to=config.linear_up_to,
    )


def check_heads(config: DetectorConfig, codec: Codec) -> None:
    """Check that heads and backbone are available for the kind of data.

    Raises
    ------
    ParameterError
        If one is not.
    """
    images, heads = codec.kind == "image", set(config.heads)
    given = f"heads={shown(config.heads)}"
    if wrong := heads & set(TABLE_HEADS if images else IMAGE_HEADS):
        kind = "tables" if images else "images"
        raise ParameterError(f"{given}: {shown(min(wrong))} is for {kind} only")
    if config.backbone is not None and not images:
        raise ParameterError(f"backbone={shown(config.backbone)}: is for images only")
    if (deep := heads & set(BACKBONE_HEADS)) and config.backbone is None:
        raise ParameterError(f"{given}: {shown(min(deep))} needs backbone")


def check_without_generator(heads: str | Sequence[str], scoring: str) -> None:
    """Check that neither heads nor score use a generator, with ``generator=False``.

    Raises
    ------
    ParameterError
        If one does.
    """
    if scoring == "paper":
        raise ParameterError('generator=False: scoring="paper" needs a generator')
    if needed := generator_heads(heads):
        raise ParameterError(f"generator=False: heads={shown(heads)}: {needed[0]!r} needs one")


def build_scorer(
    config: DetectorConfig, codec: Codec, networks: Networks, seed: int
) -> AnomalyScorer:
    """Return a scorer with heads that are not fitted."""
    paper: FAnoGANScore | AnoGANScore = FAnoGANScore(config.kappa)
    inversion: nn.Module
    if not config.generator:
        inversion = AbsentNetwork()
    elif networks.encoder is not None:
        inversion = EncoderInversion(networks.encoder)
    else:
        assert config.search_steps is not None
        inversion = SearchInversion(
            networks.generator,
            networks.critic,
            latent_dim=networks.latent_dim,
            n_steps=config.search_steps,
            lr=config.search_lr,
            feature_weight=config.feature_weight,
            seed=seed,
        )
        paper = AnoGANScore(config.feature_weight)
    memory: dict[str, Any] = {
        **{"n_neighbors": config.n_neighbors, "memory_size": config.memory_size},
        "of_images": codec.kind == "image",
    }
    explains = config.generator or "data_neighbors" in config.heads
    return AnomalyScorer(
        codec.module,
        networks,
        inversion,
        heads=_heads(config, memory),
        paper=paper,
        score=config.scoring,
        fusion=config.fusion,
        owners=codec.owners(),
        closest=None if explains else DataNeighbours(**memory),
    ).eval()


def _heads(config: DetectorConfig, memory: dict[str, Any]) -> dict[str, Head]:
    """Return heads that are not fitted; `memory` are the options of those with a memory."""
    heads = {name: build_head(name, **memory) for name in config.heads}
    if isinstance(quantiles := heads.get("quantile_neighbors"), QuantileNeighbours):
        quantiles.memory_size = max(1, round(QUANTILE_SHARE * config.memory_size))
    if config.backbone is not None and isinstance(
        coarse := heads.get("image_neighbors"), ImageNeighbours
    ):
        coarse.weight = coarse.heat_weight = COARSE_WEIGHT
    contaminated = not isinstance(config.contamination, str) and not memory["of_images"]
    if contaminated and "data_neighbors" in heads:
        heads["data_neighbors"].weight = 1.0  # the networks, which weigh as much, learn anomalies
    if not memory["of_images"]:
        share_components(heads)
    return heads
