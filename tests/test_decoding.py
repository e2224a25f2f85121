"""Image files: every bit, sign, channel and orientation as it is in the file, or a refusal."""

from __future__ import annotations

import io
import os
import struct
import threading
import time
import warnings
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image

from augan.exceptions import DataError, DataWarning, ParameterError
from augan.io.budget import Budget
from augan.io.decoding import UPRIGHT, Form, read_form, read_image
from augan.io.image_folder import ImageFolder
from augan.io.image_options import ImageOptions


def _random(dtype: str, *shape: int) -> np.ndarray:
    random = np.random.default_rng(0)
    if np.dtype(dtype).kind == "f":
        return random.normal(size=shape).astype(dtype)
    bounds = np.iinfo(dtype)
    return random.integers(bounds.min, bounds.max, shape, dtype=dtype, endpoint=True)


def _read(file: Path) -> np.ndarray:
    return read_image(file, read_form(file))


@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bit_colour_png_keeps_its_low_bytes(tmp_path: Path, channels: int) -> None:
    image = _random("uint16", 20, 30, channels)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(image))
    assert read_form(tmp_path / "a.png") == Form(20, 30, channels, "uint16")
    assert np.array_equal(_read(tmp_path / "a.png"), image)


@pytest.mark.parametrize(
    "dtype",
    ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64"],
)
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(
    "how",
    [{}, {"compression": "lzw", "predictor": True}, {"compression": "zlib", "tile": (16, 16)}],
    ids=["plain", "lzw", "tiled"],
)
def test_tiff_keeps_depth_and_sign(tmp_path: Path, dtype: str, channels: int, how: Any) -> None:
    if dtype == "float16" and "predictor" in how:
        how = {"compression": "lzw"}
    image = _random(dtype, 20, 30, channels)[..., slice(None) if channels > 1 else 0]
    photometric = "rgb" if channels > 1 else "minisblack"
    extra = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
    tifffile.imwrite(tmp_path / "a.tif", image, photometric=photometric, **extra, **how)
    assert read_form(tmp_path / "a.tif") == Form(20, 30, channels, dtype)
    assert np.array_equal(_read(tmp_path / "a.tif"), image)


def test_tiff_of_planes_twelve_bits_big_endian_and_big_tiff(tmp_path: Path) -> None:
    image = _random("uint16", 3, 20, 32)
    tifffile.imwrite(tmp_path / "p.tif", image, photometric="rgb", planarconfig="separate")
    assert np.array_equal(_read(tmp_path / "p.tif"), np.moveaxis(image, 0, -1))
    tifffile.imwrite(tmp_path / "b.tif", image[0], byteorder=">", bigtiff=True)
    assert np.array_equal(_read(tmp_path / "b.tif"), image[0])
    packed = image[0] % 4096
    tifffile.imwrite(tmp_path / "w.tif", image[0], photometric="miniswhite")
    assert np.array_equal(_read(tmp_path / "w.tif"), 65535 - image[0])
    data = imagecodecs.packints_encode(packed, 12)
    tifffile.imwrite(tmp_path / "t.tif", packed, bitspersample=12)
    assert len(data) and np.array_equal(_read(tmp_path / "t.tif"), packed)


def test_deep_images_take_the_channels_and_size_that_are_asked_for(tmp_path: Path) -> None:
    grey = _random("int16", 20, 30)
    tifffile.imwrite(tmp_path / "g.tif", grey)
    rgb = read_image(tmp_path / "g.tif", Form(20, 30, 3, "int16"))
    assert (rgb == grey[..., None]).all()
    rgba = read_image(tmp_path / "g.tif", Form(20, 30, 4, "int16"))
    assert (rgba[..., 3] == 2**15 - 1).all()
    colour = _random("uint16", 20, 30, 4)
    (tmp_path / "c.png").write_bytes(imagecodecs.png_encode(colour))
    assert np.array_equal(
        read_image(tmp_path / "c.png", Form(20, 30, 3, "uint16")), colour[..., :3]
    )
    as_grey = read_image(tmp_path / "c.png", Form(20, 30, 1, "uint16"))
    assert np.abs(as_grey - colour[..., :3] @ [0.299, 0.587, 0.114]).max() <= 0.5 + 1e-6
    half = read_image(tmp_path / "c.png", Form(10, 15, 3, "uint16"))
    blocks = colour[..., :3].reshape(10, 2, 15, 2, 3).mean(axis=(1, 3))
    assert np.abs(half - blocks).mean() < 5000 and half.dtype == np.uint16


@pytest.mark.parametrize(
    ("mode", "channels"), [("1", 1), ("L", 1), ("LA", 4), ("P", 3), ("RGB", 3), ("RGBA", 4)]
)
def test_modes_of_eight_bits_have_the_channels_that_they_show(
    tmp_path: Path, mode: str, channels: int
) -> None:
    colour = _random("uint8", 20, 30, 3 if mode == "P" else 4)
    image = Image.fromarray(colour).convert(mode)
    image.save(tmp_path / "a.png")
    shown = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    assert read_form(tmp_path / "a.png") == Form(20, 30, channels, "uint8")
    assert np.array_equal(_read(tmp_path / "a.png"), np.asarray(image.convert(shown)))


def test_palettes_with_transparency_and_cmyk_are_read(tmp_path: Path) -> None:
    palette = Image.fromarray(_random("uint8", 20, 30, 3)).quantize(16)
    palette.save(tmp_path / "p.png", transparency=bytes(range(0, 160, 10)))
    assert read_form(tmp_path / "p.png").channels == 4
    assert _read(tmp_path / "p.png")[..., 3].max() <= 150
    plain = read_image(tmp_path / "p.png", Form(20, 30, 3, "uint8"))
    assert np.array_equal(plain, np.asarray(palette.convert("RGB")))
    cmyk = Image.new("CMYK", (30, 20), (0, 255, 255, 0))
    cmyk.save(tmp_path / "c.jpg", quality=95)
    red = read_image(tmp_path / "c.jpg", Form(20, 30, 3, "uint8"))
    assert read_form(tmp_path / "c.jpg").channels == 3
    assert red[..., 0].min() > 240 and red[..., 1:].max() < 15


def _lying(upright: Image.Image, orientation: int) -> Image.Image:
    """Return how an image is stored, for an orientation to make it upright."""
    back = {6: 8, 8: 6}.get(orientation, orientation)
    return upright if back == 1 else upright.transpose(UPRIGHT[back])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_orientation_is_applied_once_in_every_format(tmp_path: Path, orientation: int) -> None:
    pixels = np.kron(_random("uint8", 4, 6, 3), np.ones((8, 8, 1), np.uint8))
    stored = _lying(Image.fromarray(pixels), orientation)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    for name, options in (("a.png", {}), ("a.webp", {"lossless": True}), ("a.tif", {})):
        stored.save(tmp_path / name, exif=exif, **options)
        assert read_form(tmp_path / name) == Form(32, 48, 3, "uint8"), name
        assert np.array_equal(_read(tmp_path / name), pixels), name
    stored.save(tmp_path / "a.jpg", exif=exif, quality=95, subsampling=0)
    assert np.abs(_read(tmp_path / "a.jpg").astype(int) - pixels).mean() < 6
    small = read_image(tmp_path / "a.jpg", Form(4, 6, 3, "uint8"))  # decoded at an eighth
    Image.fromarray(pixels).save(tmp_path / "u.jpg", quality=95, subsampling=0)
    usual = read_image(tmp_path / "u.jpg", Form(4, 6, 3, "uint8"))
    assert np.abs(small.astype(int) - usual).mean() < 6
    deep = np.asarray(stored).astype(np.uint16) * 257
    tag = [(274, "H", 1, orientation, True)]
    tifffile.imwrite(tmp_path / "d.tif", deep, photometric="rgb", extratags=tag)
    assert np.array_equal(_read(tmp_path / "d.tif"), pixels.astype(np.uint16) * 257)
    (tmp_path / "d.png").write_bytes(_with_exif(imagecodecs.png_encode(deep), exif, at_end=False))
    assert np.array_equal(_read(tmp_path / "d.png"), pixels.astype(np.uint16) * 257)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _with_exif(png: bytes, exif: Image.Exif, *, at_end: bool) -> bytes:
    chunk = _chunk(b"eXIf", exif.tobytes()[6:])
    place = len(png) - 12 if at_end else 33
    return png[:place] + chunk + png[place:]


def test_an_orientation_at_the_end_of_a_png_is_found(tmp_path: Path) -> None:
    pixels = _random("uint8", 20, 30)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    stored = io.BytesIO()
    _lying(Image.fromarray(pixels), 6).save(stored, "png")
    (tmp_path / "a.png").write_bytes(_with_exif(stored.getvalue(), exif, at_end=True))
    assert read_form(tmp_path / "a.png") == Form(20, 30, 1, "uint8")
    assert np.array_equal(_read(tmp_path / "a.png"), pixels)


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.tif", {}), ("a.png", {}), ("a.webp", {"lossless": True})],
)
def test_files_of_several_images_are_refused_unless_a_page_is_asked_for(
    tmp_path: Path, name: str, options: Any
) -> None:
    pages = [np.full((20, 30, 3), value, np.uint8) for value in (10, 20, 30)]
    first, *others = map(Image.fromarray, pages)
    first.save(tmp_path / name, save_all=True, append_images=others, **options)
    with pytest.raises(DataError, match=rf"{name}: holds 3 images; --page N"):
        read_form(tmp_path / name)
    for page in range(3):
        asked = ImageOptions(page=page)
        form = Form(20, 30, 3, "uint8")
        assert np.array_equal(read_image(tmp_path / name, form, asked), pages[page])
    with pytest.raises(DataError, match=rf"{name}: no page 3, it holds 3 images"):
        read_form(tmp_path / name, ImageOptions(page=3))


def test_a_page_of_a_deep_tiff_and_a_thumbnail_beside_the_image(tmp_path: Path) -> None:
    pages = _random("int16", 3, 20, 30)
    tifffile.imwrite(tmp_path / "a.tif", pages, photometric="minisblack")
    form = Form(20, 30, 1, "int16")
    assert np.array_equal(read_image(tmp_path / "a.tif", form, ImageOptions(page=1)), pages[1])
    with tifffile.TiffWriter(tmp_path / "t.tif") as writer:
        writer.write(pages[0])
        writer.write(pages[0][::2, ::2], subfiletype=1)
    assert np.array_equal(_read(tmp_path / "t.tif"), pages[0])


def test_the_first_image_of_a_phone_is_the_photograph(tmp_path: Path) -> None:
    first, second = (Image.new("RGB", (30, 20), colour) for colour in ("red", "blue"))
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[second], quality=95)
    assert _read(tmp_path / "a.jpg")[..., 0].min() > 240


@pytest.mark.parametrize("format", ["GIF", "TGA", "JPEG2000", "PPM", "EPS", "ICO", "PCX", "AVIF"])
def test_other_formats_are_refused_whatever_they_are_called(tmp_path: Path, format: str) -> None:
    Image.new("RGB", (32, 32), "red").save(tmp_path / "a.png", format)
    with pytest.raises(DataError, match=r"a.png: not an image that can be read"):
        read_form(tmp_path / "a.png")


def test_an_allowed_format_may_be_called_as_another(tmp_path: Path) -> None:
    pixels = _random("uint8", 20, 30, 3)
    for format in ("PNG", "BMP", "TIFF"):
        Image.fromarray(pixels).save(tmp_path / "a.jpg", format)
        assert np.array_equal(_read(tmp_path / "a.jpg"), pixels)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "BMP", "TIFF", "WEBP"])
def test_too_large_images_are_refused_by_a_limit_that_can_be_raised(
    tmp_path: Path, format: str
) -> None:
    Image.new("L", (30, 20)).convert("RGB").save(tmp_path / "a.png", format)
    with pytest.raises(DataError, match=r"a.png: too large: 30x20 = 600 pixels, the limit is 599"):
        read_form(tmp_path / "a.png", ImageOptions(max_pixels=599))
    assert read_form(tmp_path / "a.png", ImageOptions(max_pixels=600)).width == 30
    for wrong in ({"max_pixels": 0}, {"max_pixels": 2**50}, {"page": -1}):
        with pytest.raises(ParameterError, match=next(iter(wrong)).replace("_", "-")):
            ImageOptions(**wrong)


def test_pillows_own_limit_stays_and_does_not_warn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    Image.new("L", (30, 20)).save(tmp_path / "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert _read(tmp_path / "a.png").shape == (20, 30)
    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"photometric": "separated", "shape": (20, 30, 4)}, "colour space SEPARATED"),
        ({"photometric": "minisblack", "shape": (20, 30, 6), "planarconfig": "contig"}, "6 chann"),
        ({"dtype": "uint8", "shape": (9, 8, 5), "planarconfig": "contig"}, "5 channels of 8 bits"),
        ({"dtype": "complex64"}, "pixels of type complex64"),
        ({"dtype": "uint64"}, "pixels of type uint64"),
    ],
)
def test_tiffs_that_cannot_be_read_whole_are_refused(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    shape, dtype = options.pop("shape", (20, 30)), options.pop("dtype", "uint16")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(shape, dtype), **options)
    with pytest.raises(DataError, match=f"a.tif: {message}"):
        read_form(tmp_path / "a.tif")


def test_pixels_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    image = _random("float32", 20, 30)
    image[3, 4] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", image)
    with pytest.raises(DataError, match=r"a.tif, row 3, column 4: nan is not finite"):
        _read(tmp_path / "a.tif")


def test_damaged_deep_files_are_named(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", _random("int16", 20, 30), compression="lzw")
    whole = (tmp_path / "a.tif").read_bytes()
    png = imagecodecs.png_encode(_random("uint16", 20, 30, 3))
    random = np.random.default_rng(0)
    for data, name in ((whole, "b.tif"), (png, "b.png")):
        for _ in range(40):
            spoiled = bytearray(data[: random.integers(8, len(data) + 1)])
            for place in random.integers(4, len(spoiled), 3):
                spoiled[place] ^= 1 << random.integers(8)
            (tmp_path / name).write_bytes(spoiled)
            try:
                _read(tmp_path / name)
            except DataError as error:
                assert str(error).startswith(str(tmp_path / name))


def test_few_large_images_are_decoded_at_a_time() -> None:
    budget = Budget(100)
    most, now, lock = 0, 0, threading.Lock()

    def work(amount: int) -> None:
        nonlocal most, now
        with budget.take(amount):
            with lock:
                now += amount
                most = max(most, now)
            time.sleep(0.002)
            with lock:
                now -= amount

    for amounts, expected in (([30] * 8, 90), ([500] * 4, 500)):
        most = 0
        threads = [threading.Thread(target=work, args=(amount,)) for amount in amounts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert most <= expected


def test_folders_are_walked_through_links_once(tmp_path: Path) -> None:
    real = tmp_path / "elsewhere"
    real.mkdir()
    Image.new("L", (12, 12)).save(real / "a.PNG")
    photos = tmp_path / "photos"
    (photos / "good").mkdir(parents=True)
    Image.new("L", (12, 12)).save(photos / "good" / "b c.Tif")
    (photos / "bad").symlink_to(real)
    (photos / "good" / "link.png").symlink_to(real / "a.PNG")
    (photos / "good" / "loop").symlink_to(photos)
    (photos / "__MACOSX").mkdir()
    (photos / "__MACOSX" / "x.png").write_bytes(b"")
    (photos / "good" / "._b.png").write_bytes(b"")
    (photos / "good" / "Thumbs.db").write_bytes(b"")
    (photos / "folder.png").mkdir()
    folder = ImageFolder(photos)
    assert folder.names == ["bad/a.PNG", "good/b c.Tif", "good/link.png"]
    assert folder.labels("folder").tolist() == ["bad", "good", "good"]
    assert len(folder.rows()) == 3
    os.remove(real / "a.PNG")
    with pytest.raises(DataError, match=r"link.png: no such file"):
        ImageFolder(photos).rows()


@pytest.mark.parametrize(
    ("n_channels", "options", "wanted"),
    [
        (2, {"photometric": "minisblack"}, 4),
        (3, {"photometric": "minisblack"}, 3),
        (4, {"photometric": "rgb", "extrasamples": ["unspecified"]}, 4),
    ],
)
def test_a_tiff_of_bytes_keeps_channels_that_have_no_name(
    tmp_path: Path, n_channels: int, options: dict[str, Any], wanted: int
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, n_channels)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, planarconfig="contig", **options)
    form = read_form(tmp_path / "a.tif")
    found = read_image(tmp_path / "a.tif", form)
    assert form.channels == wanted and found.dtype == np.uint8
    assert np.array_equal(found[..., -1], pixels[..., -1])
    assert np.array_equal(found[..., 0], pixels[..., 0])


def test_libtiff_prints_nothing_of_its_own(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fax, deflated = tmp_path / "fax.tif", tmp_path / "deflated.tif"
    pixels = np.random.RandomState(0).randint(0, 256, (40, 50), dtype=np.uint8)
    Image.fromarray(pixels > 128).save(fax, compression="group4")
    Image.fromarray(pixels).save(deflated, compression="tiff_deflate")
    for file in (fax, deflated):
        content = bytearray(file.read_bytes())
        middle = len(content) // 2
        content[middle : middle + 6] = b"\xff" * 6
        file.write_bytes(bytes(content))
    form = Form(40, 50, 1, "uint8")
    with pytest.warns(DataWarning, match=r"fax\.tif: may be damaged \(Fax4Decode reports"):
        read_image(fax, form)
    with pytest.raises(DataError, match=r"deflated\.tif: damaged"):
        read_image(deflated, form)
    assert capfd.readouterr() == ("", "")
