"""The results of a detector for rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Assessment(NamedTuple):
    """Results of one pass over n rows; see the methods of the detector with the same names."""

    anomaly_score: Floats  # (n,), higher = more abnormal
    p_value: Floats  # (n,)
    score_parts: Any  # DataFrame (n, heads) of the index and library of the rows, or pandas'
    explanation: Any  # the same (n, columns), or heat (n, H, W); None where not asked for
    surprise: Any = None  # the same (n, columns), in nats; None without the head "surprise"
