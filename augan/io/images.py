"""Writing of images to lossless files, with a folder for each class."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from augan._files import atomic_folder, naming
from augan.exceptions import ParameterError, shown

LONGEST_NAME = 255  # bytes, the limit of most file systems
WriteImages = Callable[..., None]


@contextlib.contextmanager
def open_image_folder(
    folder: Path, *, low: float, high: float, exact: bool = False
) -> Iterator[WriteImages]:
    """Yield a function that writes a batch of images (n, H, W[, C]), and their classes (n,) if any.

    Files are called ``000000.png`` and so on, in a folder for each class, with a `prefix` before
    the number if the function is given one. The folder is created when all files are written.
    Pixels of 8 and 16 bits are not changed. Others are mapped from `low` and `high` to 0 and 255,
    or, if `exact`, written unchanged to TIFF files.

    Raises
    ------
    ParameterError
        If the folder exists and is not empty, or two classes would share a folder.
    """
    counts: Counter[tuple[str, str]] = Counter()
    names: dict[str, Any] = {}

    def write(images: NDArray[Any], classes: NDArray[Any] | None, prefix: str = "") -> None:
        kept = images if exact or images.dtype == np.uint16 else as_bytes(images, low, high)
        for i, pixels in enumerate(kept):
            label = None if classes is None else classes[i]
            below = "" if label is None else folder_name(label)
            if names.setdefault(below, label) != label:
                both = f"{shown(names[below])} and {shown(label)}"
                raise ParameterError(f"classes {both} would share the folder {shown(below)}")
            (temporary / below).mkdir(exist_ok=True)
            name = f"{prefix}{counts[below, prefix]:06d}{lossless_ending(pixels.dtype)}"
            save_lossless(pixels, temporary / below / name)
            counts[below, prefix] += 1

    with new_folder(folder) as temporary:
        yield write


def lossless_ending(dtype: np.dtype[Any]) -> str:
    """Return the ending of lossless files for pixels of a dtype."""
    return ".png" if dtype in (np.uint8, np.uint16, np.bool_) else ".tif"


def save_lossless(pixels: NDArray[Any], file: Path) -> None:
    """Write an image (H, W[, C]) to a file with the ending of `lossless_ending`."""
    with naming(file):
        _save_lossless(pixels, file)


def _save_lossless(pixels: NDArray[Any], file: Path) -> None:
    image = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    image = np.ascontiguousarray(image)
    if lossless_ending(image.dtype) == ".tif":
        import tifffile

        how: dict[str, Any] = {"photometric": "minisblack" if image.ndim == 2 else "rgb"}
        if image.ndim == 3 and image.shape[2] == 4:
            how["extrasamples"] = ["unassalpha"]
        tifffile.imwrite(file, image, compression="zlib", **how)
    elif image.dtype == np.uint16 and image.ndim == 3:
        import imagecodecs

        file.write_bytes(imagecodecs.png_encode(image))
    else:
        Image.fromarray(image).save(file)


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder, which is renamed to `folder` unless an error occurs.

    Raises
    ------
    ParameterError
        If `folder` exists and is not empty.
    """
    check_image_folder(folder)
    with atomic_folder(folder) as temporary:
        yield temporary


def check_image_folder(folder: Path) -> None:
    """Check that a folder of images can be created.

    Raises
    ------
    ParameterError
        If `folder` exists and is not empty, or its parent does not exist.
    """
    if os.path.lexists(folder):
        if not folder.is_dir() or any(folder.iterdir()):
            raise ParameterError(f"{folder}: exists already; images go to a new folder")
        if folder.samefile("."):
            raise ParameterError(f"{folder}: the working directory; images go to a new folder")
    if not folder.parent.is_dir():
        raise ParameterError(f"{folder}: no folder {folder.parent}")


def named_after(name: str, ending: str) -> Path:
    """Return the name of a file about an image: the image's own name, and an ending.

    A name that is too long is shortened and gets a hash.
    """
    file = Path(f"{name}{ending}")
    written = os.fsencode(file.name)
    if len(written) <= LONGEST_NAME:
        return file
    number = hashlib.sha256(written).hexdigest()[:16]
    start = written[: LONGEST_NAME - 24].decode("utf-8", "ignore")
    return file.with_name(f"{start}-{number}{ending}")


def as_bytes(images: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Return images as bytes; `low` becomes 0 and `high` 255."""
    if images.dtype == np.uint8:
        return images
    shares = (images.astype(np.float64) - low) / (high - low)
    return np.round(255 * shares.clip(0, 1)).astype(np.uint8)


def folder_name(label: Any) -> str:
    """Return the name of the folder of a class."""
    return re.sub(r"[^\w.+-]", "_", str(label)).lstrip(".") or "_"
