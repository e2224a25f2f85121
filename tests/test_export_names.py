"""Exported tables of few, odd or oddly named columns: the answers of torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest

from augan import FAnoGAN, OnnxDetector, OnnxGenerator
from augan.deploy.inputs import RESERVED

QUICK = {
    **{
        "max_steps": 5,
        "encoder_steps": 5,
        "pretext_steps": 5,
        "restoration_steps": 5,
        "n_folds": 2,
    },
    **{
        "n_critic": 1,
        "heads": ("data_neighbors", "pretext_neighbors"),
        "width": 16,
        "latent_dim": 4,
        "random_state": 0,
    },
}
N = 60
ODD_NAMES = [
    *("", " ", "a\nb", "a`b", 'say "x"\\', "x | y", "<b>", "é😀", "\x1b[31m", "a\0b", "augan/raw"),
    *RESERVED,
    *("column:X", "score", "# title"),
]


def table(*names: Any) -> pd.DataFrame:
    """Return numbers and texts in turn under these names."""
    random = np.random.default_rng(0)
    texts = ["a", "b", "c d", "é"]
    columns = {
        name: random.choice(texts, N) if i % 4 == 1 else random.normal(size=N)
        for i, name in enumerate(names)
    }
    return pd.DataFrame(columns)


def assert_exported_alike(data: Any, folder: Path) -> Path:
    """Export a model of the data, and compare its answers with those of the file."""
    detector, path = FAnoGAN(**QUICK).fit(data), folder / "m.onnx"
    assert detector.export_onnx(path, X=data).found.agrees
    ours, theirs = (
        model.assess(data, explain=True)
        for model in (detector, OnnxDetector(path, providers="cpu"))
    )
    np.testing.assert_allclose(ours.anomaly_score, theirs.anomaly_score, atol=1e-3)
    assert list(ours.explanation) == list(theirs.explanation)
    return path


@pytest.mark.slow  # some of them by default: test_export
def test_columns_of_any_name_are_exported(tmp_path: Path) -> None:
    data = table(*ODD_NAMES)
    path = assert_exported_alike(data, tmp_path)
    inputs = [value.name for value in onnx.load(path).graph.input]
    assert len(set(inputs)) == len(inputs) == len(ODD_NAMES) + 2
    assert {"a\nb", "column:", "column:X", "column:column:X", "column:explain"} <= set(inputs)


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        table("a"),
        table("a", "b")[["b"]],
        table(0, "a", "b", 1).set_axis([5, 0, 2, 1], axis=1),
        table("a", "b").assign(nothing=np.nan, no_text=pd.Series([None] * N, dtype=object), one=1),
        table("a").to_numpy(),
        table("a", "b").to_numpy(dtype=object),
        table("a", "b").assign(b=["", " ", "x"] * (N // 3)),
    ],
    ids=["a number", "a text", "integers", "missing", "one of an array", "objects", "empty texts"],
)
def test_few_columns_are_exported(data: Any, tmp_path: Path) -> None:
    assert_exported_alike(data, tmp_path)
    FAnoGAN(**QUICK).fit(data).export_onnx(tmp_path / "g.onnx", part="generator")
    made = OnnxGenerator(tmp_path / "g.onnx", providers="cpu").sample(7, random_state=0)
    assert type(made) is type(data) and made.shape == (7, data.shape[1])
