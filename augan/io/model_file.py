"""The model file: a zip of a JSON manifest and safetensors weights. Loading it runs no code."""

from __future__ import annotations

import hashlib
import json
import math
import os
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
import torch
from safetensors.torch import save as save_tensors
from torch import Tensor

from augan._device import resolve_device
from augan._files import atomic_path
from augan._version import __version__
from augan.codecs.codec import codec_from_state
from augan.exceptions import ModelFileError, ParameterError
from augan.io.archive import (
    FORMAT_VERSION,
    FORMATS,
    MANIFEST,
    WEIGHTS,
    read_model_file,
    write_archive,
)
from augan.io.former_names import with_current_tensor_names
from augan.io.schema import parse_manifest
from augan.io.tensors import check_knots, read_tensors
from augan.training.monitor import History

if TYPE_CHECKING:
    from augan.estimators._base import BaseDetector
    from augan.estimators.sampler import GANSampler


NOT_SAVED = {
    "backbone_weights": None,
    "callbacks": None,
    "checkpoint": None,
    "freeze_critic": 0,
    "resume": False,
    "verbose": 0,
    "warm_start_from": None,
}
LIBRARIES = ("torch", "scikit-learn", "numpy", "pandas")


def save(
    estimator: BaseDetector | GANSampler,
    path: str | os.PathLike[str],
    *,
    context: dict[str, Any] | None = None,
) -> None:
    """Write a fitted estimator to `path`, atomically.

    Parameters
    ----------
    estimator : FAnoGAN, AnoGAN or GANSampler
        A fitted one.
    path : path-like
        The file, usually ``.augan``.
    context : dict, optional
        JSON values kept beside the model, such as the target column that was left out.
    """
    codec_values, codec_arrays = estimator.codec_.state()
    parts, own = _keeper(type(estimator).__name__).to_file(estimator)
    tensors = {f"parts.{name}": value for name, value in own.items()}
    tensors |= {f"codec.{name}": torch.from_numpy(a) for name, a in codec_arrays.items()}
    weights = save_tensors({name: value.cpu().contiguous() for name, value in tensors.items()})
    manifest = {
        "format_version": FORMAT_VERSION,
        "augan": __version__,
        "libraries": {name: version(name) for name in LIBRARIES},
        "trained": estimator.trained_,
        "class": type(estimator).__name__,
        "params": _plain_params(estimator),
        "seed": estimator.seed_,
        "parts": parts,
        "n_features_in": estimator.n_features_in_,
        "feature_names_in": list(getattr(estimator, "feature_names_in_", [])) or None,
        "codec": codec_values,
        "history": [_without_nan(row) for row in estimator.history_],
        "context": (context or {}) | own_context(estimator),
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
    }
    text = json.dumps(manifest, indent=1, allow_nan=False)
    parse_manifest(path, text.encode(), FORMATS)  # what cannot be read is not written
    with atomic_path(path) as temporary:
        write_archive(temporary, {MANIFEST: text, WEIGHTS: weights})


def own_context(estimator: Any) -> dict[str, Any]:
    """Return what an estimator itself keeps beside the model, as JSON can hold it."""
    seen = getattr(estimator, "training_rows_", None)
    return {} if seen is None else {"training_rows": seen}


def load(path: str | os.PathLike[str], *, device: str | None = None) -> Any:
    """Return the estimator saved in `path`; it scores exactly as the one that was saved.

    Parameters
    ----------
    path : path-like
        A file written by `save`.
    device : str, optional
        Torch device to use instead of the one that the estimator was made with.

    Raises
    ------
    ModelFileError
        When the file is missing, damaged, unsafe or made by another version of augan.
    """
    manifest, weights = read_model_file(path)
    try:
        tensors = with_current_tensor_names(read_tensors(weights), manifest["format_version"])
        del weights  # which are as large again
        return _rebuild(manifest, tensors, device)
    except ParameterError as error:
        raise ModelFileError(f"{path}: {error}") from error
    except (
        *(AttributeError, IndexError, KeyError, MemoryError, OverflowError),
        *(RuntimeError, TypeError, ValueError, safetensors.SafetensorError),
    ) as error:
        reason = str(error).strip().splitlines()[-1].strip() if str(error) else repr(error)
        raise ModelFileError(f"{path}: damaged or tampered with ({reason})") from error


def _rebuild(manifest: dict[str, Any], tensors: dict[str, Tensor], device: str | None) -> Any:
    """Build the estimator that a manifest describes and fill in its weights."""
    from augan.estimators._params import check_params
    from augan.estimators.anogan import AnoGAN
    from augan.estimators.f_anogan import FAnoGAN
    from augan.estimators.sampler import GANSampler

    classes: dict[str, Any] = {"AnoGAN": AnoGAN, "FAnoGAN": FAnoGAN, "GANSampler": GANSampler}
    cls = classes[manifest["class"]]
    params = {k: tuple(v) if isinstance(v, list) else v for k, v in manifest["params"].items()}
    params |= {k: v for k, v in NOT_SAVED.items() if k in params}  # nothing of where to write
    unknown = set(params) - set(cls().get_params(deep=False))
    if unknown:
        raise ParameterError(f"params: {min(unknown)} is no parameter of {manifest['class']}")
    check_params(params)
    estimator = cls(**params)
    if device is not None:
        estimator.set_params(device=device)
    estimator.seed_ = int(manifest["seed"])
    estimator.trained_ = manifest["trained"]
    if "training_rows" in manifest["context"]:
        estimator.training_rows_ = manifest["context"]["training_rows"]
    estimator.n_features_in_ = int(manifest["n_features_in"])
    if manifest["feature_names_in"]:
        estimator.feature_names_in_ = np.array(manifest["feature_names_in"], dtype=object)
    estimator.history_ = History(manifest["history"])
    arrays = {name: tensor.numpy() for name, tensor in _named("codec.", tensors).items()}
    check_knots(manifest["codec"].get("columns", []), arrays)
    estimator.codec_ = codec_from_state(manifest["codec"], arrays)
    target, parts = resolve_device(estimator.device), _named("parts.", tensors)
    _keeper(manifest["class"]).from_file(estimator, manifest["parts"], parts, target)
    return estimator


def _keeper(name: str) -> Any:
    """Return the module that knows what is kept of a class."""
    from augan.estimators import _detector_file, _sampler_file

    return _sampler_file if name == "GANSampler" else _detector_file


def _named(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _plain_params(estimator: BaseDetector | GANSampler) -> dict[str, Any]:
    """Return the parameters as JSON values; what belongs to one run only is left at its default."""
    params = estimator.get_params(deep=False)
    params |= {name: value for name, value in NOT_SAVED.items() if name in params}
    defaults = type(estimator)().get_params(deep=False)
    return {name: _plain(value, defaults[name]) for name, value in params.items()}


def _plain(value: Any, default: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if not isinstance(value, (str, int, float, bool, list, tuple, type(None))):
        value = default  # a function, an estimator
    return list(value) if isinstance(value, tuple) else value


def _without_nan(row: dict[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
