"""Heat maps as files: overlays on the images, and masks of the pixels above the threshold."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from augan._files import naming
from augan.io.images import as_bytes, new_folder
from augan.pictures import overlay

LONGEST_NAME = 255  # bytes, the limit of most file systems
WriteHeatmap = Callable[[str, NDArray[Any], NDArray[Any], bool], None]


@contextlib.contextmanager
def open_heatmap_folder(
    folder: Path, *, limit: float, low: float, high: float
) -> Iterator[WriteHeatmap]:
    """Yield a function that writes the heatmap of an image: ``write(name, image, heat, flagged)``.

    The folder ``overlays`` holds the images with their heat maps on top. The folder ``masks``
    holds the pixels above `limit`, white on black; the masks of images that are not flagged are
    black. The folder is created when all files are written.

    Parameters
    ----------
    folder : Path
        The new folder.
    limit : float
        Heat above which a pixel belongs to the mask.
    low, high : float
        Range of the pixels of images that are not bytes.

    Raises
    ------
    ParameterError
        If `folder` exists and is not empty.
    """
    with new_folder(folder) as temporary:

        def write(name: str, image: NDArray[Any], heat: NDArray[Any], flagged: bool) -> None:
            height, width = image.shape[:2]
            resized = Image.fromarray(heat.astype(np.float32)).resize(
                (width, height), Image.Resampling.BILINEAR
            )
            hot = np.asarray(resized)
            shown = overlay(as_bytes(image, low, high), hot, limit)
            _save(shown, temporary / "overlays" / _with_ending(name))
            mask = (hot > limit) & flagged
            _save((255 * mask).astype(np.uint8), temporary / "masks" / _with_ending(name))

        yield write


def _with_ending(name: str) -> Path:
    """Return the name of a picture; a name that is too long is shortened and gets a hash."""
    file = Path(f"{name}.png")
    written = os.fsencode(file.name)
    if len(written) <= LONGEST_NAME:
        return file
    number = hashlib.sha256(written).hexdigest()[:16]
    start = written[: LONGEST_NAME - 24].decode("utf-8", "ignore")
    return file.with_name(f"{start}-{number}.png")


def _save(pixels: NDArray[np.uint8], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with naming(file):
        Image.fromarray(pixels).save(file)
