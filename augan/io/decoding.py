"""One image file to an array: whatever the format, upright, of the form that is asked for."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from augan.exceptions import DataError

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap height and width
GREY_16 = ("I;16", "I;16B", "I;16L", "I")
DAMAGED = (  # what Pillow makes of strange bytes
    *(OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, TypeError),
    *(OverflowError, struct.error, zlib.error, Image.DecompressionBombError),
)


@dataclass(frozen=True)
class Form:
    """What images look like: size, 1 (grey), 3 (RGB) or 4 (RGBA) channels, and dtype."""

    height: int
    width: int
    channels: int
    dtype: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        size = (self.height, self.width)
        return size if self.channels == 1 else (*size, self.channels)

    @classmethod
    def of(cls, shape: tuple[int, ...], dtype: str) -> Form:
        """Return the form of arrays of a shape (H, W) or (H, W, C)."""
        return cls(shape[0], shape[1], shape[2] if len(shape) == 3 else 1, dtype)


def read_form(file: Path) -> Form:
    """Return the form of an image from the head of its file; DataError says what is wrong."""
    with _named_errors(file), Image.open(file) as image:
        width, height = image.size
        if image.getexif().get(ExifTags.Base.Orientation) in SIDEWAYS:
            width, height = height, width
        return Form(height, width, *_kind(image))


def read_image(file: Path, form: Form) -> NDArray[Any]:
    """Return the pixels of a file, turned upright, in a form.

    Grey images become RGB and the other way round, transparency is left out where the form has
    none, and other sizes are scaled. The number of bits has to be that of the form.
    """
    with _named_errors(file), Image.open(file) as image:
        _, dtype = _kind(image)
        if dtype != form.dtype:
            raise DataError(f"{file}: pixels of type {dtype}, the others are {form.dtype}")
        longest = max(form.height, form.width)
        image.draft(None, (longest, longest))  # of a JPEG, no more is decoded than is needed
        mode = {1: "L", 3: "RGB", 4: "RGBA"}[form.channels] if dtype == "uint8" else "F"
        pixels = np.asarray(_resized(ImageOps.exif_transpose(image.convert(mode)), form))
    if pixels.dtype != dtype:
        pixels = pixels.round().clip(0, np.iinfo(dtype).max).astype(dtype)
    if pixels.shape != form.shape:
        pixels = np.repeat(pixels[:, :, None], form.channels, axis=2)
    return pixels


def _resized(image: Image.Image, form: Form) -> Image.Image:
    size = (form.width, form.height)
    return image if image.size == size else image.resize(size, Image.Resampling.BILINEAR)


def _kind(image: Image.Image) -> tuple[int, str]:
    """Return how many channels an image has, and of which type."""
    if image.mode in GREY_16:
        return 1, "uint16"
    if image.mode == "F":
        return 1, "float32"
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        return 4, "uint8"
    return (1 if image.mode in ("L", "1") else 3), "uint8"


class _named_errors:
    """Turns what Pillow and the system say into one line that names the file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or isinstance(error, DataError) or not isinstance(error, DAMAGED):
            return
        if isinstance(error, PermissionError):
            return
        if isinstance(error, FileNotFoundError):
            reason = "no such file"
        elif isinstance(error, UnidentifiedImageError):
            empty = self.file.stat().st_size == 0
            reason = "the file is empty" if empty else "not an image that can be read"
        elif isinstance(error, Image.DecompressionBombError):
            reason = f"too large: {error}"
        else:
            reason = f"damaged: {str(error).splitlines()[0] if str(error) else error!r}"
        raise DataError(f"{self.file}: {reason}") from error
