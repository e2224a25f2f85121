"""Heat maps as files: overlays on the images, and masks of the pixels above the threshold."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from augan._files import naming
from augan.io.images import as_bytes, named_after, new_folder
from augan.pictures import overlay

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
            file = named_after(name, ".png")
            _save(shown, temporary / "overlays" / file)
            mask = (hot > limit) & flagged
            _save((255 * mask).astype(np.uint8), temporary / "masks" / file)

        yield write


def _save(pixels: NDArray[np.uint8], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with naming(file):
        Image.fromarray(pixels).save(file)
