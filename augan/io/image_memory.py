"""Memory for many images: an array, or a temporary file that is mapped to memory."""

from __future__ import annotations

import os
import tempfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augan.io.decoding import Form

MAPPED_BYTES = 2**30  # images that are larger together lie in a file


def room_for(n: int, form: Form) -> NDArray[Any]:
    """Return an uninitialised array for `n` images, mapped to a temporary file if it is large.

    Parameters
    ----------
    n : int
        Number of images.
    form : Form
        Shape and dtype of each.

    Returns
    -------
    ndarray of shape (n, H, W[, C])

    Raises
    ------
    OSError
        If the disk has no room for the file.
    """
    shape, dtype = (n, *form.shape), np.dtype(form.dtype)
    if n * form.n_bytes <= MAPPED_BYTES:
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile() as file:
        _reserve(file.fileno(), n * int(np.prod(form.shape)) * dtype.itemsize)
        return np.memmap(file, dtype, mode="w+", shape=shape)


def _reserve(file: int, n_bytes: int) -> None:
    """Allocate the space of a file now: a process is killed if a mapped file runs out of space.

    The error names the folder, which TMPDIR can change.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(file, 0, n_bytes)
    except OSError as error:
        message = f"{error.strerror} for {n_bytes / 1e9:.1f} GB of images (TMPDIR: another folder)"
        raise OSError(error.errno, message, tempfile.gettempdir()) from error
