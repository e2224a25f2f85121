"""Checks of parameter values: each has a predicate and a text with the allowed values."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np

from augan.exceptions import ParameterError, shown


class Check(NamedTuple):
    """A predicate, and the allowed values in words."""

    holds: Callable[[Any], bool]
    text: str


STEPS = ROWS = 10**9
SIZE = 2**14  # largest layer; more would need too much memory
WEIGHT = 1e6  # largest weight of a term in a loss
LARGEST = float(np.finfo(float).max)


def one_of(*values: str) -> Check:
    """Allow certain strings."""
    return Check(
        lambda v: isinstance(v, str) and v in values, "one of " + ", ".join(map(repr, values))
    )


def integer(low: int, high: int) -> Check:
    """Allow integers in a range."""
    return Check(
        lambda v: _is_int(v) and low <= v <= high,
        f"an integer of at least {low}, at most {high}",
    )


def real(low: float, high: float = LARGEST, *, above: bool = False) -> Check:
    """Allow numbers in a range; `above` excludes the lower end."""

    def holds(value: Any) -> bool:
        return _is_real(value) and (low < value if above else low <= value) and value <= high

    limits = f"{'above' if above else 'at least'} {low:g}"
    upper = {LARGEST: ", finite", np.inf: ""}.get(high, f", at most {high:g}")
    return Check(holds, f"a number {limits}{upper}")


def share(*, above: bool) -> Check:
    """Allow numbers from 0 to below 1; `above` excludes 0."""
    low = "above 0" if above else "at least 0"
    return Check(
        lambda v: _is_real(v) and (0 < v < 1 if above else 0 <= v < 1),
        f"a number {low}, below 1",
    )


def or_value(word: str | None, check: Check) -> Check:
    """Allow a string or None, and the values of another check."""

    def is_word(value: Any) -> bool:
        return value is None if word is None else isinstance(value, str) and value == word

    return Check(lambda v: is_word(v) or check.holds(v), f"{word!r} or {check.text}")


def distinct(known: Sequence[str], *, empty: bool = False, auto: bool = False) -> Check:
    """Allow tuples or lists of distinct names; with `auto` also "auto"."""

    def holds(value: Any) -> bool:
        if isinstance(value, str):
            return auto and value == "auto"
        if not isinstance(value, (tuple, list)) or not (value or empty):
            return False
        named = all(isinstance(name, str) and name in known for name in value)
        return named and len(set(value)) == len(value)

    names = "a subset of " + ", ".join(map(repr, known))
    return Check(holds, f"'auto' or {names}" if auto else names)


def _is_int(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, (bool, np.bool_))


def _is_real(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_))


def _is_classifier(value: Any) -> bool:
    if isinstance(value, str):
        return value == "auto"
    return value is None or (hasattr(value, "fit") and hasattr(value, "predict_proba"))


def _is_relations(value: Any) -> bool:
    if value is None or isinstance(value, str):
        return value is None or value == "auto"
    return isinstance(value, (tuple, list)) and all(isinstance(text, str) for text in value)


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


def _is_random_state(value: Any) -> bool:
    if _is_int(value):
        return bool(0 <= value < 2**32)
    return value is None or value is np.random or isinstance(value, np.random.RandomState)


ANYTHING = Check(lambda v: True, "any value")
FLAG = Check(lambda v: isinstance(v, (bool, np.bool_)), "True or False")
PATH = Check(lambda v: v is None or isinstance(v, (str, os.PathLike)), "None or a path")
CALLBACKS = Check(_is_callbacks, "None or a list of functions")
CLASSIFIER = Check(_is_classifier, "None, 'auto' or a classifier with predict_proba")
RELATIONS = Check(
    _is_relations, "'auto', None or a list of texts such as 'total = price * quantity'"
)
BETAS = Check(_is_betas, "two numbers of at least 0 and below 1")
RANDOM_STATE = Check(_is_random_state, "None, an integer in [0, 2**32) or a numpy RandomState")
VERBOSE = Check(lambda v: _is_int(v) and 0 <= v <= 2, "0, 1 or 2")
ARGUMENTS = {  # of methods
    "score_range": Check(_is_range, "two quantiles, the lower one first, from 0 to 1"),
    "n_samples": integer(1, ROWS),
    "batch_size": integer(1, ROWS),
    "max_copies": real(0, 1),
    "n": integer(1, 1000),
    "truncation": or_value(None, real(0, np.inf, above=True)),
    "n_steps": integer(2, 10**6),
    "strength": Check(lambda v: _is_real(v) and bool(np.isfinite(v)), "a finite number"),
    "random_state": RANDOM_STATE,
}


def check_arguments(**arguments: Any) -> None:
    """Check the values of a method's arguments.

    Raises
    ------
    ParameterError
        For the first value that is not allowed.
    """
    for name, value in arguments.items():
        check_value(name, value, ARGUMENTS[name])


def check_value(name: str, value: Any, check: Check) -> None:
    """Check a value.

    Raises
    ------
    ParameterError
        If it is not allowed.
    """
    if not check.holds(value):
        raise ParameterError(f"{name}={shown(value)}: must be {check.text}")
