"""Checkpoints: everything that the rest of a run depends on, replaced atomically."""

from __future__ import annotations

import hashlib
import os
import pickle
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from augan.exceptions import CheckpointError
from augan.io.atomic import atomic_path

FORMAT = 1


class Checkpointer:
    """Writes a checkpoint to `path`, at most one every `interval` seconds unless forced.

    A checkpoint is loaded without unpickling objects (``weights_only``).
    """

    def __init__(self, path: str | os.PathLike[str], interval: float, identity: dict[str, Any]):
        self.path = Path(path)
        self.interval = interval
        self.identity = identity
        self._written_at = time.monotonic()

    def write(self, content: dict[str, Any], *, force: bool = False) -> None:
        """Replace the checkpoint if it is due, or `force`."""
        if not force and time.monotonic() - self._written_at < self.interval:
            return
        with atomic_path(self.path) as temporary:
            torch.save({"format": FORMAT, "identity": self.identity, **content}, temporary)
        self._written_at = time.monotonic()


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return a checkpoint's content; CheckpointError says what is wrong with the file."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: there is no checkpoint to resume from") from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path}: damaged, or not a checkpoint") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise CheckpointError(f"{path}: not a checkpoint that this version of augan can read")
    return content


def check_identity(path: str | os.PathLike[str], found: Any, expected: dict[str, Any]) -> None:
    """Refuse a checkpoint of another run; name what differs."""
    if found == expected:
        return
    names = [name for name in expected if found.get(name) != expected[name]]
    details = ", ".join(
        f"{name} ({found.get(name)!r}, now {expected[name]!r})" for name in names or found
    )
    raise CheckpointError(f"{path}: made by a run with other settings or data: {details}")


def fingerprint(data: Tensor) -> str:
    """Return a hash of the training data."""
    return hashlib.sha256(data.detach().cpu().numpy().tobytes()).hexdigest()[:16]
