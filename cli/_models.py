"""Models in files, and the data that is stored with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PROVIDERS = {None: "auto", "auto": "auto", "cpu": "cpu", "cuda": "cuda", "tensorrt": "tensorrt"}


def is_onnx(path: Path | None) -> bool:
    """Whether a file is an exported model, which runs without torch."""
    return path is not None and path.suffix.lower() == ".onnx"


def load_detector(path: Path, device: str | None, threads: int | None = None) -> Any:
    """Return the detector in a file.

    Raises
    ------
    ModelFileError
        If the file holds a sampler.
    """
    from augan.exceptions import ModelFileError

    if is_onnx(path):
        from augan.deploy.detector import OnnxDetector

        return OnnxDetector(path, providers=providers(device), threads=threads).fit()
    from augan.model_file import load

    estimator = load(path, device=device)
    if not hasattr(estimator, "anomaly_score"):
        raise ModelFileError(
            f"{path}: a {type(estimator).__name__}, which does not score rows; "
            "augan fit trains a detector"
        )
    return estimator


def load_scorer(path: Path, device: str | None, threads: int | None = None) -> Any:
    """Return what scores rows: `load_detector`'s, of an exported file without scikit-learn."""
    if not is_onnx(path):
        return load_detector(path, device, threads)
    from augan.deploy.scorer import OnnxScorer

    return OnnxScorer(path, providers=providers(device), threads=threads).open()


def providers(device: str | None) -> str:
    """Return the execution provider of ONNX Runtime.

    Raises
    ------
    ParameterError
        For a device that ONNX Runtime does not have.
    """
    from augan.exceptions import ParameterError

    if device not in PROVIDERS:
        listed = ", ".join(name for name in PROVIDERS if name)
        raise ParameterError(f"--device {device}: an ONNX file runs on {listed}")
    return PROVIDERS[device]


def model_context(estimator: Any, path: Path) -> dict[str, Any]:
    """Return what a model file stores about the data, such as the target column."""
    if is_onnx(path):
        return dict(estimator.metadata_["context"])
    from augan.io.archive import read_manifest

    return dict(read_manifest(path)["context"])
