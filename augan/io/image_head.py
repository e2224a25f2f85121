"""Headers of image files, read without decoding pixels."""

from __future__ import annotations

import contextlib
import logging
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image

from augan.exceptions import DataError
from augan.io.image_options import ImageOptions
from augan.io.libtiff import caught_messages

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")  # that Pillow may open
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap height and width
PAGES_OF_OTHERS = 1 | 4  # TIFF's bits for a smaller copy and for a mask of another page
PHOTOMETRICS = {0: "white is 0", 1: "black is 0", 2: "RGB"}  # that deep TIFFs may have
DTYPES = ("int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64")
_OPENING = threading.Lock()

logging.getLogger("tifffile").addHandler(logging.NullHandler())


@dataclass(frozen=True)
class Head:
    """Size, channels and dtype of an image, and how it is decoded.

    Attributes
    ----------
    height, width : int
        Size after rotation by the EXIF orientation.
    channels : {1, 3, 4}
        Grey, RGB or RGBA.
    dtype : str
        Type of the pixels.
    orientation : int
        EXIF orientation, 1 to 8.
    reader : {"pillow", "png", "tiff"}
        What decodes the image.
    page : int, default=0
        Index among all images of the file.
    """

    height: int
    width: int
    channels: int
    dtype: str
    orientation: int
    reader: str
    page: int = 0


def read_head(file: Path, options: ImageOptions) -> Head:
    """Return the header of an image file.

    Raises
    ------
    DataError
        If the image is too large, of a kind that is not read, or `options.page` is wrong.
    """
    with file.open("rb") as handle:
        start = handle.read(26)
    if start[:4] in TIFF_STARTS:
        return _tiff_head(file, options)
    with opened(file) as image:
        _check_size(file, image.size, options)
        n_images = getattr(image, "n_frames", 1) if image.format in ("PNG", "WEBP") else 1
        page = _chosen(file, list(range(n_images)), options)
        orientation = _orientation(file, image)
        width, height = _upright(image.size, orientation)
        if start[12:16] == b"IHDR" and start[24] == 16 and start[25] != 0:
            if page:
                raise DataError(f"{file}: pages of a 16-bit animation cannot be read")
            channels = 4 if start[25] & 4 else 3
            return Head(height, width, channels, "uint16", orientation, "png")
        return Head(height, width, *kind_of(image), orientation, "pillow", page)


@contextlib.contextmanager
def opened(file: Path, page: int = 0) -> Iterator[Image.Image]:
    """Yield an image opened by Pillow, without Pillow's own limit on its size."""
    with _OPENING, caught_messages():
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            image = Image.open(file, formats=FORMATS)
            if page:
                image.seek(page)
        finally:
            Image.MAX_IMAGE_PIXELS = limit
    with image:
        yield image


def _check_size(file: Path, size: tuple[int, int], options: ImageOptions) -> None:
    n_pixels = size[0] * size[1]
    if n_pixels > options.max_pixels:
        raise DataError(
            f"{file}: too large: {size[0]}x{size[1]} = {n_pixels} pixels, "
            f"the limit is {options.max_pixels} (--max-pixels)"
        )


def _chosen(file: Path, images: list[int], options: ImageOptions) -> int:
    """Return the index of the requested image among those in a file."""
    if options.page is None:
        if len(images) > 1:
            raise DataError(
                f"{file}: holds {len(images)} images; --page N reads one of them, counted from 0"
            )
        return images[0]
    if options.page >= len(images):
        raise DataError(f"{file}: no page {options.page}, it holds {len(images)} images")
    return images[options.page]


def _upright(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    return size[::-1] if orientation in SIDEWAYS else size


def kind_of(image: Image.Image) -> tuple[int, str]:
    """Return the number of channels and the dtype of an image that Pillow opened."""
    if image.mode.startswith("I"):
        return 1, "uint16"
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        return 4, "uint8"
    return (1 if image.mode in ("L", "1") else 3), "uint8"


def _orientation(file: Path, image: Image.Image) -> int:
    """Return the EXIF orientation of an image, 1 to 8.

    Pillow would decode the whole PNG to look for it at the end; this is done only if the file has
    such a chunk.
    """
    late = image.format == "PNG" and "exif" not in image.info and _has_chunk(file, b"eXIf")
    exif = image.getexif() if late else Image.Image.getexif(image)
    value = exif.get(ExifTags.Base.Orientation, 1)
    return value if value in range(1, 9) else 1


def _has_chunk(file: Path, kind: bytes) -> bool:
    """Whether a PNG has a chunk of a kind."""
    with file.open("rb") as handle:
        handle.seek(8)
        while len(head := handle.read(8)) == 8:
            length, found = struct.unpack(">I4s", head)
            if found == kind:
                return True
            handle.seek(length + 4, 1)
    return False


def _tiff_head(file: Path, options: ImageOptions) -> Head:
    import tifffile

    with tifffile.TiffFile(file) as tiff:
        pages: Any = list(tiff.pages)
        wholes = [i for i, page in enumerate(pages) if not page.subfiletype & PAGES_OF_OTHERS]
        chosen = _chosen(file, wholes or list(range(len(pages))), options)
        page = pages[chosen]
        size = page.imagewidth, page.imagelength
        _check_size(file, size, options)
        if page.is_tiled:
            _check_size(file, (page.tilewidth, page.tilelength), options)
        deep = _deep_channels(file, page)
        orientation = page.tags.valueof(274, default=1)
    if deep:
        orientation = orientation if orientation in range(1, 9) else 1
        width, height = _upright(size, orientation)
        return Head(height, width, deep, str(page.dtype), orientation, "tiff", chosen)
    with opened(file, chosen) as image:
        orientation = _orientation(file, image)
        width, height = _upright(size, orientation)
        return Head(
            height, width, *kind_of(image), 1, "pillow", chosen
        )  # Pillow turns TIFFs itself


def _deep_channels(file: Path, page: Any) -> int:
    """Return the number of channels of a TIFF page of more than 8 bits, 0 for 8 bits."""
    bits = page.bitspersample
    kind = int(page.photometric)
    if page.sampleformat == 1 and bits in (1, 2, 4, 8) and not (bits == 8 and _has_more(page)):
        return 0
    n_samples = page.samplesperpixel
    what = f"{n_samples} channels of {bits} bits"
    dtype = "unknown" if page.dtype is None else str(np.dtype(page.dtype))
    if dtype not in ("uint8", *DTYPES):
        raise DataError(f"{file}: pixels of type {dtype}: must be {', '.join(('uint8', *DTYPES))}")
    if kind not in PHOTOMETRICS:
        name = getattr(page.photometric, "name", kind)
        raise DataError(f"{file}: colour space {name} with {what}: only 8 bits can be read")
    if n_samples > 4 or page.imagedepth != 1:
        raise DataError(f"{file}: {what}: must have 1 to 4 channels")
    return {1: 1, 2: 4, 3: 3, 4: 4}[n_samples]


def _has_more(page: Any) -> bool:
    """Whether an 8-bit page, grey or RGB, has channels that Pillow does not read."""
    usual = {0: 1, 1: 1, 2: 3}.get(int(page.photometric))
    named = [sample for sample in page.extrasamples if int(sample) != 0]
    return usual is not None and page.samplesperpixel != usual + len(named)
