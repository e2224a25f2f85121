"""`augan interpolate`, `inpaint`, `edit`, and `sample --truncation`: each leaves a picture."""

from __future__ import annotations

import numpy as np
import pytest
from augan_cli.app import app
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_digits
from typer.testing import CliRunner

from augan import FAnoGAN, GANSampler

DIGITS = np.clip(16 * load_digits().images, 0, 255).astype(np.uint8)
LABELS = load_digits().target
QUICK = {"max_steps": 5, "encoder_steps": 5, "n_critic": 1, "width": 8, "random_state": 0}
PRETEXT = {"pretext_steps": 1, "n_folds": 2, "heads": ("data_neighbors",)}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    path = tmp_path_factory.mktemp("files")
    FAnoGAN(**QUICK, **PRETEXT).fit(DIGITS[:100]).save(path / "digits.augan")
    FAnoGAN(**QUICK, **PRETEXT).fit(load_breast_cancer().data[:60, :3]).save(path / "rows.augan")
    sampler = GANSampler(**QUICK, method="gan").fit(DIGITS[:100], LABELS[:100])
    sampler.save(path / "sampler.augan")
    np.savez(path / "digits.npz", X=DIGITS[:60], digit=LABELS[:60])
    for name in "ab":
        (path / "folder" / name).mkdir(parents=True)
    for i, image in enumerate(DIGITS[:12]):
        Image.fromarray(image).save(path / "folder" / "ab"[i % 2] / f"{i:02}.png")
    hole = np.zeros((8, 8), dtype=np.uint8)
    hole[2:5, 2:5] = 255
    Image.fromarray(hole).save(path / "hole.png")
    Image.fromarray(hole[:4]).save(path / "small.png")
    return path


def slow(*values):
    """Return a case that is not run by default; files of another kind are read the same way."""
    return pytest.param(*values, marks=pytest.mark.slow)


def _run(path, command):
    return CliRunner().invoke(app, command.format(path).split())


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("interpolate {0}/digits.augan {0}/digits.npz --start 3 --end 9", "10 images between two"),
        slow("interpolate {0}/digits.augan {0}/folder -n 4", "4 images between two"),
        ("inpaint {0}/digits.augan {0}/digits.npz --hole 2,3,4,5 --steps 3", "10 images filled"),
        slow(
            "inpaint {0}/digits.augan {0}/folder --mask {0}/hole.png -n 3 --steps 3",
            "3 images filled",
        ),
        ("edit {0}/digits.augan {0}/digits.npz --target digit --positive 1", "5 images edited"),
        ("edit {0}/digits.augan {0}/folder --target folder --positive a -n 2", "2 images edited"),
    ],
)
def test_each_command_writes_a_picture(files, tmp_path, command, said):
    result = _run(files, f"{command} --out {tmp_path}/picture.png")
    assert result.exit_code == 0, result.output
    assert said in result.output
    with Image.open(tmp_path / "picture.png") as picture:
        assert min(picture.size) > 100
        assert np.ptp(np.asarray(picture.convert("L"))) > 200


def test_truncated_samples_are_more_alike(files, tmp_path):
    for name, option in (("all", ""), ("usual", "--truncation 0.1")):
        command = f"sample {{0}}/digits.augan -n 50 --out {tmp_path}/{name}.npy {option}"
        result = _run(files, command)
        assert result.exit_code == 0, result.output
    every, usual = (np.load(tmp_path / f"{name}.npy") for name in ("all", "usual"))
    assert usual.std(axis=0).mean() < 0.5 * every.std(axis=0).mean()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("interpolate {0}/rows.augan {0}/digits.npz --out {0}/a.png", "is a detector of tables"),
        ("interpolate {0}/sampler.augan {0}/digits.npz --out {0}/a.png", "is a GANSampler"),
        ("interpolate {0}/digits.augan {0}/digits.npz --out {0}/a.jpg", "must end in .png"),
        (
            "interpolate {0}/digits.augan {0}/digits.npz --end 60 --out {0}/a.png",
            "has images 0 to 59",
        ),
        ("interpolate {0}/digits.augan {0}/no.npz --out {0}/a.png", "no.npz: no such file"),
        (
            "inpaint {0}/digits.augan {0}/digits.npz --out {0}/a.png",
            "give one of --mask and --hole",
        ),
        (
            "inpaint {0}/digits.augan {0}/digits.npz --mask {0}/small.png --out {0}/a.png",
            "has (4, 8) pixels, the images have (8, 8)",
        ),
        (
            "inpaint {0}/digits.augan {0}/digits.npz --hole 1,2 --out {0}/a.png",
            "must be TOP,LEFT,HEIGHT,WIDTH",
        ),
        (
            "inpaint {0}/digits.augan {0}/digits.npz --hole 5,5,4,4 --out {0}/a.png",
            "not inside images of 8 x 8 pixels",
        ),
        (
            "inpaint {0}/digits.augan {0}/digits.npz --hole 0,0,8,8 --out {0}/a.png",
            "every pixel is a hole",
        ),
        (
            "edit {0}/digits.augan {0}/digits.npz --target digit --positive x --out {0}/a.png",
            "has no value 'x'",
        ),
        ("sample {0}/sampler.augan -n 3 --truncation 0.5 --out {0}/new", "is a sampler"),
        ("sample {0}/digits.augan -n 3 --truncation 0 --out {0}/new", "truncation=0.0: must be"),
    ],
)
def test_what_is_wrong_is_one_line(files, command, message):
    result = _run(files, command)
    assert result.exit_code == 1, result.output
    assert message in result.output and "Traceback" not in result.output
    assert not (files / "a.png").exists()
