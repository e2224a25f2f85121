"""Names in ONNX files of former versions, replaced by the current ones when a file is read."""

from __future__ import annotations

from typing import Any

from augan.scoring.former_heads import current_heads


def with_current_parts(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of an ONNX file with the current names of the score's parts."""
    if not metadata.get("parts"):
        return metadata
    return {**metadata, "parts": list(current_heads(metadata["parts"]))}
