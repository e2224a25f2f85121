"""What a folder holds, and how its images are read: asked where it is not clear, then kept."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from augan_cli._console import plain_errors
from augan_cli._reading import as_trained
from augan_cli._training import Asked, read_training
from augan_cli.app import app
from PIL import Image
from typer.testing import CliRunner

from augan.exceptions import DataError, ModelFileError, ParameterError
from augan.io.image_folder import ImageFolder
from augan.io.options import ReadOptions
from augan.io.sources import open_data
from augan.io.tables import TableSource


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name in ("good/a.png", "good/b.png", "bad/c.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (12, 12), 9).save(folder / name)
    return folder


def test_a_folder_of_images_and_tables_is_asked_about(photos: Path) -> None:
    assert isinstance(open_data(photos), ImageFolder)
    (photos / "license.txt").write_text("no table")
    (photos / "scores.csv").write_text("path,anomaly_score,p_value,is_anomaly\na.png,1,1,False\n")
    assert isinstance(open_data(photos), ImageFolder)
    (photos / "labels.csv").write_text("file,label\na.png,1\n")
    said = r"photos: holds both images and labels.csv: choose with --kind images or --kind table"
    with pytest.raises(DataError, match=said):
        open_data(photos)
    assert isinstance(open_data(photos, ReadOptions(kind="images")), ImageFolder)
    assert isinstance(open_data(photos, usual="images"), ImageFolder)
    assert isinstance(open_data(photos, ReadOptions(kind="table")), TableSource)
    (photos / "train" / "good").mkdir(parents=True)
    Image.new("L", (12, 12)).save(photos / "train" / "good" / "0.png")
    assert open_data(photos, training=True).names == ["train/good/0.png"]


@pytest.mark.parametrize(
    "command",
    [
        ("fit", "PHOTOS", "--out", "m.augan"),
        ("fit-sampler", "PHOTOS", "--out", "m.augan", "--target", "folder"),
        ("balance", "PHOTOS", "--target", "folder", "--out", "new"),
    ],
)
def test_every_command_that_trains_asks(photos: Path, command: tuple[str, ...]) -> None:
    (photos / "labels.csv").write_text("file,label\na.png,1\n")
    words = [str(photos) if word == "PHOTOS" else word for word in command]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert "labels.csv: choose with --kind images or --kind table" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_how_images_are_read_is_kept_and_changes_are_warned_of(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = [Image.new("L", (12, 12), value) for value in (1, 2)]
    pages[0].save(photos / "good" / "d.tif", save_all=True, append_images=pages[1:])
    how: Any = {"skip_bad": False, "longest": None}
    with pytest.raises(DataError, match=r"d.tif: holds 2 images; --page N"):
        read_training(photos / "good", ReadOptions(), Asked(), **how)
    for name in ("a.png", "b.png"):
        (photos / "good" / name).unlink()
    given = ReadOptions(page=1, max_pixels=10**6)
    training = read_training(photos / "good", given, Asked(), **how)
    assert np.asarray(training.rows).max() == 2
    context = training.context
    assert context["reading"] == {"kind": "images", "page": 1, "max_pixels": 10**6}
    again = as_trained(ReadOptions(), context, tmp_path / "m.augan")
    assert (again.page, again.max_pixels, again.kind) == (1, 10**6, "images")
    assert capsys.readouterr().err == ""
    other = as_trained(ReadOptions(page=0), context, tmp_path / "m.augan")
    assert other.page == 0 and "warning: --page 0: " in capsys.readouterr().err
    usual = read_training(photos / "bad", ReadOptions(), Asked(), **how)
    assert usual.context["reading"] == {"kind": "images"}


def test_what_pillow_says_of_tags_is_no_line_of_its_own(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = (photos / "good" / "a.png").with_suffix(".tif")
    Image.new("L", (12, 12), 9).save(image)
    spoiled = bytearray(image.read_bytes())
    place = spoiled.index(struct.pack("<HH", 284, 3))  # a tag that reading can do without
    spoiled[place + 4 : place + 8] = struct.pack("<I", 10**6)
    image.write_bytes(spoiled)
    with plain_errors():
        ImageFolder(image).rows()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "wrong",
    [
        *({"page": -1}, {"page": "x"}, {"page": 10**30}, {"max_pixels": 0}, {"max_pixels": True}),
        *({"kind": "films"}, {"kind": 3}),
    ],
)
def test_reading_options_of_images_have_bounds(wrong: dict[str, Any], tmp_path: Path) -> None:
    name = next(iter(wrong)).replace("_", "-")
    with pytest.raises(ParameterError, match=f"--{name}"):
        ReadOptions(**wrong)
    with pytest.raises(ModelFileError, match=f"--{name}"):
        as_trained(ReadOptions(), {"reading": wrong}, tmp_path / "m.augan")
