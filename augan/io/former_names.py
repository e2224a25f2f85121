"""Names in files of former formats, replaced by the current ones when a file is read."""

from __future__ import annotations

from typing import Any, TypeVar

from augan.scoring.former_heads import current_heads

RENAMED_IN = 9  # the first format of model files with the current names
PHASES = {"repair": "restoration"}
PARAMETERS = {"score": "scoring", "repair_steps": "restoration_steps"}
TENSORS = {
    "parts.repair.": "parts.restoration.",
    "parts.heads.detail_repair.": "parts.heads.detail_restoration.",
}

T = TypeVar("T")


def with_current_names(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest of a model file with current names of parameters, heads and phases."""
    if manifest["format_version"] >= RENAMED_IN:
        return manifest
    params = {PARAMETERS.get(name, name): value for name, value in manifest["params"].items()}
    if isinstance(params.get("heads"), list):
        params["heads"] = list(current_heads(params["heads"]))
    history = [_current_row(row) for row in manifest["history"]]
    return {**manifest, "params": params, "history": history}


def with_current_parts(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of an ONNX file with the current names of the score's parts."""
    if not metadata.get("parts"):
        return metadata
    return {**metadata, "parts": list(current_heads(metadata["parts"]))}


def with_current_tensor_names(tensors: dict[str, T], format_version: int) -> dict[str, T]:
    """Return the tensors of a model file by their current names."""
    if format_version >= RENAMED_IN:
        return tensors
    return {_current_tensor(name): tensor for name, tensor in tensors.items()}


def _current_tensor(name: str) -> str:
    for former, current in TENSORS.items():
        if name.startswith(former):
            return current + name.removeprefix(former)
    return name


def _current_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the training history with the current names of phase and figures."""
    former = row["phase"]
    if former not in PHASES:
        return row
    current = PHASES[former]
    renamed = {
        current + key.removeprefix(former) if key.startswith(f"{former}_") else key: value
        for key, value in row.items()
    }
    return {**renamed, "phase": current}
