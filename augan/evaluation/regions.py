"""Regions of hot pixels in a heatmap: where the defects of an image are, and how large."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import find_objects, label

from augan.evaluation.pixels import CORNERS
from augan.exceptions import DataError, ParameterError, shown

MIN_AREA = 1e-4  # share of the image
MIN_PIXELS = 4  # of heat


@dataclass(frozen=True)
class Region:
    """A connected region of hot pixels, out of `find_regions`.

    Attributes
    ----------
    box : tuple of int
        The smallest rectangle around the region: x and y of its upper left pixel, width, height.
    area : float
        Share of the pixels of the image that belong to the region, 0 to 1.
    max_heat : float
        Highest heat in the region.
    """

    box: tuple[int, int, int, int]
    area: float
    max_heat: float


def find_regions(
    heat: ArrayLike,
    threshold: float,
    *,
    min_area: float = MIN_AREA,
    size: tuple[int, int] | None = None,
) -> list[Region]:
    """Return the connected regions of pixels above a threshold, the largest first.

    Pixels that touch at a corner belong to one region. Regions of fewer than 4 pixels are left
    out.

    Parameters
    ----------
    heat : array-like of shape (H, W)
        Heat of the pixels of one image, hotter = more abnormal, as ``explain`` of a detector
        returns it.
    threshold : float
        Heat above which a pixel belongs to a region, such as ``pixel_threshold_`` of a detector.
    min_area : float, default=1e-4
        Smallest area of a region, as a share of the image, 0 to 1.
    size : tuple of int, default=None
        Height and width of the photograph that boxes refer to; ``None``: those of `heat`.

    Returns
    -------
    regions : list of Region
        Empty if no region is large enough.

    Raises
    ------
    DataError
        If `heat` does not have two dimensions, has no pixels, or is not finite.
    ParameterError
        If `threshold` is not a number, `min_area` is not from 0 to 1, or a side of `size` is not
        positive.

    Examples
    --------
    >>> import numpy as np
    >>> from augan.evaluation import find_regions
    >>> heat = np.zeros((20, 30))
    >>> heat[5:9, 10:16] = 3.0
    >>> find_regions(heat, threshold=2.0)
    [Region(box=(10, 5, 6, 4), area=0.04, max_heat=3.0)]
    """
    pixels = _read(heat)
    _check(threshold, min_area, size)
    numbers, n_found = label(pixels > threshold, CORNERS)
    counts = np.bincount(numbers.ravel(), minlength=n_found + 1)
    smallest = max(MIN_PIXELS, min_area * pixels.size)
    found = []
    for number, place in enumerate(find_objects(numbers), start=1):
        if counts[number] >= smallest:
            hottest = float(pixels[place][numbers[place] == number].max())
            box = _box(place, pixels.shape, size or pixels.shape)
            found.append(Region(box, float(counts[number] / pixels.size), hottest))
    return sorted(found, key=lambda region: (-region.area, -region.max_heat))


def _box(
    place: tuple[slice, slice], shape: tuple[int, ...], size: tuple[int, ...]
) -> tuple[int, int, int, int]:
    """Return x, y, width and height of a part of the heat, in pixels of an image of `size`.

    Pixels that are covered in part are in the box.
    """
    (top, bottom), (left, right) = (
        (side.start * new // old, -(-side.stop * new // old))
        for side, old, new in zip(place, shape, size, strict=True)
    )
    return left, top, right - left, bottom - top


def _read(heat: ArrayLike) -> NDArray[Any]:
    pixels = np.asarray(heat)
    if pixels.ndim != 2 or pixels.size == 0:
        raise DataError(f"heat of shape {pixels.shape}: must be (H, W), that of one image")
    if not np.isfinite(pixels).all():
        raise DataError("the heat is not finite")
    return pixels


def _check(threshold: float, min_area: float, size: tuple[int, int] | None) -> None:
    if math.isnan(threshold):
        raise ParameterError("threshold=nan: must be a number")
    if not 0 <= min_area <= 1:
        raise ParameterError(f"min_area={shown(min_area)}: must be from 0 to 1")
    if size is not None and not (len(size) == 2 and min(size) > 0):
        raise ParameterError(f"size={shown(size)}: must be a height and a width above 0")
