"""Rounding to steps and scaling by powers of two, both exact in float64."""

from __future__ import annotations

import numpy as np

from augan.codecs.cells import Array


def rounded(numbers: Array, step: float) -> Array:
    """Round to multiples of `step`, or to decimals if it is below one."""
    if step >= 1:
        return np.round(numbers / step) * step
    decimals = round(-np.log10(step))
    large = np.abs(numbers) >= 2.0**52  # has no decimals, and multiplying it could overflow
    return np.where(large, numbers, np.round(np.where(large, 0, numbers), decimals))


def power_of_two(values: Array) -> float:
    """Return 1, or for very large or small values a power of two to divide them by.

    The division is exact, and prevents overflow and underflow.
    """
    largest = float(np.abs(values).max())
    usual = largest == 0 or 2.0**-500 < largest < 2.0**500
    return 1.0 if usual else 2.0 ** (int(np.frexp(largest)[1]) - 1)
