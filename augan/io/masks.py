"""Masks of defects: which file belongs to which image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from augan.exceptions import DataError
from augan.io.decoding import ENDINGS, read_form, read_image
from augan.io.image_folder import is_mvtec


def masks_folder(path: Path, given: Path | None = None) -> Path | None:
    """Return the folder with the masks of a folder of images: as given, or MVTec's."""
    if given is not None:
        if not given.is_dir():
            raise DataError(f"{given}: no such folder of masks")
        return given
    truth = path / "ground_truth"
    return truth if is_mvtec(path) and truth.is_dir() else None


def mask_file(masks: Path, name: str) -> Path | None:
    """Return the mask of an image: in the same folders, its name alone or with ``_mask``.

    Of MVTec's layout, in which masks lie beside ``test``, that folder is left out.
    """
    image = Path(name)
    if masks.name == "ground_truth" and image.parts[0] == "test":
        image = image.relative_to("test")
    stem = masks / image.with_suffix("")
    for ending in ENDINGS:
        for candidate in (f"{stem}_mask{ending}", f"{stem}{ending}"):
            if Path(candidate).is_file():
                return Path(candidate)
    return None


def read_mask(file: Path, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixels are defective, scaled to a size (H, W): brighter than half of white."""
    form = read_form(file)
    pixels = read_image(file, form)
    grey = pixels if pixels.ndim == 2 else pixels[:, :, :3].max(axis=2)
    white = np.iinfo(grey.dtype).max if grey.dtype.kind == "u" else 1.0
    mask = Image.fromarray(((grey > white / 2) * 255).astype(np.uint8))
    return np.asarray(mask.resize(size[::-1], Image.Resampling.NEAREST)) > 0


def mask_of(
    path: Path, masks: Path, name: str, is_anomaly: bool, size: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return the mask (H, W) of an image; that of a normal one may be missing, and is empty."""
    file = mask_file(masks, name)
    if file is None:
        if is_anomaly:
            raise DataError(f"{path / name}: an anomaly, but no mask in {masks}")
        return np.zeros(size, dtype=bool)
    own, image = read_form(file), read_form(path / name)
    if (own.height, own.width) != (image.height, image.width):
        sizes = f"{own.width}x{own.height} pixels, the image {image.width}x{image.height}"
        raise DataError(f"{file}: the mask of {path / name} has {sizes}")
    return read_mask(file, size)
