"""Heatmaps and raw heat as files: names that collide nowhere, and the scale of TIFF files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from augan.io.heatmaps import open_heatmap_folder
from augan.io.raw_heat import open_raw_heat_folder

NAMES = ["a.png", "a.jpg", "x/a.png", "A b.TIF", "é.png", os.fsdecode(b"caf\xe9.png")]
NAMES += ["n" * 251 + ".png", "n" * 251 + ".tif", "ü" * 125 + ".png"]


def test_heatmaps_of_odd_names_are_all_there(tmp_path: Path) -> None:
    with open_heatmap_folder(tmp_path / "heat", limit=0.5, low=0, high=255) as write:
        for name in NAMES:
            write(name, np.zeros((12, 16), np.uint8), np.ones((6, 8)), True)
    for kind in ("overlays", "masks"):
        files = [file for file in (tmp_path / "heat" / kind).rglob("*") if file.is_file()]
        assert len(files) == len(NAMES)
    assert (tmp_path / "heat" / "masks" / "a.jpg.png").exists()
    assert (tmp_path / "heat" / "masks" / "x" / "a.png.png").exists()


@pytest.mark.parametrize("form", ["npy", "tiff"])
def test_raw_heat_of_odd_names_is_all_there(tmp_path: Path, form: str) -> None:
    with open_raw_heat_folder(tmp_path / "heat", form) as write:
        for name in NAMES:
            write(name, np.ones((6, 8)))
    files = [file for file in (tmp_path / "heat").rglob(f"*.{form}") if file.is_file()]
    assert len(files) == len(NAMES) and (tmp_path / "heat" / "x" / f"a.png.{form}").exists()


def test_the_scale_of_tiff_files_spans_all_images(tmp_path: Path) -> None:
    heats = [np.array([[-2.0, 0.5]]), np.array([[3.0, 0.5]])]
    for folder, some in (("two", heats), ("one", [heats[0]]), ("flat", [np.full((2, 2), 7.0)])):
        with open_raw_heat_folder(tmp_path / folder, "tiff") as write:
            for i, heat in enumerate(some):
                write(f"{i}.png", heat)
    values = [np.asarray(Image.open(tmp_path / "two" / f"{i}.png.tiff")) for i in (0, 1)]
    assert values[0].tolist() == [[0, 32768]] and values[1].tolist() == [[65535, 32768]]
    scales = [
        json.loads((tmp_path / name / "scale.json").read_text()) for name in ("two", "one", "flat")
    ]
    assert [(scale["low"], scale["high"]) for scale in scales] == [(-2, 3), (-2, 0.5), (7, 7)]
    assert not np.asarray(Image.open(tmp_path / "flat" / "0.png.tiff")).any()
    with open_raw_heat_folder(tmp_path / "none", "tiff"):
        pass
    assert list((tmp_path / "none").iterdir()) == []
