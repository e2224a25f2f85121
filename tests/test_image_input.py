"""Arrays of images: what is wrong with one is said by its number, another scale by its figures."""

from __future__ import annotations

import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from augan import FAnoGAN
from augan.exceptions import DataError, DataWarning
from augan.inputs.images import warn_of_range
from augan.inputs.reading import read_input

BYTES = SimpleNamespace(dtype="uint8", low=0.0, high=255.0)
DEEP = SimpleNamespace(dtype="uint16", low=0.0, high=65535.0)
REAL = SimpleNamespace(dtype="float32", low=0.0, high=1.0)
WIDE = SimpleNamespace(dtype="float64", low=0.0, high=255.0)
SIGNED = SimpleNamespace(dtype="int16", low=-3000.0, high=3000.0)

SHARES = np.random.default_rng(0).random((5, 12, 16))
AS_BYTES = (SHARES * 255).astype(np.uint8)
AS_DEEP = (SHARES * 65535).astype(np.uint16)


@pytest.mark.parametrize(
    ("images", "training", "figures"),
    [
        (SHARES, BYTES, "images of float64 from .* to 0.99.*, in training of uint8 from 0 to 255"),
        (2 * SHARES - 1, BYTES, "from -0.99.* to"),
        (AS_BYTES, REAL, "images of uint8 from 0 to 25[45], in training of float32 from 0 to 1"),
        (AS_DEEP, BYTES, "images of uint16"),
        (AS_BYTES, DEEP, "in training of uint16 from 0 to 65535"),
        (SHARES, WIDE, "in training of float64 from 0 to 255"),
        (255 * SHARES, SimpleNamespace(dtype="float64", low=0.0, high=1.0), "to 25"),
        (AS_DEEP.astype(np.int32), SIGNED, "images of int32"),
    ],
)
def test_images_on_another_scale_are_warned_of_with_figures(
    images: np.ndarray, training: Any, figures: str
) -> None:
    with pytest.warns(DataWarning, match=figures):
        warn_of_range(images, training)


@pytest.mark.parametrize(
    ("images", "training"),
    [
        (AS_BYTES, BYTES),
        (AS_BYTES // 200, BYTES),  # dark, but bytes
        (AS_BYTES.astype(np.int64), BYTES),
        (AS_BYTES.astype(np.float32), BYTES),
        (np.zeros((2, 12, 16), np.uint8), BYTES),
        (SHARES.astype(np.float64), REAL),
        (SHARES / 20, REAL),
        (np.where(SHARES > 0.999, 65535, 300).astype(np.int16), SIGNED),
    ],
)
def test_images_on_the_scale_of_training_are_not_warned_of(
    images: np.ndarray, training: Any
) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        warn_of_range(images, training)
    assert not told


def test_every_way_to_score_warns_of_another_scale(
    image_detector: FAnoGAN, digits: np.ndarray
) -> None:
    other = (digits[:3] * 15).astype(np.uint8)
    for method in ("anomaly_score", "predict", "explain"):
        with pytest.warns(DataWarning, match=r"images of uint8 from 0 to 240, in training of flo"):
            getattr(image_detector, method)(other)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((4, 3, 32, 32)), r"\(3, 32, 32\): the last axis .* X.transpose\(0, 2, 3, 1\)"),
        (np.zeros((4, 1, 32, 32)), r"X.transpose\(0, 2, 3, 1\)"),
        (np.zeros((4, 32, 32, 5)), "the last axis must have 1, 3 or 4 channels$"),
        (np.zeros((32, 32, 3)), r"3 pixels wide; one colour image is X\[None\]"),
        (np.zeros((0, 32, 32)), "X holds no images"),
        (np.zeros((4, 0, 32)), r"images without pixels, of shape \(0, 32\)"),
        (np.zeros((4, 32, 32), complex), "images of dtype complex128"),
        (np.zeros((4, 32, 32), object), "images of dtype object"),
        ([np.zeros((32, 32)), np.zeros((32, 31))], r"image 1 has shape \(32, 31\), image 0"),
        ([np.zeros((32, 32)), np.zeros((32, 32), np.uint8)], "image 1 has dtype uint8"),
        ([np.zeros((32, 32)), np.zeros((32, 32, 3))], "image 1 has shape"),
    ],
)
def test_arrays_that_are_no_images_are_named_in_one_line(X: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_input(X, FAnoGAN())
    assert "\n" not in str(caught.value)


def test_lists_and_arrays_of_images_are_read() -> None:
    images = [AS_BYTES[i] for i in range(3)]
    objects = np.empty(3, dtype=object)
    objects[:] = images
    for given in (images, tuple(images), objects):
        assert np.array_equal(read_input(given, FAnoGAN()), AS_BYTES[:3])
    for dtype in (bool, np.int64, np.float16):
        assert read_input(AS_BYTES.astype(dtype), FAnoGAN()).dtype == dtype


def test_pixels_that_are_no_numbers_are_named_by_image(
    image_detector: FAnoGAN, digits: np.ndarray
) -> None:
    spoiled = digits[:3].copy()
    spoiled[2, 4, 5] = np.nan
    with pytest.raises(DataError, match="image 2, row 4, column 5: nan is not finite"):
        image_detector.anomaly_score(spoiled)
