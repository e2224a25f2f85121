"""Pixels of image files of more than 8 bits, and whether pixels have colours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augan.io.image_head import Head, opened

SAMPLED = 64  # pixels per side that are checked for colour
TINT = 1 / 16  # difference of channels, relative to the brightest pixel, that counts as colour


def read_deep(file: Path, head: Head) -> NDArray[Any]:
    """Return pixels (H, W) or (H, W, C) of more than 8 bits, rotated but not resized."""
    if head.reader == "pillow":
        with opened(file, head.page) as image:
            pixels = np.asarray(image).astype(head.dtype)
    elif head.reader == "png":
        import imagecodecs

        pixels = imagecodecs.png_decode(file.read_bytes())
    else:
        pixels = _read_tiff(file, head)
    turned = {2: (0, 1), 3: (2, 0), 4: (2, 1), 5: (3, 1), 6: (3, 0), 7: (1, 1), 8: (1, 0)}
    quarters, mirrored = turned.get(head.orientation, (0, 0))
    pixels = np.rot90(pixels, quarters)
    return pixels[:, ::-1] if mirrored else pixels


def _read_tiff(file: Path, head: Head) -> NDArray[Any]:
    import tifffile

    with tifffile.TiffFile(file) as tiff:
        page: Any = tiff.pages[head.page]
        pixels: NDArray[Any] = page.asarray(maxworkers=1)
        if page.axes.startswith("S"):
            pixels = np.moveaxis(pixels, 0, -1)
        if int(page.photometric) == 0 and pixels.dtype.kind == "u":
            pixels = np.asarray(2**page.bitspersample - 1 - pixels, dtype=pixels.dtype)
    return pixels


def has_colour(pixels: NDArray[Any]) -> bool:
    """Whether red, green and blue differ in some pixel of an evenly spaced sample."""
    if pixels.ndim < 3 or pixels.shape[2] < 3:
        return False
    height, width = pixels.shape[:2]
    few = pixels[:: -(-height // SAMPLED), :: -(-width // SAMPLED), :3].astype(np.float64)
    return bool((np.ptp(few, axis=2) > TINT * np.abs(few).max()).any())
