"""Checks of the estimators' parameters: each error names the parameter and its value."""

from __future__ import annotations

import os
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np

from augan.exceptions import ParameterError, shown
from augan.networks.backbone import BACKBONES
from augan.sampling import FILTERS
from augan.scoring.former_heads import current_heads
from augan.scoring.heads import HEADS

Check = tuple[Callable[[Any], bool], str]

STEPS = 10**9
ROWS = 10**9
SIZE = 2**14  # of a layer: more is memory that no machine has, and takes long to be refused
WEIGHT = 1e6  # of a term in a sum


def _one_of(*values: str) -> Check:
    return lambda v: isinstance(v, str) and v in values, "one of " + ", ".join(map(repr, values))


def _is_int(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, (bool, np.bool_))


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_))


def _integer(low: int, high: int) -> Check:
    return (
        lambda v: _is_int(v) and low <= v <= high,
        f"an integer of at least {low}, at most {high}",
    )


def _real(low: float, high: float = np.finfo(float).max, *, above: bool = False) -> Check:
    def holds(value: Any) -> bool:
        return _is_real(value) and (low < value if above else low <= value) and value <= high

    limits = f"{'above' if above else 'at least'} {low:g}"
    upper = {np.finfo(float).max: ", finite", np.inf: ""}.get(high, f", at most {high:g}")
    return holds, f"a number {limits}{upper}"


def _or(word: Any, check: Check) -> Check:
    def is_word(value: Any) -> bool:
        return value is None if word is None else isinstance(value, str) and value == word

    return lambda v: is_word(v) or check[0](v), f"{word!r} or {check[1]}"


def _share(*, above: bool) -> Check:
    low = "above 0" if above else "at least 0"
    return (
        lambda v: _is_real(v) and (0 < v < 1 if above else 0 <= v < 1),
        f"a number {low}, below 1",
    )


def _is_heads(value: Any) -> bool:
    if isinstance(value, str):
        return value == "auto"
    if not isinstance(value, (tuple, list)) or not value:
        return False
    if not all(isinstance(head, str) for head in value):
        return False
    heads = current_heads(value)
    return set(heads) <= set(HEADS) and len(set(heads)) == len(heads)


def _is_filters(value: Any) -> bool:
    if not isinstance(value, (tuple, list)):
        return False
    known = all(isinstance(name, str) and name in FILTERS for name in value)
    return known and len(set(value)) == len(value)


def _is_classifier(value: Any) -> bool:
    if isinstance(value, str):
        return value == "auto"
    return value is None or (hasattr(value, "fit") and hasattr(value, "predict_proba"))


def _is_range(value: Any) -> bool:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        return False
    return all(map(_is_real, value)) and 0 <= value[0] < value[1] <= 1


def _is_betas(value: Any) -> bool:
    return (
        isinstance(value, (tuple, list))
        and len(value) == 2
        and all(_is_real(beta) and 0 <= beta < 1 for beta in value)
    )


def _is_callbacks(value: Any) -> bool:
    return value is None or (isinstance(value, (tuple, list)) and all(map(callable, value)))


def _is_path(value: Any) -> bool:
    return value is None or isinstance(value, (str, os.PathLike))


def _is_random_state(value: Any) -> bool:
    if _is_int(value):
        return bool(0 <= value < 2**32)
    return value is None or value is np.random or isinstance(value, np.random.RandomState)


FLAG: Check = (lambda v: isinstance(v, (bool, np.bool_)), "True or False")

CHECKS: dict[str, Check] = {
    "gan": _one_of("wgan-gp", "dcgan", "gan", "hinge"),
    "score": _one_of("calibrated", "paper"),
    "method": _one_of("auto", "gan", "latent", "data"),
    "spread": _real(0, WEIGHT),
    "synthetic_share": _or(None, _or("auto", _share(above=True))),
    "symmetry": _or(None, _one_of("auto", "flips", "dihedral")),
    "filters": (_is_filters, "distinct names out of " + ", ".join(map(repr, FILTERS))),
    "tune_for": (_is_classifier, "None, 'auto' or a classifier with predict_proba"),
    "score_range": (_is_range, "two quantiles, the lower one first, from 0 to 1"),  # of `sample`
    "kappa": _real(0, WEIGHT),
    "feature_weight": _real(0, 1),
    "contamination": _or("auto", _real(0, 0.5, above=True)),
    "target_fpr": _share(above=True),
    "latent_dim": _or("auto", _integer(1, SIZE)),
    "width": _or("auto", _integer(1, SIZE)),
    "architecture": _one_of("auto", "dense", "conv", "residual"),
    "spectral_norm": _or("auto", FLAG),
    "max_steps": _or("auto", _integer(1, STEPS)),
    "encoder_steps": _or("auto", _integer(1, STEPS)),
    "pretext_steps": _or("auto", _integer(1, STEPS)),
    "repair_steps": _or("auto", _integer(1, STEPS)),
    "n_folds": _or("auto", _integer(2, 1000)),
    "max_time": _or(None, _real(0, np.inf, above=True)),
    "batch_size": _or("auto", _integer(2, 2**20)),
    "n_critic": _or("auto", _integer(1, 1000)),
    "gradient_penalty": _real(0, WEIGHT),
    "r1": _real(0, WEIGHT),
    "feature_matching": _real(0, WEIGHT),
    "lr_generator": _or("auto", _real(0, 1000, above=True)),
    "lr_critic": _or("auto", _real(0, 1000, above=True)),
    "lr_encoder": _real(0, 1000, above=True),
    "betas": _or("auto", (_is_betas, "two numbers of at least 0 and below 1")),
    "schedule": _one_of("constant", "linear", "cosine"),
    "gradient_clip": _or(None, _real(0, above=True)),
    "ema_decay": _share(above=False),
    "validation_fraction": _share(above=True),
    "n_iter_no_change": _or(None, _integer(1, STEPS)),
    "search_steps": _integer(1, 10**6),
    "search_lr": _real(0, 1000, above=True),
    "heads": (_is_heads, "'auto' or distinct names out of " + ", ".join(map(repr, HEADS))),
    "fusion": _one_of("auto", "mean", "top2", "max"),
    "n_neighbors": _or("auto", _integer(1, ROWS)),
    "memory_size": _or("auto", _integer(1, ROWS)),
    "max_categories": _integer(1, 10**6),
    "image_size": _or("auto", _or(None, _integer(8, SIZE))),
    "detail_size": _or("auto", _or(None, _integer(32, SIZE))),
    "standardize_images": _or("auto", FLAG),
    "backbone": _or(None, _one_of(*BACKBONES)),
    "backbone_weights": (_is_path, "None or a path"),
    "diff_augment": FLAG,
    "warm_start_from": (_is_path, "None or a path"),
    "freeze_critic": _integer(0, 1000),
    "callbacks": (_is_callbacks, "None or a list of functions"),
    "checkpoint": (_is_path, "None or a path"),
    "checkpoint_interval": _real(0, np.inf),
    "resume": FLAG,
    "random_state": (_is_random_state, "None, an integer in [0, 2**32) or a numpy RandomState"),
    "verbose": (lambda v: _is_int(v) and 0 <= v <= 2, "0, 1 or 2"),
    "n_samples": _integer(1, ROWS),  # of `sample`
    "truncation": _or(None, _real(0, np.inf, above=True)),
    "n_steps": _integer(2, 10**6),  # of the latent space's ways and searches
    "strength": (lambda v: _is_real(v) and bool(np.isfinite(v)), "a finite number"),
}


def check_params(params: dict[str, Any]) -> None:
    """Raise ParameterError for the first parameter with a value that it cannot have."""
    for name, value in params.items():
        if name in CHECKS and not CHECKS[name][0](value):
            raise ParameterError(f"{name}={shown(value)}: must be {CHECKS[name][1]}")
    if params.get("resume") and params.get("checkpoint") is None:
        raise ParameterError("resume=True needs checkpoint, the file to resume from")
    if params.get("backbone_weights") is not None and params.get("backbone") is None:
        weights = shown(params["backbone_weights"])
        raise ParameterError(f"backbone_weights={weights}: needs backbone, what they are of")
