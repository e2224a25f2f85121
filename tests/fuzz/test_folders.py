"""Folders of images: read whole, or refused in one line that names the file."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from .conftest import ONE_HEAD, QUICK


def _pixels(seed: int = 0, shape: tuple[int, ...] = (12, 12), top: int = 200) -> Any:
    return np.random.default_rng(seed).integers(0, top, shape, dtype=np.uint8)


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _grey(kind: str = "PNG", **options: Any) -> bytes:
    return _saved(Image.fromarray(_pixels()), kind, **options)


def _of(array: Any, kind: str, mode: str | None = None) -> bytes:
    image = Image.fromarray(array)
    return _saved(image.convert(mode) if mode else image, kind)


def _png(width: int, height: int, *, depth: int = 8, color: int = 0, data: bytes = b"") -> bytes:
    """Return a PNG file by hand: any size, depth and colour type."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    head = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(data)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _deep_rgb() -> bytes:
    rows = np.random.default_rng(0).integers(0, 65536, (12, 36)).astype(">u2")
    return _png(12, 12, depth=16, color=2, data=b"".join(b"\0" + row.tobytes() for row in rows))


def _pages() -> bytes:
    first, second = (Image.fromarray(_pixels(i)) for i in (0, 1))
    return _saved(first, "TIFF", save_all=True, append_images=[second])


# name: (ending, content, whether it stands among 8-bit grey PNG files; None where either is right)
FILES: dict[str, tuple[str, Callable[[], bytes], bool | None]] = {
    "png": (".png", _grey, True),
    "upper-case": (".PNG", _grey, True),
    "jpeg": (".jpg", lambda: _grey("JPEG"), True),
    "bmp": (".bmp", lambda: _grey("BMP"), True),
    "tiff": (".tif", lambda: _grey("TIFF"), True),
    "webp": (".webp", lambda: _grey("WEBP", lossless=True), True),
    "png called jpg": (".jpg", _grey, True),
    "rgb": (".png", lambda: _of(_pixels(shape=(12, 12, 3)), "PNG"), None),
    "rgba": (".png", lambda: _of(_pixels(shape=(12, 12, 4)), "PNG"), None),
    "palette": (".png", lambda: _of(_pixels(), "PNG", "P"), None),
    "bits": (".png", lambda: _of(_pixels(), "PNG", "1"), None),
    "grey and alpha": (".png", lambda: _of(_pixels(), "PNG", "LA"), None),
    "cmyk": (".jpg", lambda: _of(_pixels(shape=(12, 12, 3)), "JPEG", "CMYK"), None),
    "16 bits": (".png", lambda: _of(_pixels().astype("u2") * 256, "PNG"), False),
    "16 bits, rgb": (".png", _deep_rgb, False),
    "signed 16 bits": (
        ".tif",
        lambda: _saved(Image.fromarray(_pixels().astype("i4")), "TIFF"),
        False,
    ),
    "float tiff": (".tif", lambda: _of(_pixels().astype("f4"), "TIFF"), False),
    "pages": (".tif", _pages, False),
    "gif called png": (".png", lambda: _grey("GIF"), False),
    "jpeg2000 called png": (".png", lambda: _grey("JPEG2000"), False),
    "tga called png": (".png", lambda: _grey("TGA"), False),
    "eps called png": (".png", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", False),
    "empty": (".png", lambda: b"", False),
    "text": (".png", lambda: b"hello", False),
    "cut": (".png", lambda: _grey()[:-60], False),
    "head alone": (".png", lambda: _grey()[:40], False),
    "bomb": (".png", lambda: _png(50_000, 50_000), False),
    "no pixels": (".png", lambda: _png(12, 12), False),
    "no width": (".png", lambda: _png(0, 12), False),
    "two sizes": (".png", lambda: _of(_pixels(shape=(40, 30)), "PNG"), True),
    "one pixel": (".png", lambda: _of(_pixels(shape=(1, 1)), "PNG"), True),
}
NAMES = ["a b.png", "ü.png", "日本.png", "=cmd.png", "[red]x.png", "[b].png", "n\nl.png"]
NAMES += ["'.png", '".png', ",.png", "-x.png", "\x1b[31m.png", "\udcff.png", "x" * 200 + ".png"]


def _among_others(folder: Path, name: str, content: bytes) -> Path:
    folder.mkdir()
    for i in range(20):
        Image.fromarray(_pixels(i)).save(folder / f"part{i:02}.png")
    (folder / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "model", ["", "images.augan", pytest.param("images.onnx", marks=pytest.mark.slow)]
)
def test_a_file_among_images_is_read_or_refused_by_name(
    name: str, model: str, model_file: Any, tmp_path: Path, command: Any, scores_of: Any
) -> None:
    ending, make, right = FILES[name]
    folder = _among_others(tmp_path / "parts", f"odd{ending}", make())
    path = model_file(model) if model else tmp_path / "m.augan"
    if not model:
        done = command("fit", folder, "--out", path, *QUICK, *ONE_HEAD)
        if right is not None:
            assert (done.exit_code == 0) == right, done.stderr
        if done.exit_code:
            assert f"odd{ending}" in done.stderr, done.stderr
            return
    found, said = scores_of(path, folder, tmp_path / "s.csv")
    if right is not None:
        assert (found is not None) == right, said
    if found is None:
        assert f"odd{ending}" in said, said
    else:
        assert len(found) == 21


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        *((name, "csv") for name in NAMES),
        *((n, e) for n in NAMES[-5:] for e in ("jsonl", "parquet")),
    ],
)
def test_any_name_of_a_file_is_written_with_its_score(
    name: str, ending: str, house: Path, tmp_path: Path, command: Any
) -> None:
    folder = _among_others(tmp_path / "parts", name, _grey())
    out = tmp_path / f"s.{ending}"
    done = command("score", house / "images.augan", folder, "--out", out, folder=tmp_path)
    assert done.exit_code == 0, done.stderr
    done = command("score", house / "images.augan", folder, "--top", "21", folder=tmp_path)
    assert done.exit_code == 0, done.stderr
    assert "\x1b[31m" not in done.stderr


@pytest.mark.parametrize("name", ["readme.txt", ".DS_Store", "Thumbs.db", "scores.csv", "m.augan"])
def test_other_files_among_images_change_nothing(
    name: str, house: Path, tmp_path: Path, scores_of: Any
) -> None:
    folder = _among_others(tmp_path / "parts", name, b"row,anomaly_score\n0,1\n")
    found, said = scores_of(house / "images.augan", folder, tmp_path / "s.csv")
    assert found is not None, said
    assert len(found) == 20


@pytest.mark.parametrize("kind", ["nothing", "text alone", "folder called x.png", "broken link"])
def test_a_folder_without_an_image_is_refused(
    kind: str, house: Path, tmp_path: Path, command: Any, scores_of: Any
) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    if kind == "text alone":
        (folder / "a.txt").write_text("x")
    if kind == "folder called x.png":
        (folder / "x.png").mkdir()
    if kind == "broken link":
        (folder / "x.png").symlink_to(folder / "gone.png")
    found, said = scores_of(house / "images.augan", folder, tmp_path / "s.csv")
    assert found is None
    assert "parts" in said
    done = command("fit", folder, "--out", tmp_path / "m.augan", *QUICK, folder=tmp_path)
    assert done.exit_code == 1
