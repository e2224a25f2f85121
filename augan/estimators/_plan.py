"""What a fit would do, and about how long it would take, from a few steps of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from sklearn.base import clone

from augan.codecs.spec import ImageSpec
from augan.training.monitor import History

if TYPE_CHECKING:
    from augan.estimators._base import BaseDetector
    from augan.estimators.sampler import GANSampler

TRIAL_STEPS = 10
STEPS = {  # the parameter that says how many a phase takes
    "gan": "max_steps",
    "encoder": "encoder_steps",
    "pretext": "pretext_steps",
    "repair": "repair_steps",
}
ALONE = {
    "callbacks": None,
    "checkpoint": None,
    "resume": False,
    "max_time": None,
    "tune_for": None,
    "verbose": 0,
}


def plan(estimator: BaseDetector | GANSampler, X: Any, y: Any = None) -> dict[str, Any]:
    """Return the sizes of a fit to `X`, and what ten steps of each phase say of its time.

    The estimator itself is not changed.

    Parameters
    ----------
    estimator : FAnoGAN, AnoGAN or GANSampler
        What would be fitted.
    X, y : array-like
        What it would be fitted to.

    Returns
    -------
    facts : dict
        Method, rows, their shape as networks see them, parameters of each network, steps of each
        phase, batch size, estimated seconds of training, megabytes that the trial took at most.
        Calibration, and tuning where it is asked for, come on top.

    Raises
    ------
    DataError, ParameterError
        As in `fit`.
    """
    given = estimator.get_params(deep=False)
    short = {name: TRIAL_STEPS for name in STEPS.values() if name in given}
    alone = {name: value for name, value in ALONE.items() if name in given}
    trial = clone(estimator).set_params(**short, **alone)
    if "sampling_strategy" in given:  # a sampler
        trial.fit(X, y)
    else:
        trial._train(X, y)
    steps = {
        phase: getattr(trial._defaults, name) if given[name] == "auto" else given[name]
        for phase, name in STEPS.items()
        if trial.history_.column("seconds", phase)[0]
    }
    seconds = {phase: n * _seconds_a_step(trial.history_, phase) for phase, n in steps.items()}
    total = min(sum(seconds.values()), given["max_time"] or float("inf"))
    codec, networks = trial.codec_, trial.networks_.modules().items() if trial.networks_ else ()
    spec = codec.spec
    images = isinstance(spec, ImageSpec)
    shape = [spec.channels, spec.height, spec.width] if images else [codec.width]
    return {
        "method": type(estimator).__name__,
        "rows": len(X),
        "shape": shape,
        "parameters": {name: sum(p.numel() for p in m.parameters()) for name, m in networks},
        "steps": steps,
        "batch_size": min(trial._auto("batch_size"), max(len(X), 2)),
        "seconds": {name: round(value, 1) for name, value in seconds.items()}
        | {"training": round(total, 1)},
        "megabytes": _peak_megabytes(),
    }


def _seconds_a_step(history: History, phase: str) -> float:
    return float(history.column("seconds_per_step", phase)[1][-1])


def _peak_megabytes() -> int | None:
    """Return the most memory that this process has held, where the system tells."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # bytes
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20)
