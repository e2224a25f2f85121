"""Copies of model files with another threshold; no part of the model is built."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from augan._files import atomic_path
from augan.io.archive import FORMATS, MANIFEST, WEIGHTS, read_model_file, write_archive
from augan.io.schema import parse_manifest


def copy_with_threshold(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    threshold: float,
    context: Mapping[str, Any],
) -> None:
    """Write a copy of a detector's file with another threshold, whole or not at all.

    Parameters
    ----------
    source, target : path-like
        The model file, and the file to write.
    threshold : float
        Score above which a row is an anomaly.
    context : mapping
        JSON values to store with the model, beside those that it has.

    Raises
    ------
    ModelFileError
        If the model file cannot be read, or the copy could not be.
    OSError
        If the file cannot be written.
    """
    manifest, weights = read_model_file(source)
    manifest["parts"]["offset"] = -float(threshold)
    manifest["context"] |= context
    text = json.dumps(manifest, indent=1, allow_nan=False)
    parse_manifest(target, text.encode(), FORMATS)
    with atomic_path(target) as temporary:
        write_archive(temporary, {MANIFEST: text, WEIGHTS: weights})
