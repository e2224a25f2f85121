"""Codec of images: grey, RGB or RGBA arrays with at least 8 pixels per side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from augan.codecs.columns import Column
from augan.codecs.image_encoder import (
    STANDARD_RANGE,
    ImageEncoder,
    ImageLayout,
    moments,
    resized,
    scaled,
)
from augan.codecs.pixels import check_finite, value_range
from augan.codecs.spec import Activation, ImageSpec
from augan.exceptions import DataError
from augan.frames import PANDAS

MIN_SIDE = 8
MAX_SIDE = 64  # default size of larger images
ENCODED_AT_ONCE = 256
EDGE = 1e-3  # share of a known pixel that may be unknown


class ImageCodec:
    """Encodes images (n, H, W[, C]) as float tensors (n, C, height, width), and decodes them.

    Encoded pixels range from about -1 to 1.

    Parameters
    ----------
    image_size : int or None, default=None
        Longer side of the images in the networks. ``None`` keeps sizes up to 64 pixels (padded as
        the networks need) and resizes larger images to 64.
    standardize : bool, default=False
        Subtract each image's own mean and divide by its own standard deviation. This removes
        brightness and contrast, whose variation in photographs of parts can hide defects.
    detail_size : int or None, default=None
        Longest side, in pixels, of the result of the module's `detail`: the standardised image.
        ``None`` keeps the size.

    Attributes
    ----------
    shape : tuple of int
        Shape of one training image, (H, W) or (H, W, C).
    spec : ImageSpec
        Layout of the encoded images.
    """

    kind: ClassVar[Literal["image"]] = "image"
    columns: ClassVar[tuple[Column, ...]] = ()  # images have none
    library = PANDAS  # as a table's codec; images are always arrays

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
        """Learn shape, dtype and range of the images `X`.

        Raises
        ------
        DataError
            If the images are smaller than 8 pixels, or a pixel is not finite.
        """
        self.shape = tuple(int(n) for n in X.shape[1:])
        height, width = self.shape[:2]
        if min(height, width) < MIN_SIDE:
            raise DataError(
                f"images of {height}x{width}: must have at least {MIN_SIDE} pixels per side"
            )
        check_finite(X)
        self.dtype = str(X.dtype)
        self.low, self.high = value_range(X)
        self.mean, self.deviation = 0.0, 1.0
        self._build()
        if self.standardize:
            starts = range(0, len(X), ENCODED_AT_ONCE)
            parts = (self.prepare(X[i : i + ENCODED_AT_ONCE]).float() for i in starts)
            found = [moments(part) for part in parts]
            self.mean = float(torch.cat([mean for mean, _ in found]).mean())
            self.deviation = float(torch.cat([deviation for _, deviation in found]).mean())
        return self

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of one training image."""
        return self.shape[0], self.shape[1]

    @property
    def is_photograph(self) -> bool:
        """Whether images are larger than the networks for whole images accept."""
        return max(self.shape[:2]) > MAX_SIDE

    def prepare(self, X: NDArray[Any]) -> Tensor:
        """Return raw images (n, C, H, W): bytes, or else float32.

        Raises
        ------
        DataError
            If the images have another shape than in training, or a pixel is not finite.
        """
        if tuple(X.shape[1:]) != self.shape:
            raise DataError(f"images of shape {X.shape[1:]}, but {self.shape} in training")
        check_finite(X)
        own = X.dtype == np.uint8 and X.flags.writeable and X.flags.c_contiguous
        dtype = np.uint8 if X.dtype == np.uint8 else np.float32
        images = torch.from_numpy(X if own else np.array(X, dtype=dtype))
        return images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)

    def encode(self, X: NDArray[Any]) -> Tensor:
        """Encode images as float32 (n, C, height, width)."""
        raw = self.prepare(X)
        return torch.cat([self.module(part)[0] for part in raw.split(ENCODED_AT_ONCE)])

    def decode(self, encoded: Tensor, like: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return images with the shape, dtype and range of training.

        Standardised images get the means and deviations of the images `like`, or without these the
        average ones of training.
        """
        own = moments(self.prepare(like).float()) if self.standardize and like is not None else None
        array: NDArray[Any] = self.pixels(encoded.detach().cpu().float(), own).numpy()
        return array.reshape(len(array), *self.shape).astype(self.dtype)

    def pixels(self, encoded: Tensor, own: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Return encoded images as pixels (n, H, W, C) in the range of training.

        `own` are the means and deviations (n, 1, 1, 1) for standardised images.
        """
        if self.standardize:
            mean, deviation = own or (self.mean, self.deviation)
            images = encoded * STANDARD_RANGE * deviation + mean
        else:
            images = self.low + (encoded + 1) * (self.high - self.low) / 2
        pixels = self._to_original(images).clamp(self.low, self.high).permute(0, 2, 3, 1)
        return pixels.round() if np.dtype(self.dtype).kind in "bui" else pixels

    def known(self, holes: NDArray[np.bool_]) -> Tensor:
        """Return 1 for pixels of the encoded images that are known, else 0, (n, 1, height, width).

        `holes` (n, H, W) are the unknown pixels.
        """
        missing = torch.from_numpy(holes[:, None].astype(np.float32))
        if self.resized != self.shape[:2]:
            missing = resized(missing, self.resized)
        missing = F.pad(missing, self.module.padding, mode="replicate")
        return (missing < EDGE).float()

    def at_original_size(self, maps: Tensor) -> Tensor:
        """Return maps (n, h, w) of the encoded or the whole images, resized to (n, H, W)."""
        images = maps.unsqueeze(1)
        if maps.shape[1:] == self.padded:
            whole = self._to_original(images)
        else:
            whole = resized(images, self.shape[:2])
        return whole.squeeze(1)

    def batches(self, raw: Tensor) -> Iterator[Tensor]:
        """Yield parts of raw images (n, C, H, W) that can be encoded at once."""
        yield from raw.split(ENCODED_AT_ONCE)

    def as_decoded(self, encoded: Tensor) -> Tensor:
        """Return encoded images as they are; see `TableCodec.as_decoded`."""
        return encoded

    def explanation(self, found: Tensor) -> NDArray[np.float64]:
        """Return heat maps (n, h, w) at the images' size, (n, H, W)."""
        array: NDArray[np.float64] = self.at_original_size(found).double().numpy()
        return array

    def owners(self) -> tuple[Tensor, Tensor] | None:
        """Return None: an image's channels belong to no columns."""
        return None

    def warn_of_drift(self, X: NDArray[Any], raw: Tensor | None = None) -> None:
        """Do nothing: drift is checked column by column."""

    def usual(self, rows: pd.DataFrame | NDArray[Any] | None = None) -> dict[str, Any]:
        """Return an empty dict: an image has no columns whose usual values could be listed."""
        return {}

    def facts(self) -> dict[str, Any]:
        """Return what an exported file says of the data, as JSON can hold it."""
        names = ("shape", "dtype", "low", "high")
        return {"image": {name: getattr(self, name) for name in names}}

    def example(self, n: int) -> Tensor:
        """Return `n` raw images (n, C, H, W) of the lowest value."""
        return torch.full((n, self.spec.channels, *self.size), self.low)

    @property
    def working_shape(self) -> tuple[int, ...]:
        """Shape (C, height, width) of one encoded image."""
        return self.spec.channels, self.spec.height, self.spec.width

    @property
    def n_varying(self) -> int:
        """Number of values of an encoded image."""
        return self.spec.channels * self.spec.height * self.spec.width

    def to_module(self) -> ImageEncoder:
        """Return the encoding as a module: raw images to encoded ones and pooled pixels."""
        layout = ImageLayout(
            channels=self.spec.channels,
            original=self.size,
            resized=self.resized,
            detailed=self.detailed,
            margins=self.spec.margins,
            low=self.low,
            high=self.high,
            standardize=self.standardize,
            is_photograph=self.is_photograph,
        )
        return ImageEncoder(layout)

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return the state for a model file: JSON values, and no arrays."""
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
        self.resized = scaled(height, width, self.image_size or min(longest, MAX_SIDE))
        self.detailed = scaled(height, width, min(longest, self.detail_size or longest))
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
        """Remove the padding and undo the resizing, (n, C, height, width) to (n, C, H, W)."""
        left, _, top, _ = self.spec.margins
        inner = images[:, :, top : top + self.resized[0], left : left + self.resized[1]]
        if self.resized == self.shape[:2]:
            return inner
        return resized(inner, self.shape[:2])


def n_halvings(height: int, width: int) -> int:
    """Return how often the networks halve images: to about 4 pixels per side, at least twice."""
    return max(2, round(np.log2(min(height, width) / 4)))
