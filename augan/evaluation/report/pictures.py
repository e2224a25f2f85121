"""Images of a report, embedded in the page."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from augan.pictures import overlay

SIDE = 240  # largest side in pixels
SMALL_SIDE = 64  # images up to this side are enlarged and saved without loss

Pixels = NDArray[np.uint8]


def picture(pixels: Pixels) -> str:
    """Return a grey, RGB or RGBA image (H, W[, C]) of bytes as a ``data:`` URL."""
    return _address(_scaled(pixels), small=_is_small(pixels))


def heat_picture(pixels: Pixels, heat: NDArray[Any], limit: float) -> str:
    """Return an image with its heatmap (h, w) on top, regions above `limit` outlined."""
    scaled = _scaled(pixels)
    resized = Image.fromarray(heat.astype(np.float32)).resize(
        scaled.size, Image.Resampling.BILINEAR
    )
    shown = overlay(np.asarray(scaled), np.asarray(resized), limit)
    return _address(Image.fromarray(shown), small=_is_small(pixels))


def _is_small(pixels: Pixels) -> bool:
    return max(pixels.shape[:2]) <= SMALL_SIDE


def _scaled(pixels: Pixels) -> Image.Image:
    """Return an image resized to at most `SIDE` pixels; small ones are enlarged by a factor."""
    squeezed = pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    image = Image.fromarray(squeezed)
    if _is_small(pixels):
        times = SIDE // max(image.size)
        return image.resize([side * times for side in image.size], Image.Resampling.NEAREST)
    image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return image


def _address(image: Image.Image, *, small: bool) -> str:
    file = io.BytesIO()
    if small:
        image.save(file, "PNG", optimize=True)
    else:
        image.convert("RGB").save(file, "JPEG", quality=85)
    encoded = base64.b64encode(file.getvalue()).decode()
    return f"data:image/{'png' if small else 'jpeg'};base64,{encoded}"
