"""Schemas of an ONNX file's metadata."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from augan.io.schema_codec import ImageForm, check_labels
from augan.io.schema_columns import Columns, ColumnState, ConstantState
from augan.io.schema_model import (
    MOST_PARTS,
    ClassName,
    Context,
    Labels,
    Libraries,
    Names,
    RelationsPart,
    check_classes,
    check_features,
    check_names,
)
from augan.io.schema_types import (
    AtLeastOne,
    Count,
    Dtype,
    Finite,
    Label,
    Line,
    NotNegative,
    Part,
    Word,
)

MOST_BINS = 10_000  # of a column


class Classes(Part):
    """Classes of an exported generator."""

    labels: Labels
    dtype: Dtype
    shares: Annotated[list[NotNegative], Field(fail_fast=True)]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_classes(self.labels, self.dtype)
        if len(self.shares) != len(self.labels) or not 0.99 < sum(self.shares) < 1.01:
            raise ValueError("shares are not one for each class that sum to 1")
        return self


class CodesState(Part):
    """Codes of one column of an exported column model: its single values, bins and missing."""

    values: Count
    members: Annotated[list[AtLeastOne], Field(fail_fast=True, max_length=MOST_BINS)]
    edges: Annotated[list[Finite], Field(fail_fast=True, max_length=MOST_BINS)]
    missing: bool

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.edges) != max(len(self.members) - 1, 0):
            raise ValueError("numbers of members and edges differ")
        if not self.values + len(self.members) + self.missing:
            raise ValueError("a column without codes")
        return self


class RelationsState(RelationsPart):
    """Relations between the columns of an exported column model, with their arrays."""

    arrays: dict[Word, Annotated[list[float | bool], Field(fail_fast=True)]]


class Facts(Part):
    """Metadata that every ONNX file has; other entries are plain JSON."""

    model_config = ConfigDict(extra="allow")

    format: Count
    augan: Word
    libraries: Libraries
    trained: Line
    class_: Annotated[ClassName, Field(alias="class")]
    part: Literal["scorer", "generator", "encoder"]
    opset: Count
    precision: Literal["fp32", "fp16", "int8"]
    bank: Literal["fp32", "fp16", "pq"]
    latent_dim: AtLeastOne | None = None
    relations: RelationsState | None = None
    n_features_in: AtLeastOne
    feature_names_in: Names | None
    context: Context
    kind: Literal["table", "image"]
    codes: Annotated[list[CodesState], Field(fail_fast=True)] | None = None
    columns: Columns | None = None
    labels: Label | None = None
    array_dtype: Dtype | None = None
    library: Literal["pandas", "polars", "pyarrow", "modin", "cudf"] = "pandas"
    image: ImageForm | None = None
    classes: Classes | None = None
    chunk: Annotated[int, Field(ge=1, le=2**20)] | None = None
    score: Literal["calibrated", "paper"] | None = None
    fusion: Literal["top2", "mean", "max"] | None = None
    parts: Annotated[list[Word], Field(min_length=1, max_length=MOST_PARTS)] | None = None
    weights: Annotated[list[NotNegative], Field(max_length=MOST_PARTS)] | None = None
    threshold: Finite | None = None
    n_calibration: AtLeastOne | None = None
    pixel_threshold: Finite | None = None
    pixel_thresholds: Annotated[list[Finite], Field(min_length=61, max_length=61)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        found = dict(self)
        table, scores = self.kind == "table", self.part == "scorer"
        needed = ["columns", "labels"] if table else ["image"]
        if self.codes is not None:
            needed += ["classes"]
        elif not scores:  # a scorer may have been fitted without a generator
            needed += ["latent_dim"]
        needed += ["chunk"] if self.part != "generator" else []
        needed += ["score", "fusion", "parts", "weights", "threshold"] if scores else []
        needed += ["n_calibration"] if scores else []
        needed += ["pixel_threshold"] if scores and not table else []
        for name in needed:
            if found[name] is None:
                raise ValueError(f"{name} is missing")
        if table:
            assert self.columns is not None and self.labels is not None
            check_labels(self.labels, self.columns)
            check_names(self.feature_names_in, self.labels, self.array_dtype)
            n_features = len(self.columns)
            self._check_codes(self.columns)
        elif self.codes is not None:
            raise ValueError("codes of the columns of images")
        else:
            assert self.image is not None
            n_features = self.image.n_features
        check_features(self.n_features_in, self.feature_names_in, n_features)
        return self

    def _check_codes(self, columns: Sequence[ColumnState]) -> None:
        """Check that there are codes of the columns that vary and of the class, if of any."""
        if self.codes is None or self.classes is None:
            return
        n_varying = sum(not isinstance(column, ConstantState) for column in columns)
        if self.part != "generator" or len(self.codes) != n_varying + 1:
            raise ValueError(f"codes of {len(self.codes)} columns, {n_varying + 1} are needed")
        if self.codes[-1].values != len(self.classes.labels):
            raise ValueError("the class has other codes than labels")
