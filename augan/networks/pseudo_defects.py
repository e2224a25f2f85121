"""Pseudo-defects: random regions of normal images are replaced."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

BLUR = 9  # side of the window of the blur
MIN_OPACITY = 0.3  # smallest opacity of a defect
VISIBLE = 0.15  # a pixel counts as replaced if the opacity is larger


def damage(images: Tensor, others: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return images (n, C, h, w) with pseudo-defects, and masks (n, 1, h, w) of replaced pixels.

    In a random region (`draw_regions`) each image is blended with one of: another image, the same
    rotated by 180 degrees, a change of brightness, noise, blur or sharpening, a uniform patch.
    Pasting parts of images follows CutPaste (Li 2021) and NSA (Schlüter 2022), blending of
    textures DRAEM (Zavrtanik 2021).

    Parameters
    ----------
    images, others : Tensor
        Standardised images (n, C, h, w).
    random : Generator
        Random numbers.
    """
    n, _, height, width = images.shape
    uniform = _Uniform(n, random)
    smooth = F.avg_pool2d(F.pad(images, [BLUR // 2] * 4, mode="replicate"), BLUR, stride=1)
    blurred, sharp = uniform(0.0, 0.5), uniform(1.6, 3.0)
    structure = torch.where(uniform(0.0, 1.0) < 0.5, blurred, sharp)
    sign = (uniform(0.0, 1.0) < 0.5).float() * 2 - 1
    grain = float(torch.rand((), generator=random, device=images.device)) * 0.8 + 0.2
    fills = torch.stack(
        [
            others,
            others.flip(2, 3),
            images + sign * uniform(0.3, 2.0),
            images + uniform(0.2, 1.0) * _noise(images, grain, random),
            smooth + structure * (images - smooth),
            uniform(-2.5, 2.5) + uniform(0.0, 0.6) * (others - others.mean((2, 3), keepdim=True)),
        ]
    )
    kind = torch.randint(len(fills), (n,), generator=random, device=images.device)
    fill = fills[kind, torch.arange(n, device=images.device)]
    opacity = draw_regions(n, height, width, random) * uniform(MIN_OPACITY, 1.0)
    return images + (fill - images) * opacity, (opacity > VISIBLE).float()


def draw_regions(n: int, height: int, width: int, random: torch.Generator) -> Tensor:
    """Return soft masks (n, 1, height, width) of random regions, 1 inside and 0 outside.

    A region is one of: a blob, a thin curve, a band or half-plane, scattered islands. Positions
    and lengths are in units of half a side.
    """
    uniform, device = _Uniform(n, random), random.device
    rows = torch.linspace(-1, 1, height, device=device)[:, None]
    columns = torch.linspace(-1, 1, width, device=device)[None, :]
    angle, down, right = uniform(0, math.pi), uniform(-0.8, 0.8), uniform(-0.8, 0.8)
    along = angle.cos() * (columns - right) + angle.sin() * (rows - down)
    across = angle.cos() * (rows - down) - angle.sin() * (columns - right)
    wobble = 0.15 * _smooth_noise(n, height, width, 4, 9, random)
    size = (height + width) / 4

    length = uniform(math.log(0.05), math.log(0.6)).exp()
    radius = ((along / length) ** 2 + (across / (length * uniform(0.4, 1.0))) ** 2).sqrt()
    blob = (1 - radius + 3 * wobble) * length * size
    bent = (across + wobble * uniform(0.2, 1.0)).abs()
    curve = torch.minimum(uniform(0.01, 0.06) - bent, uniform(0.2, 1.0) - along.abs()) * size
    half_width = uniform(math.log(0.05), 0.0).exp()
    band = (half_width - (across + wobble * uniform(0.0, 0.3)).abs()) * size
    window = 1 - (along / uniform(0.2, 0.9)) ** 2 - (across / uniform(0.2, 0.9)) ** 2
    islands = _smooth_noise(n, height, width, 3, 16, random) - uniform(0.5, 1.3)
    islands = torch.minimum(islands, 2 * window) * 8

    depth = torch.stack(
        [blob, curve, band, islands]
    )  # signed distance from the edge in pixels, negative outside
    kind = torch.randint(len(depth), (n,), generator=random, device=device)
    softness = uniform(math.log(0.5), math.log(3.0)).exp()
    picked = depth[kind, torch.arange(n, device=device)]
    return torch.sigmoid(2 * picked / softness)


class _Uniform:
    """Draws a uniform number for each image, (n, 1, 1, 1)."""

    def __init__(self, n: int, random: torch.Generator) -> None:
        self.n, self.random = n, random

    def __call__(self, low: float, high: float) -> Tensor:
        shape = (self.n, 1, 1, 1)
        drawn = torch.rand(shape, generator=self.random, device=self.random.device)
        return low + (high - low) * drawn


def _noise(like: Tensor, grain: float, random: torch.Generator) -> Tensor:
    """Return noise whose grains are 1 / `grain` pixels wide."""
    n, channels, height, width = like.shape
    cells = (max(4, round(grain * height)), max(4, round(grain * width)))
    drawn = torch.randn(n, channels, *cells, generator=random, device=like.device)
    return F.interpolate(drawn, size=(height, width), mode="bicubic")


def _smooth_noise(
    n: int, height: int, width: int, fewest: int, most: int, random: torch.Generator
) -> Tensor:
    """Return noise (n, 1, height, width), interpolated from a random number of cells a side."""
    device = random.device
    cells = int(torch.randint(fewest, most, (), generator=random, device=device))
    drawn = torch.randn(n, 1, cells, cells, generator=random, device=device)
    return F.interpolate(drawn, size=(height, width), mode="bicubic")
