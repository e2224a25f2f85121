"""Heatmaps: where an image is abnormal, from the maps of the heads and from its pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from augan.networks.fitted import FittedModule
from augan.scoring.calibration import RobustScale
from augan.scoring.maps import blurred
from augan.scoring.rates import PIXEL_RATES
from augan.scoring.view import View

FITTED_PIXELS = 200_000  # pixels, at most, that the scale of the maps is fitted to
LIMIT_RATE = 0.001  # share of the pixels of normal images above the limits of maps and pixels
PIXEL_IMAGES = 128  # images, at most, that the usual pixels are learned from
AT_ONCE = 16  # images whose pixels are compared at once
FINEST = 3  # side of the window that pixels are smoothed over
SURROUNDINGS = 16  # side of the squares whose means are the light around a pixel
VARIANCE_SMOOTHING = 5  # side of the window that variances of pixels are averaged over
RIDGE = 0.1  # share of a band's mean variance that is added to its variances
LEAST_VARIANCE = 5e-6  # of pixels from -1 to 1: rounding to 256 levels
SMALLEST = 1e-6  # of the limits
UNSEEN = 0.6  # largest heat, in limits, of a place whose pixels are as usual
SEEN = 0.6  # heat, in limits, that unusual pixels add to it
EXPLAINED = 0.7  # share of `UNSEEN` that very unusual pixels take from the others around them
RELATIVE = 0.5  # of the most unusual pixel nearby: p is in units of it, if that is above 1
BEYOND = 0.05  # of what the heat of patches exceeds its limit by
REACH = 33  # side of the window in which very unusual pixels explain the heat: four patches


class Heatmap(FittedModule):
    """Weighted mean of several maps in robust z-scores, sharpened by the pixels.

    Maps of a backbone's features are coarse: a thin scratch makes all patches hot that touch it.
    With a `PixelDeviation`, heat is limited by how unusual the pixels themselves are. Both are in
    units of what `LIMIT_RATE` of the pixels of normal images exceed, c of the maps and p of the
    pixels, and the heat is ``min(c, UNSEEN * (1 - EXPLAINED * s) + SEEN * p)``. Around very unusual
    pixels s rises from 0, where the largest p nearby is 1, to 1, where it is 2: these pixels
    explain why the patches are hot. Where it is larger still, p is divided by half of it. What c
    exceeds its limit by is added, times ``BEYOND * (1 - s)``, for defects that single pixels do not
    show.

    Parameters
    ----------
    weights : sequence of float
        Weights of the maps.
    pixels : PixelDeviation, optional
        How unusual pixels are.
    """

    thresholds: Tensor  # of pixels, see `PIXEL_RATES`
    limits: Tensor  # of c; the median deviation of pixels, and the limit above it

    def __init__(self, weights: Sequence[float], pixels: PixelDeviation | None = None) -> None:
        super().__init__()
        self.weights = list(weights)
        self.scale, self.pixels = RobustScale(), pixels
        self.add_buffers("thresholds", "limits")

    def fit(
        self, maps: list[Tensor], view: View, others: View, random: np.random.Generator
    ) -> None:
        """Fit scales and thresholds to maps (n, h, w) of normal images.

        `view` has these images, and `others` those that the usual pixels are learned from.
        """
        values = torch.stack(_one_size(maps)).flatten(1).T
        n = min(len(values), FITTED_PIXELS)
        chosen = torch.from_numpy(random.choice(len(values), n, replace=False))
        self.scale.fit(values[chosen.to(values.device)])
        heat = self._mean(maps)
        if self.pixels is not None:
            self.pixels.fit(others.pixel_batches(AT_ONCE))
            parts = [self.pixels(part) for part in view.pixel_batches(AT_ONCE)]
            deviation = torch.cat(parts)
            coarse, fine = (np.quantile(part.cpu(), 1 - LIMIT_RATE) for part in (heat, deviation))
            usual = float(np.median(deviation.cpu()))
            self.limits = heat.new_tensor([coarse, usual, fine - usual]).clamp(min=SMALLEST)
            sizes = [len(part) for part in parts]
            both = zip(heat.split(sizes), parts, strict=True)
            heat = torch.cat([self._sharpened(own, pixels) for own, pixels in both])
        found = np.quantile(heat.cpu().numpy(), 1 - PIXEL_RATES)
        self.thresholds = heat.new_tensor(found)

    def forward(self, maps: list[Tensor], view: View) -> Tensor:
        """Return heat (B, h, w), at the size of the pixels or of the largest map."""
        heat = self._mean(maps)
        return heat if self.pixels is None else self._sharpened(heat, self.pixels(view.pixels))

    def _mean(self, maps: list[Tensor]) -> Tensor:
        z: Tensor = self.scale(torch.stack(_one_size(maps), dim=-1))
        weights = z.new_tensor(self.weights)
        return (z * weights).sum(dim=-1) / weights.sum()

    def _sharpened(self, heat: Tensor, deviation: Tensor) -> Tensor:
        """Return heat (B, h, w) limited by the deviations (B, H, W) of pixels."""
        coarse = _resized(heat, deviation.shape[1:]) / self.limits[0]
        unusual = ((deviation - self.limits[1]) / self.limits[2]).clamp(min=0)
        near = _highest_nearby(unusual)
        explained = (near - 1).clamp(0, 1)
        unusual = unusual / (RELATIVE * near).clamp(min=1)
        bounded = coarse.minimum(UNSEEN * (1 - EXPLAINED * explained) + SEEN * unusual)
        return bounded + BEYOND * (1 - explained) * (coarse - 1).clamp(min=0)


class PixelDeviation(FittedModule):
    """Root mean square of an image's deviations, in several bands of detail, at each pixel.

    Bands are differences of pixels, and of means over them. Of images that lie alike
    (`aligned`), each place has a mean and a deviation of its own, otherwise all have the same.
    """

    mean: Tensor
    scale: Tensor
    aligned = True  # set before `fit`

    def __init__(self) -> None:
        super().__init__()
        self.add_buffers("mean", "scale", dtype=torch.float16)

    def fit(self, batches: Iterator[Tensor]) -> None:
        """Fit means and deviations (3 * C, h, w) to batches of images (n, C, h, w)."""
        n, total, squares = 0, torch.zeros(()), torch.zeros(())
        for images in batches:
            bands = _bands(images)
            n, total = n + len(bands), total + bands.sum(dim=0)
            squares = squares + bands.square().sum(dim=0)
        mean, square = total / n, squares / n
        if not self.aligned:
            mean, square = (part.mean(dim=(1, 2), keepdim=True) for part in (mean, square))
        variance = (square - mean.square()).clamp(min=0)
        variance = blurred(variance, VARIANCE_SMOOTHING)
        added = RIDGE * variance.mean(dim=(1, 2), keepdim=True) + LEAST_VARIANCE
        self.mean, self.scale = mean.half(), (variance + added).rsqrt().half()

    def forward(self, images: Tensor) -> Tensor:
        """Return deviations (B, h, w) of images (B, C, h, w)."""
        z = (_bands(images) - self.mean.float()) * self.scale.float()
        return z.square().mean(dim=1).sqrt()


def _bands(images: Tensor) -> Tensor:
    """Return bands of detail (n, 3 * C, h, w) of images.

    The smoothed pixels relative to the image's mean, what smoothing takes out, and the smoothed
    pixels relative to the mean around them, whatever the light.
    """
    smooth, mean = blurred(images, FINEST), images.mean(dim=(2, 3), keepdim=True)
    small = F.avg_pool2d(images, SURROUNDINGS, ceil_mode=True)
    size = images.shape[2:]
    around = F.interpolate(small, size=size, mode="bilinear", align_corners=False)
    return torch.cat([smooth - mean, images - smooth, smooth - around], dim=1)


def _highest_nearby(maps: Tensor) -> Tensor:
    """Return the highest value in a window around each place of maps (n, h, w)."""
    rows = F.max_pool2d(maps[:, None], (REACH, 1), 1, (REACH // 2, 0))
    return F.max_pool2d(rows, (1, REACH), 1, (0, REACH // 2))[:, 0]


def _one_size(maps: Sequence[Tensor]) -> list[Tensor]:
    """Return maps at the size of the largest."""
    size = max((part.shape[1:] for part in maps), key=lambda shape: shape[0] * shape[1])
    return [_resized(part, size) for part in maps]


def _resized(maps: Tensor, size: torch.Size) -> Tensor:
    """Return maps (n, h, w) at a size."""
    if maps.shape[1:] == size:
        return maps
    return F.interpolate(maps[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]
