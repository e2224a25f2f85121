"""Reading and writing of a model file's manifest and tensors, whatever model they are of."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

from safetensors.torch import save as save_tensors
from torch import Tensor

from augan._files import atomic_path
from augan.io.archive import (
    FORMAT_VERSION,
    FORMATS,
    MANIFEST,
    WEIGHTS,
    read_model_file,
    write_archive,
)
from augan.io.schema import parse_manifest
from augan.io.tensors import read_tensors


def write_model(
    path: str | os.PathLike[str], facts: dict[str, Any], tensors: dict[str, Tensor]
) -> None:
    """Write a model file, whole or not at all.

    Parameters
    ----------
    path : path-like
        The file.
    facts : dict
        The manifest, but for format version and checksum.
    tensors : dict of str to Tensor
        The weights.

    Raises
    ------
    ModelFileError
        When the file could not be read again; it is not written.
    OSError
        When the file cannot be written.
    """
    weights = save_tensors({name: value.cpu().contiguous() for name, value in tensors.items()})
    digest = hashlib.sha256(weights).hexdigest()
    manifest = {"format_version": FORMAT_VERSION, **facts, "weights_sha256": digest}
    text = json.dumps(manifest, indent=1, allow_nan=False)
    parse_manifest(path, text.encode(), FORMATS)
    with atomic_path(path) as temporary:
        write_archive(temporary, {MANIFEST: text, WEIGHTS: weights})


def read_model(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the manifest and the tensors of a model file.

    Raises
    ------
    ModelFileError
        When the file is missing, damaged, unsafe or of another format version.
    SafetensorError, ValueError
        When the weights are none.
    """
    manifest, weights = read_model_file(path)
    return manifest, read_tensors(weights)
