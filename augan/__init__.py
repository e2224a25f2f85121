"""Anomaly detection and synthetic data with GANs, for tables and images."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from augan._version import __version__

__all__ = [
    "AnoGAN",
    "CriticFeatures",
    "FAnoGAN",
    "GANSampler",
    "OnnxDetector",
    "OnnxGenerator",
    "RunDirectory",
    "__version__",
    "load",
    "read_images",
]

if TYPE_CHECKING:
    from augan.deploy.detector import OnnxDetector
    from augan.deploy.generator import OnnxGenerator
    from augan.estimators.anogan import AnoGAN
    from augan.estimators.critic_features import CriticFeatures
    from augan.estimators.f_anogan import FAnoGAN
    from augan.estimators.sampler import GANSampler
    from augan.io.read_images import read_images
    from augan.model_file import load
    from augan.training.run_directory import RunDirectory

_HOMES = {
    "AnoGAN": "augan.estimators.anogan",
    "CriticFeatures": "augan.estimators.critic_features",
    "FAnoGAN": "augan.estimators.f_anogan",
    "GANSampler": "augan.estimators.sampler",
    "OnnxDetector": "augan.deploy.detector",
    "OnnxGenerator": "augan.deploy.generator",
    "RunDirectory": "augan.training.run_directory",
    "load": "augan.model_file",
    "read_images": "augan.io.read_images",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that ``augan --help`` needs no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'augan' has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        needs = f"{name} requires {error.name}: pip install 'augan[train]'"
        raise ModuleNotFoundError(needs, name=error.name) from error


def __dir__() -> list[str]:
    return sorted(__all__)
