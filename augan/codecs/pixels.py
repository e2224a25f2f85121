"""Range and validity of the pixels of images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from augan.exceptions import DataError

LARGEST = 1e37  # differences of larger pixels overflow in float32
KNOWN_RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (0.0, 65535.0))


def value_range(X: NDArray[Any]) -> tuple[float, float]:
    """Return a common range that the pixels use at least half of, else their own range."""
    low, high = float(X.min()), float(X.max())
    for known_low, known_high in KNOWN_RANGES:
        width = known_high - known_low
        if known_low <= low and high <= known_high and high - low >= width / 2:
            return known_low, known_high
    return (low, high) if high > low else (low, low + 1.0)


def check_finite(X: NDArray[Any]) -> None:
    """Check that all pixels are finite and not too large for float32.

    Raises
    ------
    DataError
        Naming the first pixel that is not.
    """
    if X.dtype.kind != "f":
        return
    limit = min(LARGEST, float(np.finfo(X.dtype).max))
    fine = np.abs(X) <= limit  # False for NaN as well
    if not fine.all():
        image, row, column = np.argwhere(~fine)[0][:3]
        value = X[~fine][0]
        what = "is too large" if np.isfinite(value) else "is not finite"
        raise DataError(f"image {image}, row {row}, column {column}: {value} {what}")
