"""How good a detector is, measured on labelled rows."""

from __future__ import annotations

from augan.evaluation.detection import detection_metrics, evaluate_detector
from augan.evaluation.figures import DetectionReport, Figure, PValueCheck

__all__ = ["DetectionReport", "Figure", "PValueCheck", "detection_metrics", "evaluate_detector"]
