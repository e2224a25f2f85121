"""Tensors from untrusted files: checks of their sizes, and that all numbers are finite."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field, TypeAdapter, ValidationError
from safetensors.torch import load
from torch import Tensor, nn

from augan.codecs.cells import Array
from augan.exceptions import shown
from augan.io.bounded_json import JsonError, named, read_json
from augan.io.schema_types import Part
from augan.networks.fitted import FittedModule

MAX_HEADER = 2**24  # bytes
MAX_TENSORS = 500_000
SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I8": 1, "U8": 1, "BOOL": 1}
MAX_KNOTS = 4096  # of a column
MAX_NORMAL = 40.0  # no larger normal quantile exists in float64
MAX_PADDED = 2**25  # knots of all columns, each as long as the longest
CHECKED_AT_ONCE = 2**22  # numbers

Length = Annotated[int, Field(ge=0, lt=2**48)]


class Entry(Part):
    """Entry of a tensor in the header."""

    dtype: Literal["F64", "F32", "F16", "BF16", "I64", "I32", "I8", "U8", "BOOL"]
    shape: Annotated[list[Length], Field(max_length=8)]
    data_offsets: Annotated[list[Length], Field(min_length=2, max_length=2)]


HEADER = TypeAdapter(dict[str, Entry])


def read_tensors(content: bytes) -> dict[str, Tensor]:
    """Return tensors from bytes in the safetensors format.

    Raises
    ------
    ValueError
        If the sizes do not fit the bytes, or a number is not finite; the message names the tensor.
    """
    _check_header(content)
    tensors = load(content)
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not _is_finite(tensor):
            raise ValueError(f"tensor {shown(name)} holds numbers that are not finite")
    return tensors


def check_like(found: Mapping[str, Tensor], module: nn.Module, where: str = "") -> None:
    """Check that tensors have the names, dtypes and shapes of the state of a module.

    The shapes of the buffers of a `FittedModule` depend on its data; only their dtypes are checked.

    Raises
    ------
    ValueError
        Naming the first tensor that differs.
    """
    expected = module.state_dict()
    fitted = {
        f"{name}.{buffer}" if name else buffer
        for name, part in module.named_modules()
        if isinstance(part, FittedModule)
        for buffer in part._buffers
    }
    _check_names(found, expected, where)
    for name, tensor in expected.items():
        own = found[name]
        if name in fitted:
            usual = (torch.float32, torch.float64)
            allowed = usual if tensor.dtype in usual else (tensor.dtype,)
            if own.dtype not in allowed or own.ndim > 4:
                raise ValueError(f"tensor {where}{name} is of dtype {own.dtype}")
        elif (own.dtype, own.shape) != (tensor.dtype, tensor.shape):
            wanted = f"{tensor.dtype} {tuple(tensor.shape)}"
            raise ValueError(
                f"tensor {where}{name} is {own.dtype} {tuple(own.shape)}, must be {wanted}"
            )


def _check_names(found: Mapping[str, Tensor], expected: Mapping[str, Any], where: str) -> None:
    missing, more = set(expected) - set(found), set(found) - set(expected)
    if missing:
        raise ValueError(f"tensor {where}{min(missing)} is missing")
    if more:
        raise ValueError(f"tensor {shown(where + min(more))} is unknown")


def check_knots(columns: list[dict[str, Any]], arrays: Mapping[str, Array]) -> None:
    """Check that each numeric column has quantiles, and that they increase.

    Raises
    ------
    ValueError
        Naming the first column that has not.
    """
    numeric = {i: column for i, column in enumerate(columns) if column["kind"] == "numeric"}
    expected = {f"{i}.{name}" for i in numeric for name in ("knots", "normals")}
    if set(arrays) != expected:
        raise ValueError(
            f"tensor {shown('codec.' + min(set(arrays) ^ expected))} is missing or unknown"
        )
    longest = 0
    for i, column in numeric.items():
        where = f"codec.columns[{i}]"
        knots, normals = arrays[f"{i}.knots"], arrays[f"{i}.normals"]
        longest = max(longest, len(knots) if knots.ndim else 0)
        if knots.ndim != 1 or knots.shape != normals.shape or not 2 <= len(knots) <= MAX_KNOTS:
            raise ValueError(f"{where}: knots {knots.shape} and normals {normals.shape}")
        if knots.dtype != np.float64 or normals.dtype != np.float64:
            raise ValueError(f"{where}: knots of dtype {knots.dtype}")
        if (np.diff(knots / 2) <= 0).any() or (np.diff(normals) <= 0).any():
            raise ValueError(f"{where}: knots or normals do not increase")
        if not _lie_within(knots, column) or abs(normals).max() > MAX_NORMAL:
            raise ValueError(f"{where}: knots or normals are out of range")
    if len(numeric) * longest > MAX_PADDED:
        raise ValueError(f"{len(numeric)} columns with up to {longest} knots")


def _lie_within(knots: Array, column: dict[str, Any]) -> bool:
    """Whether knots range from low to high, or a little further around a single value."""
    low, high = column["low"], column["high"]
    room = 1e-6 * max(abs(low), abs(high))
    if low == high:
        room += max(1.0, abs(low))
    return abs(knots[0] - low) <= room and abs(knots[-1] - high) <= room


def _check_header(content: bytes) -> None:
    """Check that the tensors are contiguous and fill all bytes."""
    size = int.from_bytes(content[:8], "little")
    if len(content) < 8 or size > min(MAX_HEADER, len(content) - 8):
        raise ValueError(f"weights: a header of {size} bytes")
    try:
        header = read_json(content[8 : 8 + size].rstrip(b" "))
        if isinstance(header, dict):
            header.pop("__metadata__", None)
        entries = HEADER.validate_python(header)
    except JsonError as error:
        raise ValueError(f"weights: {error}") from None
    except ValidationError as error:
        place = named(error.errors(include_url=False)[0]["loc"])
        raise ValueError(f"weights: {place} does not describe a tensor") from None
    if len(entries) > MAX_TENSORS:
        raise ValueError(f"weights: {len(entries)} tensors")
    end = 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1].data_offsets):
        start, stop = entry.data_offsets
        if start != end or stop - start != math.prod(entry.shape) * SIZES[entry.dtype]:
            raise ValueError(f"weights: tensor {shown(name)} does not fit its bytes")
        end = stop
    if end != len(content) - 8 - size:
        raise ValueError(f"weights: {len(content) - 8 - size} bytes for tensors of {end}")


def _is_finite(tensor: Tensor) -> bool:
    """Whether all numbers are finite, checked in parts to save memory."""
    return all(bool(torch.isfinite(part).all()) for part in tensor.flatten().split(CHECKED_AT_ONCE))
