"""Codecs of all kinds of data."""

from __future__ import annotations

from typing import Any

from augan.codecs.image import ImageCodec
from augan.codecs.table import TableCodec

Codec = TableCodec | ImageCodec


def codec_from_state(values: dict[str, Any], arrays: dict[str, Any]) -> Codec:
    """Rebuild a codec from its `state`."""
    kinds: dict[str, type[Codec]] = {"table": TableCodec, "image": ImageCodec}
    return kinds[values["kind"]].from_state(values, arrays)
