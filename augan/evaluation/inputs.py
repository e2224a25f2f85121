"""What is given to an evaluation: labels, scores and options, read and checked."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augan.checks import check_arguments
from augan.exceptions import DataError, ParameterError, shown
from augan.labels import equal_to, read_labels

MAX_BOOTSTRAP = 100_000  # resamples
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def read_anomalies(y_true: Any) -> Mask:
    """Return which rows (n,) are anomalies, of labels 0 and 1.

    Raises
    ------
    DataError
        When a label is missing or neither 0 nor 1, or when all rows are of one kind.
    """
    labels = read_labels(y_true, "y_true")
    anomaly = equal_to(labels, 1)
    odd = ~(anomaly | equal_to(labels, 0))
    if odd.any():
        row = int(odd.argmax())
        raise DataError(
            f"y_true, row {row}: {shown(labels.tolist()[row])} is not 1 (anomaly) or 0 (normal)"
        )
    if anomaly.all() or not anomaly.any():
        kind = "no normal row" if anomaly.any() else "no anomaly"
        raise DataError(f"y_true has {kind} among {len(anomaly)} rows: both kinds are needed")
    return anomaly


def read_numbers(
    values: Any, name: str, n_rows: int, *, low: float = -np.inf, high: float = np.inf
) -> Floats:
    """Return `n_rows` finite numbers (n,) from `low` to `high`.

    Raises
    ------
    DataError
        When there are more or fewer of them, or other values.
    """
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise DataError(f"{name}: {error}") from error
    if numbers.shape != (n_rows,):
        raise DataError(f"{name} has shape {numbers.shape}, for {n_rows} rows")
    wrong = ~np.isfinite(numbers) | (numbers < low) | (numbers > high)
    if wrong.any():
        row = int(wrong.argmax())
        what = "a finite number" if np.isinf(low) else f"a number from {low:g} to {high:g}"
        raise DataError(f"{name}, row {row}: {numbers[row]} is not {what}")
    return numbers


def check_options(
    threshold: Any, n_calibration: Any, n_bootstrap: Any, confidence: Any, random_state: Any
) -> None:
    """Check the options of an evaluation.

    Raises
    ------
    ParameterError
        When one has a value that it cannot have.
    """
    if threshold is not None and not (_is_number(threshold) and np.isfinite(threshold)):
        raise ParameterError(f"threshold={shown(threshold)}: must be None or a finite number")
    if n_calibration is not None and not (_is_integer(n_calibration) and n_calibration >= 1):
        raise ParameterError(
            f"n_calibration={shown(n_calibration)}: must be None or an integer of at least 1"
        )
    if not (_is_integer(n_bootstrap) and 0 <= n_bootstrap <= MAX_BOOTSTRAP):
        raise ParameterError(
            f"n_bootstrap={shown(n_bootstrap)}: must be an integer from 0 to {MAX_BOOTSTRAP}"
        )
    if not (_is_number(confidence) and 0 < confidence < 1):
        raise ParameterError(
            f"confidence={shown(confidence)}: must be a number above 0 and below 1"
        )
    check_arguments(random_state=random_state)


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, (bool, np.bool_))


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_))
