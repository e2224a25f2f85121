"""The encoding of images as a module: the same in Python and in an exported graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

POOLED_SIDE = 32  # largest size for distances between pixels
COARSE_SIDE = 16  # the same for photographs, which are larger than MAX_SIDE
STANDARD_RANGE = 4.0  # deviations of a standardised image that are encoded as 1
STRIDE = 16  # of a backbone's coarsest maps, in pixels
ROUNDING = 1e-6  # smaller deviations, relative to the largest pixel, are rounding errors


@dataclass(frozen=True)
class ImageLayout:
    """Sizes and range of images, from which an `ImageEncoder` is built.

    Attributes
    ----------
    channels : int
        1, 3 or 4.
    original : tuple of int
        Height and width of the images.
    resized : tuple of int
        Height and width that the networks work at, without padding.
    detailed : tuple of int
        Height and width of `ImageEncoder.detail`.
    margins : tuple of int
        Padding of the encoded images: left, right, top, bottom.
    low, high : float
        Range of the pixels.
    standardize : bool
        Whether each image's mean and deviation are taken out.
    is_photograph : bool
        Whether distances are measured between coarse images.
    """

    channels: int
    original: tuple[int, int]
    resized: tuple[int, int]
    detailed: tuple[int, int]
    margins: tuple[int, int, int, int]
    low: float
    high: float
    standardize: bool
    is_photograph: bool


class ImageEncoder(nn.Module):
    """Raw images (n, C, H, W) to encoded images (n, C, h, w) and pooled pixels (n, S)."""

    def __init__(self, layout: ImageLayout) -> None:
        super().__init__()
        self.low, self.high, self.standardize = layout.low, layout.high, layout.standardize
        self.original, self.resized = layout.original, layout.resized
        self.padding = list(layout.margins)
        self.detailed = layout.detailed
        longest = max(layout.resized)
        is_coarse = layout.is_photograph
        self.coarse = scaled(*self.resized, min(COARSE_SIDE, longest)) if is_coarse else None
        factor = -(-longest // POOLED_SIDE)
        self.pool = nn.AvgPool2d(factor, ceil_mode=True) if factor > 1 else nn.Identity()
        size = self.coarse or tuple(-(-side // factor) for side in layout.resized)
        self.pooled = (layout.channels, *size)  # shape of the pooled pixels

    def forward(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Return encoded images, and pooled pixels for distances."""
        raw = raw.float()
        if self.standardize:
            images = standardized(self._sized(raw, self.resized), raw) / STANDARD_RANGE
        else:
            images = self._sized(self._ranged(raw), self.resized)
        if self.coarse is not None:
            pooled = resized(images, self.coarse).flatten(1)
        else:
            pooled = self.pool(images).flatten(1)
        if any(self.padding):
            images = F.pad(images, self.padding, mode="replicate")
        return images, pooled

    def detail(self, raw: Tensor) -> Tensor:
        """Return standardised images (n, C, h, w) at the size of details."""
        raw = raw.float()
        return standardized(self._sized(raw, self.detailed), raw)

    def detailed_pixels(self, raw: Tensor) -> Tensor:
        """Return images (n, C, h, w) with pixels from -1 to 1, about as large as the details.

        The sides are multiples of `STRIDE`, so that maps of all strides lie on each other.
        """
        size = tuple(max(round(side / STRIDE), 1) * STRIDE for side in self.detailed)
        return self._ranged(self._sized(raw.float(), size))

    def _sized(self, images: Tensor, size: tuple[int, ...]) -> Tensor:
        return images if size == self.original else resized(images, size)

    def _ranged(self, raw: Tensor) -> Tensor:
        return (raw - self.low) * (2 / (self.high - self.low)) - 1


def scaled(height: int, width: int, longest: int) -> tuple[int, int]:
    """Return the size of an image resized to a longer side of `longest`."""
    scale = longest / max(height, width)
    return max(round(height * scale), 1), max(round(width * scale), 1)


def resized(images: Tensor, size: Sequence[int]) -> Tensor:
    """Return float images (n, C, H, W) resized to (height, width), with antialiasing."""
    return F.interpolate(images, size=list(size), mode="bilinear", antialias=True)


def standardized(images: Tensor, raw: Tensor) -> Tensor:
    """Return resized images without the mean of raw ones, in units of their deviation."""
    mean, deviation = moments(raw)
    return (images - mean) / deviation


def moments(raw: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and standard deviation of each image (n, 1, 1, 1).

    For a constant image the deviation is 1, so that rounding errors are not amplified.
    """
    mean = raw.mean(dim=(1, 2, 3), keepdim=True)
    deviation = raw.std(dim=(1, 2, 3), keepdim=True, unbiased=False)
    varies = deviation > ROUNDING * raw.abs().amax(dim=(1, 2, 3), keepdim=True)
    return mean, torch.where(varies, deviation, torch.ones_like(deviation))
