"""`augan score` of images: regions of the result, several files, and heat as files."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from augan_cli import _batches
from augan_cli._heat import Heat
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


def test_the_share_of_pixels_in_regions_can_be_given(
    model: Path, detector: Any, photographs: Path, tmp_path: Path
) -> None:
    exported = tmp_path / "m.onnx"
    detector.export_onnx(exported)
    heat = detector.explain(augan.read_images(photographs / "bad"))
    for share in (0.05, 1e-4):
        limit = detector.pixel_threshold_at(share)
        expected = [len(find_regions(one, limit)) for one in heat]
        for file in (model, exported):
            found = scores(file, photographs / "bad", "--pixel-fpr", share)
            assert found["n_regions"].tolist() == expected
    line = refused(model, photographs, "--pixel-fpr", 1.5)
    assert line.endswith("--pixel-fpr 1.5: must be above 0 and below 1")


def test_arrays_are_scored_in_parts_whose_heat_fits_into_memory(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "x.npy", parts(7, 2))
    whole = done("score", model, tmp_path / "x.npy").stdout
    monkeypatch.setattr(_batches, "HEAT_BYTES", 2 * 2 * 8 * 32 * 48)
    monkeypatch.setattr(_batches, "IMAGES_AT_ONCE", 2)
    sizes = []
    columns = Heat.columns
    monkeypatch.setattr(Heat, "columns", lambda *a: sizes.append(len(a[2])) or columns(*a))
    assert done("score", model, tmp_path / "x.npy").stdout == whole and sizes == [4, 3]


# Several files and patterns


def test_files_and_patterns_are_scored_like_their_folder(
    model: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = scores(model, photographs)
    monkeypatch.chdir(photographs)
    files = ["good/2.png", "bad/0.png", str(photographs / "good" / "0.png")]
    some = scores(model, *files)
    assert some["path"].tolist() == files
    expected = whole.set_index("path").loc[["good/2.png", "bad/0.png", "good/0.png"]]
    pd.testing.assert_frame_equal(some.drop(columns="path"), expected.reset_index(drop=True))
    for pattern in ("*/*.png", "**/*.png", "**/*", "**", "*/[0-2].png"):
        pd.testing.assert_frame_equal(scores(model, pattern), whole)
    both = scores(model, "good/1.png", "*/1.*", photographs / "good" / "1.png")  # each once
    assert both["path"].tolist() == ["good/1.png", "bad/1.png"]
    (photographs / "[a] b.png").write_bytes((photographs / "bad" / "0.png").read_bytes())
    single = scores(model, "[a] b.png")  # the name of a file, not a pattern
    (photographs / "[a] b.png").unlink()
    assert single["path"].tolist() == ["[a] b.png"]
    pattern = scores(model, "bad/0*")
    assert pattern["path"].tolist() == ["bad/0.png"]
    pd.testing.assert_frame_equal(pattern[REGIONS], single[REGIONS])


def test_heatmaps_of_files_of_the_same_name_do_not_overwrite_each_other(
    model: Path, photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    files = [photographs / "bad" / "0.png", photographs / "good" / "0.png"]
    for folder, given in (("absolute", files), ("pattern", [f"{photographs}/*/0.png"])):
        scores(model, *given, "--heatmaps", tmp_path / folder)
        for kind in ("overlays", "masks"):
            written = sorted((tmp_path / folder / kind).rglob("*.png"))
            names = [file.relative_to(tmp_path / folder / kind).as_posix() for file in written]
            assert names == ["bad/0.png.png", "good/0.png.png"]
    (tmp_path / "a.png").write_bytes(files[0].read_bytes())
    (tmp_path / "here" / "a.png").write_bytes(files[1].read_bytes())
    scores(model, "a.png", "../a.png", "--heatmaps", "heat")
    masks = sorted((tmp_path / "here" / "heat" / "masks").rglob("*.png"))
    assert [file.parent.name for file in masks] == ["masks", "here"]
    assert sorted(tmp_path.glob("*")) == sorted(
        tmp_path / name for name in ("a.png", "absolute", "here", "pattern")
    )


@pytest.mark.parametrize(
    "given, says",
    [
        (["{p}/bad/0.png", "{p}/no.png"], "no.png: no such file"),
        (["{p}/bad/0.png", "{p}/bad"], "bad: a folder; of several paths, each must be an image"),
        (["{p}/bad/0.png", "{t}/notes.txt"], "notes.txt: not an image (.png, .jpg,"),
        (["{p}/bad/0.png", "-"], "-: not an image"),
        (["{p}/bad/0.png", "{t}/empty.png"], "empty.png: the file is empty"),
        (["{p}/bad/0.png", "{p}/*.jpg"], "*.jpg: no image (.png,"),
        (["{t}/*.txt"], "*.txt: no image (.png,"),
        (["{p}/none/**"], "**: no image (.png,"),
        (["{t}/notes.txt"], "notes.txt: a table, but"),
    ],
)
def test_paths_that_are_no_images_are_refused_by_name(
    model: Path, photographs: Path, tmp_path: Path, given: list[str], says: str
) -> None:
    (tmp_path / "notes.txt").write_text("a,b\n1,2\n")
    (tmp_path / "empty.png").write_bytes(b"")
    said = refused(model, *(text.format(p=photographs, t=tmp_path) for text in given))
    assert says in said


def test_files_that_cannot_be_read_are_left_out_if_asked(
    model: Path, photographs: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    files = [photographs / "good" / "0.png", tmp_path / "empty.png", tmp_path / "no.png"]
    found = done("score", model, *files, "--skip-bad")
    assert len(found.stdout.splitlines()) == 2
    assert "empty.png: the file is empty" in found.stderr and "no.png: no such" in found.stderr


def test_models_of_tables_take_one_path(
    numbers_detector: Any, numbers: pd.DataFrame, tmp_path: Path
) -> None:
    numbers_detector.save(tmp_path / "t.augan")
    for name in ("a.csv", "b.csv"):
        numbers.to_csv(tmp_path / name, index=False)
    said = refused(tmp_path / "t.augan", tmp_path / "a.csv", tmp_path / "b.csv")
    assert "b.csv: a second path, but" in said and "trained on a table" in said
    assert "*.csv: no such file" in refused(tmp_path / "t.augan", tmp_path / "*.csv")
    assert list(scores(tmp_path / "t.augan", tmp_path / "a.csv")) == ["row", *COLUMNS[1:]]


# Raw heat


def test_raw_heat_is_that_of_python(
    detector: Any, model: Path, photographs: Path, tmp_path: Path
) -> None:
    summary = done("score", model, photographs, "--raw-heat", tmp_path / "npy").stderr
    assert f"wrote {tmp_path / 'npy'}" in summary
    done("score", model, photographs, "--raw-heat", tmp_path / "t", "--raw-heat-format", "tiff")
    names = [f"{kind}/{i}.png" for kind in ("bad", "good") for i in range(3)]
    written = {
        file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.*") if file.is_file()
    }
    assert written == {
        *(f"npy/{name}.npy" for name in names),
        *(f"t/{name}.tiff" for name in names),
        "t/scale.json",
    }
    images = np.stack([np.asarray(Image.open(photographs / name)) for name in names])
    expected = detector.explain(images)
    scale = json.loads((tmp_path / "t" / "scale.json").read_text())
    assert scale == {"low": pytest.approx(expected.min()), "high": pytest.approx(expected.max())}
    step = (scale["high"] - scale["low"]) / 65535
    for name, heat in zip(names, expected, strict=True):
        found = np.load(tmp_path / "npy" / f"{name}.npy")
        assert found.dtype == np.float32 and np.allclose(found, heat, atol=1e-5)
        with Image.open(tmp_path / "t" / f"{name}.tiff") as tiff:
            values = np.asarray(tiff)
        assert values.dtype == np.uint16
        assert np.abs(scale["low"] + values * step - heat).max() <= step


def test_raw_heat_of_arrays_and_files_beside_heatmaps(
    model: Path, photographs: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "x.npy", parts(2, 3))
    words = "--heatmaps", tmp_path / "h", "--raw-heat"
    scores(model, tmp_path / "x.npy", *words, tmp_path / "rows", "--top", 1)
    assert sorted(file.name for file in (tmp_path / "rows").iterdir()) == ["0.npy", "1.npy"]
    assert len(list((tmp_path / "h" / "masks").iterdir())) == 2
    files = photographs / "good" / "0.png", photographs / "bad" / "0.png"
    scores(model, *files, "--raw-heat", tmp_path / "files")
    assert sorted(tmp_path.glob("files/*/*")) == [
        tmp_path / "files" / kind / "0.png.npy" for kind in ("bad", "good")
    ]


def test_raw_heat_that_cannot_be_written_is_refused(
    model: Path, photographs: Path, tmp_path: Path, numbers_detector: Any, numbers: pd.DataFrame
) -> None:
    numbers.to_csv(tmp_path / "a.csv", index=False)
    numbers_detector.save(tmp_path / "t.augan")
    heat = "--raw-heat", tmp_path / "r"
    assert "was trained on a table" in refused(tmp_path / "t.augan", tmp_path / "a.csv", *heat)
    assert "needs --raw-heat" in refused(model, photographs, "--raw-heat-format", "npy")
    assert "heat: is inside" in refused(model, photographs, "--raw-heat", photographs / "heat")
    said = refused(model, photographs, *heat, "--heatmaps", tmp_path / "r")
    assert "r: in one folder with --heatmaps" in said
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").write_text("")
    assert "exists already" in refused(model, photographs, "--raw-heat", tmp_path / "full")
    copies = tmp_path / "copies"
    copies.mkdir()
    (copies / "a.png").write_bytes((photographs / "bad" / "0.png").read_bytes())
    (copies / "b.png").write_bytes(b"")
    for form in ("npy", "tiff"):  # a folder is written whole, or not at all
        refused(model, copies, *heat, "--raw-heat-format", form)
    assert not (tmp_path / "r").exists()
    assert not [file for file in tmp_path.iterdir() if file.name.startswith((".", "r"))]
