"""Images of a folder, of files or in memory as one array, in the form that a model reads."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from augan._callers import caller_level
from augan._files import check_file
from augan.exceptions import DataError, DataWarning, ParameterError, shown
from augan.io.decoding import Form
from augan.io.image_files import is_pattern, matching_images
from augan.io.image_folder import ImageFolder
from augan.io.image_list import ImageList
from augan.io.image_options import MAX_PIXELS, ImageOptions
from augan.io.loaded_image import LoadedImage, loaded_image

READ_AT = 512  # default of the longest side, in pixels


def read_images(
    images: Any,
    like: Any = None,
    *,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    max_side: int | None = READ_AT,
    page: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> NDArray[Any]:
    """Return images as one array, which the estimators take.

    Files are read as ``augan fit`` and ``augan score`` read a folder: rotated by their EXIF
    orientation, with grey as RGB and the other way round where needed, and resized.

    Parameters
    ----------
    images : path-like, sequence of path-like, or sequence of array-like
        A folder, which is read with its subfolders in the order of the paths, without masks; an
        image file; a pattern such as ``"new/*.png"``, whose files are sorted; a list of files; or
        a list of arrays (H, W) or (H, W, C) or of images of Pillow, of any sizes. In a folder with
        the layout of MVTec AD, ``train/good`` is read without `like`, and ``test`` with it.
    like : estimator or ndarray of shape (n, H, W) or (n, H, W, C), default=None
        A fitted detector or sampler, or its training images: the images get the height, width and
        channels of these, and must have the same type of pixels.
    size : tuple of int, default=None
        Height and width, instead of `like`. By default the median size.
    channels : {1, 3, 4}, default=None
        Grey, RGB or RGBA, instead of `like`. By default the most that an image has; RGB if only
        some have transparency.
    max_side : int, default=512
        Longest side in pixels of the median size; ``None`` does not reduce it. For a detector with
        a larger `detail_size`, use that.
    page : int, default=None
        Which image to read from files that hold several, from 0.
    max_pixels : int, default=178956970
        Images with more pixels are refused before they are decoded.

    Returns
    -------
    rows : ndarray of shape (n, H, W) or (n, H, W, C)
        Many images are mapped to a temporary file.

    Raises
    ------
    DataError
        If there is no image, or one cannot be read; the message names the file.
    ParameterError
        If another parameter has a value that it cannot have.

    Examples
    --------
    >>> import numpy as np
    >>> from augan import read_images
    >>> photographs = [np.zeros((60, 80), np.uint8), np.ones((50, 90, 3), np.uint8)]
    >>> read_images(photographs, size=(30, 40)).shape
    (2, 30, 40, 3)

    New photographs in the form that a detector was trained on:

    >>> rows = read_images("new", like=detector)  # doctest: +SKIP
    >>> detector.anomaly_score(rows)  # doctest: +SKIP
    """
    options = ImageOptions(page, max_pixels)
    _check_numbers(size, channels, max_side)
    if like is not None and not (size is None and channels is None):
        raise ParameterError("give one of like, and size and channels")
    wanted = None if like is None else _form_like(like)
    found = _listed(images, options, training=like is None)
    if wanted is None:
        wanted = found.form(max_side)
        height, width = size or (wanted.height, wanted.width)
        wanted = Form(height, width, channels or wanted.channels, wanted.dtype)
    found.warns_of_colour = channels is None
    return found.rows(form=wanted)


def _check_numbers(size: Any, channels: Any, max_side: Any) -> None:
    if size is not None and not (
        isinstance(size, Sequence) and len(size) == 2 and all(map(_is_count, size))
    ):
        raise ParameterError(f"size={shown(size)}: must be None or (height, width)")
    if channels not in (None, 1, 3, 4):
        raise ParameterError(f"channels={shown(channels)}: must be None, 1, 3 or 4")
    if not (max_side is None or _is_count(max_side)):
        raise ParameterError(f"max_side={shown(max_side)}: must be None or an integer above 0")


def _is_count(value: Any) -> bool:
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return is_integer and value > 0


def _form_like(like: Any) -> Form:
    """Return the form of the images that an estimator was fitted to, or of an array of images."""
    if isinstance(like, np.ndarray):
        if like.ndim not in (3, 4):
            raise ParameterError(f"like: an array of shape {like.shape}: must be images (n, H, W)")
        return Form.of(like.shape[1:], str(like.dtype))
    codec = getattr(like, "codec_", None)
    if codec is None:
        raise ParameterError(
            f"like={shown(like)}: must be a fitted detector or sampler, or an array of images"
        )
    if codec.kind != "image":
        raise ParameterError(f"like={shown(like)}: was fitted to a table")
    return Form.of(tuple(codec.shape), str(codec.dtype))


def _listed(images: Any, options: ImageOptions, *, training: bool) -> ImageList:
    """Return the list of the images."""
    if isinstance(images, str | os.PathLike):
        return _at_path(Path(images), options, training=training)
    if isinstance(images, Image.Image):
        images = [images]
    if isinstance(images, np.ndarray) and (images.ndim < 3 or _is_one_image(images)):
        raise DataError(
            f"images: an array of shape {images.shape}: must be (n, H, W) or (n, H, W, C); give a "
            "single image as [image]"
        )
    try:
        items = list(images)
    except TypeError as error:
        raise DataError(f"images={shown(images)}: must be paths, arrays or images") from error
    if not items:
        raise DataError("images: an empty list")
    names: list[str] = []
    loaded: dict[str, LoadedImage] = {}
    for i, item in enumerate(items):
        if isinstance(item, str | os.PathLike):
            names.append(os.fspath(item))
        else:
            names.append(f"images[{i}]")
            loaded[names[-1]] = loaded_image(names[-1], item)
    return ImageList(names, options, loaded=loaded)


def _is_one_image(array: NDArray[Any]) -> bool:
    """Whether an array looks like one image (H, W, C)."""
    return array.ndim == 3 and array.shape[2] <= 4 < min(array.shape[:2])


def _at_path(path: Path, options: ImageOptions, *, training: bool) -> ImageList:
    """Return the images of a folder, of a pattern, or one file."""
    if is_pattern(path):
        return ImageList(matching_images(path), options)
    check_file(path, folder=True)
    folder = ImageFolder(path, options, training=training)
    if folder.masks:
        warnings.warn(
            f"{path}: {len(folder.masks)} masks are not read as images, such as {folder.masks[0]}",
            DataWarning,
            stacklevel=caller_level(),
        )
    return folder
