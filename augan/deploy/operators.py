"""ONNX for the operators of torch that its exporter does not know."""

from __future__ import annotations

from typing import Any

import torch
from onnxscript import opset18

OPSET = 18
op: Any = opset18  # whose types know no values of a graph that is being traced


def searchsorted(
    sorted_sequence: Any,
    values: Any,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Any = None,
) -> Any:
    """Count the elements (..., K) below values (..., n), by halving the range: log2(K) steps."""
    del out_int32, side, sorter  # never asked for
    length = sorted_sequence.shape[-1]
    count = op.Cast(op.IsNaN(values), to=7)  # int64 zeros
    step = 2 ** (length.bit_length() - 1)
    while step >= 1:
        further = op.Add(count, op.Constant(value_int=step))
        place = op.Sub(further, op.Constant(value_int=1))
        there = op.Min(place, op.Constant(value_int=length - 1))
        found = op.GatherElements(sorted_sequence, there, axis=-1)
        is_below = op.LessOrEqual(found, values) if right else op.Less(found, values)
        inside = op.LessOrEqual(further, op.Constant(value_int=length))
        count = op.Where(op.And(is_below, inside), further, count)
        step //= 2
    return count


def median(values: Any, dim: int, keepdim: bool = False) -> tuple[Any, Any]:
    """Return the lower median along a dimension, and where it stands."""
    middle = (values.shape[dim] - 1) // 2
    k = op.Constant(value_ints=[middle + 1])
    smallest, places = op.TopK(values, k, axis=dim, largest=0, sorted=1)
    last = op.Constant(value_ints=[middle]) if keepdim else op.Constant(value_int=middle)
    return op.Gather(smallest, last, axis=dim), op.Gather(places, last, axis=dim)


def log1p(values: Any) -> Any:
    """Return log(1 + x), as exact for small x as for large ones (Higham 2002, section 1.14.1)."""
    one = op.CastLike(op.Constant(value_float=1.0), values)
    more = op.Add(values, one)
    rounded = op.Sub(more, one)  # what is left of x after it has been added
    exact = op.Equal(rounded, op.CastLike(op.Constant(value_float=0.0), values))
    found = op.Div(op.Mul(op.Log(more), values), op.Where(exact, one, rounded))
    return op.Where(exact, values, found)


TRANSLATIONS: dict[Any, Any] = {
    torch.ops.aten.searchsorted.Tensor: searchsorted,
    torch.ops.aten.median.dim: median,
    torch.ops.aten.log1p.default: log1p,
}
