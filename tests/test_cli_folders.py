"""The command line on folders of images: real photographs' crops, bad files, balanced classes."""

from __future__ import annotations

import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from augan_cli.app import app
from PIL import Image
from sklearn.datasets import load_sample_image
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

import augan
from augan.io.image_folder import ImageFolder
from augan.io.sources import open_data

SMALL = ["width=8", "latent_dim=4", "encoder_steps=10", "n_critic=1", "pretext_steps=10"]
QUICK = ["--steps", "10", *(word for text in [*SMALL, "n_folds=2"] for word in ("--set", text))]


def run(*words: Any) -> Any:
    threads = ["--threads", "1"]
    return CliRunner().invoke(app, [str(word) for word in (*words, *threads)])


def done(*words: Any) -> Any:
    result = run(*words)
    assert result.exit_code == 0, result.stderr
    return result


def refused(*words: Any) -> str:
    """Return the one line that a refused request prints."""
    result = run(*words)
    assert (result.exit_code, result.stdout) == (1, ""), result.stderr
    (line,) = result.stderr.splitlines()
    return str(line)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MVTec's layout: crops of a roof are good parts, with a bright bar they are not."""
    folder = tmp_path_factory.mktemp("parts")
    random = np.random.default_rng(0)
    roof = load_sample_image("china.jpg")
    for name, n in (("train/good", 30), ("test/good", 6), ("test/bar", 6)):
        (folder / name).mkdir(parents=True)
        for i in range(n):
            top, left = random.integers(200, 300), random.integers(100, 500)
            crop = roof[top : top + 32, left : left + 32].copy()
            if "bar" in name:
                crop[12:16] = (255, 0, 0)
            Image.fromarray(crop).save(folder / name / f"{i:02d}.png")
    return folder


@pytest.fixture(scope="module")
def model(parts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("model") / "m.augan"
    result = done("fit", parts, "--out", out, *QUICK)
    assert "on 30 rows" in result.stderr
    return out


def test_images_of_a_folder_get_the_scores_that_python_gives(
    parts: Path, model: Path, tmp_path: Path
) -> None:
    done("score", model, parts, "--out", tmp_path / "s.csv")
    found = pd.read_csv(tmp_path / "s.csv")
    files = sorted((parts / "test").rglob("*.png"))
    assert found["path"].tolist() == [file.relative_to(parts).as_posix() for file in files]
    images = np.stack([np.asarray(Image.open(file)) for file in files])
    expected = augan.load(model).anomaly_score(images)
    assert np.allclose(found["anomaly_score"], expected, rtol=1e-5)
    top = pd.read_csv(io.StringIO(done("score", model, parts, "--top", 2).stdout))
    assert top["path"].tolist() == found.nlargest(2, "anomaly_score")["path"].tolist()


def test_one_image_is_scored_like_a_folder_of_it(parts: Path, model: Path, tmp_path: Path) -> None:
    whole = pd.read_csv(io.StringIO(done("score", model, parts).stdout))
    words = "--heatmaps", tmp_path / "heat"
    (tmp_path / "A.PNG").write_bytes((parts / "test" / "bar" / "00.png").read_bytes())
    one = pd.read_csv(io.StringIO(done("score", model, tmp_path / "A.PNG", *words).stdout))
    assert one["path"].tolist() == ["A.PNG"] and (tmp_path / "heat/masks/A.PNG.png").exists()
    expected = whole.loc[whole["path"] == "test/bar/00.png", "anomaly_score"]
    assert one["anomaly_score"].tolist() == pytest.approx(expected.tolist(), rel=1e-5)
    assert "b.png: no such file" in refused("score", model, tmp_path / "b.png")


def test_scores_among_the_images_do_not_stop_the_next_scoring(
    parts: Path, model: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "photos"
    shutil.copytree(parts / "test", copy)
    done("score", model, copy, "--out", copy / "scores.csv")
    (copy / "readme.txt").write_text("a text\n")
    assert done("score", model, copy).stdout == (copy / "scores.csv").read_text()
    assert isinstance(open_data(copy, training=True), ImageFolder)
    said = refused("score", model, copy, "--heatmaps", copy / "heat")
    assert "heat: is inside" in said


def test_images_on_another_scale_are_warned_of_once(
    parts: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = sorted((parts / "test").rglob("*.png"))
    np.save(tmp_path / "x.npy", np.stack([np.asarray(opened(file)) for file in files]) / 255)
    monkeypatch.setattr("augan.io.arrays.BATCH_ROWS", 5)
    said = done("score", model, tmp_path / "x.npy", "--out", tmp_path / "s.csv").stderr
    assert said.count("in training of uint8 from 0 to 255") == 1
    assert "warning: images of float64 from 0 to 1" in said.replace("0.00", "0")


def test_names_that_are_no_text_are_written_with_escapes(
    parts: Path, model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    for label in ("good", os.fsdecode(b"b\xe4d")):
        (folder / label).mkdir(parents=True)
        for i in range(2):
            image = (parts / "test" / "good" / f"{i:02d}.png").read_bytes()
            (folder / label / os.fsdecode(b"\xe9%d.png" % i)).write_bytes(image)
    for name in ("s.csv", "s.jsonl", "s.parquet"):
        done("score", model, folder, "--out", tmp_path / name, "--heatmaps", tmp_path / f"{name}h")
    expected = ["b\\udce4d/\\udce90.png", "b\\udce4d/\\udce91.png"]
    assert pd.read_csv(tmp_path / "s.csv")["path"].tolist()[:2] == expected
    assert pd.read_json(tmp_path / "s.jsonl", lines=True)["path"].tolist()[:2] == expected
    assert pd.read_parquet(tmp_path / "s.parquet")["path"].tolist()[:2] == expected
    words = "--target", "folder", "--normal", "good", "--bootstrap", 0
    done("evaluate", model, folder, *words, "--report", tmp_path / "page.html")
    assert "b\\udce4d" in (tmp_path / "page.html").read_text()


def test_folders_are_labels_to_evaluate_by(parts: Path, model: Path) -> None:
    words = "--target", "folder", "--normal", "good", "--bootstrap", 0, "--json"
    report = json.loads(done("evaluate", model, parts, *words).stdout)
    scores = pd.read_csv(io.StringIO(done("score", model, parts).stdout))
    is_bar = scores["path"].str.startswith("test/bar/")
    assert (report["n_normal"], report["n_anomaly"]) == (6, 6)
    expected = roc_auc_score(is_bar, scores["anomaly_score"])
    assert report["auroc"]["value"] == pytest.approx(expected)


def test_a_folder_for_each_class_trains_on_one_of_them(parts: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.augan"
    labels = "--target", "folder", "--normal", "good"
    result = done("fit", parts / "test", "--out", out, *labels, *QUICK)
    assert "on 6 rows" in result.stderr
    assert "has no value 'fine'" in refused(
        *("fit", parts / "test", "--out", tmp_path / "n.augan"),
        *("--target", "folder", "--normal", "fine"),
    )


def test_bad_images_stop_or_are_skipped(parts: Path, model: Path, tmp_path: Path) -> None:
    for i, file in enumerate(sorted((parts / "train" / "good").iterdir())[:20]):
        (tmp_path / f"{i:02d}.png").write_bytes(file.read_bytes())
    (tmp_path / "07.png").write_bytes(b"")
    assert "07.png: the file is empty" in refused("score", model, tmp_path)
    result = done("score", model, tmp_path, "--skip-bad")
    assert "warning: skipped:" in result.stderr and "07.png" in result.stderr
    assert len(result.stdout.splitlines()) == 1 + 19
    out = tmp_path / "m.augan"
    assert "07.png: the file is empty" in refused("fit", tmp_path, "--out", out, *QUICK)
    assert "on 19 rows" in done("fit", tmp_path, "--out", out, "--skip-bad", *QUICK).stderr


def test_rare_classes_of_a_folder_are_filled_up(parts: Path, tmp_path: Path) -> None:
    for label, n in (("good", 6), ("bar", 3)):
        (tmp_path / "few" / label).mkdir(parents=True)
        for file in sorted((parts / "test" / label).iterdir())[:n]:
            (tmp_path / "few" / label / file.name).write_bytes(file.read_bytes())
    out = tmp_path / "balanced"
    request = "balance", tmp_path / "few", "--target", "folder", "--out"
    done(*request, out)
    for label, n in (("good", 6), ("bar", 3)):
        names = sorted(file.name for file in (out / label).iterdir())
        assert [name for name in names if len(name) == 6] == [f"{i:02d}.png" for i in range(n)]
        assert sum("_copy" in name for name in names) == 6 - n
        assert names[-6:] == [f"synthetic_{i:06d}.png" for i in range(6)]
    original = (parts / "test" / "bar" / "00.png").read_bytes()
    assert (out / "bar" / "00.png").read_bytes() == original
    assert "few/new: is inside" in refused(*request, tmp_path / "few" / "new")
    done(*request, tmp_path / "unmarked", "--no-mark", "--set", "synthetic_share=0.75")
    assert len(list((tmp_path / "unmarked" / "bar").iterdir())) == 24
    assert "b.csv: " in refused(*request, tmp_path / "b.csv")
    (tmp_path / "few" / "a.png").write_bytes((parts / "test" / "bar" / "00.png").read_bytes())
    assert "a.png: not in a folder of a class" in refused(*request, tmp_path / "c")


# Heatmaps and masks


def opened(file: Path) -> Image.Image:
    with Image.open(file) as image:
        return image.copy()


@pytest.fixture(scope="module")
def photographs(parts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MVTec's layout of larger crops, with masks of the bars."""
    folder = tmp_path_factory.mktemp("photographs")
    random = np.random.default_rng(0)
    roof = load_sample_image("china.jpg")
    for name, n in (("train/good", 20), ("test/good", 4), ("test/bar", 4)):
        (folder / name).mkdir(parents=True)
        for i in range(n):
            top, left = random.integers(200, 300), random.integers(100, 500)
            crop = roof[top : top + 80, left : left + 100].copy()
            if "bar" in name:
                crop[30:40] = (255, 0, 0)
                mask = np.zeros((80, 100), dtype=np.uint8)
                mask[30:40] = 255
                (folder / "ground_truth" / "bar").mkdir(parents=True, exist_ok=True)
                Image.fromarray(mask).save(folder / "ground_truth" / "bar" / f"{i:02d}_mask.png")
            Image.fromarray(crop).save(folder / name / f"{i:02d}.png")
    return folder


@pytest.fixture(scope="module")
def photo_model(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("model") / "p.augan"
    done("fit", photographs, "--out", out, *QUICK, "--set", "restoration_steps=10")
    return out


def test_heatmaps_and_masks_have_the_size_of_their_images(
    photographs: Path, photo_model: Path, tmp_path: Path
) -> None:
    larger = tmp_path / "new" / "large.png"
    larger.parent.mkdir()
    opened(photographs / "test" / "bar" / "00.png").resize((150, 120)).save(larger)
    grey = opened(photographs / "test" / "good" / "00.png").convert("L")
    grey.save(larger.with_name("grey.png"))
    result = done(
        *("score", photo_model, larger.parent, "--out", tmp_path / "s.csv"),
        *("--heatmaps", tmp_path / "heat", "--threshold", "-100"),
    )
    assert f"wrote {tmp_path / 'heat'}" in result.stderr
    for name, size in (("large.png", (150, 120)), ("grey.png", (100, 80))):
        overlay = opened(tmp_path / "heat" / "overlays" / f"{name}.png")
        mask = opened(tmp_path / "heat" / "masks" / f"{name}.png")
        assert (overlay.size, overlay.mode, mask.size, mask.mode) == (size, "RGB", size, "L")
        assert set(np.unique(mask)) <= {0, 255}
    done(
        *("score", photo_model, larger.parent, "--out", tmp_path / "t.csv"),
        *("--heatmaps", tmp_path / "none", "--threshold", "100"),
    )
    assert not np.asarray(opened(tmp_path / "none" / "masks" / "large.png.png")).any()


def test_heatmaps_of_arrays_and_mistakes(
    photographs: Path, photo_model: Path, model: Path, parts: Path, tmp_path: Path
) -> None:
    files = sorted((photographs / "test").rglob("*.png"))
    np.save(tmp_path / "x.npy", np.stack([np.asarray(opened(file)) for file in files]))
    done("score", photo_model, tmp_path / "x.npy", "--heatmaps", tmp_path / "h", "-q")
    assert len(list((tmp_path / "h" / "overlays").glob("*.png"))) == 8
    said = refused("score", photo_model, tmp_path / "x.npy", "--heatmaps", tmp_path / "h")
    assert "exists already" in said
    done("score", model, parts, "--heatmaps", tmp_path / "small", "-q")
    assert len(list((tmp_path / "small" / "masks").rglob("*.png"))) == 12


def test_pixels_are_evaluated_where_there_are_masks(photographs: Path, photo_model: Path) -> None:
    words = ("evaluate", photo_model, photographs, "--target", "folder", "--normal", "good")
    report = json.loads(done(*words, "--json", "--bootstrap", 20).stdout)
    assert report["pixels"]["n_images"] == 8 and report["pixels"]["n_regions"] == 4
    assert report["pixels"]["prevalence"] == pytest.approx(0.0625, abs=0.01)
    assert 0 <= report["pixels"]["aupro"] <= 1 and report["pixels"]["auroc"] > 0.5
    printed = done(*words, "--bootstrap", 0).stdout
    assert "AUPRO" in printed and f"{report['pixels']['auroc']:.3f}" in printed


def test_folders_of_good_parts_need_no_labels_and_odd_masks_are_warned_of(
    photographs: Path, photo_model: Path, tmp_path: Path
) -> None:
    words = ("evaluate", photo_model, photographs, "--bootstrap", 0, "--json")
    usual = done(*words)
    assert "warning" not in usual.stderr
    truth = tmp_path / "masks" / "test"
    shutil.copytree(photographs / "ground_truth", truth)
    for i, mask in enumerate(sorted((truth / "bar").iterdir())):
        drawn = np.asarray(opened(mask)) // (255 if i % 2 else 1)  # 0/1 and 0/255, side by side
        Image.fromarray(drawn).save(mask)
    masked = done(*words, "--masks", tmp_path / "masks")
    assert json.loads(masked.stdout) == json.loads(usual.stdout)
    assert json.loads(usual.stdout)["n_normal"] == 4
    Image.new("L", (100, 80)).save(truth / "bar" / "00_mask.png")
    warned = done(*words, "--masks", tmp_path / "masks").stderr
    assert "1 of 4 anomalies have an empty mask, such as test/bar/00.png" in warned
    for mask in (truth / "bar").iterdir():
        Image.fromarray(255 * (np.asarray(opened(mask)) == 0).astype(np.uint8)).save(mask)
    warned = done(*words, "--masks", tmp_path / "masks").stderr
    assert "4 of 4 anomalies cover most of the image" in warned and "inverted?" in warned


def test_a_missing_mask_is_named(photographs: Path, photo_model: Path, tmp_path: Path) -> None:
    words = ("evaluate", photo_model, photographs, "--target", "folder", "--normal", "good")
    said = refused(*words, "--masks", tmp_path, "--quiet")
    assert "test/bar/00.png: an anomaly, but no mask in" in said
    assert "no such folder of masks" in refused(*words, "--masks", tmp_path / "no", "--quiet")


def test_kinds_of_defects_have_figures_of_their_own(
    photographs: Path, photo_model: Path, tmp_path: Path
) -> None:
    for kind in ("bar", "dent", "good"):
        (tmp_path / kind).mkdir()
        source = "good" if kind == "good" else "bar"
        for file in (photographs / "test" / source).glob("*.png"):
            (tmp_path / kind / file.name).symlink_to(file)
    words = ("evaluate", photo_model, tmp_path, "--target", "folder", "--normal", "good")
    report = json.loads(done(*words, "--json", "--bootstrap", 20).stdout)
    assert set(report["by_kind"]) == {"bar", "dent"} and "pixels" not in report
    assert report["by_kind"]["bar"] == report["by_kind"]["dent"]
    assert "AUROC of dent" in done(*words, "--bootstrap", 0).stdout


def test_the_report_shows_misses_with_their_masks(
    photographs: Path, photo_model: Path, tmp_path: Path
) -> None:
    words = ("evaluate", photo_model, photographs, "--target", "folder", "--normal", "good")
    page = tmp_path / "page.html"
    done(*words, "--bootstrap", 0, "--threshold", 100, "--report", page)
    misses = page.read_text().split("<h2>Worst misses</h2>")[1].split("<h2>")[0]
    for i in range(4):
        for kind in ("", "Heatmap of ", "Mask of "):
            assert misses.count(f'alt="{kind}test/bar/{i:02d}.png"') == 1
    done(*words, "--bootstrap", 0, "--threshold", -100, "--report", page, "--quiet")
    alarms = page.read_text().split("<h2>Worst false alarms</h2>")[1].split("<h2>")[0]
    assert alarms.count("<img") == 8 and "Mask of" not in alarms
    assert "None: every anomaly is flagged." in page.read_text()


def test_bad_images_can_be_left_out_of_an_evaluation(
    photographs: Path, photo_model: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(photographs, copy)
    words = ("evaluate", photo_model, copy, "--target", "folder", "--normal", "good", "--json")
    whole = json.loads(done(*words, "--bootstrap", 0).stdout)
    (copy / "test" / "bar" / "0a.png").write_bytes(b"")
    (copy / "test" / "good" / "zz.png").write_bytes(b"no image")
    assert "0a.png: the file is empty" in refused(*words, "--quiet")
    left = done(*words, "--bootstrap", 0, "--skip-bad")
    assert "0a.png" in left.stderr and "zz.png" in left.stderr
    assert json.loads(left.stdout) == whole
    for file in (copy / "test").rglob("*.png"):
        file.write_bytes(b"")
    said = run(*words, "--bootstrap", 0, "--skip-bad", "--quiet")
    assert said.exit_code == 1 and said.stdout == ""
    assert "none of 10 images can be read" in said.stderr.splitlines()[-1]


def test_a_mask_of_another_size_is_named(
    photographs: Path, photo_model: Path, tmp_path: Path
) -> None:
    shutil.copytree(photographs / "ground_truth", tmp_path / "masks" / "test")
    mask = tmp_path / "masks" / "test" / "bar" / "01_mask.png"
    opened(mask).resize((50, 80)).save(mask)
    words = ("evaluate", photo_model, photographs, "--target", "folder", "--normal", "good")
    said = refused(*words, "--masks", tmp_path / "masks", "--quiet")
    assert f"{mask}: the mask of" in said
    assert "has 50x80 pixels, the image 100x80" in said


def test_scores_depend_on_neither_format_nor_the_number_of_workers(
    photographs: Path, photo_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = sorted((photographs / "test").rglob("*.png"))
    (tmp_path / "webp").mkdir()
    for i, file in enumerate(images):
        opened(file).save(tmp_path / "webp" / f"{i:02d}.webp", lossless=True)
    scores = []
    for folder, workers in ((photographs, 1), (photographs, 7), (tmp_path / "webp", 3)):
        monkeypatch.setattr("augan.io.image_list.MAX_WORKERS", workers)
        monkeypatch.setattr("os.cpu_count", lambda: 8)
        out = tmp_path / f"{workers}.csv"
        done("score", photo_model, folder, "--out", out, "-q")
        scores.append(pd.read_csv(out)["anomaly_score"].to_numpy())
    assert len(scores[0]) == 8
    assert np.array_equal(scores[0], scores[1]) and np.array_equal(scores[0], scores[2])


def test_no_output_replaces_an_image_that_is_read_or_lies_among_them(
    parts: Path, model: Path, tmp_path: Path
) -> None:
    photos = tmp_path / "photos"
    shutil.copytree(parts / "train" / "good", photos)
    before = {file.name: file.read_bytes() for file in photos.iterdir()}
    said = refused("fit", photos, "--out", photos / "00.png", *QUICK)
    assert "--out" in said and "00.png: is one of the input files" in said
    run_dir = photos / "run"
    said = refused("fit", photos, "--out", tmp_path / "m.augan", "--run-dir", run_dir, *QUICK)
    assert "--run-dir" in said and "the folder of the input images" in said
    assert {file.name: file.read_bytes() for file in photos.iterdir()} == before


def test_no_output_replaces_a_table_of_a_directory_that_is_read(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    table = tmp_path / "tables" / "a.csv"
    table.write_text("x,y\n1,2\n2,3\n")
    said = refused("fit", table.parent, "--out", table, *QUICK)
    assert "--out" in said and "one of the input files" in said
    assert table.read_text() == "x,y\n1,2\n2,3\n"
