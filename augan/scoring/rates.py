"""Checks of false-positive rates and scores given by users."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any

import numpy as np

from augan._callers import caller_level
from augan.exceptions import CalibrationWarning, DataError, ParameterError, shown

DEFAULT_FPR = 0.05  # default of the detectors' parameter target_fpr
PIXEL_RATES = np.logspace(0, -6, 61)  # shares of pixels whose thresholds a model stores


def check_rate(rate: Any, name: str = "target_fpr") -> float:
    """Return a false-positive rate as a float.

    Raises
    ------
    ParameterError
        If it is not a number above 0 and below 1.
    """
    is_number = isinstance(rate, Real) and not isinstance(rate, (bool, np.bool_))
    if not is_number or not 0 < float(rate) < 1:
        raise ParameterError(f"{name}={shown(rate)}: must be a number above 0, below 1")
    return float(rate)


def pixel_threshold(thresholds: Any, pixel_fpr: Any) -> float:
    """Return the heat that a share of the pixels of normal images exceed.

    Parameters
    ----------
    thresholds : array-like of shape (61,)
        Heat that the shares `PIXEL_RATES` exceed.
    pixel_fpr : float
        The share, above 0 and below 1; less than 1e-6 is taken as 1e-6.

    Raises
    ------
    ParameterError
        If it is not above 0 and below 1.
    """
    rate = max(check_rate(pixel_fpr, "pixel_fpr"), PIXEL_RATES[-1])
    return float(np.interp(-np.log(rate), -np.log(PIXEL_RATES), np.asarray(thresholds)))


def check_one_limit(contamination: Any, target_fpr: Any) -> None:
    """Check that at most one of two parameters sets the threshold.

    Raises
    ------
    ParameterError
        If both do.
    """
    if contamination != "auto" and target_fpr != DEFAULT_FPR:
        raise ParameterError(
            f"contamination={shown(contamination)} and target_fpr={shown(target_fpr)}: each sets "
            "the threshold; give one of them, or contamination alone and "
            "predict(X, target_fpr=...)"
        )


def warn_of_few(n_calibration: int, rate: float) -> None:
    """Issue a CalibrationWarning if there are too few calibration rows for a rate."""
    least = 1 / (n_calibration + 1)
    if rate < least * (1 - 1e-9):
        warnings.warn(
            f"a false-positive rate of {rate:g} cannot be guaranteed with {n_calibration} "
            f"calibration rows: the least is 1/{n_calibration + 1} = {least:.2g}; the threshold "
            "is extrapolated from the highest calibration scores",
            CalibrationWarning,
            stacklevel=caller_level(),
        )


def check_scores(scores: Any) -> np.ndarray:
    """Return scores as an array of float64.

    Raises
    ------
    DataError
        If they are not numbers, or one is NaN.
    """
    try:
        values = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(f"scores={shown(scores)}: must be numbers") from error
    wrong = np.isnan(values)
    if wrong.any():
        where = f"score {int(wrong.ravel().argmax())} of {values.size}" if values.ndim else "score"
        raise DataError(f"{where} is nan: must be a number")
    return values
