"""Images to tensors and back: any grey, RGB or RGBA array of 8 pixels or more a side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from augan.codecs.spec import Activation, ImageSpec
from augan.exceptions import DataError

MIN_SIDE = 8
MAX_SIDE = 64  # larger images are resized to this unless a size is asked for
POOLED_SIDE = 32  # distances between pixels are taken at this size at most
COARSE_SIDE = 16  # and of photographs, images larger than MAX_SIDE, at this one
ENCODED_AT_ONCE = 256
EDGE = 1e-3  # share of a pixel that may be unknown
STANDARD_RANGE = 4.0  # a standardised image lies within ± this many of its deviations
ROUNDING = 1e-6  # share of the largest pixel below which a deviation is float32's rounding
LARGEST = 1e37  # above which differences of pixels overflow in float32
KNOWN_RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (0.0, 65535.0))


class ImageCodec:
    """Images (n, H, W[, C]) as float tensors (n, C, height, width) in about [-1, 1], both ways.

    Parameters
    ----------
    image_size : int or None, default=None
        Length of the longer side that the networks work at. ``None`` keeps the size (padded to
        what the networks need) up to 64 pixels and resizes larger images to 64.
    standardize : bool, default=False
        Subtract each image's own mean and divide by its own deviation: takes out brightness and
        contrast, which in photographs of parts differ more than the defects do.
    detail_size : int or None, default=None
        Most pixels of the longer side of the `detail` that the module gives: the image itself, its
        own mean and deviation taken out. ``None`` keeps the size.

    Attributes
    ----------
    shape : tuple of int
        Shape of one image as `fit` saw it, (H, W) or (H, W, C).
    spec : ImageSpec
        Working size.
    """

    kind = "image"

    def __init__(
        self,
        image_size: int | None = None,
        standardize: bool = False,
        detail_size: int | None = None,
    ) -> None:
        self.image_size = image_size
        self.standardize = standardize
        self.detail_size = detail_size

    def fit(self, X: NDArray[Any]) -> ImageCodec:
        """Learn shape, dtype and range of the images `X`."""
        self.shape = tuple(int(n) for n in X.shape[1:])
        height, width = self.shape[:2]
        if min(height, width) < MIN_SIDE:
            raise DataError(f"images of {height}x{width}: a side needs at least {MIN_SIDE} pixels")
        _check_finite(X)
        self.dtype = str(X.dtype)
        self.low, self.high = _value_range(X)
        self.mean, self.deviation = 0.0, 1.0
        self._build()
        if self.standardize:
            starts = range(0, len(X), ENCODED_AT_ONCE)
            parts = (self.prepare(X[i : i + ENCODED_AT_ONCE]).float() for i in starts)
            moments = [_moments(part) for part in parts]
            self.mean = float(torch.cat([m for m, _ in moments]).mean())
            self.deviation = float(torch.cat([s for _, s in moments]).mean())
        return self

    @property
    def is_photograph(self) -> bool:
        """Whether images are larger than the networks that see all of them at once take."""
        return max(self.shape[:2]) > MAX_SIDE

    def prepare(self, X: NDArray[Any]) -> Tensor:
        """Return raw images (n, C, H, W) in their own units: bytes as they are, else float32."""
        if tuple(X.shape[1:]) != self.shape:
            raise DataError(f"images of shape {X.shape[1:]}, in training they had {self.shape}")
        _check_finite(X)
        own = X.dtype == np.uint8 and X.flags.writeable and X.flags.c_contiguous
        dtype = np.uint8 if X.dtype == np.uint8 else np.float32
        images = torch.from_numpy(X if own else np.array(X, dtype=dtype))
        return images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)

    def encode(self, X: NDArray[Any]) -> Tensor:
        """Encode images as float32 (n, C, height, width)."""
        raw = self.prepare(X)
        return torch.cat([self.module(part)[0] for part in raw.split(ENCODED_AT_ONCE)])

    def decode(self, encoded: Tensor, like: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return images as `fit` saw them: shape, dtype and range.

        `like`, the images that `encoded` reconstructs, gives standardised images their own mean
        and deviation back; without it they get the average of the training images.
        """
        own = (
            _moments(self.prepare(like).float()) if self.standardize and like is not None else None
        )
        array: NDArray[Any] = self.pixels(encoded.detach().cpu().float(), own).numpy()
        return array.reshape(len(array), *self.shape).astype(self.dtype)

    def pixels(self, encoded: Tensor, own: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Return images (n, H, W, C) of encoded ones, as numbers of the range of training.

        `own` are the means and deviations (n, 1, 1, 1) of standardised images.
        """
        if self.standardize:
            mean, deviation = own or (self.mean, self.deviation)
            images = encoded * STANDARD_RANGE * deviation + mean
        else:
            images = self.low + (encoded + 1) * (self.high - self.low) / 2
        pixels = self._to_original(images).clamp(self.low, self.high).permute(0, 2, 3, 1)
        return pixels.round() if np.dtype(self.dtype).kind in "bui" else pixels

    def known(self, holes: NDArray[np.bool_]) -> Tensor:
        """Return 1 where encoded images show known pixels alone, else 0, (n, 1, height, width).

        `holes` (n, H, W) are pixels that are not known.
        """
        missing = torch.from_numpy(holes[:, None].astype(np.float32))
        if self.resized != self.shape[:2]:
            missing = _resized(missing, self.resized)
        missing = F.pad(missing, self.module.padding, mode="replicate")
        return (missing < EDGE).float()

    def at_original_size(self, maps: Tensor) -> Tensor:
        """Return maps (n, h, w), of the working size or of whole images, at the images' size."""
        images = maps.unsqueeze(1)
        if maps.shape[1:] == self.padded:
            whole = self._to_original(images)
        else:
            whole = _resized(images, self.shape[:2])
        return whole.squeeze(1)

    def to_module(self) -> ImageEncoder:
        """Return the encoding as a module: raw images to encoded ones and pooled pixels."""
        return ImageEncoder(self)

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return what a model file keeps: JSON values, and no arrays."""
        names = (
            *("image_size", "standardize", "detail_size"),
            *("shape", "dtype", "low", "high", "mean", "deviation"),
        )
        return {"kind": self.kind, **{name: getattr(self, name) for name in names}}, {}

    @classmethod
    def from_state(cls, values: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> ImageCodec:
        """Rebuild a codec from `state`."""
        codec = cls(values["image_size"], values["standardize"], values["detail_size"])
        codec.shape = tuple(values["shape"])
        for name in ("dtype", "low", "high", "mean", "deviation"):
            setattr(codec, name, values[name])
        codec._build()
        return codec

    def _build(self) -> None:
        height, width = self.shape[:2]
        channels = self.shape[2] if len(self.shape) == 3 else 1
        longest = max(height, width)
        self.resized = _scaled(height, width, self.image_size or min(longest, MAX_SIDE))
        self.detailed = _scaled(height, width, min(longest, self.detail_size or longest))
        multiple = 2 ** n_halvings(*self.resized)
        self.padded = (
            -(-self.resized[0] // multiple) * multiple,
            -(-self.resized[1] // multiple) * multiple,
        )
        height, width = self.padded
        activation: Activation = "identity" if self.standardize else "tanh"
        vertical, horizontal = (p - r for p, r in zip(self.padded, self.resized, strict=True))
        left, top = horizontal // 2, vertical // 2
        margins = left, horizontal - left, top, vertical - top
        self.spec = ImageSpec(channels, height, width, activation, margins)
        self.module = self.to_module()

    def _to_original(self, images: Tensor) -> Tensor:
        """Cut the padding off and undo the resizing, (n, C, height, width) to (n, C, H, W)."""
        left, _, top, _ = self.spec.margins
        inner = images[:, :, top : top + self.resized[0], left : left + self.resized[1]]
        if self.resized == self.shape[:2]:
            return inner
        return _resized(inner, self.shape[:2])


class ImageEncoder(nn.Module):
    """Raw images (n, C, H, W) to encoded images (n, C, h, w) and pooled pixels (n, S)."""

    def __init__(self, codec: ImageCodec) -> None:
        super().__init__()
        self.low, self.high, self.standardize = codec.low, codec.high, codec.standardize
        self.original, self.resized = codec.shape[:2], codec.resized
        self.padding = list(codec.spec.margins)
        self.detailed = codec.detailed
        side = min(COARSE_SIDE, max(codec.resized))
        self.coarse = _scaled(*codec.resized, side) if codec.is_photograph else None
        factor = -(-max(codec.resized) // POOLED_SIDE)
        self.pool = nn.AvgPool2d(factor, ceil_mode=True) if factor > 1 else nn.Identity()
        size = self.coarse or tuple(-(-side // factor) for side in codec.resized)
        self.pooled = (codec.spec.channels, *size)  # shape of the pooled pixels

    def forward(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Return encoded images and the pixels that distances are taken between."""
        raw = raw.float()
        if self.standardize:
            images = _standardized(raw) / STANDARD_RANGE
        else:
            images = (raw - self.low) * (2 / (self.high - self.low)) - 1
        if self.resized != self.original:
            images = _resized(images, self.resized)
        if self.coarse is not None:
            pooled = _resized(images, self.coarse).flatten(1)
        else:
            pooled = self.pool(images).flatten(1)
        if any(self.padding):
            images = F.pad(images, self.padding, mode="replicate")
        return images, pooled

    def detail(self, raw: Tensor) -> Tensor:
        """Return the images (n, C, h, w) in their own deviations, at the size of details."""
        images = _standardized(raw.float())
        if self.detailed == self.original:
            return images
        return _resized(images, self.detailed)


def n_halvings(height: int, width: int) -> int:
    """Return how often the networks halve an image: to about 4 pixels a side, at least twice."""
    return max(2, round(np.log2(min(height, width) / 4)))


def _scaled(height: int, width: int, longest: int) -> tuple[int, int]:
    """Return the size of an image whose longer side becomes `longest`."""
    scale = longest / max(height, width)
    return max(round(height * scale), 1), max(round(width * scale), 1)


def _resized(images: Tensor, size: Sequence[int]) -> Tensor:
    """Return float images (n, C, H, W) at a size (height, width), without aliasing."""
    return F.interpolate(images, size=list(size), mode="bilinear", antialias=True)


def _standardized(raw: Tensor) -> Tensor:
    mean, deviation = _moments(raw)
    return (raw - mean) / deviation


def _moments(raw: Tensor) -> tuple[Tensor, Tensor]:
    """Return each image's mean and deviation (n, 1, 1, 1); of a constant image, 1.

    What is left of rounding in a constant image must not be blown up to a pattern.
    """
    mean = raw.mean(dim=(1, 2, 3), keepdim=True)
    deviation = raw.std(dim=(1, 2, 3), keepdim=True, unbiased=False)
    varies = deviation > ROUNDING * raw.abs().amax(dim=(1, 2, 3), keepdim=True)
    return mean, torch.where(varies, deviation, torch.ones_like(deviation))


def _value_range(X: NDArray[Any]) -> tuple[float, float]:
    """Return the usual range that pixels use at least half of, or else the training range."""
    low, high = float(X.min()), float(X.max())
    for known_low, known_high in KNOWN_RANGES:
        width = known_high - known_low
        if known_low <= low and high <= known_high and high - low >= width / 2:
            return known_low, known_high
    return (low, high) if high > low else (low, low + 1.0)


def _check_finite(X: NDArray[Any]) -> None:
    """Name the first pixel that is not a number that float32 can work with."""
    if X.dtype.kind != "f":
        return
    limit = min(LARGEST, float(np.finfo(X.dtype).max))
    fine = np.abs(X) <= limit  # False for NaN as well
    if not fine.all():
        image, row, column = np.argwhere(~fine)[0][:3]
        value = X[~fine][0]
        what = "is too large" if np.isfinite(value) else "is not finite"
        raise DataError(f"image {image}, row {row}, column {column}: {value} {what}")
