"""`augan fit` says to what size photographs were reduced, and what may be missed for it."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from augan_cli.app import app
from augan_cli.commands.fit import _reduction
from PIL import Image
from typer.testing import CliRunner

import augan
from augan import FAnoGAN
from augan.models.reading_size import reduction

TINY = ("backbone=None", "restoration_steps=2", "pretext_steps=2", "n_folds=2", "width=8")
LINE = re.compile(
    r"photographs of ([\d,]+) x ([\d,]+) pixels were read at (\d+) x (\d+): "
    r"defects of less than about (\d+) pixels may not be seen; "
)


def fitted(data: Path, out: Path, *words: Any) -> str:
    """Run the command and return what it says on stderr."""
    given = [word for text in TINY for word in ("--set", text)]
    all_words = ["fit", data, "--out", out, "--threads", 1, *given, *words]
    result = CliRunner().invoke(app, [str(word) for word in all_words])
    assert result.exit_code == 0, result.stderr
    return result.stderr


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of photographs, most of them of 1,200 x 300 pixels."""
    folder = tmp_path_factory.mktemp("wide")
    random = np.random.default_rng(0)
    for i, width in enumerate([1200] * 9 + [900] * 3):
        pixels = random.integers(0, 256, (300, width), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:02d}.png")
    return folder


def test_the_line_names_both_sizes_and_the_least_defect(wide: Path, tmp_path: Path) -> None:
    said = fitted(wide, tmp_path / "m.augan")
    found = LINE.search(said)
    assert found is not None, said
    width, height, read_width, read_height, least = (
        int(n.replace(",", "")) for n in found.groups()
    )
    assert (width, height) == (1200, 300)
    detector = augan.load(tmp_path / "m.augan")
    assert (read_height, read_width) == detector.codec_.detailed
    assert detector.codec_.shape == (128, 512)  # the folder's images were resized before the fit
    assert least == round(4 * 1200 / read_width)
    assert said.splitlines()[-1].startswith("photographs of 1,200 x 300")
    quiet = fitted(wide, tmp_path / "m.augan", "--quiet")
    assert "photographs of" not in quiet


def test_what_the_line_advises_keeps_the_size(wide: Path, tmp_path: Path) -> None:
    found = LINE.search(said := fitted(wide, tmp_path / "m.augan"))
    assert found is not None
    option, value = said[found.end() :].split()[:2]
    assert option == "--set"
    if value.startswith("detail_size"):
        assert value == "detail_size=1200"
    assert "photographs of" not in fitted(wide, tmp_path / "full.augan", option, value)


def test_nothing_is_said_of_images_that_keep_their_size(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    small = random.integers(0, 256, (12, 40, 50), dtype=np.uint8)
    np.save(tmp_path / "small.npy", small)
    assert "were read at" not in fitted(tmp_path / "small.npy", tmp_path / "m.augan")
    np.save(tmp_path / "photographs.npy", random.integers(0, 256, (12, 70, 90), dtype=np.uint8))
    words = [tmp_path / "photographs.npy", tmp_path / "m.augan", "--set", "detail_size=90"]
    assert "were read at" not in fitted(*words)
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{i},{i * i}\n" for i in range(30)))
    assert "were read at" not in fitted(tmp_path / "t.csv", tmp_path / "m.augan")


def test_arrays_are_told_of_and_the_logger_is_told_in_python(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (12, 100, 300), dtype=np.uint8)
    np.save(tmp_path / "x.npy", images)
    said = fitted(tmp_path / "x.npy", tmp_path / "m.augan")
    line = "photographs of 300 x 100 pixels were read at 128 x 43: defects of less than about 9 "
    assert line in said
    params: dict[str, Any] = {"backbone": None, "restoration_steps": 2, "n_folds": 2, "width": 8}
    with caplog.at_level(logging.INFO, logger="augan"):
        detector = FAnoGAN(**params).fit(images)
    assert sum(line in record.getMessage() for record in caplog.records) == 1
    assert reduction(detector.model_, (1000, 3000)) == (
        "photographs of 3,000 x 1,000 pixels were read at 128 x 43: defects of less than about "
        "94 pixels may not be seen"
    )


def test_the_option_that_keeps_the_size_is_named() -> None:
    images = np.random.default_rng(0).integers(0, 256, (12, 100, 300), dtype=np.uint8)
    detector = FAnoGAN(backbone=None, restoration_steps=2, n_folds=2, width=8).fit(images)
    said = _reduction(detector, (1000, 3000))
    assert said is not None and "; --set detail_size=3000 keeps their size" in said
