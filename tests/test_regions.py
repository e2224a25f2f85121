"""Regions of heatmaps: against a plain flood fill, and boxes in the photograph's pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from augan.evaluation import Region, find_regions
from augan.exceptions import DataError, ParameterError


def flooded(hot: np.ndarray) -> list[set[tuple[int, int]]]:
    """Return the pixels of each region, found pixel by pixel."""
    left = set(zip(*map(np.ndarray.tolist, hot.nonzero()), strict=True))
    regions = []
    while left:
        waiting, region = [left.pop()], set()
        while waiting:
            y, x = waiting.pop()
            region.add((y, x))
            near = {(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)} & left
            left -= near
            waiting += near
        regions.append(region)
    return regions


def test_regions_are_those_of_a_flood_fill() -> None:
    random = np.random.default_rng(0)
    heat = gaussian_filter(random.normal(size=(60, 45)), 2) * 10 + random.normal(size=(60, 45)) / 2
    limit = float(np.quantile(heat, 0.85))
    expected = []
    for region in flooded(heat > limit):
        y, x = np.array(sorted(region)).T
        box = (x.min(), y.min(), x.max() - x.min() + 1, y.max() - y.min() + 1)
        expected.append((box, len(region) / heat.size, heat[y, x].max(), len(region)))
    kept = sorted((one for one in expected if one[3] >= 4), key=lambda one: -one[1])
    assert 3 < len(kept) < len(expected)
    found = find_regions(heat, limit)
    assert [region.area for region in found] == [one[1] for one in kept]
    assert {(r.box, r.area, r.max_heat) for r in found} == {one[:3] for one in kept}
    large = kept[1][1]
    assert find_regions(heat, limit, min_area=large) == [r for r in found if r.area >= large]
    assert find_regions(heat, float(heat.max())) == []


def test_pixels_that_touch_at_a_corner_are_one_region() -> None:
    assert find_regions(np.eye(6), 0.5) == [Region((0, 0, 6, 6), 6 / 36, 1.0)]
    assert find_regions(np.eye(3), 0.5) == []  # three pixels are too few
    (whole,) = find_regions(np.ones((5, 7), np.float32), 0.5)
    assert whole == Region((0, 0, 7, 5), 1.0, 1.0)


def test_boxes_are_in_pixels_of_the_photograph() -> None:
    heat = np.zeros((20, 30))
    heat[5:9, 10:16] = 1
    (large,) = find_regions(heat, 0.5, size=(200, 600))
    assert large.box == (200, 50, 120, 40) and large.area == pytest.approx(0.04)
    (odd,) = find_regions(heat, 0.5, size=(13, 31))  # pixels that are covered in part
    assert odd.box == (10, 3, 7, 3)
    (last,) = find_regions(np.ones((7, 7)), 0.5, size=(5, 100))
    assert last.box == (0, 0, 100, 5)


@pytest.mark.parametrize(
    "heat, how, says",
    [
        (np.ones(4), {}, "heat of shape (4,)"),
        (np.ones((2, 4, 4)), {}, "heat of shape (2, 4, 4): must be (H, W)"),
        (np.ones((0, 4)), {}, "heat of shape (0, 4)"),
        (np.full((4, 4), np.nan), {}, "the heat is not finite"),
        (np.ones((4, 4)), {"threshold": np.nan}, "threshold=nan"),
        (np.ones((4, 4)), {"min_area": 2}, "min_area=2: must be from 0 to 1"),
        (np.ones((4, 4)), {"size": (0, 3)}, "size=(0, 3): must be a height and a width"),
    ],
)
def test_what_has_no_regions_is_said(heat: Any, how: dict[str, Any], says: str) -> None:
    with pytest.raises((DataError, ParameterError)) as error:
        find_regions(heat, **{"threshold": 0.5, **how})
    assert says in str(error.value)
