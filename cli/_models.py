"""Models of the kind that a command needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def load_detector(path: Path, device: str | None) -> Any:
    """Return the detector in a file; ModelFileError for a sampler."""
    from augan.exceptions import ModelFileError
    from augan.io.model_file import load

    estimator = load(path, device=device)
    if not hasattr(estimator, "anomaly_score"):
        raise ModelFileError(
            f"{path}: a {type(estimator).__name__}, which makes rows and scores none; "
            "augan fit with --normal trains a detector"
        )
    return estimator
