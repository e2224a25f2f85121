"""The metadata of an ONNX file: what a reader needs to know of the model in it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np

from augan._version import __version__
from augan.codecs.origin import to_json
from augan.deploy.onnx_file import FORMAT
from augan.deploy.operators import OPSET
from augan.models.exportable import ExportableModel, ScoringParts
from augan.sampling.stored_relations import relations_state

LIBRARIES = ("torch", "onnx", "onnxscript", "scikit-learn", "numpy", "pandas")


def metadata_of(
    model: ExportableModel, part: str, precision: str, bank: str, context: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the metadata of a file with a part of a model, as JSON values.

    Parameters
    ----------
    model : ExportableModel
        The fitted estimator.
    part, precision, bank : str
        As in `export_onnx`.
    context : mapping
        JSON values to store with the model.
    """
    metadata: dict[str, Any] = {
        "format": FORMAT,
        "augan": __version__,
        "libraries": {name: version(name) for name in LIBRARIES},
        "trained": model.trained,
        "class": model.method,
        "part": part,
        "opset": OPSET,
        "precision": precision,
        "bank": bank,
        "kind": model.codec.kind,
        "n_features_in": model.n_features_in,
        "feature_names_in": model.feature_names_in,
        "context": context_of(model, part, context),
        **model.codec.facts(),
        **_drawn_from(model),
    }
    if model.scoring is None:
        return {**metadata, "classes": _classes(model)}
    metadata["chunk"] = model.scoring.chunk
    return metadata | (_scoring(model.scoring) if part == "scorer" else {})


def context_of(model: ExportableModel, part: str, context: Mapping[str, Any]) -> dict[str, Any]:
    """Return `context` with hashes of the training rows and the usual values of the columns."""
    codec = model.codec
    usual: dict[str, Any] = {}
    if part == "scorer" and codec.columns and "usual" not in context:
        usual = {"usual": codec.usual()}
    return {**context, **model.context, **usual}


def _drawn_from(model: ExportableModel) -> dict[str, Any]:
    """Return the dimensions of the latents, or the codes of the columns."""
    if model.columns is None:
        assert model.networks is not None
        return {"latent_dim": model.networks.latent_dim or None}
    relations, arrays = relations_state(model.columns.relations)
    relations["arrays"] = {name: array.tolist() for name, array in arrays.items()}
    return {
        "relations": relations,
        "codes": [
            {
                "values": len(bins.values),
                "members": np.diff(bins.starts).tolist(),
                "edges": bins.edges.tolist(),
                "missing": bins.has_missing,
            }
            for bins in model.columns.model.bins
        ],
    }


def _scoring(scoring: ScoringParts) -> dict[str, Any]:
    """Return how a detector scores and decides."""
    scorer = scoring.scorer
    found: dict[str, Any] = {
        "score": scorer.score,
        "fusion": scorer.fusion,
        "parts": list(scorer.part_names),
        "weights": list(scorer.weights),
        "threshold": scoring.threshold,
        "n_calibration": len(scorer.conformal.scores),
    }
    if scoring.pixel_threshold is not None:
        found["pixel_threshold"] = scoring.pixel_threshold
        found["pixel_thresholds"] = scoring.pixel_thresholds
    if scorer.backbone is not None:
        found["backbone"] = scorer.backbone.name
    return found


def _classes(model: ExportableModel) -> dict[str, Any] | None:
    if model.classes is None:
        return None
    return {
        "labels": to_json(model.classes.tolist()),
        "dtype": str(model.classes.dtype),
        "shares": model.shares,
    }
