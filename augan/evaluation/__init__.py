"""Evaluation of detectors, of generated rows and images, and of resampling strategies."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from augan.evaluation.augmentation import evaluate_augmentation
    from augan.evaluation.augmentation_report import AugmentationReport
    from augan.evaluation.detection import detection_metrics, evaluate_detector
    from augan.evaluation.fidelity import fidelity_metrics
    from augan.evaluation.figures import DetectionReport, Figure, PValueCheck
    from augan.evaluation.generative import evaluate_generator
    from augan.evaluation.generative_report import ClassQuality, GenerativeReport
    from augan.evaluation.pixels import PixelReport, pixel_metrics
    from augan.evaluation.regions import Region, find_regions
    from augan.evaluation.thresholds import FittedThreshold, fit_threshold

__all__ = [
    "AugmentationReport",
    "ClassQuality",
    "DetectionReport",
    "Figure",
    "FittedThreshold",
    "GenerativeReport",
    "PValueCheck",
    "PixelReport",
    "Region",
    "detection_metrics",
    "evaluate_augmentation",
    "evaluate_detector",
    "evaluate_generator",
    "fidelity_metrics",
    "find_regions",
    "fit_threshold",
    "pixel_metrics",
]
_HOMES = {
    "AugmentationReport": "augmentation_report",
    "ClassQuality": "generative_report",
    "DetectionReport": "figures",
    "Figure": "figures",
    "FittedThreshold": "thresholds",
    "GenerativeReport": "generative_report",
    "PValueCheck": "figures",
    "PixelReport": "pixels",
    "Region": "regions",
    "detection_metrics": "detection",
    "evaluate_augmentation": "augmentation",
    "evaluate_detector": "detection",
    "evaluate_generator": "generative",
    "fidelity_metrics": "fidelity",
    "find_regions": "regions",
    "fit_threshold": "thresholds",
    "pixel_metrics": "pixels",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, as each needs other packages.

    Raises
    ------
    AttributeError
        For any other name.
    """
    if name not in _HOMES:
        raise AttributeError(f"module 'augan.evaluation' has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
