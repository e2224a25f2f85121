"""Images as files without loss, a folder for each class."""

from __future__ import annotations

import contextlib
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

WriteImages = Callable[..., None]


@contextlib.contextmanager
def open_image_folder(
    folder: Path, *, low: float, high: float, exact: bool = False
) -> Iterator[WriteImages]:
    """Give a function that writes a batch of images (n, H, W[, C]), and their classes (n,) if any.

    Files are called ``000000.png`` and so on, below a folder for each class, with a `prefix` before
    the number if the function is given one; the folder appears when all are written. Pixels of 8
    and 16 bits stay what they are. Others are mapped from `low` and `high` to 0 and 255, or, if
    `exact`, stay what they are in TIFF files.

    Raises
    ------
    ParameterError
        When the folder is there and not empty, or two classes would share a folder.
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
    """Return the ending of files that hold pixels of a type as they are."""
    return ".png" if dtype in (np.uint8, np.uint16, np.bool_) else ".tif"


def save_lossless(pixels: NDArray[Any], file: Path) -> None:
    """Write an image (H, W[, C]) to a file, which has the ending for its type."""
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
    """Give a temporary folder that becomes `folder` when all went well.

    Raises
    ------
    ParameterError
        When `folder` is there and not empty.
    """
    check_image_folder(folder)
    with atomic_folder(folder) as temporary:
        yield temporary


def check_image_folder(folder: Path) -> None:
    """Raise ParameterError where a folder of images cannot be made."""
    if os.path.lexists(folder):
        if not folder.is_dir() or any(folder.iterdir()):
            raise ParameterError(f"{folder}: exists already; images go to a new folder")
        if folder.samefile("."):
            raise ParameterError(f"{folder}: the working directory; images go to a new folder")
    if not folder.parent.is_dir():
        raise ParameterError(f"{folder}: no folder {folder.parent}")


def as_bytes(images: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """Return images as bytes."""
    if images.dtype == np.uint8:
        return images
    shares = (images.astype(np.float64) - low) / (high - low)
    return np.round(255 * shares.clip(0, 1)).astype(np.uint8)


def folder_name(label: Any) -> str:
    """Return what the folder of a class is called."""
    return re.sub(r"[^\w.+-]", "_", str(label)).lstrip(".") or "_"
