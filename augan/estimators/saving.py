"""Writing of estimators to model files, and reading."""

from __future__ import annotations

import math
import os
from abc import abstractmethod
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Self

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from augan._device import resolve_device
from augan._sklearn import BaseEstimator
from augan._version import __version__
from augan.codecs.codec import Codec
from augan.exceptions import ParameterError
from augan.io.model_tensors import write_model
from augan.models.reading import read_codec, with_prefix
from augan.parameters import check_params, parameters_of
from augan.training.monitor import History

LIBRARIES = ("torch", "scikit-learn", "numpy", "pandas")
NOT_SAVED = {  # parameters of one run: files and functions, which may not exist for the reader
    *{"backbone_weights", "callbacks", "checkpoint", "freeze_critic", "resume", "verbose"},
    "warm_start_from",
}


class ModelFileMixin(BaseEstimator):
    """Writes an estimator to a model file, and rebuilds one from it.

    Subclasses define `_parts` and `_take_parts`.
    """

    seed_: int
    trained_: str
    history_: History
    n_features_in_: int
    feature_names_in_: Any

    @abstractmethod
    def _parts(self) -> tuple[Codec, dict[str, Any], dict[str, Tensor]]:
        """Return the codec, JSON values, and tensors by name."""

    @abstractmethod
    def _take_parts(
        self, codec: Codec, values: dict[str, Any], tensors: dict[str, Tensor], device: torch.device
    ) -> None:
        """Restore the values that `_parts` returned."""

    def _own_context(self) -> dict[str, Any]:
        """Return further JSON values to store with the model."""
        return {}

    def _feature_names(self) -> list[str] | None:
        """Return the names of the columns of training, if they had names."""
        return list(getattr(self, "feature_names_in_", [])) or None

    def save(
        self, path: str | os.PathLike[str], *, context: Mapping[str, Any] | None = None
    ) -> None:
        """Write the model to a file (``.augan``), atomically and without pickle.

        The file of a sampler contains encoded real rows, from which new ones are made.

        Parameters
        ----------
        path : path-like
            The file.
        context : mapping, optional
            JSON values to store with the model.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        OSError
            If the file cannot be written.
        """
        check_is_fitted(self, "model_")
        codec, parts, own = self._parts()
        codec_values, codec_arrays = codec.state()
        tensors = {f"parts.{name}": value for name, value in own.items()}
        tensors |= {f"codec.{name}": torch.from_numpy(a) for name, a in codec_arrays.items()}
        facts = {
            "augan": __version__,
            "libraries": {name: version(name) for name in LIBRARIES},
            "trained": self.trained_,
            "class": type(self).__name__,
            "params": _plain_params(type(self), self.get_params(deep=False)),
            "seed": self.seed_,
            "parts": parts,
            "n_features_in": self.n_features_in_,
            "feature_names_in": self._feature_names(),
            "codec": codec_values,
            "history": [_without_nan(row) for row in self.history_],
            "context": {**(context or {}), **self._own_context()},
        }
        write_model(path, facts, tensors)

    @classmethod
    def _from_file(
        cls, manifest: dict[str, Any], tensors: dict[str, Tensor], device: str | None
    ) -> Self:
        """Return the estimator of a manifest, with stored weights."""
        estimator = cls(**_read_params(cls, manifest))
        if device is not None:
            estimator.set_params(device=device)
        estimator._take_features(manifest)
        estimator.seed_, estimator.trained_ = int(manifest["seed"]), manifest["trained"]
        estimator.history_ = History(manifest["history"])
        target = resolve_device(estimator.get_params(deep=False)["device"])
        codec = read_codec(manifest, tensors)
        estimator._take_parts(codec, manifest["parts"], with_prefix("parts.", tensors), target)
        return estimator

    def _take_features(self, manifest: dict[str, Any]) -> None:
        """Set the attributes for the columns of training."""
        self.n_features_in_ = int(manifest["n_features_in"])
        if manifest["feature_names_in"]:
            self.feature_names_in_ = np.array(manifest["feature_names_in"], dtype=object)


def _read_params(cls: type, manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of a manifest; parameters in `NOT_SAVED` have their defaults."""
    params = {k: tuple(v) if isinstance(v, list) else v for k, v in manifest["params"].items()}
    known = parameters_of(cls)
    unknown = set(params) - set(known)
    if unknown:
        raise ParameterError(f"params: {min(unknown)} is not a parameter of {manifest['class']}")
    params |= {name: known[name].default for name in NOT_SAVED & set(params)}
    check_params(cls, params)
    return params


def _plain_params(cls: type, params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters as JSON values; parameters in `NOT_SAVED` have their defaults."""
    known = parameters_of(cls)
    return {
        name: _plain(known[name].default if name in NOT_SAVED else value, known[name].default)
        for name, value in params.items()
    }


def _plain(value: Any, default: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if not isinstance(value, (str, int, float, bool, list, tuple, type(None))):
        value = default  # a function, an estimator
    return list(value) if isinstance(value, tuple) else value


def _without_nan(row: dict[str, Any]) -> dict[str, Any]:
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
