"""What a detector says of rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Assessment(NamedTuple):
    """All that one pass over n rows gives; see the methods of `FAnoGAN` of the same names."""

    anomaly_score: Floats  # (n,), higher = more abnormal
    p_value: Floats  # (n,)
    score_parts: pd.DataFrame  # (n, heads)
    explanation: pd.DataFrame | Floats | None  # (n, columns), or heat (n, H, W)
