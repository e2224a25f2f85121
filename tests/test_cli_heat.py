"""`augan score` of images: regions of the result, several files, and heat as files."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from augan_cli.app import app
from PIL import Image
from typer.testing import CliRunner

import augan
from augan.evaluation import find_regions

QUICK = {"max_steps": 5, "pretext_steps": 20, "restoration_steps": 5, "n_folds": 2, "width": 8}
COLUMNS = ["path", "anomaly_score", "p_value", "is_anomaly"]
REGIONS = ["n_regions", "region_box", "region_area"]


def run(*words: Any) -> Any:
    return CliRunner().invoke(app, [str(word) for word in (*words, "--threads", 1)])


def done(*words: Any) -> Any:
    result = run(*words)
    assert result.exit_code == 0, result.stderr
    return result


def scores(*words: Any) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(done("score", *words).stdout))


def refused(*words: Any) -> str:
    """Return the one line that a refused request prints."""
    result = run("score", *words)
    assert (result.exit_code, result.stdout) == (1, ""), result.stderr
    (line,) = result.stderr.splitlines()
    return str(line)


def parts(n: int, seed: int) -> np.ndarray:
    """Return grey images (n, 32, 48) of stripes, with noise."""
    random = np.random.default_rng(seed)
    stripes = 120 + 40 * np.sin(np.arange(48) / 3)
    return (stripes + random.normal(0, 4, (n, 32, 48))).astype(np.uint8)


@pytest.fixture(scope="module")
def detector() -> Any:
    return augan.FAnoGAN(random_state=0, **QUICK).fit(parts(40, 0))


@pytest.fixture(scope="module")
def model(detector: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "m.augan"
    detector.save(path)
    return path


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six images in two folders, with the same names; those in `bad` have a bright square."""
    folder = tmp_path_factory.mktemp("photographs")
    images = parts(6, 1)
    images[3:, 8:16, 24:36] = 255
    for i, pixels in enumerate(images):
        file = folder / ("good", "bad")[i // 3] / f"{i % 3}.png"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(file)
    return folder


# Regions


def test_regions_are_columns_of_the_result(
    detector: Any, model: Path, photographs: Path, tmp_path: Path
) -> None:
    found = scores(model, photographs)
    assert list(found) == [*COLUMNS, *REGIONS] and found["n_regions"].dtype == np.int64
    for row in found.itertuples():
        heat = detector.explain(np.asarray(Image.open(photographs / row.path))[None])[0]
        regions = find_regions(heat, detector.pixel_threshold_)
        assert row.n_regions == len(regions)
        if regions:
            assert row.region_box == ",".join(map(str, regions[0].box))
            assert row.region_area == pytest.approx(regions[0].area)
        else:
            assert pd.isna(row.region_box) and row.region_area == 0
    x, y, width, height = map(int, found["region_box"][0].split(","))
    assert x <= 24 and x + width >= 36 and y <= 8 and y + height >= 16  # around the square
    done("score", model, photographs, "--out", tmp_path / "s.parquet")
    pd.testing.assert_frame_equal(
        pd.read_parquet(tmp_path / "s.parquet")[REGIONS], found[REGIONS], check_dtype=False
    )


def test_boxes_are_in_the_pixels_of_each_photograph(
    model: Path, photographs: Path, tmp_path: Path
) -> None:
    image = Image.open(photographs / "bad" / "0.png")
    (tmp_path / "new").mkdir()
    image.resize((480, 64), Image.Resampling.NEAREST).save(tmp_path / "new" / "large.png")
    (large,) = scores(model, tmp_path / "new").itertuples()
    x, y, width, height = map(int, large.region_box.split(","))
    assert x <= 240 and 360 <= x + width <= 480 and y <= 16 and 32 <= y + height <= 64
    np.save(tmp_path / "x.npy", np.asarray(image)[None])
    lines = done("score", model, tmp_path / "x.npy", "--json", "--explain").stdout.splitlines()
    assert list(json.loads(lines[0])) == ["row", *COLUMNS[1:], *REGIONS, "explanation"]


def test_images_without_regions_have_an_empty_box(
    model: Path, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(augan.FAnoGAN, "pixel_threshold_", 1e6)
    found = scores(model, photographs, "--top", 2)
    assert found["n_regions"].tolist() == [0, 0] and found["region_box"].isna().all()
    done("score", model, photographs, "--out", tmp_path / "s.jsonl")
    first = json.loads((tmp_path / "s.jsonl").read_text().splitlines()[0])
    assert [first[name] for name in REGIONS] == [0, None, 0.0]


def test_a_model_without_a_pixel_threshold_has_no_regions(
    model: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(_: Any) -> float:
        raise AttributeError("pixel_threshold_")

    monkeypatch.setattr(augan.FAnoGAN, "pixel_threshold_", property(missing))
    assert list(scores(model, photographs)) == COLUMNS


@pytest.mark.slow
def test_exported_files_have_the_same_regions(
    detector: Any, model: Path, photographs: Path, tmp_path: Path
) -> None:
    detector.export_onnx(tmp_path / "m.onnx")
    ours, theirs = scores(model, photographs), scores(tmp_path / "m.onnx", photographs)
    pd.testing.assert_frame_equal(theirs[REGIONS], ours[REGIONS])
