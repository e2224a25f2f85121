"""Rows that an exported file is compared with torch on: random ones, and pseudo-anomalies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from augan._random import torch_stream
from augan.codecs.codec import Codec
from augan.codecs.columns import CategoryColumn, ConstantColumn, NumericColumn
from augan.codecs.dtypes import ARROW, DECIMAL
from augan.codecs.image import ImageCodec
from augan.codecs.kinds import frame_of
from augan.codecs.table import TableCodec
from augan.inputs.reading import Data
from augan.networks.pseudo_defects import damage


def random_rows(codec: Codec, n: int, random: np.random.Generator) -> Any:
    """Return rows or images of random values, or None if `n` is not positive."""
    if n < 1:
        return None
    if codec.kind == "image":
        return _random_images(codec, n, random)
    return _random_table(codec, n, random)


def independent_rows(codec: Codec, n: int, random: np.random.Generator) -> Any:
    """Return rows with the training rows' distribution in each column, or images of noise."""
    if codec.kind == "image":
        return _random_images(codec, n, random)
    encoded = random.standard_normal((n, codec.spec.size)).astype(np.float32)
    return codec.decode(torch.from_numpy(encoded))


def pseudo_anomalies(codec: Codec, normal: Data, random: np.random.Generator) -> Data:
    """Return rows with half of the columns from other rows, or images with pseudo-defects."""
    if codec.kind == "image":
        return _with_defects(codec, np.asarray(normal))
    return _with_swapped_columns(normal, random)


def _random_images(codec: ImageCodec, n: int, random: np.random.Generator) -> NDArray[Any]:
    """Return images of noise, a third of them uniform."""
    noise = random.uniform(codec.low, codec.high, size=(n, *codec.shape))
    noise[::3] = noise[::3].mean(axis=tuple(range(1, noise.ndim)), keepdims=True)
    return noise.astype(codec.dtype)


def _random_table(codec: TableCodec, n: int, random: np.random.Generator) -> Data:
    """Return rows with any categories, missing values, and numbers far out of range."""
    raw = np.zeros((n, codec.width))
    for i, column in enumerate(codec.columns):
        if isinstance(column, NumericColumn):
            wide = 10.0 ** random.uniform(-1, 2, size=n) * random.choice([-1.0, 1.0], n)
            middle, half = column.high / 2 + column.low / 2, column.high / 2 - column.low / 2
            with np.errstate(over="ignore"):
                raw[:, i] = np.clip(middle + wide * half, *_bounds(column))
        elif isinstance(column, CategoryColumn):
            raw[:, i] = random.integers(len(column.categories) + 1, size=n)
        if not isinstance(column, ConstantColumn) and _may_be_missing(column):
            raw[random.random(n) < 0.1, i] = np.nan
    frame = frame_of(codec.columns, raw)
    if codec.array_dtype is not None:
        return frame.to_numpy(dtype=codec.array_dtype)
    frame.columns = pd.Index(codec.labels)
    return frame


def _bounds(column: NumericColumn) -> tuple[float, float]:
    """Return bounds within the range of the column's dtype; for times, those of training."""
    if column.origin.quantity in ("time", "duration"):
        return column.low, column.high
    dtype = column.origin.dtype.removesuffix(ARROW).lower()
    if "int" in dtype:
        info = np.iinfo(dtype)
        return float(info.min) / 2, float(info.max) / 2
    if decimal := DECIMAL.match(column.origin.native or ""):
        most = 10.0 ** (int(decimal[2]) - int(decimal[3])) / 4
    else:
        floats: dict[str, Any] = {"float": np.float32, "halffloat": np.float16}
        kind = floats.get(dtype, dtype if dtype in ("float16", "float32") else np.float64)
        most = float(np.finfo(kind).max) / 4
    return -most, most


def _may_be_missing(column: Any) -> bool:
    """Return whether a column may have missing values."""
    return column.has_missing or column.origin.dtype.startswith(("float", "object", "str"))


def _with_defects(codec: ImageCodec, normal: NDArray[Any]) -> NDArray[Any]:
    images = codec.prepare(normal).float()
    mean = images.mean((1, 2, 3), keepdim=True)
    deviation = images.std((1, 2, 3), keepdim=True).clamp(min=1e-6)
    standard = (images - mean) / deviation
    damaged, _ = damage(standard, standard.roll(1, 0), torch_stream(0, "pseudo-anomalies"))
    pixels = (damaged * deviation + mean).clamp(codec.low, codec.high)
    array: NDArray[Any] = pixels.permute(0, 2, 3, 1).numpy().reshape(len(pixels), *codec.shape)
    return array.astype(codec.dtype)


def _with_swapped_columns(normal: Data, random: np.random.Generator) -> Data:
    swapped = normal.copy()
    n, d = swapped.shape
    swaps = random.random((n, d)) < 0.5
    donors = random.integers(n, size=(n, d))
    for j in range(d):
        rows = np.flatnonzero(swaps[:, j])
        if isinstance(swapped, pd.DataFrame):
            order = np.arange(n)
            order[rows] = donors[rows, j]
            swapped.isetitem(j, swapped.iloc[order, j].set_axis(swapped.index))
        else:
            swapped[rows, j] = normal[donors[rows, j], j]
    return swapped
