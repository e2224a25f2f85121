"""Masks of defects: the files of each image, and their pixels."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from augan.exceptions import DataError
from augan.io.decoding import is_lossy, read_form, read_image
from augan.io.image_files import is_image_name, is_mvtec
from augan.io.image_options import ImageOptions
from augan.io.walking import files_below, is_hidden

SUFFIXES = (  # added to the name of an image in that of its mask
    *("_mask", "-mask", "_masks", ".mask", "_gt", "-gt", "_ground_truth", "_groundtruth"),
    *("_label", "-label", "_labels", "_seg", "_segmentation", ""),
)
FEW_COLOURS = 8  # at most in a mask that was not resized or compressed with loss
SMALL_LABEL = 31  # values up to this are class labels, not shades of grey
FAINT = 1 / 4  # of white; a lossy mask without brighter pixels is empty


def masks_folder(path: Path, given: Path | None = None) -> Path | None:
    """Return the folder with the masks of a folder of images: as given, or that of MVTec AD.

    Raises
    ------
    DataError
        If the given folder does not exist.
    """
    if given is not None:
        if not given.is_dir():
            raise DataError(f"{given}: no such folder of masks")
        return given
    truth = path / "ground_truth"
    return truth if is_mvtec(path) and truth.is_dir() else None


def mask_files(path: Path, masks: Path, name: str) -> list[Path]:
    """Return the masks of an image: files in the same subfolder with its name and a suffix.

    There may be several, with a number at the end, or a folder of that name. In the layout of
    MVTec AD, the folder ``test`` is left out of the path. Case is ignored.
    """
    image = path / name
    stem = Path(name).stem.lower()
    for place in _places(masks, name):
        if not place.is_dir():
            continue
        names = [n for n in sorted(os.listdir(place)) if n.lower().startswith(stem)]
        beside = [place / n for n in names if not is_hidden(n)]
        files = [file for file in beside if is_image_name(file) and file.is_file()]
        files = [file for file in files if not file.samefile(image)]
        for suffix in SUFFIXES:
            wanted = stem + suffix
            found = [file for file in files if file.stem.lower() == wanted]
            found += [file for file in files if _is_numbered(file, wanted, suffix, image)]
            for folder in beside:
                if folder.name.lower() == wanted and folder.is_dir():
                    found += [file for file in files_below(folder) if is_image_name(file)]
            if found:
                return found
    return []


def read_mask(
    file: Path, size: tuple[int, int], options: ImageOptions | None = None
) -> NDArray[np.bool_]:
    """Return which pixels of a mask are defective, scaled to a size (H, W).

    In a mask of few colours, defects are the pixels that are not black, or without black pixels
    those that do not have the most frequent colour. In a resized or lossy mask, defects are the
    pixels brighter than half of the brightest. Transparent pixels are never defective.
    """
    return scaled(_defects(file, options or ImageOptions()), size)


def check_mask(path: Path, masks: Path, name: str) -> None:
    """Check that an image has a mask.

    Raises
    ------
    DataError
        If it has none, naming the file names that were tried.
    """
    if not mask_files(path, masks, name):
        raise DataError(f"{path / name}: an anomaly, but no mask in {masks}: {_tried(name)}")


def mask_of(
    path: Path, masks: Path, name: str, is_anomaly: bool, options: ImageOptions | None = None
) -> NDArray[np.bool_]:
    """Return the union (H, W) of the masks of an image.

    A normal image may have none.

    Raises
    ------
    DataError
        If an anomaly has no mask, or a mask has another size than the image.
    """
    options = options or ImageOptions()
    if is_anomaly:
        check_mask(path, masks, name)
    image = read_form(path / name, options)
    whole = np.zeros((image.height, image.width), dtype=bool)
    options = replace(options, page=None)
    for file in mask_files(path, masks, name):
        own = read_form(file, options)
        if (own.height, own.width) != (image.height, image.width):
            sizes = f"{own.width}x{own.height} pixels, the image {image.width}x{image.height}"
            raise DataError(f"{file}: the mask of {path / name} has {sizes}")
        whole |= _defects(file, options)
    return whole


def _places(masks: Path, name: str) -> Iterator[Path]:
    """Yield the folders that may hold the masks of an image."""
    folder = Path(name).parent
    if masks.name.lower() == "ground_truth" and folder.parts[:1] == ("test",):
        yield masks / folder.relative_to("test")
    yield masks / folder


def _tried(name: str) -> str:
    """Return the names that a mask of an image may have, for a message."""
    stem = Path(name).stem
    names = ", ".join(f"{stem}{suffix}" for suffix in SUFFIXES if suffix)
    return f"tried {stem}, {names} (.png and the like, or a folder)"


def _is_numbered(file: Path, wanted: str, suffix: str, image: Path) -> bool:
    """Whether a file is one of several masks, and not that of another image."""
    between = "[ _.-]?" if suffix else "[ _.-]"
    if not re.fullmatch(re.escape(wanted) + between + r"\(?\d+\)?", file.stem.lower()):
        return False
    return bool(suffix) or all(Path(n).stem != file.stem for n in os.listdir(image.parent))


def _defects(file: Path, options: ImageOptions) -> NDArray[np.bool_]:
    form = read_form(file, options)
    pixels = read_image(file, form, options)
    lossy = is_lossy(file)
    if form.channels < 4:
        return _drawn(pixels, np.ones(pixels.shape[:2], dtype=bool), lossy=lossy)
    alpha = pixels[..., 3]
    seen = alpha > alpha.max() / 2 if alpha.any() else np.zeros(alpha.shape, dtype=bool)
    if (alpha == alpha.flat[0]).all():
        seen[:] = alpha.any()
    colours = pixels[..., :3]
    black = (colours[seen] == 0).all(axis=1)
    if not seen.all() and (black.all() or not black.any()):
        return seen
    return seen & _drawn(colours, seen, lossy=lossy)


def _drawn(
    pixels: NDArray[np.generic], seen: NDArray[np.bool_], *, lossy: bool
) -> NDArray[np.bool_]:
    """Return which pixels (H, W) of an image (H, W[, 3]) are not background."""
    colours = pixels.reshape(*pixels.shape[:2], -1)
    light = colours.max(axis=2)
    if not seen.any() or not light.any():
        return np.zeros(light.shape, dtype=bool)
    own, counts = _few_colours(colours[seen])
    if not lossy and len(own) <= FEW_COLOURS:
        black = (own == 0).all(axis=1)
        if black.any():
            return _marked(light, own)
        if len(own) == 1:
            return np.ones(light.shape, dtype=bool)
        return np.asarray((colours != own[counts.argmax()]).any(axis=2))
    brightest = float(light[seen].max())
    if not lossy and brightest <= SMALL_LABEL and light.dtype.kind in "ui":
        return np.asarray(light != 0)
    white = np.iinfo(light.dtype).max if light.dtype.kind in "ui" else brightest
    if lossy and brightest < FAINT * white:
        return np.zeros(light.shape, dtype=bool)
    return np.asarray(light > brightest / 2)


def _marked(light: NDArray[np.generic], own: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Return which pixels of a mask with the colours `own` are not black.

    If all values are near black or near white, a lossy copy has changed two original colours.
    """
    levels = np.unique(own)
    low = levels[(levels > 0) & (levels <= SMALL_LABEL)]
    high = levels[levels >= 255 - SMALL_LABEL]
    blurred = len(low) > 0 and len(high) > 1 and len(low) + len(high) + 1 == len(levels)
    if light.dtype == np.uint8 and blurred:
        return light.astype(np.int64) > SMALL_LABEL
    return np.asarray(light != 0)


def _few_colours(
    colours: NDArray[np.generic],
) -> tuple[NDArray[np.generic], NDArray[np.intp]]:
    """Return distinct colours (k, C) of (n, C) and their counts; not all if there are many."""
    rest = colours
    found: list[NDArray[np.generic]] = []
    counts: list[int] = []
    while len(rest) and len(found) <= FEW_COLOURS:
        other = (rest != rest[0]).any(axis=1)
        found.append(rest[0])
        counts.append(len(rest) - int(other.sum()))
        rest = rest[other]
    return np.array(found), np.array(counts)


def scaled(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return a mask resized to (H, W); defects smaller than a pixel are kept."""
    if mask.shape == size:
        return mask
    image = Image.fromarray((mask * 255).astype(np.uint8))
    small = np.asarray(image.resize(size[::-1], Image.Resampling.NEAREST)) > 0
    if not small.any() and mask.any():
        rows, columns = np.nonzero(mask)
        small[rows * size[0] // mask.shape[0], columns * size[1] // mask.shape[1]] = True
    return small
