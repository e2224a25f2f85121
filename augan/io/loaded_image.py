"""Images in memory, which are brought to a form as files are: arrays, and images of Pillow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from augan.exceptions import DataError
from augan.io.decoding import (
    DAMAGED,
    Form,
    byte_pixels,
    check_dtype,
    check_finite,
    formed,
    upright,
)
from augan.io.deep_pixels import has_colour
from augan.io.image_head import DTYPES, kind_of

CHANNELS = {1: 1, 2: 4, 3: 3, 4: 4}  # of a form, by those of an array


@dataclass(frozen=True)
class LoadedImage:
    """An image in memory.

    Attributes
    ----------
    name : str
        What messages call the image.
    form : Form
        Its size, channels and dtype.
    pixels : Image or ndarray of shape (H, W) or (H, W, C)
        Pixels of 8 bits as an image of Pillow, others as an array.
    """

    name: str
    form: Form
    pixels: Image.Image | NDArray[Any]

    def pixels_in(
        self, form: Form, *, on_colour: Callable[[object], None] | None = None
    ) -> NDArray[Any]:
        """Return the pixels in a form, as `augan.io.decoding.read_image` does.

        Raises
        ------
        DataError
            If they are of another dtype, or not finite.
        """
        check_dtype(self.name, self.form.dtype, form)
        if isinstance(self.pixels, Image.Image):
            lost = None if on_colour is None else lambda: on_colour(self.name)
            return byte_pixels(self.pixels, form, on_colour=lost)
        if on_colour is not None and form.channels == 1 and has_colour(self.pixels):
            on_colour(self.name)
        pixels = formed(self.pixels, form)
        if pixels.dtype.kind == "f":
            check_finite(self.name, pixels)
        return pixels


def loaded_image(name: str, given: Any) -> LoadedImage:
    """Return an array (H, W) or (H, W, C), or an image of Pillow, as a `LoadedImage`.

    Raises
    ------
    DataError
        If it is not an image, or of a kind that is not read.
    """
    if isinstance(given, Image.Image):
        return _of_pillow(name, given)
    try:
        pixels = np.asarray(given)
    except (ValueError, TypeError) as error:
        raise DataError(f"{name}: {error}") from error
    if pixels.dtype not in ("bool", "uint8", *DTYPES):
        kinds = ", ".join(("uint8", *DTYPES))
        raise DataError(f"{name}: pixels of type {pixels.dtype}: must be {kinds}")
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in CHANNELS):
        raise DataError(
            f"{name}: an array of shape {pixels.shape}: must be (H, W) or (H, W, C), with 1 to 4 "
            "channels"
        )
    if pixels.size == 0:
        raise DataError(f"{name}: an array of shape {pixels.shape}: has no pixel")
    pixels = pixels[..., 0] if pixels.shape[2:] == (1,) else pixels
    if pixels.dtype in ("bool", "uint8"):
        return _of_pillow(name, Image.fromarray(np.ascontiguousarray(pixels)))
    channels = CHANNELS[pixels.shape[2] if pixels.ndim == 3 else 1]
    form = Form(pixels.shape[0], pixels.shape[1], channels, str(pixels.dtype))
    return LoadedImage(name, form, pixels)


def _of_pillow(name: str, image: Image.Image) -> LoadedImage:
    try:
        image.load()
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except DAMAGED as error:
        raise DataError(f"{name}: damaged: {str(error)[:120] or error!r}") from error
    image = upright(image, orientation)
    if image.mode == "F" or image.mode.startswith("I"):
        pixels = np.asarray(image)
        if image.mode.startswith("I;16"):
            pixels = pixels.astype(np.uint16)
        return LoadedImage(name, Form.of(pixels.shape, str(pixels.dtype)), pixels)
    return LoadedImage(name, Form(image.height, image.width, *kind_of(image)), image)
