"""Images to tensors and back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from augan import FAnoGAN
from augan.codecs.codec import codec_from_state
from augan.codecs.image import ImageCodec
from augan.codecs.spec import ImageSpec
from augan.exceptions import DataError
from augan.networks import build_networks

SMALL = [(8, 8), (28, 28), (17, 33), (9, 64), (8, 8, 1), (20, 31, 3), (12, 12, 4)]
LARGE = [(100, 60), (65, 65, 1), (60, 100, 3), (8, 200), (70, 90, 4)]
DTYPES = ["uint8", "uint16", "int32", "bool", "float16", "float32", "float64"]


def make_images(shape: tuple[int, ...], dtype: str = "uint8", n: int = 5) -> np.ndarray:
    """Return images (n, *shape): over the whole range of integers, floats in [0, 1]."""
    random = np.random.default_rng(0)
    if dtype == "bool":
        return random.random((n, *shape)) < 0.5
    if dtype.startswith("float"):
        return random.random((n, *shape)).astype(dtype)
    return random.integers(0, 256 if dtype == "uint8" else 65536, (n, *shape)).astype(dtype)


def smooth_images(shape: tuple[int, ...]) -> np.ndarray:
    """Return images without detail that resizing would lose, uint8."""
    rows = np.linspace(0, shape[0] / 50, shape[0])[:, None]
    image = 127 + 120 * np.sin(rows + np.linspace(0, 2, shape[1]))
    image = image if len(shape) == 2 else np.repeat(image[..., None], shape[2], axis=2)
    return np.stack([image, image[::-1]]).astype("uint8")


@pytest.mark.parametrize("shape", SMALL)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("standardize", [False, True])
def test_images_that_fit_come_back(shape: Any, dtype: str, standardize: bool) -> None:
    images = make_images(shape, dtype)
    codec = ImageCodec(standardize=standardize).fit(images)
    encoded = codec.encode(images)
    back = codec.decode(encoded, like=images)
    assert back.shape == images.shape
    assert back.dtype == images.dtype
    if np.issubdtype(images.dtype, np.floating):
        np.testing.assert_allclose(back, images, atol=1e-3 if dtype == "float16" else 1e-6)
    else:
        np.testing.assert_array_equal(back, images)


@pytest.mark.parametrize("shape", SMALL + LARGE)
def test_the_spec_fits_the_networks(shape: tuple[int, ...]) -> None:
    images = make_images(shape)
    codec = ImageCodec().fit(images)
    encoded, pooled = codec.module(codec.prepare(images))
    spec = codec.spec
    assert isinstance(spec, ImageSpec)
    assert spec.channels == (shape[2] if len(shape) == 3 else 1)
    assert max(codec.resized) == min(max(shape[:2]), 64)
    assert encoded.shape == (5, spec.channels, spec.height, spec.width)
    assert encoded.dtype == torch.float32
    assert -1 <= encoded.min() <= encoded.max() <= 1
    assert pooled.shape[0] == 5
    assert pooled.shape[1] <= 32 * 32 * spec.channels
    networks = build_networks(spec, latent_dim=4, width=2)
    assert networks.encoder is not None
    assert networks.encoder(encoded).shape == (5, 4)
    assert networks.generator(torch.zeros(5, 4)).shape == encoded.shape
    assert networks.critic(encoded).shape == (5,)


@pytest.mark.parametrize("shape", LARGE)
def test_large_images_are_resized_and_come_back_at_their_size(shape: tuple[int, ...]) -> None:
    images = smooth_images(shape)
    codec = ImageCodec().fit(images)
    assert codec.resized != shape[:2]
    back = codec.decode(codec.encode(images))
    assert back.shape == images.shape
    assert back.dtype == np.uint8
    difference = np.abs(back.astype(int) - images.astype(int))
    assert difference.mean() < 5


@pytest.mark.parametrize("shape", SMALL + LARGE)
def test_maps_come_back_at_the_size_of_the_images(shape: tuple[int, ...]) -> None:
    codec = ImageCodec().fit(make_images(shape))
    maps = torch.rand(5, codec.spec.height, codec.spec.width)
    original = codec.at_original_size(maps)
    assert original.shape == (5, *shape[:2])
    assert original.dtype == torch.float32


@pytest.mark.parametrize(("size", "resized"), [(8, (8, 5)), (33, (33, 20)), (200, (200, 120))])
def test_a_size_that_is_asked_for(size: int, resized: tuple[int, int]) -> None:
    images = smooth_images((100, 60))
    codec = ImageCodec(image_size=size).fit(images)
    assert codec.resized == resized
    assert codec.decode(codec.encode(images)).shape == images.shape


def test_padding_repeats_the_border_and_is_cut_off() -> None:
    images = make_images((17, 33))
    codec = ImageCodec().fit(images)
    encoded = codec.encode(images)
    assert encoded.shape[2:] == codec.padded != codec.resized
    expected = torch.from_numpy(images).float().unsqueeze(1) / 127.5 - 1
    top, left = (codec.padded[0] - 17) // 2, (codec.padded[1] - 33) // 2
    bottom, right = codec.padded[0] - 17 - top, codec.padded[1] - 33 - left
    expected = F.pad(expected, (left, right, top, bottom), mode="replicate")
    torch.testing.assert_close(encoded, expected)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, (0.0, 1.0)),
        (0.0, 0.8, (0.0, 1.0)),
        (-1.0, 1.0, (-1.0, 1.0)),
        (0.0, 250.0, (0.0, 255.0)),
        (0.0, 60000.0, (0.0, 65535.0)),
        (-3.0, 1000.0, (-3.0, 1000.0)),
        (0.1, 0.2, (0.1, 0.2)),
        (1e6, 1e6 + 4, (1e6, 1e6 + 4)),
        (-1e30, 1e30, (-1e30, 1e30)),
    ],
)
def test_the_range_of_the_pixels(low: float, high: float, expected: tuple[float, float]) -> None:
    images = (low + (high - low) * make_images((8, 8), "float64")).astype("float32")
    images[0, 0, 0], images[0, 0, 1] = low, high
    codec = ImageCodec().fit(images)
    assert (codec.low, codec.high) == pytest.approx(expected)
    encoded = codec.encode(images)
    assert torch.isfinite(encoded).all()
    assert encoded.abs().max() <= 1 + 1e-6
    width = high - low
    np.testing.assert_allclose(codec.decode(encoded), images, atol=width * 1e-6, rtol=1e-6)


def test_brighter_pixels_than_in_training_are_not_cut_off_before_scoring() -> None:
    images = make_images((8, 8), "float32")
    codec = ImageCodec().fit(images)
    assert codec.encode(images + 5).max() > 5
    assert codec.decode(codec.encode(images + 5)).max() <= 1


@pytest.mark.parametrize("shape", [(28, 28), (20, 31, 3), (100, 60)])
def test_standardised_images_do_not_know_brightness_and_contrast(shape: tuple[int, ...]) -> None:
    images = make_images(shape, "float32")
    codec = ImageCodec(standardize=True).fit(images)
    for changed in (images + 0.3, images * 2.5, 0.2 * images - 7):
        for part, expected in zip(
            codec.module(codec.prepare(changed)), codec.module(codec.prepare(images)), strict=True
        ):
            torch.testing.assert_close(part, expected, atol=1e-4, rtol=0)
    plain = ImageCodec().fit(images)
    assert (plain.encode(images + 0.3) - plain.encode(images)).abs().min() > 0.1


def test_like_gives_each_image_its_own_brightness_back() -> None:
    factors = np.array([10, 60, 120, 200, 40])[:, None, None]
    images = (make_images((16, 16), "float64") * factors + factors / 10).astype("uint8")
    codec = ImageCodec(standardize=True).fit(images)
    back = codec.decode(codec.encode(images), like=images)
    np.testing.assert_array_equal(back, images)
    average = codec.decode(codec.encode(images)).astype(float)
    assert np.ptp(average.mean(axis=(1, 2))) < 1
    assert average.mean() == pytest.approx(images.mean(), abs=3)
    assert average.std(axis=(1, 2)) == pytest.approx(images.std(axis=(1, 2)).mean(), abs=1)


@pytest.mark.parametrize("value", [0, 7, 255])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("shape", [(28, 28), (100, 60), (17, 33, 3)])
def test_constant_images_are_no_pattern(
    value: int, dtype: str, standardize: bool, shape: tuple[int, ...]
) -> None:
    images = make_images(shape, dtype)
    images[0] = value if dtype == "uint8" else value / 255 + 0.1
    for training in (images, images[:1]):
        codec = ImageCodec(standardize=standardize).fit(training)
        for part in codec.module(codec.prepare(images)):
            assert torch.isfinite(part).all()
            assert part[0].std() < 1e-5
        back = codec.decode(codec.encode(images[:1]), like=images[:1])
        np.testing.assert_allclose(back, images[:1], rtol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_pixel_that_is_no_number_is_named(value: float) -> None:
    images = make_images((8, 9, 3), "float32")
    codec = ImageCodec().fit(images)
    broken = images.copy()
    broken[3, 2, 7, 1] = value
    broken[4, 0, 0, 0] = value
    message = rf"image 3, row 2, column 7: {value} is not finite"
    with pytest.raises(DataError, match=message):
        ImageCodec().fit(broken)
    with pytest.raises(DataError, match=message):
        codec.prepare(broken)


def test_a_pixel_beyond_float32_is_named() -> None:
    images = make_images((8, 8), "float64")
    images[1, 2, 3] = 1e300
    with pytest.raises(DataError, match=r"image 1, row 2, column 3: 1e\+300 is too large"):
        ImageCodec().fit(images)


@pytest.mark.parametrize("shape", [(7, 8), (28, 3), (1, 1), (7, 7, 3)])
def test_images_too_small_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=rf"images of {shape[0]}x{shape[1]}: .* at least 8"):
        ImageCodec().fit(make_images(shape))


@pytest.mark.parametrize("shape", [(8, 9), (9, 8), (8, 8, 1), (8, 8, 3)])
def test_another_shape_at_scoring_is_refused(shape: tuple[int, ...]) -> None:
    codec = ImageCodec().fit(make_images((8, 8)))
    with pytest.raises(DataError, match=r"images of shape .*, but \(8, 8\) in training"):
        codec.prepare(make_images(shape))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((0, 8, 8)), "no images"),
        (np.zeros((4, 8, 8, 2)), "1, 3 or 4 channels"),
        (np.zeros((4, 3, 8, 8)), "1, 3 or 4 channels"),
        (np.zeros((4, 8, 8), dtype=object), "dtype object"),
        (np.zeros((4, 8, 8), dtype=complex), "dtype complex"),
        ([np.zeros((8, 8)), np.zeros((8, 9))], r"image 1 has shape \(8, 9\), image 0 has \(8, 8\)"),
        (np.zeros((1, 8, 8)), "at least 2 rows"),
    ],
)
def test_a_detector_refuses_what_are_no_images(images: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        FAnoGAN().fit(images)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("shape", [(17, 33), (100, 60, 3)])
def test_state_survives_json(standardize: bool, shape: tuple[int, ...]) -> None:
    images = make_images(shape, "float32") * 3 - 1
    codec = ImageCodec(image_size=24, standardize=standardize).fit(images)
    values, arrays = codec.state()
    assert arrays == {}
    again = codec_from_state(json.loads(json.dumps(values, allow_nan=False)), {})
    assert again.spec == codec.spec
    encoded = codec.encode(images)
    assert torch.equal(again.encode(images), encoded)
    np.testing.assert_array_equal(again.decode(encoded), codec.decode(encoded))


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("shape", [(9, 9), (17, 33, 3), (100, 60)])
def test_an_image_is_encoded_the_same_alone(standardize: bool, shape: tuple[int, ...]) -> None:
    images = make_images(shape, "float32")
    codec = ImageCodec(standardize=standardize).fit(images)
    whole = codec.module(codec.prepare(images))
    alone = [codec.module(codec.prepare(images[i : i + 1])) for i in range(len(images))]
    for part, rows in zip(whole, zip(*alone, strict=True), strict=True):
        assert torch.equal(torch.cat(rows), part)


def test_input_is_left_as_it_was() -> None:
    images = make_images((8, 8), "float32")
    images.flags.writeable = False
    before = images.copy()
    codec = ImageCodec(standardize=True).fit(images)
    codec.decode(codec.encode(images), like=images)
    np.testing.assert_array_equal(images, before)
