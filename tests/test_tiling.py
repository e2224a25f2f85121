"""Large images seen in tiles: every pixel as a small image would show it, and no seams."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from augan.networks.restoration import LEARNED_SIDE, RestorationNetwork
from augan.networks.tiling import in_tiles

SIZES = [(20, 20), (33, 20), (64, 47), (21, 100), (20, 21)]


def draw(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", SIZES)
def test_what_needs_no_neighbours_is_the_same_in_tiles(size: tuple[int, int]) -> None:
    images, seen = draw(2, 3, *size), []

    def double(tiles: Tensor) -> Tensor:
        seen.append(tiles.shape)
        return 2 * tiles

    found = in_tiles(double, images, side=20, overlap=6, at_once=4)
    torch.testing.assert_close(found, 2 * images)
    assert all(shape[0] <= 4 and max(shape[2:]) <= 20 for shape in seen) or size == (20, 20)


def test_a_small_image_is_seen_whole() -> None:
    images = draw(2, 1, 20, 18)
    whole = in_tiles(lambda tiles: tiles - tiles.mean(), images, side=20, overlap=6, at_once=9)
    assert torch.equal(whole, images - images.mean())


def test_tiles_fade_into_each_other() -> None:
    """What a tile says of itself is another next door, but not from one pixel to the next."""
    images = draw(1, 1, 100, 90).cumsum(dim=3)

    def level(tiles: Tensor) -> Tensor:
        return tiles.mean(dim=(2, 3), keepdim=True).expand_as(tiles)

    smooth, hard = (
        in_tiles(level, images, side=20, overlap=overlap, at_once=9) for overlap in (10, 0)
    )
    jumps = [found.diff(dim=3).abs().max() for found in (smooth, hard)]
    assert jumps[0] < 0.3 * jumps[1]


def test_the_restoration_of_a_large_image_is_that_of_its_tiles() -> None:
    torch.manual_seed(0)
    network = RestorationNetwork(1, width=4).eval()
    images = draw(1, 1, LEARNED_SIDE, 3 * LEARNED_SIDE)
    with torch.no_grad():
        whole, left = network.correction(images), network.correction(images[:, :, :, :LEARNED_SIDE])
        assert network.change(images).shape == (1, LEARNED_SIDE, 3 * LEARNED_SIDE)
    alone = LEARNED_SIDE // 2  # no other tile reaches here
    torch.testing.assert_close(whole[:, :, :, :alone], left[:, :, :, :alone])
