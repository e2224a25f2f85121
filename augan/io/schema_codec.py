"""Schemas of the states of codecs and images, checked before these are built."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from augan.codecs.origin import from_json
from augan.exceptions import shown
from augan.io.schema_columns import Columns, ColumnState
from augan.io.schema_types import (
    AtLeastOne,
    Dtype,
    Finite,
    ImageDtype,
    Label,
    Part,
    Positive,
    within,
)

MIN_SIDE, MAX_SIDE = 8, 2**16  # pixels of an image
MAX_PIXELS = 2**28  # of one image, all channels, to limit memory
CHANNELS = (1, 3, 4)

Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]


class TableState(Part):
    """State of a `TableCodec`."""

    kind: Literal["table"]
    max_categories: AtLeastOne
    n_rows: AtLeastOne | None = None  # unknown in files of format 9
    array_dtype: Dtype | None
    labels: Label
    columns: Columns
    library: Literal["pandas", "polars", "pyarrow", "modin", "cudf"] = "pandas"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_labels(self.labels, self.columns)
        if all(column.kind == "constant" for column in self.columns):
            raise ValueError("no column varies")
        return self

    @property
    def n_features(self) -> int:
        """Columns."""
        return len(self.columns)


class ImageForm(Part):
    """Shape, dtype and range of images."""

    shape: Annotated[list[Side], Field(min_length=2, max_length=3)]
    dtype: ImageDtype
    low: Finite
    high: Finite

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if min(self.shape[:2]) < MIN_SIDE:
            raise ValueError(f"shape: a side of {min(self.shape[:2])} pixels is too small")
        if len(self.shape) == 3 and self.shape[2] not in CHANNELS:
            raise ValueError(f"shape: images of {self.shape[2]} channels")
        if self.n_features > MAX_PIXELS:
            raise ValueError(f"images of shape {self.shape} are too large")
        if not self.low < self.high or not math.isfinite(self.high - self.low):
            raise ValueError(f"pixels from {self.low:g} to {self.high:g}")
        return self

    @property
    def n_features(self) -> int:
        """Pixels, times channels."""
        return math.prod(self.shape)


class ImageState(ImageForm):
    """State of an `ImageCodec`."""

    kind: Literal["image"]
    image_size: Annotated[int, Field(ge=MIN_SIDE, le=MAX_SIDE)] | None
    standardize: bool
    detail_size: Annotated[int, Field(ge=32, le=MAX_SIDE)] | None
    mean: Finite
    deviation: Positive

    @model_validator(mode="after")
    def _fits_training(self) -> Self:
        if not within(self.mean, min(self.low, 0.0), max(self.high, 0.0)):
            raise ValueError(f"mean {self.mean:g} is out of the range of the pixels")
        if self.deviation > max(1.0, self.high - self.low):
            raise ValueError(f"deviation {self.deviation:g} is too large for the pixels")
        return self


AnyCodec = Annotated[TableState | ImageState, Field(discriminator="kind")]


def check_labels(labels: Sequence[Any], columns: Sequence[ColumnState]) -> None:
    """Check that there is one label for each column, without duplicates.

    Raises
    ------
    ValueError
        If not.
    """
    if len(labels) != len(columns):
        raise ValueError(f"{len(labels)} labels for {len(columns)} columns")
    own = [from_json(label) for label in labels]
    if len(set(own)) < len(own):
        raise ValueError("labels has duplicates")
    for i, (label, column) in enumerate(zip(own, columns, strict=True)):
        if isinstance(label, (str, int)) and column.name != str(label):
            raise ValueError(f"column {i} is called {shown(column.name)} and {shown(label)}")
