"""Random deformations of images: reflection, affine and elastic distortion, brightness, noise."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

# For an `amount` of 1:
MAX_ROTATION = 0.2  # radians
MAX_ZOOM, MAX_STRETCH, MAX_SHEAR = 0.15, 0.1, 0.15  # shares of the size
GRID_DEVIATION = 0.05  # standard deviation of the grid points, in half sides of the image
GRID_POINTS = 5  # in each direction
MAX_CONTRAST = 0.4  # relative change
MAX_BRIGHTNESS, MAX_NOISE = 0.5, 0.3  # in standard deviations of the image's pixels


def deform(images: Tensor, amount: float, random: torch.Generator) -> Tensor:
    """Return images (n, C, H, W) with random affine and elastic distortions.

    Rotation, zoom, stretching, shear and a smooth displacement as in Simard, Steinkraus and Platt
    ("Best practices for convolutional neural networks applied to visual document analysis", ICDAR
    2003). Pixels outside the image repeat its edge.
    """
    n, _, height, width = images.shape
    grid = F.affine_grid(_affine(n, amount, width / height, random), list(images.shape), False)
    points = GRID_DEVIATION * amount * torch.randn(n, 2, GRID_POINTS, GRID_POINTS, generator=random)
    bend = F.interpolate(points, size=(height, width), mode="bicubic", align_corners=True)
    grid = grid + bend.permute(0, 2, 3, 1)
    return F.grid_sample(images, grid, mode="bicubic", padding_mode="border", align_corners=False)


def _affine(n: int, amount: float, aspect: float, random: torch.Generator) -> Tensor:
    """Return affine maps (n, 2, 3) for `affine_grid`; images are `aspect` times as wide as high."""
    draws = amount * (2 * torch.rand(4, n, generator=random) - 1)
    angle, zoom, stretch = (
        MAX_ROTATION * draws[0],
        (MAX_ZOOM * draws[1]).exp(),
        (MAX_STRETCH * draws[2]).exp(),
    )
    zeros = torch.zeros(n)
    across = torch.stack(
        [zoom * stretch * angle.cos(), (MAX_SHEAR * draws[3] - angle.sin()) / aspect, zeros], dim=1
    )
    down = torch.stack([angle.sin() * aspect, zoom / stretch * angle.cos(), zeros], dim=1)
    return torch.stack([across, down], dim=1)


def reflect(images: Tensor, symmetry: str, random: torch.Generator) -> Tensor:
    """Return images (n, C, H, W), each with a random transformation of a symmetry group.

    "flips": left to right and top to bottom. "dihedral": the eight symmetries of a square, also
    rotations by 90 degrees.
    """
    mirrored, upside_down, transposed = torch.rand(3, len(images), 1, 1, 1, generator=random) < 0.5
    images = torch.where(mirrored, images.flip(3), images)
    images = torch.where(upside_down, images.flip(2), images)
    return torch.where(transposed, images.mT, images) if symmetry == "dihedral" else images


def relight(images: Tensor, amount: float, random: torch.Generator) -> Tensor:
    """Return images (n, C, H, W) with random changes of contrast and brightness."""
    mean, own = images.mean(dim=(1, 2, 3), keepdim=True), _deviation(images)
    draws = amount * (2 * torch.rand(2, len(images), 1, 1, 1, generator=random) - 1)
    return (
        mean + (images - mean) * (MAX_CONTRAST * draws[0]).exp() + MAX_BRIGHTNESS * own * draws[1]
    )


def add_noise(images: Tensor, amount: float, random: torch.Generator) -> Tensor:
    """Return images (n, C, H, W) with white noise.

    Its standard deviation is random, at most `amount` times `MAX_NOISE` times the image's own.
    """
    strength = (
        MAX_NOISE * amount * _deviation(images) * torch.rand(len(images), 1, 1, 1, generator=random)
    )
    return images + strength * torch.randn(images.shape, generator=random)


def _deviation(images: Tensor) -> Tensor:
    return images.std(dim=(1, 2, 3), keepdim=True)
