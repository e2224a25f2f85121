"""Default parameters of models of images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from augan.codecs.image import MAX_SIDE
from augan.scoring.former_heads import current_heads
from augan.scoring.heads import BACKBONE_HEADS

IMAGE_GAN = {
    **{"latent_dim": 64, "width": 32, "max_steps": 800, "encoder_steps": 400},
    **{"batch_size": 64, "n_critic": 1},
}
IMAGE_NEIGHBORS = {"n_neighbors": 5, "memory_size": 4096}
IMAGE_CODEC = {"image_size": None, "detail_size": 128, "standardize_images": False}
# Photographs are larger than the images of the networks: they are scored by coarse pixels and by
# details. Objects are at the same place in each photograph, so one nearest neighbour is enough.
PHOTOGRAPH_CODEC = {"image_size": 32, "detail_size": 128, "standardize_images": True}
IMAGE = {
    **IMAGE_GAN,
    **IMAGE_NEIGHBORS,
    **{"pretext_steps": 800, "restoration_steps": 2000},
    **{"n_folds": None, "chunk": 128},
    "heads": ("transforms", "pretext_neighbors", "data_neighbors"),
    "fusion": "mean",
}
PHOTOGRAPH = {
    **IMAGE,
    **{"n_neighbors": 1, "n_folds": 10, "chunk": 16},
    "heads": ("local_neighbors", "image_neighbors", "detail_restoration"),
    "fusion": "top2",
}
PHOTOGRAPH_BACKBONE = "efficientnet_lite0"
PATCH_HEADS = ("backbone_memory", "backbone_gaussian", "backbone_fine")
WITH_BACKBONE = {  # photographs
    "heads": (*PATCH_HEADS, "image_neighbors"),
    "fusion": "mean",
}
DETAIL_PIXELS = 320**2  # of the details that a backbone reads, by default


def codec_values(params: Mapping[str, Any], height: int, width: int) -> dict[str, Any]:
    """Return the parameters of an `ImageCodec` of images of a size, with "auto" replaced."""
    photograph = max(height, width) > MAX_SIDE
    auto: dict[str, Any] = dict(PHOTOGRAPH_CODEC if photograph else IMAGE_CODEC)
    if photograph and backbone_of(params, photograph=True) is not None:
        scale = min(1.0, math.sqrt(DETAIL_PIXELS / (height * width)))
        auto["detail_size"] = round(scale * max(height, width))
    return {name: auto[name] if is_auto(params[name]) else params[name] for name in auto}


def backbone_of(params: Mapping[str, Any], *, photograph: bool) -> str | None:
    """Return the name of the backbone: "auto" is one for photographs, if a head can read it."""
    asked: str | None = params["backbone"]
    if not is_auto(asked):
        return asked
    heads = params["heads"]
    reads = heads == "auto" or bool(set(current_heads(heads)) & set(BACKBONE_HEADS))
    reads = reads and params["scoring"] == "calibrated"
    return PHOTOGRAPH_BACKBONE if photograph and reads else None


def image_networks(gan: str, architecture: str) -> dict[str, Any]:
    """Return the default networks of images for a loss, and their learning rates.

    Dense networks lose modes with higher rates.
    """
    usual = {"gan": "dense", "hinge": "residual"}.get(gan, "conv")
    kind = usual if architecture == "auto" else architecture
    slow = kind == "dense"
    return {
        "architecture": kind,
        "spectral_norm": gan != "wgan-gp",
        "lr_generator": 2e-4 if slow else 1e-3,
        "lr_critic": 4e-4 if slow else 2e-3,
        "betas": (0.0, 0.9),
    }


def image_values(params: Mapping[str, Any], auto: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of "auto" for a detector of images."""
    photograph = auto is PHOTOGRAPH
    values = {**auto, **image_networks(params["gan"], params["architecture"])}
    values["backbone"] = backbone_of(params, photograph=photograph)
    if values["backbone"] is not None:
        if photograph:
            values |= WITH_BACKBONE
            if not is_auto(params["restoration_steps"]):
                values["heads"] = (*values["heads"], "detail_restoration")
        else:
            values["heads"] = (*values["heads"], *PATCH_HEADS)
    return values


def is_auto(value: Any) -> bool:
    """Whether a parameter has the value "auto"."""
    return isinstance(value, str) and value == "auto"
