"""Heatmaps as files: each laid over its image, and the mask of what is too hot."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from augan.io.images import as_bytes, new_folder
from augan.pictures import overlay

WriteHeatmap = Callable[[str, NDArray[Any], NDArray[Any], bool], None]


@contextlib.contextmanager
def open_heatmap_folder(
    folder: Path, *, limit: float, low: float, high: float
) -> Iterator[WriteHeatmap]:
    """Give a function that writes the heatmap of an image: ``write(name, image, heat, flagged)``.

    In ``overlays`` lies the image, of its own size, with its heat; in ``masks`` the pixels hotter
    than `limit`, white on black, of an image that is flagged, else only black. The folder appears
    when all are written. Pixels of images other than bytes lie between `low` and `high`.
    """
    with new_folder(folder) as temporary:

        def write(name: str, image: NDArray[Any], heat: NDArray[Any], flagged: bool) -> None:
            height, width = image.shape[:2]
            resized = Image.fromarray(heat.astype(np.float32)).resize(
                (width, height), Image.Resampling.BILINEAR
            )
            hot = np.asarray(resized)
            shown = overlay(as_bytes(image, low, high), hot, limit)
            _save(shown, temporary / "overlays" / f"{name}.png")
            mask = (hot > limit) & flagged
            _save((255 * mask).astype(np.uint8), temporary / "masks" / f"{name}.png")

        yield write


def _save(pixels: NDArray[np.uint8], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)
