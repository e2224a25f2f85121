"""Processing of large images in overlapping tiles, which are blended."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Function = Callable[[Tensor], Tensor]


def in_tiles(
    function: Function, images: Tensor, *, side: int, overlap: int, at_once: int
) -> Tensor:
    """Apply `function` to images (n, C, H, W), in tiles if they are larger than `side`.

    Tiles overlap by at least `overlap` pixels, in which their results are blended linearly.

    Parameters
    ----------
    function : callable
        Function from images (n, C, h, w) to maps (n, K, h, w).
    images : Tensor
        Images of any size.
    side : int
        Largest side of a tile, in pixels.
    overlap : int
        Pixels, fewer than `side`.
    at_once : int
        Largest number of images, or tiles, per call of `function`.
    """
    n, _, height, width = images.shape
    if max(height, width) <= side:
        return function(images)
    high, wide = min(side, height), min(side, width)
    places = [
        (top, left)
        for top in _starts(height, high, overlap)
        for left in _starts(width, wide, overlap)
    ]
    fade = _fade(high, overlap, images)[:, None] * _fade(wide, overlap, images)
    weight = images.new_zeros(height, width)
    tiles = torch.cat([images[:, :, y : y + high, x : x + wide] for y, x in places])
    batches = (tiles,) if torch.compiler.is_exporting() else tiles.split(at_once)
    found = torch.cat([function(batch) for batch in batches]).unflatten(0, (-1, n))
    total = images.new_zeros(n, found.shape[2], height, width)
    for (top, left), maps in zip(places, found, strict=True):
        total[:, :, top : top + high, left : left + wide] += fade * maps
        weight[top : top + high, left : left + wide] += fade
    return total / weight


def _starts(length: int, side: int, overlap: int) -> list[int]:
    """Return evenly spaced starts of tiles along a side; the last tile ends at its end."""
    n_steps = -(-(length - side) // (side - overlap))
    return [round(i * (length - side) / n_steps) for i in range(n_steps + 1)] if n_steps else [0]


def _fade(side: int, overlap: int, like: Tensor) -> Tensor:
    """Return weights (side,) that increase linearly over the overlap at each end."""
    inside = torch.arange(side, dtype=like.dtype, device=like.device) + 0.5
    return (torch.minimum(inside, side - inside) / max(overlap, 1)).clamp(max=1.0)
