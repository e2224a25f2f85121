"""What is not installed is said before the work, not after it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from augan_cli.app import app
from typer.testing import CliRunner

import augan

FIT = ["fit", "t.csv", "--out", "m.augan"]
FIT_SAMPLER = ["fit-sampler", "t.csv", "--out", "m.augan", "--target", "label"]
TRAINED = "augan.estimators.detector.train"
LOADED = ("augan.estimators.", "augan.model_file", "augan.io.model_tensors")
SAMPLED = "augan.models.sampler_training.train"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a table, where nothing may train."""
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])
    frame.assign(label=np.arange(60) % 4).to_csv(tmp_path / "t.csv", index=False)
    monkeypatch.chdir(tmp_path)
    for name in (TRAINED, SAMPLED):
        monkeypatch.setattr(name, lambda *_, **__: pytest.fail("it trains"))
    return tmp_path


@pytest.mark.parametrize(
    "module, loaded, words",
    [
        ("safetensors", LOADED, FIT),
        ("safetensors", LOADED, FIT_SAMPLER),
        ("imblearn", "augan.estimators.sampler", FIT_SAMPLER),
        (
            *("imblearn", "augan.estimators.sampler"),
            ["balance", "t.csv", "--target", "label", "--out", "o.csv"],
        ),
        ("tensorboard", "", [*FIT, "--run-dir", "run", "--tensorboard"]),
    ],
)
def test_what_is_not_installed_is_said_before_anything_trains(
    folder: Path, monkeypatch: pytest.MonkeyPatch, module: str, loaded: Any, words: list[Any]
) -> None:
    for name in list(sys.modules):
        if name == module or name.startswith(module + "."):
            monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    for name in [name for name in sys.modules if loaded and name.startswith(loaded)]:
        monkeypatch.delitem(sys.modules, name)
        parent, _, own = name.rpartition(".")
        if parent in sys.modules:
            monkeypatch.delattr(sys.modules[parent], own, raising=False)
    for name in ("FAnoGAN", "GANSampler"):
        monkeypatch.delitem(augan.__dict__, name, raising=False)
    result = CliRunner().invoke(app, [*words, "--threads", "1"])
    lines = result.stderr.splitlines()
    assert result.exit_code == 1 and len(lines) == 1, (result.exception, result.stderr)
    assert lines[0].startswith(f"augan: error: {module} is not installed: ")
    assert "pip install 'augan[" in lines[0]
    assert [path.name for path in folder.iterdir() if path.is_file()] == ["t.csv"]
