"""The data that a file was trained on, as described by its metadata: tables or images."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from augan.codecs.columns import Column
from augan.codecs.kinds import column_from_state, frame_of
from augan.codecs.origin import from_json
from augan.deploy.inputs import (
    IMAGES,
    MATRIX,
    OF_COLUMNS,
    RESERVED,
    SURPRISE,
    is_text,
    mark_of,
    raw_of,
    series_of,
    takes_matrix,
    to_input,
    to_matrix,
    value_names,
)
from augan.exceptions import DataError


@dataclass(frozen=True)
class TableForm:
    """Columns of a table and their labels in training."""

    columns: list[Column]
    labels: tuple[Any, ...]
    array_dtype: str | None
    reserved: tuple[str, ...] = RESERVED  # names of other inputs and outputs
    kind: ClassVar[Literal["table"]] = "table"
    explanation_name: ClassVar[str] = "explanation"

    @cached_property
    def is_matrix(self) -> bool:
        """Whether the graph has one matrix as input or output."""
        return takes_matrix(self.columns, self.array_dtype)

    @cached_property
    def names(self) -> list[str]:
        """Names of the columns' inputs and outputs."""
        return value_names(self.columns, self.reserved)

    def feeds(self, X: pd.DataFrame | NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return the graph's inputs.

        Raises
        ------
        DataError
            If a value is invalid; the message names its row and column.
        """
        if self.is_matrix:
            return {MATRIX: to_matrix(self.columns, X)}
        columns = zip(self.names, self.columns, series_of(X), strict=True)
        return {name: to_input(column, values) for name, column, values in columns}

    def probe(self) -> dict[str, NDArray[Any]]:
        """Return the inputs of one row of missing values."""
        if self.is_matrix:
            return {MATRIX: np.full((1, len(self.columns)), np.nan)}
        return {
            name: np.array([[mark_of(c)]], dtype=object) if is_text(c) else np.array([[np.nan]])
            for name, c in zip(self.names, self.columns, strict=True)
        }

    @property
    def explanation_sizes(self) -> tuple[int, ...]:
        """Sizes of the explanation of one row: the number of columns."""
        return (len(self.columns),)

    def explanation(self, found: NDArray[np.float32]) -> pd.DataFrame:
        """Return explanations (n, d) as a DataFrame with the labels of training."""
        return pd.DataFrame(found.astype(np.float64), columns=list(self.labels))

    def rows_of(self, outputs: dict[str, NDArray[Any]]) -> pd.DataFrame | NDArray[Any]:
        """Return the rows in the outputs of a generator, with the dtypes of training."""
        if self.is_matrix:
            return self.typed(outputs[MATRIX])
        columns = zip(self.names, self.columns, strict=True)
        raw = [raw_of(column, outputs[name][:, 0]) for name, column in columns]
        return self.typed(np.stack(raw, axis=1))

    def typed(self, raw: NDArray[np.float64]) -> pd.DataFrame | NDArray[Any]:
        """Return rows with the dtypes of training, given raw numbers and codes (n, d)."""
        frame = frame_of(self.columns, raw)
        if self.array_dtype is not None:
            return frame.to_numpy(dtype=self.array_dtype)
        frame.columns = pd.Index(self.labels)
        return frame


@dataclass(frozen=True)
class ImageForm:
    """Shape (H, W) or (H, W, C), dtype and range of images."""

    shape: tuple[int, ...]
    dtype: str
    low: float
    high: float
    kind: ClassVar[Literal["image"]] = "image"
    explanation_name: ClassVar[str] = "heatmap"
    columns: ClassVar[tuple[Column, ...]] = ()  # images have none

    @property
    def only_bytes(self) -> bool:
        """Whether pixels must be bytes."""
        return self.dtype == "uint8"

    def feeds(self, images: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """Return the graph's input: images (n, H, W, C) of uint8, if trained on bytes, or float32.

        Raises
        ------
        DataError
            If images have another shape than in training, or invalid pixels.
        """
        if images.shape[1:] != self.shape:
            raise DataError(f"images of shape {images.shape[1:]}, but {self.shape} in training")
        if images.dtype.kind == "f" and not np.isfinite(images).all():
            image, row, column = np.argwhere(~np.isfinite(images))[0][:3]
            value = images[~np.isfinite(images)][0]
            raise DataError(f"image {image}, row {row}, column {column}: {value} is not finite")
        if self.only_bytes and images.dtype != np.uint8:
            _check_bytes(images)
        kept = images.astype(np.uint8 if self.only_bytes else np.float32, copy=False)
        return {IMAGES: np.ascontiguousarray(kept.reshape(*kept.shape[:3], -1))}

    def probe(self) -> dict[str, NDArray[Any]]:
        """Return the input of one black image."""
        return self.feeds(np.full((1, *self.shape), self.low, dtype=self.dtype))

    @property
    def explanation_sizes(self) -> tuple[int, ...]:
        """Sizes of the explanation of one image: its height and width."""
        return self.shape[:2]

    def explanation(self, found: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return heatmaps (n, H, W)."""
        return found.astype(np.float64)

    def rows_of(self, outputs: dict[str, NDArray[Any]]) -> NDArray[Any]:
        """Return the images in the outputs of a generator, with the dtype of training."""
        pixels = outputs[IMAGES]
        return pixels.reshape(len(pixels), *self.shape).astype(self.dtype)


def form_of(metadata: dict[str, Any]) -> TableForm | ImageForm:
    """Return the kind of data that the metadata of an ONNX file describes."""
    if metadata["kind"] == "image":
        image = metadata["image"]
        return ImageForm(tuple(image["shape"]), image["dtype"], image["low"], image["high"])
    empty = np.empty(0)
    columns = [
        column_from_state(values, {"knots": empty, "normals": empty})
        if values["kind"] == "numeric"
        else column_from_state(values, {})
        for values in metadata["columns"]
    ]
    reserved = RESERVED if metadata.get("codes") is None else (*RESERVED, *OF_COLUMNS)
    reserved = (*reserved, SURPRISE) if has_surprise(metadata) else reserved
    labels = from_json(metadata["labels"])
    return TableForm(columns, labels, metadata.get("array_dtype"), reserved)


def has_surprise(metadata: dict[str, Any]) -> bool:
    """Return whether a graph has the output of the surprise of each cell."""
    return metadata.get("part") == "scorer" and SURPRISE in metadata["parts"]


def _check_bytes(images: NDArray[Any]) -> None:
    """Raise DataError if a pixel is not an integer from 0 to 255."""
    with np.errstate(invalid="ignore"):
        whole = images.astype(np.uint8)
    if not (whole == images).all():
        image, row, column = np.argwhere(whole != images)[0][:3]
        value = images[whole != images][0]
        raise DataError(f"image {image}, row {row}, column {column}: {value} is not a byte")
