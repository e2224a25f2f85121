"""Starting from a model that was trained before: its encoding and its networks."""

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
TAKEN = ("generator", "critic", "encoder", "pretext", "restoration")
MAX_RECENTRING = 2000  # rows whose latents are looked at


def read_source(path: str | os.PathLike[str]) -> tuple[dict[str, Any], DetectorModel]:
    """Return the manifest of a model file, and the detector's model in it, on the CPU.

    Raises
    ------
    ModelFileError
        When the file is missing or damaged.
    ParameterError
        When it holds a sampler.
    """
    with damage_reported(path):
        manifest, tensors = read_model(path)
        if manifest["class"] != "GANSampler":
            codec = read_codec(manifest, tensors)
            config = detector_config(manifest["params"], codec)
            parts, device = with_prefix("parts.", tensors), torch.device("cpu")
            seed = int(manifest["seed"])
            return manifest, DetectorModel.from_state(config, codec, seed, parts, device)
    raise ParameterError(f"warm_start_from={shown(str(path))}: a GANSampler, and no detector")


def take_networks(model: DetectorModel, source: DetectorModel, path: str) -> None:
    """Take over the weights of a former model, read from `path`.

    Weights under spectral norm, which divides by their length, have grown in training: that changes
    no output, and makes every further step of the optimiser smaller (van Laarhoven 2017,
    section 2). They are scaled back to the length that new weights have.

    Raises
    ------
    ParameterError
        When networks have other sizes, or fewer layers than are to be frozen.
    """
    own, former = model.networks.modules(), source.networks.modules()
    for name in TAKEN:
        if name not in own or name not in former:
            continue
        lengths = [float(weights.norm()) for weights in scale_invariant_weights(own[name])]
        try:
            own[name].load_state_dict(former[name].state_dict())
        except RuntimeError as error:
            wanted = ", ".join(f"{size}={shown(getattr(source.config, size))}" for size in SIZES)
            raise ParameterError(
                f"warm_start_from={shown(path)}: its {name} is of another kind; it was built with "
                f"{wanted}"
            ) from error
        for weights, length in zip(scale_invariant_weights(own[name]), lengths, strict=True):
            weights.mul_(length / weights.norm())
    n_layers, n_frozen = (
        len(model.networks.critic.layers_with_weights()),
        model.config.freeze_critic,
    )
    if n_frozen > n_layers:
        raise ParameterError(f"freeze_critic={n_frozen}: the critic has {n_layers} layers")


def begin_near(model: DetectorModel, source: DetectorModel, rows: TrainingRows) -> None:
    """Start the generator from the latents that the former model's encoder gives to the rows."""
    encoder = model.networks.encoder
    encoder = encoder if encoder is not None else source.networks.encoder
    if encoder is None:
        return
    learned = (rows.trusted & ~rows.held_out).nonzero()[:, 0].numpy()
    some = numpy_stream(model.seed, "recentring").permutation(learned)[:MAX_RECENTRING]
    encoded = model.encoded(rows.raw[torch.from_numpy(some)])[0].to(model.device)
    recentre(model.networks.generator, encoder.to(model.device), encoded, model.seed)
