"""Starting from a model that has been trained before: its encoding, its networks."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch

from augan._random import numpy_stream
from augan.estimators._training import encode_rows
from augan.exceptions import ParameterError, shown
from augan.networks.layers import scale_invariant_weights
from augan.training.recentring import recentre
from augan.training.rows import TrainingRows

if TYPE_CHECKING:
    from augan.estimators._base import BaseDetector
    from augan.inputs.reading import Data

SIZES = ("latent_dim", "width", "architecture", "spectral_norm")
TAKEN = ("generator", "critic", "encoder", "pretext", "restoration")
MAX_RECENTRING = 2000  # rows whose latents are looked at


def read_warm_start(detector: BaseDetector) -> Any:
    """Return the detector that `warm_start_from` names, or None.

    Raises
    ------
    ModelFileError
        When the file cannot be read.
    ParameterError
        When it holds a sampler, or layers are to be frozen and there is none.
    """
    path = detector.warm_start_from
    if path is None:
        if detector.freeze_critic:
            raise ParameterError(
                f"freeze_critic={detector.freeze_critic}: needs warm_start_from, the model whose "
                "layers are to stay as they are"
            )
        return None
    from augan.io.model_file import load

    source = load(path, device="cpu")
    if not hasattr(source, "anomaly_score"):
        kind = type(source).__name__
        raise ParameterError(f"warm_start_from={shown(str(path))}: a {kind}, and no detector")
    return source


def take_codec(detector: BaseDetector, source: BaseDetector, data: Data) -> None:
    """Read data as a former model did; DataError when its rows were others."""
    source._read(data)
    detector.codec_ = copy.deepcopy(source.codec_)


def take_networks(detector: BaseDetector, source: BaseDetector) -> None:
    """Take the weights of a former model over; ParameterError when networks have other sizes.

    Weights under spectral norm, which takes their length out again, have grown in training: that
    changes no output, and makes every further step of the optimiser smaller (van Laarhoven 2017,
    section 2). They are scaled back to the length that new weights have.
    """
    own, former = detector.networks_.modules(), source.networks_.modules()
    for name in TAKEN:
        if name not in own or name not in former:
            continue
        lengths = [float(weights.norm()) for weights in scale_invariant_weights(own[name])]
        try:
            own[name].load_state_dict(former[name].state_dict())
        except RuntimeError as error:
            wanted = ", ".join(f"{size}={shown(source._auto(size))}" for size in SIZES)
            raise ParameterError(
                f"warm_start_from={shown(str(detector.warm_start_from))}: its {name} is of another "
                f"kind; it was built with {wanted}"
            ) from error
        for weights, length in zip(scale_invariant_weights(own[name]), lengths, strict=True):
            weights.mul_(length / weights.norm())
    n_layers = len(detector.networks_.critic.layers_with_weights())
    if detector.freeze_critic > n_layers:
        raise ParameterError(
            f"freeze_critic={detector.freeze_critic}: the critic has {n_layers} layers"
        )


def begin_near(detector: BaseDetector, source: BaseDetector, rows: TrainingRows) -> None:
    """Let the generator begin with what the new rows look like to the former model's encoder."""
    networks = detector.networks_
    encoder = networks.encoder if networks.encoder is not None else source.networks_.encoder
    if encoder is None:
        return
    learned = (rows.trusted & ~rows.held_out).nonzero()[:, 0].numpy()
    some = numpy_stream(detector.seed_, "recentring").permutation(learned)[:MAX_RECENTRING]
    encoded = encode_rows(detector, rows.raw[torch.from_numpy(some)])[0].to(detector._device)
    recentre(networks.generator, encoder.to(detector._device), encoded, detector.seed_)
