"""Folders of images: what is found, how it is decoded, and what is said of bad files."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image
from sklearn.datasets import load_sample_image

from augan.exceptions import DataError, DataWarning
from augan.io.decoding import Form, read_form, read_image
from augan.io.image_folder import ImageFolder
from augan.io.images import save_lossless
from augan.io.sources import open_data

EXIF_ORIENTATION, ROTATED = 0x0112, 6


@pytest.fixture(scope="module")
def flower() -> np.ndarray:
    return np.ascontiguousarray(load_sample_image("flower.jpg")[100:160, 200:280])


def _saved(array: np.ndarray, file: Path, **options: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(file, **options)
    return file


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.png", {}),
        ("a.bmp", {}),
        ("a.tiff", {}),
        ("a.TIF", {"compression": "tiff_lzw"}),
        ("a.webp", {"lossless": True}),
    ],
)
@pytest.mark.parametrize("kind", ["grey", "rgb", "rgba"])
def test_lossless_formats_give_the_same_pixels(
    flower: np.ndarray, tmp_path: Path, name: str, options: Any, kind: str
) -> None:
    opaque = np.concatenate([flower, np.full_like(flower[..., :1], 255)], axis=2)
    image = {"grey": flower[..., 0], "rgb": flower, "rgba": opaque}[kind]
    if (name, kind) in (("a.webp", "grey"), ("a.bmp", "rgba")):
        pytest.skip("the format has no such images")
    if name == "a.webp" and kind == "rgba":
        image = image.copy()
        image[0, 0, 3] = 254  # an opaque WebP loses its last channel
    file = _saved(image, tmp_path / name, **options)
    form = Form.of(image.shape, "uint8")
    assert read_form(file) == form
    assert np.array_equal(read_image(file, form), image)


def test_jpeg_is_near_and_turned_upright(flower: np.ndarray, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = ROTATED  # stored lying on its side
    lying = np.ascontiguousarray(np.rot90(flower))
    file = _saved(lying, tmp_path / "a.jpg", quality=97, subsampling=0, exif=exif)
    form = Form.of(flower.shape, "uint8")
    assert read_form(file) == form
    assert np.abs(read_image(file, form).astype(int) - flower).mean() < 3


def test_sixteen_bits_and_floats_keep_their_values(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 2**16, (20, 30)).astype(np.uint16)
    for name in ("a.tif", "a.png"):
        file = _saved(deep, tmp_path / name)
        assert read_form(file) == Form(20, 30, 1, "uint16")
        assert np.array_equal(read_image(file, Form(20, 30, 1, "uint16")), deep)
    real = (deep / 7).astype(np.float32)
    file = _saved(real, tmp_path / "f.tif")
    assert np.array_equal(read_image(file, read_form(file)), real)
    half = read_image(tmp_path / "a.tif", Form(10, 15, 1, "uint16"))
    assert half.dtype == np.uint16 and abs(half.mean() - deep.mean()) < 1500


def test_images_take_the_form_that_is_asked_for(flower: np.ndarray, tmp_path: Path) -> None:
    grey = _saved(flower[..., 1], tmp_path / "grey.png")
    as_rgb = read_image(grey, Form(60, 80, 3, "uint8"))
    assert (as_rgb == flower[..., 1:2]).all()
    rgb = _saved(flower, tmp_path / "rgb.png")
    weights = np.array([0.299, 0.587, 0.114])
    assert np.abs(read_image(rgb, Form(60, 80, 1, "uint8")) - flower @ weights).max() < 1
    small = read_image(rgb, Form(15, 20, 3, "uint8"))
    blocks = flower.reshape(15, 4, 20, 4, 3).mean(axis=(1, 3))
    assert np.abs(small - blocks).mean() < 6
    palette = tmp_path / "palette.png"
    Image.fromarray(flower).quantize(256).save(palette)
    assert np.abs(read_image(palette, read_form(palette)).astype(int) - flower).mean() < 8


def test_a_folder_is_read_in_order_whatever_the_number_at_once(
    flower: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(23):
        below = "x" if i % 2 else "y/z"
        _saved(np.full((12, 12), 10 * i, np.uint8), tmp_path / below / f"{i:02d}.png")
    _saved(np.zeros((5, 5), np.uint8), tmp_path / ".hidden" / "a.png")
    (tmp_path / "notes.md").write_text("no image")
    folder = open_data(tmp_path)
    assert isinstance(folder, ImageFolder)
    assert folder.names == sorted(folder.names) and len(folder.names) == 23
    assert folder.columns() == ["folder"]
    assert folder.labels("folder").tolist() == ["x"] * 11 + ["y"] * 12
    rows = folder.rows()
    assert rows[:, 0, 0].tolist() == [10 * int(Path(name).stem) for name in folder.names]
    monkeypatch.setattr("augan.io.image_list.BATCH_IMAGES", 5)
    batches = list(folder.named_batches(folder.form()))
    assert [len(names) for names, _ in batches] == [5, 5, 5, 5, 3]
    assert np.array_equal(np.concatenate([images for _, images in batches]), rows)


def test_mixed_sizes_meet_in_the_middle(tmp_path: Path) -> None:
    for i, (height, width) in enumerate([(20, 30), (22, 40), (24, 32)]):
        _saved(np.full((height, width, 3), 50 * i, np.uint8), tmp_path / f"{i}.png")
    _saved(np.full((22, 32), 200, np.uint8), tmp_path / "3.png")
    folder = ImageFolder(tmp_path)
    assert folder.form() == Form(22, 32, 3, "uint8")
    assert folder.rows()[:, 5, 5, 0].tolist() == [0, 50, 100, 200]
    assert folder.columns() == []
    with pytest.raises(DataError, match="no labels 'folder'; it has none"):
        folder.labels("folder")


def test_the_layout_of_mvtec(tmp_path: Path) -> None:
    for name in ("train/good/0", "train/good/1", "test/good/0", "test/crack/0"):
        _saved(np.zeros((9, 9), np.uint8), tmp_path / f"{name}.png")
    _saved(np.zeros((9, 9), np.uint8), tmp_path / "ground_truth/crack/0_mask.png")
    assert ImageFolder(tmp_path, training=True).names == ["train/good/0.png", "train/good/1.png"]
    test = ImageFolder(tmp_path)
    assert test.names == ["test/crack/0.png", "test/good/0.png"]
    assert test.labels("folder").tolist() == ["crack", "good"]


def _huge_png(file: Path) -> None:
    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    chunks = [
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in ((b"IHDR", head), (b"IDAT", zlib.compress(b"")))
    ]
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda file: file.write_bytes(b""), "the file is empty"),
        (lambda file: file.write_bytes(b"not a picture"), "not an image that can be read"),
        (lambda file: file.write_bytes(file.read_bytes()[:900]), "damaged"),
        (_huge_png, "too large"),
        (lambda file: _saved(np.zeros((60, 80), np.uint16), file), "pixels of type uint16"),
    ],
)
def test_bad_files_are_named_or_skipped(
    flower: np.ndarray, tmp_path: Path, spoil: Any, message: str
) -> None:
    for i in range(3):
        _saved(flower, tmp_path / f"{i}.png")
    spoil(tmp_path / "1.png")
    form = Form.of(flower.shape, "uint8")
    with pytest.raises(DataError, match=f"1.png: .*{message}"):
        list(ImageFolder(tmp_path).named_batches(form))
    folder = ImageFolder(tmp_path, skip_bad=True)
    ((names, images),) = folder.named_batches(form)
    assert names == ["0.png", "2.png"] and len(images) == 2
    assert list(folder.skipped) == ["1.png"] and message in folder.skipped["1.png"]


def test_folders_without_images_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no CSV or Parquet file in this directory, and no image"):
        open_data(tmp_path)
    (tmp_path / "train" / "good").mkdir(parents=True)
    _saved(np.zeros((9, 9), np.uint8), tmp_path / "test" / "good" / "0.png")
    with pytest.raises(DataError, match=r"good: no image \(.png"):
        open_data(tmp_path, training=True)
    (tmp_path / "test" / "good" / "0.png").write_bytes(b"")
    with pytest.raises(DataError, match="none of 1 images can be read"):
        ImageFolder(tmp_path, skip_bad=True).rows()


def test_many_images_lie_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for i in range(5):
        pixels = np.full((20, 30, 3), 40 * i, dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    in_memory = ImageFolder(tmp_path).rows()
    monkeypatch.setattr("augan.io.image_memory.MAPPED_BYTES", 100)
    mapped = ImageFolder(tmp_path).rows()
    assert isinstance(mapped, np.memmap) and not isinstance(in_memory, np.memmap)
    assert np.array_equal(mapped, in_memory)
    assert ImageFolder(tmp_path).rows(longest=15).shape == (5, 10, 15, 3)


def test_a_scaled_jpeg_is_upright_and_whole(tmp_path: Path) -> None:
    pixels = np.zeros((400, 800), dtype=np.uint8)
    pixels[:, 600:] = 255
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # the camera was turned: columns become rows
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif)
    (image,) = ImageFolder(tmp_path).rows(longest=80)
    assert image.shape == (80, 40)
    assert image[:55].max() < 30 and image[65:].min() > 220


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_dropped_colours_are_warned_of_once(tmp_path: Path, dtype: str) -> None:
    pixels = np.random.RandomState(0).randint(0, 256, (20, 30, 3)).astype(dtype)
    grey = np.repeat(pixels[..., :1], 3, axis=2)
    for name, image in (("a.png", grey), ("b.png", pixels), ("c.png", pixels)):
        save_lossless(image, tmp_path / name)
    folder = ImageFolder(tmp_path)
    with pytest.warns(DataWarning, match=r"b\.png: the colours are dropped") as caught:
        for _ in range(2):
            [(names, _)] = folder.named_batches(Form(20, 30, 1, dtype))
            assert names == ["a.png", "b.png", "c.png"]
    assert len(caught) == 1
    (tmp_path / "b.png").unlink()
    (tmp_path / "c.png").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(ImageFolder(tmp_path).named_batches(Form(20, 30, 1, dtype)))
