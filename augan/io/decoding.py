"""Decoding of an image file to an array of a given size, number of channels and dtype."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from augan._files import check_file
from augan.exceptions import DataError, DataWarning
from augan.io.budget import Budget
from augan.io.deep_pixels import has_colour, read_deep
from augan.io.image_head import FORMATS, Head, opened, read_head
from augan.io.image_options import ImageOptions
from augan.io.libtiff import caught_messages

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
GREY = np.array([0.299, 0.587, 0.114])  # of red, green and blue
DECODED_BYTES = 2**29  # of the images being decoded at the same time
MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # of Pillow, by the number of channels
LARGE = DECODED_BYTES // 4  # larger images are decoded in a new thread
DECODING = Budget(DECODED_BYTES)
UPRIGHT = {  # transformations by EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
DAMAGED = (  # errors that Pillow, tifffile and imagecodecs raise for damaged files
    *(OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, TypeError),
    *(OverflowError, AttributeError, ArithmeticError, AssertionError, RuntimeError, MemoryError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
    UserWarning,  # where warnings are errors
)


@dataclass(frozen=True)
class Form:
    """Size, number of channels (1 grey, 3 RGB, 4 RGBA) and dtype of images."""

    height: int
    width: int
    channels: int
    dtype: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array."""
        size = (self.height, self.width)
        return size if self.channels == 1 else (*size, self.channels)

    @property
    def n_bytes(self) -> int:
        """Bytes of the array."""
        return self.height * self.width * self.channels * np.dtype(self.dtype).itemsize

    @classmethod
    def of(cls, shape: tuple[int, ...], dtype: str) -> Form:
        """Return the form of arrays of a shape (H, W) or (H, W, C)."""
        return cls(shape[0], shape[1], shape[2] if len(shape) == 3 else 1, dtype)


def read_form(file: Path, options: ImageOptions | None = None) -> Form:
    """Return the form of an image from the header of its file.

    Raises
    ------
    DataError
        If the file is missing, damaged or of a kind that is not read.
    """
    with _named_errors(file):
        head = read_head(file, options or ImageOptions())
    return Form(head.height, head.width, head.channels, head.dtype)


def read_image(
    file: Path,
    form: Form,
    options: ImageOptions | None = None,
    *,
    on_colour: Callable[[Path], None] | None = None,
) -> NDArray[Any]:
    """Return the pixels of a file in a form, rotated as its EXIF orientation says.

    Grey images become RGB and the other way round, transparency is left out where the form has
    none, and other sizes are resized. The dtype of the pixels has to be that of the form.

    Parameters
    ----------
    file : Path
        The image file.
    form : Form
        Size, channels and dtype of the result.
    options : ImageOptions, optional
        How the file is read.
    on_colour : callable, optional
        Called with `file` if its colours are lost because the form is grey.

    Returns
    -------
    ndarray of shape (H, W) or (H, W, C)

    Raises
    ------
    DataError
        If the file is damaged, its pixels are of another dtype or not finite.
    """
    with _named_errors(file):
        head = read_head(file, options or ImageOptions())
        check_dtype(file, head.dtype, form)
        if head.dtype == "uint8" and head.reader == "pillow":
            return _read_bytes(file, head, form, on_colour)
        n_bytes = 3 * head.height * head.width * head.channels * np.dtype(head.dtype).itemsize
        with DECODING.take(n_bytes):
            decode = partial(_formed_deep, file, head, form, on_colour)
            pixels = decode() if n_bytes <= LARGE else _apart(decode)
    if pixels.dtype.kind == "f":
        check_finite(file, pixels)
    return pixels


def is_lossy(file: Path) -> bool:
    """Whether a file is compressed with loss: a JPEG, or a WebP that is not lossless."""
    with file.open("rb") as handle:
        start = handle.read(16)
        if start[8:12] == b"WEBP":
            return b"VP8L" not in start + handle.read()
    return start[:2] == b"\xff\xd8"  # of a JPEG


def _read_bytes(
    file: Path, head: Head, form: Form, on_colour: Callable[[Path], None] | None
) -> NDArray[Any]:
    longest = max(form.height, form.width)
    with opened(file, head.page) as image:
        image.draft(None, (longest, longest))  # decodes a JPEG at a reduced size
        n_bytes = image.width * image.height * (4 if image.mode == MODES[form.channels] else 8)
        with DECODING.take(n_bytes):
            found = None if on_colour is None else partial(on_colour, file)
            decode = partial(byte_pixels, image, form, head.orientation, found)
            pixels = decode() if n_bytes <= LARGE else _apart(decode)
            image.close()  # frees the memory before others are decoded
    return pixels


def byte_pixels(
    image: Image.Image,
    form: Form,
    orientation: int = 1,
    on_colour: Callable[[], None] | None = None,
) -> NDArray[Any]:
    """Return the pixels of an image of 8 bits in a form, turned upright."""
    mode = MODES[form.channels]
    with caught_messages() as found:
        image.load()
    if found:
        warnings.warn(
            f"{image.filename}: may be damaged ({found[0]} reports an error)",  # type: ignore[attr-defined]
            DataWarning,
            stacklevel=2,
        )
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode != mode:
        if on_colour is not None and mode == "L" and has_colour(np.asarray(image.convert("RGB"))):
            on_colour()
        image = image.convert(mode)
    return np.asarray(_resized(upright(image, orientation), form))


def _apart(decode: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """Decode in a new thread.

    The C library keeps freed memory for the thread that had allocated it. Each long-lived thread
    would keep as much as its largest image needs.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(decode).result()


def _formed_deep(
    file: Path, head: Head, form: Form, on_colour: Callable[[Path], None] | None
) -> NDArray[Any]:
    pixels = read_deep(file, head)
    if on_colour is not None and form.channels == 1 and has_colour(pixels):
        on_colour(file)
    return formed(pixels, form)


def formed(pixels: NDArray[Any], form: Form) -> NDArray[Any]:
    """Return pixels (H, W[, C]) of more than 8 bits in a form."""
    planes = pixels.reshape(*pixels.shape[:2], -1)
    n_channels = planes.shape[2]
    colours, alpha = (planes, None) if n_channels in (1, 3) else (planes[..., :-1], planes[..., -1])
    if form.channels == 1 and colours.shape[2] == 3:
        colours = _cast((colours @ GREY)[..., None], form.dtype)
    if form.channels >= 3 and colours.shape[2] == 1:
        colours = np.repeat(colours, 3, axis=2)
    if form.channels == 4:
        full = 1 if colours.dtype.kind == "f" else np.iinfo(colours.dtype).max
        alpha = np.full(colours.shape[:2], full, colours.dtype) if alpha is None else alpha
        colours = np.concatenate([colours, alpha[..., None]], axis=2)
    if colours.shape[:2] != (form.height, form.width):
        scaled = [
            np.asarray(_resized(Image.fromarray(plane.astype(np.float32)), form))
            for plane in np.moveaxis(colours, 2, 0)
        ]
        colours = _cast(np.stack(scaled, axis=2), form.dtype)
    return np.ascontiguousarray(colours.reshape(form.shape))


def _cast(pixels: NDArray[Any], dtype: str) -> NDArray[Any]:
    """Return numbers as a type, rounded and within its bounds where it holds integers."""
    if np.dtype(dtype).kind == "f":
        return pixels.astype(dtype)
    bounds = np.iinfo(dtype)
    return pixels.astype(np.float64).round().clip(bounds.min, bounds.max).astype(dtype)


def check_dtype(file: object, dtype: str, form: Form) -> None:
    """Raise for an image, which messages call `file`, of another dtype than that of a form.

    Raises
    ------
    DataError
        If the dtypes differ.
    """
    if dtype != form.dtype:
        raise DataError(
            f"{file}: pixels of type {dtype}; the other images, or those of training, "
            f"have {form.dtype}"
        )


def check_finite(file: object, pixels: NDArray[Any]) -> None:
    """Raise for a pixel that is not finite, of an image that messages call `file`.

    Raises
    ------
    DataError
        If there is such a pixel.
    """
    fine = np.isfinite(pixels)
    if not fine.all():
        row, column = np.argwhere(~fine)[0][:2]
        raise DataError(f"{file}, row {row}, column {column}: {pixels[~fine][0]} is not finite")


def _resized(image: Image.Image, form: Form) -> Image.Image:
    size = (form.width, form.height)
    return image if image.size == size else image.resize(size, Image.Resampling.BILINEAR)


def upright(image: Image.Image, orientation: int) -> Image.Image:
    """Return an image turned upright."""
    method = UPRIGHT.get(orientation)
    return image if method is None else image.transpose(method)


class _named_errors:
    """Turns errors of the readers and the system into one line that names the file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __enter__(self) -> None:
        check_file(self.file)

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or isinstance(error, DataError) or not isinstance(error, DAMAGED):
            return
        if isinstance(error, PermissionError):
            return
        if isinstance(error, FileNotFoundError):
            reason = "no such file"
        elif isinstance(error, ModuleNotFoundError | ImportError):
            return
        elif isinstance(error, UnidentifiedImageError):
            empty = self.file.stat().st_size == 0
            one_of = f"not an image that can be read ({', '.join(FORMATS)})"
            reason = "the file is empty" if empty else one_of
        elif isinstance(error, MemoryError):
            reason = "not enough memory"
        else:
            reason = f"damaged: {str(error).splitlines()[0][:120] if str(error) else error!r}"
        raise DataError(f"{self.file}: {reason}") from error
