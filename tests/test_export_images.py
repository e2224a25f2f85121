"""Exported images: bytes in, scores and heat out; on the command line as a .augan file."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from augan_cli.app import app
from PIL import Image
from typer.testing import CliRunner

from augan import FAnoGAN, GANSampler, OnnxDetector, OnnxGenerator
from augan.exceptions import DataError
from augan.scoring.heads import BACKBONE_HEADS, HEADS, TABLE_HEADS

QUICK = {
    "max_steps": 10,
    "encoder_steps": 10,
    "pretext_steps": 10,
    "restoration_steps": 10,
    "width": 8,
    "n_folds": 2,
    "n_critic": 1,
    "random_state": 0,
}
CLIENT = Path(__file__).parents[1] / "examples" / "node_client"


def photographs(n: int, seed: int, shape: tuple[int, int] = (72, 90)) -> np.ndarray:
    """Return smooth images whose light differs, bytes."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]] / 20
    waves = (
        np.sin(x + random.uniform(0, 6, (n, 1, 1))) + np.cos(y) + random.normal(0, 0.1, (n, 1, 1))
    )
    images = 120 + 30 * waves + random.normal(0, 4, (n, *shape[:2]))
    if len(shape) == 3:
        images = np.stack([images] * shape[2], axis=3)
    return images.clip(0, 255).astype(np.uint8)


def opened(path: Path, **params: Any) -> OnnxDetector:
    return OnnxDetector(path, providers="cpu", **params)


@pytest.fixture(scope="module")
def photograph_detector() -> FAnoGAN:
    heads = ("image_neighbors",)  # local_neighbors: see all heads below
    return FAnoGAN(heads=heads, **QUICK).fit(photographs(40, 0))


@pytest.fixture(scope="module")
def file(photograph_detector: FAnoGAN, tmp_path_factory: Any) -> Path:
    path: Path = tmp_path_factory.mktemp("photographs") / "parts.onnx"
    report = photograph_detector.export_onnx(path)
    assert report.found.agrees and report.found.difference < 1e-4
    return path


def test_photographs_get_the_scores_and_the_heat_of_torch(
    photograph_detector: FAnoGAN, file: Path
) -> None:
    images = photographs(12, 1)
    images[:6, 30:40, 30:45] = 255
    ours, theirs = (m.assess(images, explain=True) for m in (photograph_detector, opened(file)))
    scale = photograph_detector.scorer_.conformal.scores.std().item()
    assert np.abs(ours.anomaly_score - theirs.anomaly_score).max() < 1e-4 * scale
    assert theirs.explanation.shape == images.shape
    np.testing.assert_allclose(theirs.explanation, ours.explanation, atol=2e-3)
    assert np.array_equal(opened(file).predict(images), photograph_detector.predict(images))
    assert opened(file).pixel_threshold_ == photograph_detector.pixel_threshold_


def test_the_graph_takes_bytes_of_any_number_of_images(file: Path) -> None:
    session = opened(file).fit()._session
    (value,) = (i for i in session.session.get_inputs() if i.name == "images")
    assert value.type == "tensor(uint8)" and value.shape[1:] == [72, 90, 1]
    for n in (1, 3):
        found = session.run({"images": photographs(n, 2)[..., None]})
        assert found["heatmap"].shape == (n, 72, 90) and found["anomaly_score"].shape == (n,)
    fewer = session.run({"images": photographs(n, 2)[..., None], "explain": np.array(False)})
    assert fewer["heatmap"].shape == (0, 72, 90)
    assert np.array_equal(fewer["anomaly_score"], found["anomaly_score"])


def test_bound_images_get_the_same_scores_and_heat(file: Path) -> None:
    images = photographs(5, 4)
    for fpr in (None, 0.2):
        plain, bound = (opened(file, io_binding=on, target_fpr=fpr).fit() for on in (False, True))
        assert bound._session.io_binding
        for model in (plain, bound):
            model.metadata_["chunk"] = 3  # the last chunk is shorter
        ours, theirs = (model.assess(images, explain=True) for model in (plain, bound))
        assert np.array_equal(ours.anomaly_score, theirs.anomaly_score)
        assert np.array_equal(ours.explanation, theirs.explanation)
        assert np.array_equal(plain.predict(images), bound.predict(images))
        assert np.array_equal(plain.anomaly_score(images), bound.anomaly_score(images))


def test_images_that_do_not_fit_are_named(photograph_detector: FAnoGAN, file: Path) -> None:
    for model in (photograph_detector, opened(file)):
        with pytest.raises(DataError, match=r"images of shape \(50, 50\)"):
            model.anomaly_score(np.zeros((2, 50, 50), np.uint8))
        with pytest.raises(DataError, match="image 1, row 0, column 0: nan"):
            model.anomaly_score(np.stack([np.zeros((72, 90)), np.full((72, 90), np.nan)]))
    with pytest.raises(DataError, match=r"image 0, row 2, column 3: 0.5 is not a byte"):
        images = np.zeros((1, 72, 90))
        images[0, 2, 3] = 0.5
        opened(file).anomaly_score(images)


@pytest.fixture(scope="module")
def wide_detector(digits: np.ndarray) -> FAnoGAN:
    """Fitted to digits with wide margins, with all heads; half as many turns as of squares."""
    heads = [name for name in HEADS if name not in TABLE_HEADS + BACKBONE_HEADS]
    return FAnoGAN(heads=heads, **QUICK).fit(wide(digits))


def wide(digits: np.ndarray) -> np.ndarray:
    return np.pad(digits, ((0, 0), (0, 0), (2, 2)))


@pytest.fixture(scope="module")
def small_detector(digits: np.ndarray) -> FAnoGAN:
    """Fitted to digits with wide margins, with one head of each network: soon exported."""
    heads = ("data_residual", "latent_cycle", "critic_neighbors", "pretext_neighbors")
    return FAnoGAN(heads=heads, **QUICK).fit(wide(digits))


@pytest.mark.parametrize(
    "part", ["scorer", *(pytest.param(p, marks=pytest.mark.slow) for p in ("generator", "encoder"))]
)
def test_small_images(small_detector: FAnoGAN, part: str, tmp_path: Path) -> None:
    assert_exported_alike(small_detector, part, tmp_path)


@pytest.mark.slow
def test_small_images_with_all_heads(wide_detector: FAnoGAN, tmp_path: Path) -> None:
    assert_exported_alike(wide_detector, "scorer", tmp_path)


def assert_exported_alike(wide_detector: FAnoGAN, part: str, tmp_path: Path) -> None:
    digits = np.asarray(wide_detector.sample(30, random_state=0))
    report = wide_detector.export_onnx(tmp_path / "d.onnx", part=part, X=digits)
    assert report.found.agrees
    onnx.checker.check_model(onnx.load(tmp_path / "d.onnx"), full_check=True)
    if part == "generator":
        images = OnnxGenerator(tmp_path / "d.onnx", providers="cpu").sample(5, random_state=0)
        assert images.shape == (5, *digits.shape[1:]) and images.dtype == digits.dtype
        bound = OnnxGenerator(tmp_path / "d.onnx", providers="cpu", io_binding=True)
        assert bound._session.io_binding
        assert np.array_equal(bound.sample(5, random_state=0), images)
    if part == "scorer":
        found = opened(tmp_path / "d.onnx").explain(digits)
        np.testing.assert_allclose(found, wide_detector.explain(digits), atol=2e-3)


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.slow
def test_the_command_line_treats_both_files_alike(tmp_path: Path) -> None:
    detector = FAnoGAN(**QUICK, heads=("image_neighbors",)).fit(photographs(40, 0))
    folder = tmp_path / "parts"
    folder.mkdir()
    for i, image in enumerate(photographs(8, 3)):
        Image.fromarray(image).save(folder / f"{i}.png")
    model, out = tmp_path / "parts.augan", tmp_path / "parts.onnx"
    detector.save(model)
    triton, card = tmp_path / "triton", tmp_path / "card.md"
    done = run("export", model, out, "--data", folder, "--triton", triton, "--card", card)
    assert done.exit_code == 0, done.output
    assert "scorer, opset 18, fp32" in done.stderr and "0 decided differently" in done.stderr
    assert card.read_text().startswith("# FAnoGAN scorer")
    assert (triton / "parts" / "config.pbtxt").exists()
    tables = []
    for file in (model, out):
        scores, heat = tmp_path / f"{file.suffix[1:]}.csv", tmp_path / f"{file.suffix[1:]}-heat"
        cpu = ("--device", "cpu")
        done = run("score", file, folder, "--out", scores, "--heatmaps", heat, *cpu)
        assert done.exit_code == 0, done.output
        assert len(list((heat / "overlays").iterdir())) == 8
        tables.append(pd.read_csv(scores))
    assert list(tables[0]) == list(tables[1])
    np.testing.assert_allclose(tables[0]["anomaly_score"], tables[1]["anomaly_score"], atol=1e-4)
    masks = [
        np.asarray(Image.open(tmp_path / f"{k}-heat/masks/3.png.png")) for k in ("augan", "onnx")
    ]
    assert (masks[0] != masks[1]).mean() < 0.001


@pytest.mark.slow
def test_the_command_line_samples_from_an_exported_generator(
    small_detector: FAnoGAN, numbers_detector: FAnoGAN, tmp_path: Path
) -> None:
    for detector, out in ((small_detector, "made"), (numbers_detector, "made.csv")):
        model, file = tmp_path / "m.augan", tmp_path / "m.onnx"
        detector.save(model)
        assert run("export", model, file, "--part", "generator").exit_code == 0
        again = [file, "-n", 5, "--seed", 3, "--device", "cpu", "--out"]
        done = run("sample", *again, tmp_path / out)
        assert done.exit_code == 0, done.output
        assert "5 new" in done.stderr
        refused = run("sample", *again, tmp_path / f"b{out}", "--score-range", ".9...99")
        assert refused.exit_code == 1 and "exported generator" in refused.stderr
    assert len(list((tmp_path / "made").iterdir())) == 5
    assert len(pd.read_csv(tmp_path / "made.csv")) == 5


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["export", "none.augan", "m.onnx"], "none.augan: no such file"),
        (["export", "m.augan", "m.bin"], "m.bin: the name of an export must end in .onnx"),
        (["export", "m.augan", "m.onnx", "--precision", "int8"], "needs X, normal rows"),
        (["export", "m.augan", "no/m.onnx"], "no"),
        (["score", "none.onnx", "rows.csv"], "none.onnx: no such file"),
        (["score", "bad.onnx", "rows.csv"], "bad.onnx: not an ONNX file, or damaged"),
        (["info", "bad.onnx"], "bad.onnx: not an ONNX file, or damaged"),
        (["score", "bad.onnx", "rows.csv", "--device", "tpu"], "--device tpu"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str],
    says: str,
    table_detector: FAnoGAN,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    table_detector.save("m.augan")
    Path("rows.csv").write_text("a\n1\n")
    Path("bad.onnx").write_bytes(b"\x08\x09oh")
    done = run(*arguments)
    assert done.exit_code == 1
    lines = done.stderr.strip().splitlines()
    assert says in lines[-1] and lines[-1].startswith("augan: error: ") and len(lines) <= 2


@pytest.mark.slow
def test_a_javascript_client_gets_the_same_figures(
    default_detector: FAnoGAN, default_file: Path, mixed_frame: pd.DataFrame, tmp_path: Path
) -> None:
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("needs Node.js and npm")
    shutil.copytree(CLIENT, tmp_path, dirs_exist_ok=True)
    install = ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"]
    if subprocess.run(install, cwd=tmp_path, capture_output=True, timeout=300).returncode:
        pytest.skip("onnxruntime-web cannot be installed")
    shutil.copy(default_file, tmp_path / "m.onnx")
    rows = mixed_frame[:50].reset_index(drop=True)
    plain = rows.assign(day=rows["day"].astype("datetime64[us]").astype("int64") / 1e6)
    plain["member"] = plain["member"].map({True: "true", False: "false"})
    plain.to_json(tmp_path / "rows.jsonl", orient="records", lines=True, double_precision=15)
    command = ["node", "score.mjs", "m.onnx", "rows.jsonl"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = pd.read_json(io.StringIO(done.stdout), lines=True)
    expected = opened(default_file).assess(rows)
    np.testing.assert_allclose(found["anomaly_score"], expected.anomaly_score, atol=1e-5)
    assert np.abs(found["p_value"] - expected.p_value).max() < 2 / default_detector.n_calibration_
    flagged = expected.anomaly_score > default_detector.threshold_
    assert np.array_equal(found["is_anomaly"], flagged)


@pytest.mark.slow
def test_generators_of_classes_of_images_are_exported(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (20, 8, 8)).astype(np.uint8)
    small = {"max_steps": 1, "encoder_steps": 1, "width": 8, "latent_dim": 2, "random_state": 0}
    sampler = GANSampler(method="gan", **small).fit(images, np.repeat([0, 1], 10))
    sampler.export_onnx(tmp_path / "g.onnx")
    bound = OnnxGenerator(tmp_path / "g.onnx", providers="cpu", io_binding=True)
    new, labels = OnnxGenerator(tmp_path / "g.onnx", providers="cpu").sample(5, random_state=0)
    assert (new.shape, new.dtype, labels.dtype) == ((5, 8, 8), np.uint8, sampler.classes_.dtype)
    np.testing.assert_array_equal(bound.sample(5, random_state=0)[0], new)
