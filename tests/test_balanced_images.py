"""Folders of images with new ones: the old byte for byte, the new as deep as the old."""

from __future__ import annotations

import os
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile

from augan.io.balanced_images import write_balanced
from augan.io.decoding import read_form, read_image
from augan.io.image_folder import ImageFolder
from augan.io.images import open_image_folder


def _folder(top: Path, dtype: str, names: list[str]) -> np.ndarray:
    images = (np.random.default_rng(0).random((len(names), 12, 16, 3)) * 60_000).astype(dtype)
    for name, image in zip(names, images, strict=True):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".png"):
            (top / name).write_bytes(imagecodecs.png_encode(image))
        else:
            tifffile.imwrite(top / name, image, photometric="rgb")
    return images


@pytest.mark.parametrize(
    ("dtype", "ending"),
    [("uint8", ".png"), ("uint16", ".png"), ("int16", ".tif"), ("float32", ".tif")],
)
def test_images_keep_name_and_bytes_and_new_ones_are_as_deep(
    tmp_path: Path, dtype: str, ending: str
) -> None:
    names = [f"bad/synthetic_000000{ending}", f"bad/deep/B{ending}", f"good/a{ending}"]
    images = _folder(tmp_path / "few", dtype, names)
    source = ImageFolder(tmp_path / "few")
    assert source.names == sorted(names)
    rows, classes = source.rows(), source.labels("folder")
    copied, new = [0, 0], (images[:2] // 2).astype(dtype)
    added = np.concatenate([rows, rows[copied], new])
    labels = np.concatenate([classes, classes[copied], ["bad", "bad"]])
    umask = os.umask(0o027)
    try:
        write_balanced(tmp_path / "out", source, added, labels, 5, "synthetic")
    finally:
        os.umask(umask)
    for name in names:
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "few" / name).read_bytes()
    files = sorted(p.relative_to(tmp_path / "out").as_posix() for p in tmp_path.glob("out/*/*.*"))
    assert [name for name in files if name not in names] == [
        *(f"bad/synthetic_000001{ending}", f"bad/synthetic_000002{ending}"),
    ]
    copies = sorted((tmp_path / "out" / "bad" / "deep").iterdir())
    assert [file.stem for file in copies] == ["B", "B_copy0", "B_copy1"]
    assert copies[1].read_bytes() == copies[0].read_bytes()
    for i in (1, 2):
        file = tmp_path / "out" / "bad" / f"synthetic_00000{i}{ending}"
        assert read_form(file).dtype == dtype
        assert np.array_equal(read_image(file, read_form(file)), new[i - 1])
        assert file.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "out" / "bad").stat().st_mode & 0o777 == 0o750
    write_balanced(tmp_path / "unmarked", source, added, labels, 5, None)
    numbers = sorted(file.stem for file in (tmp_path / "unmarked" / "bad").glob("0*"))
    assert numbers == ["000000", "000001"]


def test_a_folder_of_new_images_is_as_deep_as_the_arrays(tmp_path: Path) -> None:
    deep = np.arange(2 * 12 * 16, dtype=np.uint16).reshape(2, 12, 16) * 100
    with open_image_folder(tmp_path / "deep", low=0, high=65535) as write:
        write(deep, None)
    file = tmp_path / "deep" / "000001.png"
    assert np.array_equal(read_image(file, read_form(file)), deep[1])
    real = deep.astype(np.float32) / 7
    with open_image_folder(tmp_path / "real", low=0, high=1, exact=True) as write:
        write(real, None)
    file = tmp_path / "real" / "000001.tif"
    assert np.array_equal(read_image(file, read_form(file)), real[1])
