"""Masks of defects: found by any usual name, read whatever they are drawn with, never lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from augan.exceptions import DataError
from augan.io.image_folder import ImageFolder
from augan.io.masks import mask_files, mask_of, read_mask, scaled

SIZE = (24, 32)


@pytest.fixture
def defect() -> np.ndarray:
    mask = np.zeros(SIZE, dtype=bool)
    mask[4:10, 6:20] = True
    return mask


def _saved(pixels: Any, file: Path, **options: Any) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(file, **options)
    return file


def _painted(defect: np.ndarray, inside: Any, outside: Any) -> np.ndarray:
    return np.where(defect[..., None], np.uint8(inside), np.uint8(outside))


def _palette(defect: np.ndarray) -> Image.Image:
    image = Image.new("P", SIZE[::-1])
    image.putdata(defect.astype(np.uint8).ravel().tolist())
    image.putpalette([0, 0, 0, 60, 0, 0])
    return image


DRAWN = {
    "0 and 255": lambda d: 255 * d.astype(np.uint8),
    "0 and 1": lambda d: d.astype(np.uint8),
    "one bit": lambda d: Image.fromarray(d),
    "three labels": lambda d: d * np.arange(1, SIZE[1] + 1).astype(np.uint8).clip(1, 3),
    "twenty labels": lambda d: d * np.arange(1, SIZE[1] + 1).astype(np.uint8).clip(1, 20),
    "grey levels": lambda d: d * np.linspace(60, 250, SIZE[1]).astype(np.uint8) // 60 * 60,
    "sixteen bits": lambda d: d.astype(np.uint16) * 300,
    "palette": _palette,
    "red on black": lambda d: _painted(d, (200, 0, 0), (0, 0, 0)),
    "red on white": lambda d: _painted(d, (255, 0, 0), (255, 255, 255)),
    "black in alpha": lambda d: _painted(d, (0, 0, 0, 255), (0, 0, 0, 0)),
    "white in alpha": lambda d: _painted(d, (255, 255, 255, 255), (255, 255, 255, 0)),
    "red in alpha": lambda d: _painted(d, (255, 0, 0, 255), (0, 0, 0, 0)),
    "opaque": lambda d: _painted(d, (255, 255, 255, 255), (0, 0, 0, 255)),
    "grey and alpha": lambda d: Image.fromarray(_painted(d, (0, 0, 0, 200), 0)).convert("LA"),
}


@pytest.mark.parametrize("how", DRAWN)
def test_defects_are_found_however_a_mask_is_drawn(
    defect: np.ndarray, tmp_path: Path, how: str
) -> None:
    file = _saved(DRAWN[how](defect), tmp_path / "a.png")
    assert np.array_equal(read_mask(file, SIZE), defect)
    empty = _saved(DRAWN[how](np.zeros_like(defect)), tmp_path / "b.png")
    if "white" not in how or "alpha" in how:
        assert not read_mask(empty, SIZE).any()


def test_lossy_and_smooth_masks_are_cut_at_half_of_their_brightest(
    defect: np.ndarray, tmp_path: Path
) -> None:
    for top in (255, 120):
        file = _saved(defect.astype(np.uint8) * np.uint8(top), tmp_path / "a.jpg", quality=70)
        assert (read_mask(file, SIZE) != defect).mean() < 0.01
    noise = np.random.default_rng(0).integers(0, 4, SIZE).astype(np.uint8)
    assert not read_mask(_saved(noise, tmp_path / "n.jpg"), SIZE).any()
    lossless = _saved(defect.astype(np.uint8), tmp_path / "a.webp", lossless=True)
    assert np.array_equal(read_mask(lossless, SIZE), defect)
    tifffile.imwrite(tmp_path / "f.tif", defect.astype(np.float32))
    assert np.array_equal(read_mask(tmp_path / "f.tif", SIZE), defect)
    smooth = Image.fromarray(255 * defect.astype(np.uint8)).resize((320, 240))
    assert abs(read_mask(_saved(smooth, tmp_path / "s.png"), SIZE).sum() - defect.sum()) < 12


def test_a_small_defect_stays_when_its_mask_is_scaled_down() -> None:
    mask = np.zeros((400, 400), dtype=bool)
    mask[201, 303] = True
    small = scaled(mask, (40, 40))
    assert small.sum() == 1 and small[20, 30]


@pytest.mark.parametrize(
    "name",
    [
        *("bad/a.png", "bad/a_mask.png", "bad/a-mask.bmp", "bad/a_gt.tif", "bad/a_label.PNG"),
        *("bad/A_MASK.Png", "bad/a.bmp", "bad/a/000.png", "bad/a_mask/x.png", "bad/a_mask_1.png"),
        *("bad/a_seg.png", "bad/a_1.png", "bad/a_mask2.webp", "bad/a_ground_truth.png"),
    ],
)
def test_masks_are_found_by_their_usual_names(
    defect: np.ndarray, tmp_path: Path, name: str
) -> None:
    _saved(np.zeros(SIZE, np.uint8), tmp_path / "images/bad/a.JPG", format="JPEG")
    _saved(
        defect.astype(np.uint8),
        tmp_path / "m" / name,
        **({"lossless": True} if "webp" in name else {}),
    )
    _saved(255 - 255 * defect.astype(np.uint8), tmp_path / "m/bad/ab_mask.png")
    found = mask_of(tmp_path / "images", tmp_path / "m", "bad/a.JPG", True)
    assert np.array_equal(found, defect)


def test_several_masks_of_an_image_are_put_together(defect: np.ndarray, tmp_path: Path) -> None:
    name = "test/logical_anomalies/007.png"
    _saved(np.zeros(SIZE, np.uint8), tmp_path / name)
    (tmp_path / "train" / "good").mkdir(parents=True)
    masks = tmp_path / "ground_truth"
    _saved(defect.astype(np.uint8) * 250, masks / "logical_anomalies/007/000.png")
    _saved(defect[::-1].astype(np.uint8), masks / "logical_anomalies/007/001.png")
    whole = defect | defect[::-1]
    assert np.array_equal(mask_of(tmp_path, masks, name, True), whole)
    other = tmp_path / "other" / "test" / "logical_anomalies"
    _saved(defect.astype(np.uint8), other / "007_mask_0.png")
    _saved(defect[::-1].astype(np.uint8) * 255, other / "007_mask_1.png")
    assert np.array_equal(mask_of(tmp_path, tmp_path / "other", name, True), whole)


def test_the_mask_of_one_image_is_not_that_of_another(tmp_path: Path) -> None:
    for name in ("a", "a_1", "00", "001"):
        _saved(np.zeros(SIZE, np.uint8), tmp_path / "images" / f"{name}.png")
    for name in ("a_1", "001"):
        _saved(np.ones(SIZE, np.uint8), tmp_path / "m" / f"{name}.png")
    for name, n_masks in (("a", 0), ("00", 0), ("a_1", 1), ("001", 1)):
        found = mask_files(tmp_path / "images", tmp_path / "m", f"{name}.png")
        assert len(found) == n_masks, name


def test_a_missing_mask_lists_the_names_that_were_tried(tmp_path: Path) -> None:
    _saved(np.zeros(SIZE, np.uint8), tmp_path / "bad/a.png")
    (tmp_path / "m").mkdir()
    with pytest.raises(DataError, match=r"a.png: an anomaly, but no mask in .*/m: tried a, a_mask"):
        mask_of(tmp_path, tmp_path / "m", "bad/a.png", True)
    assert not mask_of(tmp_path, tmp_path / "m", "bad/a.png", False).any()


def test_masks_are_no_class_and_no_images(tmp_path: Path) -> None:
    for name in ("good/a", "good/b", "bad/a", "good/b_label"):
        _saved(np.zeros(SIZE, np.uint8), tmp_path / f"{name}.png")
    for name in ("masks/bad/a", "Ground_Truth/bad/a", "bad/a_mask", "bad/a_mask_2", "truth/bad/a"):
        _saved(np.zeros(SIZE, np.uint8), tmp_path / f"{name}.png")
    folder = ImageFolder(tmp_path, without=tmp_path / "truth")
    assert folder.names == ["bad/a.png", "good/a.png", "good/b.png", "good/b_label.png"]
    assert len(folder.masks) == 4 and set(folder.labels("folder")) == {"bad", "good"}
    alone = ImageFolder(tmp_path / "masks")
    assert alone.names == ["bad/a.png"]


def test_a_lossy_copy_of_a_mask_saved_without_loss_has_no_defects_in_its_noise(
    defect: np.ndarray, tmp_path: Path
) -> None:
    drawn = np.where(defect, 255, 0).astype(np.uint8)
    drawn[::3] = np.where(defect[::3], 254, 1)
    assert np.array_equal(read_mask(_saved(drawn, tmp_path / "a.png"), SIZE), defect)
    labels = np.where(defect, 1, 0).astype(np.uint8)
    labels[0, :2] = 255
    assert read_mask(_saved(labels, tmp_path / "b.png"), SIZE).sum() == (labels > 0).sum()


def test_other_names_of_folders_of_masks_are_no_class_and_a_class_called_mask_is_one(
    tmp_path: Path,
) -> None:
    for name in ("good/a", "bad/a", "GT/bad/a", "ground-truth/bad/a", "mask/bad/a_mask"):
        _saved(np.zeros(SIZE, np.uint8), tmp_path / "parts" / f"{name}.png")
    assert ImageFolder(tmp_path / "parts").names == ["bad/a.png", "good/a.png"]
    for name in ("mask/a", "none/a"):
        _saved(np.zeros(SIZE, np.uint8), tmp_path / "faces" / f"{name}.png")
    assert ImageFolder(tmp_path / "faces").names == ["mask/a.png", "none/a.png"]
