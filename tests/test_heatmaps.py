"""Heatmaps as files: names that collide nowhere, whatever images are called."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from augan.io.heatmaps import open_heatmap_folder


def test_heatmaps_of_odd_names_are_all_there(tmp_path: Path) -> None:
    names = ["a.png", "a.jpg", "x/a.png", "A b.TIF", "é.png", os.fsdecode(b"caf\xe9.png")]
    names += ["n" * 251 + ".png", "n" * 251 + ".tif", "ü" * 125 + ".png"]
    with open_heatmap_folder(tmp_path / "heat", limit=0.5, low=0, high=255) as write:
        for name in names:
            write(name, np.zeros((12, 16), np.uint8), np.ones((6, 8)), True)
    for kind in ("overlays", "masks"):
        files = [file for file in (tmp_path / "heat" / kind).rglob("*") if file.is_file()]
        assert len(files) == len(names)
    assert (tmp_path / "heat" / "masks" / "a.jpg.png").exists()
    assert (tmp_path / "heat" / "masks" / "x" / "a.png.png").exists()
