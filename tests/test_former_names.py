"""Names of former versions: model files that hold them load, parameters that use them work."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

import augan
from augan import FAnoGAN
from augan.exceptions import ParameterError
from augan.io.former_names import with_current_parts

TINY: dict[str, Any] = {
    **{"max_steps": 2, "encoder_steps": 2, "restoration_steps": 1, "width": 4, "n_folds": 2},
    **{"random_state": 0},
}
HEADS = ("image_neighbors", "detail_repair")
IMAGES = np.random.default_rng(0).integers(0, 255, (10, 66, 66)).astype(np.uint8)


def _as_format_8(path: Path, former: Path) -> None:
    """Write a model file as the former version did: of format 8, with its names."""
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        tensors = load_tensors(archive.read("weights.safetensors"))
    manifest["format_version"] = 8
    assert manifest["params"]["heads"] == list(HEADS)
    former_names = {"scoring": "score", "restoration_steps": "repair_steps"}
    params = manifest["params"]
    manifest["params"] = {former_names.get(name, name): params[name] for name in params}
    manifest["history"] = [
        {k.replace("restoration", "repair"): v for k, v in row.items()}
        | ({"phase": "repair"} if row["phase"] == "restoration" else {})
        for row in manifest["history"]
    ]
    names = {name: name.replace("parts.restoration.", "parts.repair.") for name in tensors}
    assert any(name != names[name] for name in names)
    weights = save_tensors({names[name]: tensor for name, tensor in tensors.items()})
    manifest["weights_sha256"] = hashlib.sha256(weights).hexdigest()
    with zipfile.ZipFile(former, "w") as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
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


def test_a_model_file_with_former_names_scores_the_same(detector: FAnoGAN, tmp_path: Path) -> None:
    detector.save(tmp_path / "current.augan")
    _as_format_8(tmp_path / "current.augan", tmp_path / "former.augan")
    loaded = augan.load(tmp_path / "former.augan")
    assert loaded.heads == ("image_neighbors", "detail_restoration")
    assert np.array_equal(loaded.anomaly_score(IMAGES), detector.anomaly_score(IMAGES))
    assert list(loaded.history_) == list(detector.history_)
    assert {"restoration_loss", "restoration_learning_rate"} <= set(loaded.history_[-1])
