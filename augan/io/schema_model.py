"""Schemas of a model file's manifest, and parts that an ONNX file's metadata have too."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from augan.codecs.origin import from_json
from augan.exceptions import shown
from augan.io.schema_codec import AnyCodec, TableState
from augan.io.schema_types import (
    MOST_COLUMNS,
    AtLeastOne,
    Count,
    Dtype,
    Finite,
    Hash,
    Line,
    NotNegative,
    Part,
    Seed,
    Word,
    Written,
    check_plain,
    check_plain_or_list,
)

MOST_PARTS = 64  # heads of a score
MOST_BYTES = 2**24  # of an array of class labels

ClassName = Literal["AnoGAN", "FAnoGAN", "GANSampler"]
Plain = Annotated[Any, AfterValidator(check_plain)]
PlainOrList = Annotated[Any, AfterValidator(check_plain_or_list)]
Libraries = Annotated[dict[Word, Word], Field(max_length=50)]
Names = Annotated[list[str], Field(fail_fast=True, max_length=MOST_COLUMNS)]
Labels = Annotated[list[Written], Field(fail_fast=True, min_length=1, max_length=MOST_COLUMNS)]
Texts = Annotated[list[str], Field(fail_fast=True, max_length=MOST_COLUMNS)]


class Usual(Part):
    """Usual values of a column: a range, or frequent categories."""

    model_config = ConfigDict(extra="allow")

    low: Finite | None = None
    high: Finite | None = None
    frequent: Texts | None = None


class SeenRows(Part):
    """Hashes of the training rows."""

    rows: Count
    distinct: Count
    hashes: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/=]*$")]


class Context(Part):
    """Context that a command saves with a model; other entries are plain JSON."""

    model_config = ConfigDict(extra="allow")

    target: str | None = None
    dropped: Texts = Field(default_factory=list)
    place: Count | None = None
    id: Texts = Field(default_factory=list)
    reading: dict[str, Any] = Field(default_factory=dict)
    usual: dict[str, Usual] = Field(default_factory=dict)
    holdout: dict[str, Any] = Field(default_factory=dict)
    training_rows: SeenRows | None = None


class HistoryRow(Part):
    """A row of the training history; other entries are numbers."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Plain]

    phase: Literal["gan", "encoder", "pretext", "restoration", "columns"]
    step: Count
    event: str = ""
    health: str = ""


class DetectorParts(Part):
    """State of a detector, without its tensors."""

    offset: Finite


class RelationsPart(Part):
    """Relations between the columns of a table and its class, without their tensors."""

    label: str
    relations: Annotated[list[dict[Word, PlainOrList]], Field(max_length=MOST_COLUMNS)]


class SamplerParts(Part):
    """State of a sampler, without its tensors."""

    classes: Labels
    classes_dtype: Dtype
    strategy: Annotated[
        list[Annotated[list[Written], Field(min_length=2, max_length=2)]],
        Field(fail_fast=True, max_length=MOST_COLUMNS),
    ]
    spread: NotNegative
    sample_spread: NotNegative | None = None
    share: Annotated[float, Field(ge=0, lt=1)] | None = None  # 0: copies alone
    symmetry: Literal["flips", "dihedral"] | None = None
    tuning: Annotated[list[list[Written]], Field(max_length=1000)] | None
    columns: Annotated[list[bool], Field(max_length=MOST_COLUMNS)] | None = None
    relations: RelationsPart | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_classes(self.classes, self.classes_dtype)
        known = [shown(label, 200) for label in self.classes]
        for label, n in self.strategy:
            if shown(label, 200) not in known or type(n) is not int or not 0 <= n < 2**53:
                raise ValueError(
                    f"strategy: {shown([label, n])} is not a class with a number of rows"
                )
        for trial in self.tuning or []:
            figures = [from_json(value) for value in trial]
            numbers = figures[:5] if len(figures) > 4 and figures[4] is not None else figures[:4]
            if not 4 <= len(figures) <= 6 or not all(type(n) in (int, float) for n in numbers):
                raise ValueError(f"tuning: {shown(trial)} is not a trial")
            if figures[5:] not in ([], [None], ["flips"], ["dihedral"]):
                raise ValueError(f"tuning: {shown(trial[5])} is not a symmetry")
        return self


class Manifest(Part):
    """The manifest of a model file."""

    format_version: Count
    augan: Word
    libraries: Libraries
    trained: Line
    class_: Annotated[ClassName, Field(alias="class")]
    params: Annotated[dict[Word, PlainOrList], Field(max_length=200)]
    seed: Seed
    parts: dict[str, Any]  # by the class
    n_features_in: AtLeastOne
    feature_names_in: Names | None
    codec: AnyCodec
    history: Annotated[list[HistoryRow], Field(fail_fast=True)]
    context: Context
    weights_sha256: Hash

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_features(self.n_features_in, self.feature_names_in, self.codec.n_features)
        if isinstance(self.codec, TableState):
            check_names(self.feature_names_in, self.codec.labels, self.codec.array_dtype)
        return self


def check_features(n: int, names: list[str] | None, n_expected: int) -> None:
    """Check that there are as many features and names as columns.

    Raises
    ------
    ValueError
        If not.
    """
    if n != n_expected:
        raise ValueError(f"n_features_in is {n}, but the data has {n_expected}")
    if names is not None and len(names) != n:
        raise ValueError(f"feature_names_in has {len(names)} names for {n} features")


def check_names(names: list[str] | None, labels: list[Any], array_dtype: str | None) -> None:
    """Check that the feature names are the labels of the columns.

    Raises
    ------
    ValueError
        If not.
    """
    if names is not None and array_dtype is None and names != labels:
        raise ValueError("feature_names_in are not the labels of the columns")


def check_classes(labels: list[Any], dtype: str) -> None:
    """Check that class labels are distinct values of a dtype.

    Raises
    ------
    ValueError
        If not.
    """
    own = [from_json(label) for label in labels]
    kind = np.dtype(dtype)
    if kind.itemsize * len(own) > MOST_BYTES:
        raise ValueError(f"classes of dtype {shown(dtype)} are too large")
    try:
        same = len(set(own)) == len(own) and np.array(own, dtype=kind).tolist() == own
    except Exception as error:  # numpy raises many types of errors
        raise ValueError(f"classes are not of dtype {shown(dtype)}") from error
    if not same:
        raise ValueError(f"classes are not distinct values of dtype {shown(dtype)}")
