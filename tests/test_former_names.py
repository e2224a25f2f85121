"""Names and model files of former versions."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import augan
from augan import FAnoGAN, GANSampler
from augan.exceptions import ModelFileError, ParameterError
from augan.io.former_names import with_current_parts

TINY: dict[str, Any] = {
    **{"max_steps": 2, "encoder_steps": 2, "restoration_steps": 1, "width": 4, "n_folds": 2},
    **{"random_state": 0},
}
HEADS = ("image_neighbors", "detail_repair")
IMAGES = np.random.default_rng(0).integers(0, 255, (10, 66, 66)).astype(np.uint8)


def _with_format(path: Path, version: int, other: Path) -> None:
    """Write a model file again, with another version of the format."""
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        weights = archive.read("weights.safetensors")
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest | {"format_version": version}))
        archive.writestr("weights.safetensors", weights)


@pytest.fixture(scope="module")
def detector() -> FAnoGAN:
    detector = FAnoGAN(heads=HEADS, **TINY)
    with pytest.warns(FutureWarning, match="'detail_repair' is now called 'detail_restoration'"):
        return detector.fit(IMAGES)


def test_a_former_name_of_a_head_is_the_current_head(detector: FAnoGAN) -> None:
    assert detector.heads == HEADS
    assert list(detector.score_parts(IMAGES)) == ["image_neighbors", "detail_restoration"]


@pytest.mark.parametrize(
    ("name", "now"), [("score", "scoring"), ("repair_steps", "restoration_steps")]
)
def test_a_former_name_of_a_parameter_warns(name: str, now: str) -> None:
    value = {"score": "paper", "repair_steps": 7}[name]
    with pytest.warns(FutureWarning, match=f"{name!r} was renamed to {now!r}"):
        made = FAnoGAN(**{name: value})
    assert made.get_params()[now] == value
    with pytest.warns(FutureWarning, match=f"{name!r} was renamed to {now!r}"):
        changed = FAnoGAN().set_params(**{name: value})
    assert changed.get_params()[now] == value
    with pytest.raises(TypeError, match="unexpected keyword"):
        FAnoGAN(**{name + "s": value})


def test_parts_of_a_former_onnx_file_have_the_current_names() -> None:
    former = {"part": "scorer", "parts": ["image_neighbors", "detail_repair"]}
    assert with_current_parts(former)["parts"] == ["image_neighbors", "detail_restoration"]
    assert with_current_parts({"part": "encoder"}) == {"part": "encoder"}


def test_a_head_by_both_its_names_is_refused() -> None:
    twice = FAnoGAN(heads=("detail_restoration", "detail_repair"), **TINY)
    with pytest.raises(ParameterError, match="heads="):
        twice.fit(IMAGES)


@pytest.mark.parametrize("version", [8, 9])
def test_a_detector_of_an_earlier_format_is_to_be_fitted_again(
    detector: FAnoGAN, tmp_path: Path, version: int
) -> None:
    detector.save(tmp_path / "current.augan")
    _with_format(tmp_path / "current.augan", version, tmp_path / "former.augan")
    with pytest.raises(ModelFileError, match=f"of format {version}, .* fit it again"):
        augan.load(tmp_path / "former.augan")


@pytest.mark.parametrize("version", [8, 9])
def test_a_sampler_of_an_earlier_format_is_read(tmp_path: Path, version: int) -> None:
    X = np.random.default_rng(0).normal(size=(60, 3))
    sampler = GANSampler(max_steps=2, random_state=0).fit(X, X[:, 0] > 0)
    sampler.save(tmp_path / "current.augan")
    _with_format(tmp_path / "current.augan", version, tmp_path / "former.augan")
    loaded = augan.load(tmp_path / "former.augan")
    assert np.array_equal(loaded.sample(5)[0], sampler.sample(5)[0])
