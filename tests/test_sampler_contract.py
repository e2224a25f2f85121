"""imbalanced-learn's own checks of GANSampler."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from imblearn.utils.estimator_checks import estimator_checks_generator

from augan import GANSampler

QUICK = {"max_steps": 10, "encoder_steps": 10, "n_critic": 1, "width": 16, "random_state": 0}
SAMPLERS = [GANSampler(**QUICK), GANSampler(method="data", random_state=0)]


def _name(value: Any) -> str:
    function = value.func if isinstance(value, partial) else value
    return getattr(function, "__name__", None) or f"{type(value).__name__}-{value.method}"


@pytest.mark.parametrize(  # what `parametrize_with_checks` does, of a list
    ("estimator", "check"),
    [pair for sampler in SAMPLERS for pair in estimator_checks_generator(sampler)],
    ids=_name,
)
def test_imbalanced_learn_checks(estimator: Any, check: Any) -> None:
    check(estimator)
