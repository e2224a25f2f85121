"""Data to tensors and back."""

from __future__ import annotations

from typing import Any

from augan.codecs.image import ImageCodec
from augan.codecs.spec import ImageSpec, Span, Spec, VectorSpec
from augan.codecs.table import TableCodec

Codec = TableCodec | ImageCodec

__all__ = [
    "Codec",
    "ImageCodec",
    "ImageSpec",
    "Span",
    "Spec",
    "TableCodec",
    "VectorSpec",
    "codec_from_state",
]


def codec_from_state(values: dict[str, Any], arrays: dict[str, Any]) -> Codec:
    """Rebuild the codec that `state` described."""
    kinds: dict[str, type[Codec]] = {"table": TableCodec, "image": ImageCodec}
    return kinds[values["kind"]].from_state(values, arrays)
