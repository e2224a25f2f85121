"""Warm start: encoding and networks of a trained model."""

from __future__ import annotations

import os
from typing import Any

import torch

from augan._random import numpy_stream
from augan.exceptions import ParameterError, shown
from augan.io.model_tensors import read_model
from augan.models.config import detector_config
from augan.models.detector import DetectorModel
from augan.models.reading import damage_reported, read_codec, with_prefix
from augan.networks.layers import scale_invariant_weights
from augan.training.recentring import recentre
from augan.training.rows import TrainingRows

SIZES = ("latent_dim", "width", "architecture", "spectral_norm")
NETWORKS = ("generator", "critic", "encoder", "pretext", "restoration")
MAX_RECENTRING = 2000  # rows for the distribution of latents


def read_source(path: str | os.PathLike[str]) -> tuple[dict[str, Any], DetectorModel]:
    """Return the manifest and the model of a detector's file, on the CPU.

    Raises
    ------
    ModelFileError
        If the file is missing or damaged.
    ParameterError
        If it holds a sampler.
    """
    with damage_reported(path):
        manifest, tensors = read_model(path)
        if manifest["class"] != "GANSampler":
            codec = read_codec(manifest, tensors)
            config = detector_config(manifest["params"], codec)
            parts, device = with_prefix("parts.", tensors), torch.device("cpu")
            seed = int(manifest["seed"])
            return manifest, DetectorModel.from_state(config, codec, seed, parts, device)
    raise ParameterError(f"warm_start_from={shown(str(path))}: a GANSampler, not a detector")


def take_networks(model: DetectorModel, source: DetectorModel, path: str) -> None:
    """Copy the weights of a former model, read from `path`.

    The norm of weights with spectral normalisation grows in training. That does not change the
    output, but reduces the effective learning rate (van Laarhoven 2017, section 2), so they are
    rescaled to the norm of new weights.

    Raises
    ------
    ParameterError
        If networks have other sizes, or fewer layers than `freeze_critic`.
    """
    own, former = model.networks.modules(), source.networks.modules()
    for name in NETWORKS:
        if name not in own or name not in former:
            continue
        lengths = [float(weights.norm()) for weights in scale_invariant_weights(own[name])]
        try:
            own[name].load_state_dict(former[name].state_dict())
        except RuntimeError as error:
            wanted = ", ".join(f"{size}={shown(getattr(source.config, size))}" for size in SIZES)
            raise ParameterError(
                f"warm_start_from={shown(path)}: its {name} has another architecture or size; it "
                f"was built with {wanted}"
            ) from error
        for weights, length in zip(scale_invariant_weights(own[name]), lengths, strict=True):
            weights.mul_(length / weights.norm())
    n_layers, n_frozen = (
        len(model.networks.critic.layers_with_weights()),
        model.config.freeze_critic,
    )
    if n_frozen > n_layers:
        raise ParameterError(f"freeze_critic={n_frozen}: the critic has {n_layers} layers")


def adapt_prior(model: DetectorModel, source: DetectorModel, rows: TrainingRows) -> None:
    """Adapt the generator's prior to the latents of the new rows; see `recentre`."""
    encoder = model.networks.encoder
    encoder = encoder if encoder is not None else source.networks.encoder
    if encoder is None or not model.config.generator:
        return
    learned = (rows.trusted & ~rows.held_out).nonzero()[:, 0].numpy()
    some = numpy_stream(model.seed, "recentring").permutation(learned)[:MAX_RECENTRING]
    encoded = model.encoded(rows.raw[torch.from_numpy(some)])
    recentre(model.networks.generator, encoder.to(model.device), encoded, model.seed)
