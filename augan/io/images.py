"""Images as files: PNG, a folder for each class."""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from augan.exceptions import ParameterError, shown
from augan.io.atomic import atomic_folder

WriteImages = Callable[..., None]


@contextlib.contextmanager
def open_image_folder(folder: Path, *, low: float, high: float) -> Iterator[WriteImages]:
    """Give a function that writes a batch of images (n, H, W[, C]), and their classes (n,) if any.

    Files are called ``000000.png`` and so on, below a folder for each class, with a `prefix` before
    the number if the function is given one; the folder appears
    when all are written. Pixels other than bytes are mapped from `low` and `high` to 0 and 255.

    Raises
    ------
    ParameterError
        When the folder is there and not empty, or two classes would share a folder.
    """
    counts: Counter[tuple[str, str]] = Counter()
    names: dict[str, Any] = {}

    def write(images: NDArray[Any], classes: NDArray[Any] | None, prefix: str = "") -> None:
        for i, pixels in enumerate(as_bytes(images, low, high)):
            label = None if classes is None else classes[i]
            below = "" if label is None else folder_name(label)
            if names.setdefault(below, label) != label:
                both = f"{shown(names[below])} and {shown(label)}"
                raise ParameterError(f"classes {both} would share the folder {shown(below)}")
            (temporary / below).mkdir(exist_ok=True)
            squeezed = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
            Image.fromarray(squeezed).save(
                temporary / below / f"{prefix}{counts[below, prefix]:06d}.png"
            )
            counts[below, prefix] += 1

    with new_folder(folder) as temporary:
        yield write


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder that becomes `folder` when all went well.

    Raises
    ------
    ParameterError
        When `folder` is there and not empty.
    """
    check_image_folder(folder)
    with atomic_folder(folder) as temporary:
        yield temporary


def check_image_folder(folder: Path) -> None:
    """Raise ParameterError where a folder of images cannot be made."""
    if os.path.lexists(folder):
        if not folder.is_dir() or any(folder.iterdir()):
            raise ParameterError(f"{folder}: exists already; images go to a new folder")
        if folder.samefile("."):
            raise ParameterError(f"{folder}: the working directory; images go to a new folder")
    if not folder.parent.is_dir():
        raise ParameterError(f"{folder}: no folder {folder.parent}")


def as_bytes(images: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Return images as bytes."""
    if images.dtype == np.uint8:
        return images
    shares = (images.astype(np.float64) - low) / (high - low)
    return np.round(255 * shares.clip(0, 1)).astype(np.uint8)


def folder_name(label: Any) -> str:
    """Return what the folder of a class is called."""
    return re.sub(r"[^\w.+-]", "_", str(label)).lstrip(".") or "_"
