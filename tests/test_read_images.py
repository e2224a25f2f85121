"""`read_images` gives the arrays that `augan fit` and `augan score` read a folder as."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

import augan
from augan import FAnoGAN, OnnxDetector, read_images
from augan.exceptions import DataError, DataWarning, ParameterError
from augan.io.decoding import Form
from augan.io.sources import open_data

EXIF_ORIENTATION, ROTATED = 0x0112, 6
FLOWER = np.ascontiguousarray(load_sample_image("flower.jpg")[100:170, 200:290])


def opened(file: Path) -> Image.Image:
    with Image.open(file) as image:
        image.load()
        return image


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of three sizes: grey, RGB, RGBA, a palette, and two that lie on their side."""
    folder = tmp_path_factory.mktemp("photographs")
    (folder / "below").mkdir()
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = ROTATED
    lying = Image.fromarray(np.ascontiguousarray(np.rot90(FLOWER)))
    lying.save(folder / "a.jpg", quality=95, exif=exif)
    lying.save(folder / "b.png", exif=exif)
    Image.fromarray(FLOWER[:40, :52]).save(folder / "c.png")
    Image.fromarray(FLOWER[..., 1]).save(folder / "below" / "d.bmp")
    clear = np.dstack([FLOWER, np.full(FLOWER.shape[:2], 200, np.uint8)])
    Image.fromarray(clear).save(folder / "below" / "e.png")
    Image.fromarray(FLOWER).quantize(64).save(folder / "f.png")
    return folder


@pytest.fixture(scope="module")
def detector() -> FAnoGAN:
    """A detector of grey images of 14 x 20 pixels."""
    images = np.random.default_rng(0).integers(0, 256, (30, 14, 20), dtype=np.uint8)
    steps = {"max_steps": 2, "pretext_steps": 2, "restoration_steps": 2}
    return FAnoGAN(**steps, n_folds=2, width=8, backbone=None, random_state=0).fit(images)


def test_a_folder_is_read_as_fit_and_score_read_it(folder: Path, detector: FAnoGAN) -> None:
    source: Any = open_data(folder, training=True)
    for most in (512, 64, None):
        assert np.array_equal(read_images(folder, max_side=most), source.rows(most))
    assert read_images(folder).shape == (6, 70, 90, 3)
    form = Form.of(detector.codec_.shape, detector.codec_.dtype)
    again: Any = open_data(folder)
    with pytest.warns(DataWarning, match=r"a\.jpg: the colours are dropped"):
        (_, scored), *_ = again.named_batches(form)
    with pytest.warns(DataWarning, match=r"a\.jpg: the colours are dropped"):
        assert np.array_equal(read_images(folder, like=detector), scored)
    assert scored.shape == (6, 14, 20) and scored.dtype == np.uint8
    assert detector.anomaly_score(scored).shape == (6,)


def test_files_a_pattern_and_a_folder_give_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    expected = read_images(folder)
    assert np.array_equal(read_images(files), expected)
    assert np.array_equal(read_images([str(file) for file in files]), expected)
    assert np.array_equal(read_images(str(folder / "**" / "*.*")), expected)
    assert np.array_equal(read_images(files[::-1]), expected[::-1])
    form = {"size": (70, 90), "channels": 3}
    assert np.array_equal(read_images(files[0], **form), expected[:1])
    monkeypatch.chdir(folder)
    assert np.array_equal(read_images("below/*", **form), expected[2:4])


def test_pixels_in_memory_get_the_form_of_their_files(folder: Path) -> None:
    files = [file for file in sorted(folder.rglob("*")) if file.suffix in (".png", ".bmp")]
    form: dict[str, Any] = {"size": (23, 31), "channels": 3}
    expected = read_images(files, **form)
    images = [opened(file) for file in files]
    assert np.array_equal(read_images(images, **form), expected)
    assert np.array_equal(read_images(images), read_images(files))
    arrays = [np.array(image.convert("RGB")) for image in images]
    arrays[files.index(folder / "b.png")] = FLOWER  # which is stored lying on its side
    assert np.array_equal(read_images(arrays, **form), expected)
    mixed = read_images([files[0], *images[1:3], *arrays[3:]], **form)
    assert np.array_equal(mixed, expected)


@pytest.mark.parametrize("dtype", ["uint16", "float32", "int32", "float64"])
def test_deep_arrays_keep_their_type(tmp_path: Path, dtype: str) -> None:
    values = np.random.default_rng(0).uniform(0, 6e4, (3, 20, 24)).astype(dtype)
    rows = read_images(values)
    assert rows.dtype == dtype and np.array_equal(rows, values)
    half = read_images(list(values), size=(10, 12), channels=3)
    assert half.shape == (3, 10, 12, 3) and half.dtype == dtype
    assert abs(half.mean() / values.mean() - 1) < 0.01
    if dtype in ("uint16", "float32"):
        for i, array in enumerate(values):
            Image.fromarray(array).save(tmp_path / f"{i}.tif")
        assert np.array_equal(read_images(tmp_path, size=(10, 12), channels=3), half)
        images = [opened(tmp_path / f"{i}.tif") for i in range(3)]
        assert np.array_equal(read_images(images), values)


def test_the_form_is_that_of_the_model_or_array_or_what_is_asked_for(
    folder: Path, detector: FAnoGAN, tmp_path: Path
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # channels=1 drops colours on purpose
        grey = read_images(folder, size=(14, 20), channels=1)
    with pytest.warns(DataWarning, match="colours"):
        assert np.array_equal(read_images(folder, like=grey), grey)
    detector.export_onnx(tmp_path / "m.onnx")
    detector.save(tmp_path / "m.augan")
    for model in (
        augan.load(tmp_path / "m.augan"),
        OnnxDetector(tmp_path / "m.onnx", providers="cpu"),
    ):
        with pytest.warns(DataWarning, match="colours"):
            assert np.array_equal(read_images(folder, like=model), grey)
    assert read_images([FLOWER[:30], FLOWER[:50]]).shape == (2, 40, 90, 3)
    assert read_images([FLOWER[..., 0], FLOWER]).shape == (2, 70, 90, 3)
    assert read_images([FLOWER, FLOWER], max_side=45).shape == (2, 35, 45, 3)
    mask = np.arange(12).reshape(3, 4) % 2 == 0
    assert np.array_equal(read_images([mask]), 255 * mask[None].astype(np.uint8))


def test_masks_and_the_layout_of_mvtec_are_known(folder: Path, tmp_path: Path) -> None:
    for name in ("train/good/a", "test/bent/b", "test/good/c", "ground_truth/bent/b_mask"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(FLOWER).save(tmp_path / f"{name}.png")
    assert len(read_images(tmp_path)) == 1
    assert len(read_images(tmp_path, like=FLOWER[None])) == 2
    (tmp_path / "flat").mkdir()
    for name in ("a", "a_mask"):
        Image.fromarray(FLOWER).save(tmp_path / "flat" / f"{name}.png")
    with pytest.warns(DataWarning, match="flat: 1 masks are not read as images, such as a_mask"):
        assert len(read_images(tmp_path / "flat")) == 1


def test_what_cannot_be_read_is_named_in_one_line(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.png").write_text("no image")
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes((folder / "b.png").read_bytes()[:2000])
    cut = Image.open(damaged)
    infinite = np.full((9, 9), np.inf, np.float32)
    deep = FLOWER[..., 0].astype(np.uint16)
    cases: list[tuple[Any, dict[str, Any], str]] = [
        (tmp_path / "none.png", {}, r"none\.png: no such file"),
        ([folder / "a.jpg", tmp_path / "none.png"], {}, r"none\.png: no such file"),
        (tmp_path / "empty", {}, "empty: no image .* in this folder"),
        (str(tmp_path / "*.jpg"), {}, r"\*\.jpg: no image .* matches this pattern"),
        ([tmp_path / "notes.png"], {}, r"notes\.png: not an image that can be read"),
        ([folder / "b.png", damaged], {}, r"damaged\.png: damaged"),
        ([cut], {}, r"images\[0\]: damaged"),
        ([FLOWER, deep], {}, r"images\[\d\]: pixels of type uint\d+, but 1 others have uint"),
        ([deep], {"like": FLOWER[None]}, r"images\[0\]: pixels of type uint16; the other images"),
        ([FLOWER, infinite], {"like": infinite[None]}, r"images\[0\]: pixels of type uint8"),
        ([infinite], {}, r"images\[0\], row 0, column 0: inf is not finite"),
        ([FLOWER, "a" * 3 + "\0"], {}, "no such file"),
        ([FLOWER, None], {}, r"images\[1\]: pixels of type object: must be uint8, "),
        ([FLOWER, np.zeros((4, 5, 6), np.uint8)], {}, r"images\[1\]: .* \(4, 5, 6\): must be"),
        ([np.zeros((0, 5), np.uint8)], {}, r"images\[0\]: .* has no pixel"),
        (FLOWER, {}, r"shape \(70, 90, 3\): must be .* as \[image\]"),
        (FLOWER[..., 0], {}, r"shape \(70, 90\): must be"),
        ([], {}, "an empty list"),
        (3, {}, "images=3: must be paths, arrays or images"),
    ]
    with cut:
        for images, how, message in cases:
            with pytest.raises(DataError, match=message) as caught:
                read_images(images, **how)
            assert "\n" not in str(caught.value)


def test_parameters_that_cannot_be_are_refused(detector: FAnoGAN, numbers_detector: Any) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"like": detector, "size": (9, 9)}, "give one of like, and size and channels"),
        ({"like": FAnoGAN()}, "must be a fitted detector"),
        ({"like": numbers_detector}, "was fitted to a table"),
        ({"like": FLOWER[0]}, r"like: an array of shape \(90, 3\)"),
        ({"size": 9}, r"size=9: must be None or \(height, width\)"),
        ({"size": (9, 0)}, "size="),
        ({"channels": 2}, "channels=2: must be None, 1, 3 or 4"),
        ({"max_side": 0}, "max_side=0: must be None or an integer above 0"),
        ({"page": -1}, "page -1"),
    ]
    for given, message in cases:
        with pytest.raises(ParameterError, match=message):
            read_images([FLOWER], **given)
