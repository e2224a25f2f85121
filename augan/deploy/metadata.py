"""The metadata of an ONNX file: what a reader needs to know of the model in it."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from augan._version import __version__
from augan.codecs.origin import to_json
from augan.deploy.onnx_file import FORMAT
from augan.deploy.operators import OPSET

LIBRARIES = ("torch", "onnx", "onnxscript", "scikit-learn", "numpy", "pandas")


def metadata_of(
    estimator: Any, part: str, precision: str, bank: str, context: dict[str, Any]
) -> dict[str, Any]:
    """Return the metadata of a file with a part of an estimator, as JSON values.

    Parameters
    ----------
    estimator : FAnoGAN, AnoGAN or GANSampler
        A fitted estimator.
    part, precision, bank : str
        As in `export_onnx`.
    context : dict
        JSON values kept beside the model.
    """
    metadata: dict[str, Any] = {
        "format": FORMAT,
        "augan": __version__,
        "libraries": {name: version(name) for name in LIBRARIES},
        "trained": estimator.trained_,
        "class": type(estimator).__name__,
        "part": part,
        "opset": OPSET,
        "precision": precision,
        "bank": bank,
        "kind": estimator.codec_.kind,
        "latent_dim": estimator.networks_.latent_dim,
        "n_features_in": estimator.n_features_in_,
        "feature_names_in": list(getattr(estimator, "feature_names_in_", [])) or None,
        "context": context_of(estimator, part, context),
        **estimator.codec_.facts(),
    }
    if part == "generator":
        return {**metadata, "classes": _classes(estimator)}
    metadata["chunk"] = estimator.model_.config.chunk
    return metadata | (_scoring(estimator) if part == "scorer" else {})


def context_of(estimator: Any, part: str, context: dict[str, Any]) -> dict[str, Any]:
    """Return `context` with hashes of the training rows and the usual values of the columns."""
    codec = estimator.codec_
    usual: dict[str, Any] = {}
    if part == "scorer" and codec.columns and "usual" not in context:
        usual = {"usual": codec.usual()}
    return context | estimator._own_context() | usual


def _scoring(estimator: Any) -> dict[str, Any]:
    """Return how a detector scores and decides."""
    scorer = estimator.scorer_
    found = {
        "score": scorer.score,
        "fusion": scorer.fusion,
        "parts": list(scorer.part_names),
        "weights": list(scorer.weights),
        "threshold": estimator.threshold_,
        "n_calibration": len(scorer.conformal.scores),
    }
    if estimator.codec_.kind == "image":
        found["pixel_threshold"] = estimator.pixel_threshold_
    return found


def _classes(estimator: Any) -> dict[str, Any] | None:
    if not hasattr(estimator, "classes_"):
        return None
    return {
        "labels": to_json(estimator.classes_.tolist()),
        "dtype": str(estimator.classes_.dtype),
        "shares": estimator.model_.shares.tolist(),
    }
