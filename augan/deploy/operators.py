"""Translations to ONNX of torch operators, where the exporter has none or a less exact one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnxscript import opset18
from torch import Tensor

OPSET = 18
MOST_CHILDREN = 10  # of a node of the search tree; fewer would need more levels
op: Any = opset18  # its type annotations do not allow symbolic values


def searchsorted(
    sorted_sequence: Any,
    values: Any,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Any = None,
) -> Any:
    """Count the elements (..., K) below values (..., n), with a search tree.

    On every level a value is compared with the largest element of each child of a node. The
    elements are padded with infinities.
    """
    del out_int32, side, sorter  # not used by augan
    *lead, length = sorted_sequence.shape
    depth = 1
    while MOST_CHILDREN**depth < length:
        depth += 1
    fan = 1  # children of a node: as few as this depth allows
    while fan**depth < length:
        fan += 1
    behind = op.Constant(value_ints=[*[0] * (2 * len(lead) + 1), fan**depth - length])
    infinity = op.CastLike(op.Constant(value_float=math.inf), sorted_sequence)
    padded = op.Pad(sorted_sequence, behind, infinity)
    last = op.Constant(value_ints=[-1])
    looked_up = op.Unsqueeze(values, last)
    trees = np.arange(math.prod(lead)).reshape(*lead, 1)
    place = op.Constant(value=onnx.numpy_helper.from_array(trees))  # the node of each value
    for level in reversed(range(depth)):
        branches = op.Reshape(padded, op.Constant(value_ints=[-1, fan, fan**level]))
        largest = op.Gather(branches, op.Constant(value_int=fan**level - 1), axis=2)
        found = op.Gather(largest, place, axis=0)
        is_above = op.Greater(found, looked_up) if right else op.GreaterOrEqual(found, looked_up)
        n_above = op.ReduceSum(op.Cast(is_above, to=onnx.TensorProto.FLOAT), last, keepdims=0)
        below = op.Sub(op.Constant(value_int=fan), op.Cast(n_above, to=onnx.TensorProto.INT64))
        if level > 0:  # values above all, and NaN, go to the last child
            below = op.Min(below, op.Constant(value_int=fan - 1))
        place = op.Add(op.Mul(place, op.Constant(value_int=fan)), below)
    count = op.Sub(place, op.Constant(value=onnx.numpy_helper.from_array(trees * fan**depth)))
    return op.Min(
        count, op.Constant(value_int=length)
    )  # for infinite values, which exceed the padding


def median(values: Any, dim: int, keepdim: bool = False) -> tuple[Any, Any]:
    """Return the lower median along a dimension, and its index."""
    middle = (values.shape[dim] - 1) // 2
    k = op.Constant(value_ints=[middle + 1])
    smallest, places = op.TopK(values, k, axis=dim, largest=0, sorted=1)
    last = op.Constant(value_ints=[middle]) if keepdim else op.Constant(value_int=middle)
    return op.Gather(smallest, last, axis=dim), op.Gather(places, last, axis=dim)


def log1p(values: Any) -> Any:
    """Return log(1 + x), accurate for small x too (Higham 2002, section 1.14.1)."""
    one = op.CastLike(op.Constant(value_float=1.0), values)
    more = op.Add(values, one)
    rounded = op.Sub(more, one)  # the part of x that the sum has kept
    exact = op.Equal(rounded, op.CastLike(op.Constant(value_float=0.0), values))
    found = op.Div(op.Mul(op.Log(more), values), op.Where(exact, one, rounded))
    return op.Where(exact, values, found)


def mean(values: Any, dim: list[int], keepdim: bool = False, dtype: int = -1) -> Any:
    """Return the mean over dimensions, one dimension after the other.

    ONNX Runtime sums sequentially: the sum of a hundred thousand squares has a relative error of
    1e-4. Means of means have shorter sums, and an error of 1e-6.
    """
    if dtype != -1:
        values = op.Cast(values, to=dtype)
    for one in dim:
        values = op.ReduceMean(values, op.Constant(value_ints=[one]), keepdims=1)
    return values if keepdim else op.Squeeze(values, op.Constant(value_ints=dim))


def variance(
    values: Any, dim: list[int], correction: float | None = None, keepdim: bool = False
) -> Any:
    """Return the variance over dimensions, computed with `mean`."""
    apart = op.Sub(values, mean(values, dim, keepdim=True))
    found = mean(op.Mul(apart, apart), dim, keepdim)
    n = math.prod(values.shape[one] for one in dim)
    left = n - (1.0 if correction is None else correction)  # torch's default
    if left == n:
        return found
    # in two steps: ONNX Runtime's optimiser removes a factor close to one
    summed = op.Mul(found, op.CastLike(op.Constant(value_float=float(n)), values))
    return op.Div(summed, op.CastLike(op.Constant(value_float=left), values))


def resize_antialiased(
    images: Any,
    output_size: list[int],
    align_corners: bool,
    scales_h: float | None = None,
    scales_w: float | None = None,
) -> Any:
    """Return images (B, C, H, W) at another size, with torch's interpolation weights.

    ONNX's own operator differs by 4e-6 of the range of the pixels.
    """
    del scales_h, scales_w  # `output_size` is given
    height, width = (
        op.Constant(value=onnx.numpy_helper.from_array(_weights(old, new, align_corners).numpy()))
        for old, new in zip(images.shape[2:], output_size, strict=True)
    )
    return op.MatMul(op.MatMul(height, images), op.Transpose(width, perm=[1, 0]))


def _weights(old: int, new: int, align_corners: bool) -> Tensor:
    """Return the interpolation matrix (new, old)."""
    each = torch.eye(old)[None, None]
    return F.interpolate(
        each, size=(new, old), mode="bilinear", align_corners=align_corners, antialias=True
    )[0, 0]


TRANSLATIONS: dict[Any, Any] = {
    torch.ops.aten.searchsorted.Tensor: searchsorted,
    torch.ops.aten.median.dim: median,
    torch.ops.aten.log1p.default: log1p,
    torch.ops.aten.mean.dim: mean,
    torch.ops.aten.var.correction: variance,
    torch.ops.aten._upsample_bilinear2d_aa.default: resize_antialiased,
}
