"""Dry runs: sizes of a fit, and an estimate of its time from a few steps."""

from __future__ import annotations

import sys
import time
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.base import clone

from augan._sklearn import BaseEstimator
from augan.codecs.codec import Codec
from augan.codecs.spec import ImageSpec
from augan.models.config import (
    COLUMN_BATCH,
    Config,
    SamplerConfig,
    column_steps,
)
from augan.models.detector import DetectorModel
from augan.models.generator_use import asks_for_generator
from augan.models.sampler import SamplerModel
from augan.training.monitor import History

TRIAL_STEPS = 10
TRIAL_IMAGES = 8
STEP_PARAMETERS = {  # parameter with the number of steps of each phase
    "gan": "max_steps",
    "encoder": "encoder_steps",
    "pretext": "pretext_steps",
    "restoration": "restoration_steps",
}
NO_SIDE_EFFECTS = {
    "callbacks": None,
    "checkpoint": None,
    "resume": False,
    "max_time": None,
    "tune_for": None,
    "verbose": 0,
}


class DryRunMixin(BaseEstimator):
    """Mixin of estimators with dry runs; they define `_fit_networks` and `_config`."""

    model_: Any
    history_: History

    @abstractmethod
    def _fit_networks(self, X: Any, y: Any) -> None:
        """Fit the codec and train the networks, without scorer or calibration."""

    @abstractmethod
    def _config(self, params: Mapping[str, Any], codec: Codec) -> Config:
        """Return the configuration of a fit with these parameters."""

    def dry_run(self, X: Any, y: Any = None) -> dict[str, Any]:
        """Return the sizes of a fit to `X`, and an estimate of its time from ten steps per phase.

        The estimator is not changed.

        Parameters
        ----------
        X, y : array-like
            Rows and labels, as for `fit`.

        Returns
        -------
        facts : dict
            Method, number of rows, shape of the encoded rows, number of parameters of each network,
            steps of each phase, batch size, estimated seconds of training and of reading images
            with a backbone, and peak memory of the process in megabytes. The time of calibration
            and tuning is not included.

        Raises
        ------
        DataError, ParameterError
            As in `fit`.
        """
        given = self.get_params(deep=False)
        columns = "column_steps" if "column_steps" in given else "max_steps"
        names = {**STEP_PARAMETERS, "columns": columns}
        short = {name: TRIAL_STEPS for name in names.values() if name in given}
        others = {name: value for name, value in NO_SIDE_EFFECTS.items() if name in given}
        if given.get("generator") == "auto":  # which the steps of the trial would ask for
            others["generator"] = asks_for_generator(given)
        trial = clone(self).set_params(**short, **others)
        trial._fit_networks(X, y)
        model: DetectorModel | SamplerModel = trial.model_
        config = self._config(given, model.codec)
        history: History = trial.history_
        steps = {
            phase: getattr(config, name)
            for phase, name in names.items()
            if history.column("seconds", phase)[0]
        }
        if "columns" in steps:
            size = config.batch_size if isinstance(config, SamplerConfig) else COLUMN_BATCH
            steps["columns"] = column_steps(steps["columns"], given[columns], len(X), size)
        seconds = {phase: n * _seconds_per_step(history, phase) for phase, n in steps.items()}
        if isinstance(model, DetectorModel) and model.networks.backbone is not None:
            seconds["backbone"] = len(X) * _seconds_per_image(model, X)
        total = min(sum(seconds.values()), given["max_time"] or float("inf"))
        return {
            "method": type(self).__name__,
            "rows": len(X),
            "shape": _shape(model.codec),
            "parameters": {
                name: sum(p.numel() for p in module.parameters())
                for name, module in model.modules().items()
            },
            "steps": steps,
            "batch_size": min(config.batch_size, max(len(X), 2)),
            "seconds": {name: round(value, 1) for name, value in seconds.items()}
            | {"training": round(total, 1)},
            "megabytes": _peak_megabytes(),
        }


def _shape(codec: Codec) -> list[int]:
    spec = codec.spec
    if isinstance(spec, ImageSpec):
        return [spec.channels, spec.height, spec.width]
    return [len(codec.columns)]


def _seconds_per_step(history: History, phase: str) -> float:
    return float(history.column("seconds_per_step", phase)[1][-1])


def _seconds_per_image(model: DetectorModel, X: Any) -> float:
    """Return how long a backbone takes to read an image."""
    raw = model.codec.prepare(np.asarray(X[:TRIAL_IMAGES]))
    start = time.perf_counter()
    with torch.no_grad():
        assert len(model.scorer.view(raw).deep) == len(raw)
    return (time.perf_counter() - start) / len(raw)


def _peak_megabytes() -> int | None:
    """Return the peak memory of this process, None if the system does not report it."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # bytes
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20)
