"""Metrics and times of a fit."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from results import Result
from sklearn.metrics import average_precision_score, roc_auc_score

LEVELS = (0.01, 0.05, 0.10)  # at which the calibration of p-values is checked


def measure_augan(
    train: Any, test: Any, y: NDArray[np.int64], seed: int, **params: Any
) -> tuple[Any, Result]:
    """Return a detector fitted with `params`, and its figures."""
    from augan import FAnoGAN

    detector = FAnoGAN(random_state=seed, **params)
    fitting, _ = timed("fit", detector.fit, train)
    scoring, scores = timed("score", detector.anomaly_score, test)
    p_values = detector.p_value_of(scores[y == 0])
    calibration = {
        "p_value_rates": {str(level): float((p_values <= level).mean()) for level in LEVELS},
        "n_test_normals": len(p_values),
        "n_calibration": detector.n_calibration_,
    }
    return detector, quality(y, scores) | fitting | scoring | calibration


def quality(y: NDArray[np.int64], scores: NDArray[np.float64]) -> Result:
    """Return how well scores (n,) rank anomalies, y = 1, above the rest."""
    return {
        "auroc": round(float(roc_auc_score(y, scores)), 6),
        "ap": round(float(average_precision_score(y, scores)), 6),
    }


def timed(name: str, function: Callable[..., Any], *arguments: Any) -> tuple[Result, Any]:
    """Return CPU seconds, which other work on the machine leaves alone, wall seconds, result."""
    wall, processor = time.perf_counter(), time.process_time()
    result = function(*arguments)
    seconds = {
        f"{name}_seconds": round(time.process_time() - processor, 3),
        f"{name}_wall_seconds": round(time.perf_counter() - wall, 3),
    }
    return seconds, result


def sizes(train: Any, test: Any, y: NDArray[np.int64]) -> Result:
    """Return how many rows were trained on and scored."""
    columns = int(np.prod(train.shape[1:]))
    counts = {"n_train": len(train), "columns": columns, "n_test": len(test)}
    return counts | {"test_anomalies": int(y.sum())}
