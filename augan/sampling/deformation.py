"""Images as they might have been: reflected, turned, bent, under another light, noisy."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

TURN = 0.2  # radians, at most, for every unit of `amount`; as are the next ones
ZOOM, STRETCH, SHEAR = 0.15, 0.1, 0.15  # shares of the size
BEND = 0.05  # deviation of the points of a grid, in half sides of the image
POINTS = 5  # of the grid, in each direction
CONTRAST = 0.4  # at most, as a share
BRIGHTNESS, NOISE = 0.5, 0.3  # at most, in deviations of the image's pixels


def deform(images: Tensor, amount: float, random: torch.Generator) -> Tensor:
    """Return images (n, C, H, W), each turned, zoomed, stretched, sheared and bent at random.

    Affine and elastic distortions as of Simard, Steinkraus and Platt ("Best practices for
    convolutional neural networks applied to visual document analysis", ICDAR 2003); the edge is
    repeated.
    """
    n, _, height, width = images.shape
    grid = F.affine_grid(_affine(n, amount, width / height, random), list(images.shape), False)
    points = BEND * amount * torch.randn(n, 2, POINTS, POINTS, generator=random)
    bend = F.interpolate(points, size=(height, width), mode="bicubic", align_corners=True)
    grid = grid + bend.permute(0, 2, 3, 1)
    return F.grid_sample(images, grid, mode="bicubic", padding_mode="border", align_corners=False)


def _affine(n: int, amount: float, aspect: float, random: torch.Generator) -> Tensor:
    """Return maps (n, 2, 3) of places in half sides of an image, `aspect` times as wide as high."""
    draws = amount * (2 * torch.rand(4, n, generator=random) - 1)
    angle, zoom, stretch = TURN * draws[0], (ZOOM * draws[1]).exp(), (STRETCH * draws[2]).exp()
    zeros = torch.zeros(n)
    across = torch.stack(
        [zoom * stretch * angle.cos(), (SHEAR * draws[3] - angle.sin()) / aspect, zeros], dim=1
    )
    down = torch.stack([angle.sin() * aspect, zoom / stretch * angle.cos(), zeros], dim=1)
    return torch.stack([across, down], dim=1)


def reflect(images: Tensor, symmetry: str, random: torch.Generator) -> Tensor:
    """Return images (n, C, H, W), each under one of the transformations of a symmetry.

    "flips": mirrored or not, upside down or not. "dihedral": all eight of a square, so quarter
    turns too.
    """
    mirrored, upside_down, transposed = torch.rand(3, len(images), 1, 1, 1, generator=random) < 0.5
    images = torch.where(mirrored, images.flip(3), images)
    images = torch.where(upside_down, images.flip(2), images)
    return torch.where(transposed, images.mT, images) if symmetry == "dihedral" else images


def relight(images: Tensor, amount: float, random: torch.Generator) -> Tensor:
    """Return images (n, C, H, W), each with a contrast and a brightness of its own."""
    mean, own = images.mean(dim=(1, 2, 3), keepdim=True), _deviation(images)
    draws = amount * (2 * torch.rand(2, len(images), 1, 1, 1, generator=random) - 1)
    return mean + (images - mean) * (CONTRAST * draws[0]).exp() + BRIGHTNESS * own * draws[1]


def add_noise(images: Tensor, amount: float, random: torch.Generator) -> Tensor:
    """Return images (n, C, H, W) with white noise.

    Its deviation is between none and `amount` times `NOISE` times that of the image's own pixels.
    """
    strength = (
        NOISE * amount * _deviation(images) * torch.rand(len(images), 1, 1, 1, generator=random)
    )
    return images + strength * torch.randn(images.shape, generator=random)


def _deviation(images: Tensor) -> Tensor:
    return images.std(dim=(1, 2, 3), keepdim=True)
