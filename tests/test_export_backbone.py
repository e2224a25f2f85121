"""Exported detectors of photographs with a pretrained backbone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from sklearn.datasets import load_sample_image

from augan import FAnoGAN, OnnxDetector
from augan.scoring.patches import BackboneMemory


def crops(n: int, seed: int, *, aligned: bool) -> np.ndarray:
    """Return photographs of about the same part of a roof, or of places anywhere on it."""
    random = np.random.default_rng(seed)
    roof = load_sample_image("china.jpg")
    low, high = ((180, 100), (184, 104)) if aligned else ((0, 0), (266, 496))
    places = random.integers(low, high, (n, 2))
    images = np.stack([roof[a : a + 160, b : b + 144] for a, b in places])
    noise = random.normal(0, 5, images.shape)  # so that no two images are equal
    return (images + noise).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("aligned", [True, False])
def test_scores_and_heat_are_those_of_torch(aligned: bool, tmp_path: Path) -> None:
    detector = FAnoGAN(random_state=0, memory_size=500).fit(crops(40, 0, aligned=aligned))
    memory = detector.scorer_.heads["backbone_memory"]
    assert isinstance(memory, BackboneMemory) and (memory.bank.ndim == 3) == aligned
    path = tmp_path / "parts.onnx"
    report = detector.export_onnx(path)
    assert report.found.agrees
    images = crops(12, 1, aligned=aligned)
    images[:6, 30:60, 30:34] = (255, 0, 0)
    exported = OnnxDetector(path, providers="cpu", threads=1)
    ours, theirs = detector.assess(images, explain=True), exported.assess(images, explain=True)
    scale = float(detector.scorer_.conformal.scores.std())
    assert np.abs(ours.anomaly_score - theirs.anomaly_score).max() < 1e-4 * scale
    gap = np.abs(ours.explanation - theirs.explanation).max()
    assert gap < 1e-4 * np.abs(ours.explanation).max()
    assert exported.metadata_["backbone"] == "efficientnet_lite0"
    notes = onnx.load(path).doc_string
    assert "efficientnet_lite0, trained on ImageNet; licence of its weights: Apache-2.0" in notes
