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
ROOT_CHILDREN = MOST_CHILDREN = 32  # of the root of a search tree and of other nodes, at most
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
    root, fan, depth = _tree_of(length)
    n_leaves = fan ** (depth - 1)  # below a child of the root
    behind = op.Constant(value_ints=[*[0] * (2 * len(lead) + 1), root * n_leaves - length])
    infinity = op.CastLike(op.Constant(value_float=math.inf), sorted_sequence)
    padded = op.Pad(sorted_sequence, behind, infinity)
    is_above = op.Greater if right else op.GreaterOrEqual

    def largest_of(n_children: int, size: int) -> Any:
        """Return the largest elements (nodes, children) of children with `size` elements each."""
        branches = op.Reshape(padded, op.Constant(value_ints=[-1, n_children, size]))
        return op.Gather(branches, op.Constant(value_int=size - 1), axis=2)

    at_root = op.Reshape(largest_of(root, n_leaves), op.Constant(value_ints=[*lead, root, 1]))
    above = is_above(at_root, op.Unsqueeze(values, op.Constant(value_ints=[-2])))
    trees = np.arange(math.prod(lead)).reshape(*lead, 1)
    first = op.Constant(value=onnx.numpy_helper.from_array(trees * root))
    place = op.Add(first, _child(above, root, axis=-2, ends_last=depth > 1))
    looked_up = op.Unsqueeze(values, op.Constant(value_ints=[-1]))
    for level in range(1, depth):
        found = op.Gather(largest_of(fan, fan ** (depth - 1 - level)), place, axis=0)
        above = is_above(found, looked_up)
        child = _child(above, fan, axis=-1, ends_last=level < depth - 1)
        place = op.Add(op.Mul(place, op.Constant(value_int=fan)), child)
    start = op.Constant(value=onnx.numpy_helper.from_array(trees * root * n_leaves))
    # infinite values exceed the padding
    return op.Min(op.Sub(place, start), op.Constant(value_int=length))


def _tree_of(length: int) -> tuple[int, int, int]:
    """Return the children of the root and of other nodes, as few as possible, and the depth."""
    depth = 1
    while ROOT_CHILDREN * MOST_CHILDREN ** (depth - 1) < length:
        depth += 1
    fan = 1
    while ROOT_CHILDREN * fan ** (depth - 1) < length:
        fan += 1
    return -(-length // fan ** (depth - 1)), fan, depth


def _child(above: Any, n_children: int, *, axis: int, ends_last: bool) -> Any:
    """Return the first child that is above a value, of those along an axis.

    Values above all, and NaN, get the number of children, or the last child.
    """
    counted = op.Cast(above, to=onnx.TensorProto.FLOAT)
    n_above = op.ReduceSum(counted, op.Constant(value_ints=[axis]), keepdims=0)
    child = op.Sub(op.Constant(value_int=n_children), op.Cast(n_above, to=onnx.TensorProto.INT64))
    return op.Min(child, op.Constant(value_int=n_children - 1)) if ends_last else child


def vector_norm(
    values: Any, ord: float = 2.0, dim: list[int] | None = None, keepdim: bool = False, **_: Any
) -> Any:
    """Return Euclidean norms, as ONNX Runtime is slower with its own operator."""
    squares = op.ReduceSum(
        op.Mul(values, values), op.Constant(value_ints=list(dim or [])), keepdims=int(keepdim)
    )
    return op.Sqrt(squares)


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
    torch.ops.aten.linalg_vector_norm.default: vector_norm,
    torch.ops.aten.log1p.default: log1p,
    torch.ops.aten.mean.dim: mean,
    torch.ops.aten.var.correction: variance,
    torch.ops.aten._upsample_bilinear2d_aa.default: resize_antialiased,
}
