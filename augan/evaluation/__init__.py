"""How good a detector is, and what new rows are worth, measured on labelled rows."""

from __future__ import annotations

from augan.evaluation.augmentation import AugmentationReport, evaluate_augmentation
from augan.evaluation.detection import detection_metrics, evaluate_detector
from augan.evaluation.figures import DetectionReport, Figure, PValueCheck

__all__ = [
    "AugmentationReport",
    "DetectionReport",
    "Figure",
    "PValueCheck",
    "detection_metrics",
    "evaluate_augmentation",
    "evaluate_detector",
]
