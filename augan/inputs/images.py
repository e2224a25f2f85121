"""Checks of arrays of images: shape, type, and the range of training."""

from __future__ import annotations

import warnings
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from augan._callers import caller_level
from augan.exceptions import DataError, DataWarning

IMAGE_CHANNELS = (1, 3, 4)
COLOUR_CHANNELS = (3, 4)
MIN_RANGE = 0.1  # share of the range of training that images of another type should use
MIN_RANGE_FLOATS = 0.01  # the same for floats, if training images were floats too
MAX_OUTSIDE = 0.01  # share of pixels further outside the range of training than its width


class ImageRange(Protocol):
    """Type and range of the images of training."""

    dtype: str
    low: float
    high: float


def read_images(images: NDArray[Any]) -> NDArray[Any]:
    """Return images (n, H, W[, C]) after a check of their shape and type.

    Raises
    ------
    DataError
        If there are no images or no pixels, or for other types or numbers of channels.
    """
    shape = images.shape
    if 0 in shape:
        what = "no images" if shape[0] == 0 else f"images without pixels, of shape {shape[1:]}"
        raise DataError(f"X holds {what}")
    if images.dtype.kind not in "buif":
        raise DataError(f"images of dtype {images.dtype}: need integers or floats")
    if images.ndim == 4 and shape[3] not in IMAGE_CHANNELS:
        moved = " (if channels are first, use X.transpose(0, 2, 3, 1))"
        raise DataError(
            f"images of shape {shape[1:]}: the last axis must have 1, 3 or 4 channels"
            f"{moved if shape[1] in IMAGE_CHANNELS else ''}"
        )
    if images.ndim == 3 and shape[2] in COLOUR_CHANNELS:
        raise DataError(f"X of shape {shape}: {shape[2]} pixels wide; one colour image is X[None]")
    return images


def is_list_of_images(X: Any) -> bool:
    """Whether `X` is a list, or an array of objects, of arrays of two or three dimensions."""
    is_objects = isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1
    if not (isinstance(X, (list, tuple)) or is_objects) or len(X) == 0:
        return False
    return all(getattr(item, "ndim", 0) in (2, 3) and hasattr(item, "dtype") for item in X)


def stacked(images: Any) -> NDArray[Any]:
    """Return the images of a list as one array.

    Raises
    ------
    DataError
        If an image has another shape or dtype than the first.
    """
    first = images[0]
    for i, image in enumerate(images):
        if image.shape != first.shape:
            raise DataError(f"image {i} has shape {image.shape}, image 0 has {first.shape}")
        if image.dtype != first.dtype:
            raise DataError(f"image {i} has dtype {image.dtype}, image 0 has {first.dtype}")
    return np.stack(list(images))


def warn_of_range(images: NDArray[Any], training: ImageRange) -> None:
    """Warn if pixels seem to be on another scale than those of training.

    Fractions are left out if the model was trained on bytes only: they raise an error later.
    """
    if getattr(training, "only_bytes", False) and images.dtype.kind == "f" and (images % 1).any():
        return
    low, high = float(images.min()), float(images.max())
    width = training.high - training.low
    usual, own = np.dtype(training.dtype), images.dtype
    share = MIN_RANGE_FLOATS if own.kind == usual.kind == "f" else MIN_RANGE
    dark = training.low < high <= training.low + share * width
    if own == usual and own.kind != "f":
        dark = False  # integers of the same type have the same scale
    beyond = low < training.low - width or high > training.high + width
    if beyond:
        outside = (images < training.low - width) | (images > training.high + width)
        beyond = bool(outside.mean() > MAX_OUTSIDE)
    if dark or beyond:
        warnings.warn(
            f"images of {images.dtype} from {low:g} to {high:g}, in training of {training.dtype} "
            f"from {training.low:g} to {training.high:g}: are they on another scale?",
            DataWarning,
            stacklevel=caller_level(),
        )
