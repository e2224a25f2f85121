"""Checkpoints: the full state of a run, in a file that is replaced atomically."""

from __future__ import annotations

import hashlib
import io
import os
import time
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from augan._callers import caller_level
from augan._files import atomic_path, check_file, check_writable
from augan.exceptions import CheckpointError, TrainingWarning, shown
from augan.training.rows import LazyRows

FORMAT = 1
HASHED_AT_ONCE = 256  # rows
KINDS: dict[str, type | tuple[type, ...]] = {
    "identity": dict,
    "phase": str,
    "progress": dict,
    "seconds_before": (int, float),
    "state": dict,
    "history": list,
}
KEYS = {"format", "identity", "phase", "progress", "seconds_before", "state", "history"}


class Checkpointer:
    """Writes a checkpoint to `path`, at most one every `interval` seconds unless forced.

    A checkpoint is loaded without unpickling objects (``weights_only``).
    """

    def __init__(self, path: str | os.PathLike[str], interval: float, identity: dict[str, Any]):
        self.path = Path(path)
        check_writable(self.path)  # before training, not after the first interval
        self.interval = interval
        self.identity = identity
        self._written_at = time.monotonic()
        self._has_warned = False

    def write(self, content: dict[str, Any], *, force: bool = False) -> None:
        """Write the checkpoint if the interval has passed, or with `force`.

        If it cannot be written (no space left), the previous one is kept, a TrainingWarning is
        issued once, and training goes on.
        """
        if not force and time.monotonic() - self._written_at < self.interval:
            return
        self._written_at = time.monotonic()
        buffer = io.BytesIO()
        torch.save({"format": FORMAT, "identity": _plain(self.identity), **content}, buffer)
        try:
            with atomic_path(self.path) as temporary:
                temporary.write_bytes(buffer.getvalue())
        except OSError as error:
            self._warn(error)

    def _warn(self, error: OSError) -> None:
        if not self._has_warned:
            self._has_warned = True
            kept = "the previous one is kept" if self.path.exists() else "there is none"
            warnings.warn(
                f"{self.path}: the checkpoint could not be written ({error.strerror or error}); "
                f"{kept}, and training goes on",
                TrainingWarning,
                stacklevel=caller_level(),
            )


def read_checkpoint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the content of a checkpoint.

    Raises
    ------
    CheckpointError
        If the file does not exist, cannot be read, or is not a checkpoint.
    """
    check_file(path, CheckpointError)
    try:
        with zipfile.ZipFile(path) as archive:
            _check_sizes(path, archive)
            if archive.testzip() is not None:
                raise CheckpointError(f"{path}: damaged, its checksum is wrong")
        content = torch.load(path, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: there is no checkpoint to resume from") from error
    except PermissionError as error:
        raise CheckpointError(f"{path}: {error.strerror}") from error
    except Exception as error:  # unpickling of damaged bytes may raise any error
        raise CheckpointError(f"{path}: damaged, or not a checkpoint") from error
    known = isinstance(content, dict) and not KEYS - set(content) and content["format"] == FORMAT
    if not known or not all(isinstance(content[key], kind) for key, kind in KINDS.items()):
        raise CheckpointError(f"{path}: not a checkpoint that this version of augan can read")
    if not isinstance(content["identity"].get("seed"), int):
        raise CheckpointError(f"{path}: damaged, it has no seed")
    return content


def _check_sizes(path: str | os.PathLike[str], archive: zipfile.ZipFile) -> None:
    """Raise CheckpointError for compressed archives: torch does not compress, an attack might."""
    members = archive.infolist()
    packed = any(member.compress_type != zipfile.ZIP_STORED for member in members)
    if packed or sum(member.file_size for member in members) > Path(path).stat().st_size:
        raise CheckpointError(f"{path}: damaged, or not a checkpoint (it is compressed)")


def check_identity(path: str | os.PathLike[str], found: Any, expected: dict[str, Any]) -> None:
    """Check that a checkpoint belongs to this run.

    Raises
    ------
    CheckpointError
        If settings or data differ; the message lists them.
    """
    expected = _plain(expected)
    if found == expected:
        return
    names = [name for name in expected if found.get(name) != expected[name]]
    details = ", ".join(
        f"{name} ({shown(found.get(name))}, now {shown(expected[name])})" for name in names or found
    )
    raise CheckpointError(f"{path}: made by a run with other settings or data: {details}")


def _plain(identity: dict[str, Any]) -> dict[str, Any]:
    """Return values with numpy's numbers converted to Python's, which a checkpoint can hold."""
    return {k: v.item() if isinstance(v, np.generic) else v for k, v in identity.items()}


def fingerprint(*data: Tensor | LazyRows) -> str:
    """Return a hash of training and held-out rows."""
    digest = hashlib.sha256()
    for rows in data:
        for part in [rows] if isinstance(rows, Tensor) else rows.split(HASHED_AT_ONCE):
            digest.update(str((part.dtype, tuple(part.shape))).encode())
            digest.update(np.ascontiguousarray(part.detach().cpu().numpy()).data)
    return digest.hexdigest()[:16]
