"""Starting from a model that has been trained before: its encoding, its networks."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from augan.exceptions import ParameterError
from augan.networks.layers import weights_of_free_length

if TYPE_CHECKING:
    from augan.estimators._base import BaseDetector
    from augan.estimators._input import Data

SIZES = ("latent_dim", "width", "architecture", "spectral_norm")
TAKEN = ("generator", "critic", "encoder", "pretext", "repair")


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
        raise ParameterError(f"warm_start_from={str(path)!r}: a {kind}, and no detector")
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
        lengths = [float(weights.norm()) for weights in weights_of_free_length(own[name])]
        try:
            own[name].load_state_dict(former[name].state_dict())
        except RuntimeError as error:
            wanted = ", ".join(f"{size}={source._auto(size)!r}" for size in SIZES)
            raise ParameterError(
                f"warm_start_from={str(detector.warm_start_from)!r}: its {name} is of another "
                f"kind; it was built with {wanted}"
            ) from error
        for weights, length in zip(weights_of_free_length(own[name]), lengths, strict=True):
            weights.mul_(length / weights.norm())
    n_layers = len(detector.networks_.critic.layers_with_weights())
    if detector.freeze_critic > n_layers:
        raise ParameterError(
            f"freeze_critic={detector.freeze_critic}: the critic has {n_layers} layers"
        )
