"""Configurations: the parameters of a fit, with "auto" replaced for one kind of data."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeVar

from augan._callers import caller_level
from augan.codecs.codec import Codec
from augan.codecs.image import ImageCodec
from augan.codecs.table import TableCodec
from augan.exceptions import DataWarning
from augan.models.generator_use import asks_for_generator
from augan.models.image_defaults import (
    IMAGE,
    IMAGE_GAN,
    PHOTOGRAPH,
    image_networks,
    image_values,
    is_auto,
)
from augan.networks import LINEAR_UP_TO, Architecture
from augan.scoring.calibration import Fusion
from augan.scoring.former_heads import current_heads
from augan.training.loop import Schedule
from augan.training.steps import TrainingConfig

MAX_COLUMN_STEPS = 2000  # of a column network

C = TypeVar("C", bound="Config")
T = TypeVar("T", bound=TrainingConfig)


@dataclass(frozen=True, kw_only=True)
class Config(TrainingConfig):
    """The configuration of training: `TrainingConfig`, and sizes and steps of the networks."""

    latent_dim: int
    width: int
    architecture: Architecture
    spectral_norm: bool
    max_steps: int
    encoder_steps: int
    schedule: Schedule
    max_time: float | None
    n_iter_no_change: int | None
    validation_fraction: float
    diff_augment: bool


@dataclass(frozen=True, kw_only=True)
class DetectorConfig(Config):
    """The configuration of a detector; `chunk` is the batch size of scoring."""

    scoring: Literal["calibrated", "paper"]
    generator: bool  # whether there are generator, critic and encoder
    heads: tuple[str, ...]
    fusion: Fusion
    n_neighbors: int
    memory_size: int
    contamination: str | float
    pretext_steps: int
    restoration_steps: int
    n_folds: int | None  # None: by the number of rows
    backbone: str | None
    chunk: int
    reconstruction_weight: float = 1.0  # pretext network of tables
    linear_up_to: float = LINEAR_UP_TO  # pretext network of tables
    column_steps: int = MAX_COLUMN_STEPS  # column network of tables
    search_steps: int | None = None  # inversion by search; None with an encoder
    search_lr: float = 0.05
    feature_weight: float = 0.1

    @property
    def searches(self) -> bool:
        """Whether latents are found by a search instead of an encoder."""
        return self.search_steps is not None


@dataclass(frozen=True, kw_only=True)
class SamplerConfig(Config):
    """The configuration of a sampler."""

    method: str
    synthetic_share: float | None
    filters: tuple[str, ...]  # of rows that stand alone
    added_filters: tuple[str, ...]  # of rows that are added to the real ones


TABLE_GAN: dict[str, Any] = {
    **{"width": 256, "batch_size": 128, "n_critic": 2, "architecture": "conv"},
    **{"spectral_norm": False, "lr_generator": 2e-4, "lr_critic": 1e-3, "betas": (0.5, 0.9)},
}
TABLE_NEIGHBORS = {"n_neighbors": 1, "memory_size": 2048}
TABLE_HEADS = (
    *("pretext_mahalanobis", "pretext_neighbors", "repair_neighbors"),
    *("data_neighbors", "quantile_mahalanobis", "quantile_neighbors"),
)
WIDE_HEADS = ("quantile_mahalanobis", "data_neighbors")  # without a network
WIDE_NEIGHBORS = 5
WIDE_COLUMNS = 256  # columns that vary, at most, of a table whose rows a pretext network reads
FEW_ROWS = 1000  # with fewer, all rows calibrate, by cross-fitting; otherwise the held-out ones
FEW_ROWS_FOLDS = 4
PRETEXT_STEPS = 1500
PRETEXT_PASSES = 96
MAX_CHANNELS = 2048  # standardised channels; pretext networks of more take fewer steps
COLUMN_WIDTH = 160  # of a column network: wider ones are no better and draw rows more slowly
COLUMN_BATCH = 256
COLUMN_PASSES = 400  # passes over the rows of a small table, with fewer steps
CONTAMINATED_NEIGHBORS = 5  # neighbours with `contamination`, so anomalies do not mask each other


def detector_config(params: Mapping[str, Any], codec: Codec) -> DetectorConfig:
    """Return the configuration of a detector for the kind of data that a codec was fitted to."""
    given = dict(params)
    if given["heads"] != "auto":
        given["heads"] = current_heads(given["heads"])
    if isinstance(codec, ImageCodec):
        auto = image_values(given, PHOTOGRAPH if codec.is_photograph else IMAGE)
        auto["column_steps"] = MAX_COLUMN_STEPS
    else:
        auto = table_values(codec, paper=given["scoring"] == "paper")
    if given["contamination"] != "auto":
        auto["n_neighbors"] = CONTAMINATED_NEIGHBORS
        # quantiles of columns are those of the anomalies too
        auto["heads"] = tuple(name for name in auto["heads"] if name != "quantile_neighbors")
    auto["generator"] = asks_for_generator(given)
    usual = {"chunk": auto["chunk"], "encoder_steps": auto["encoder_steps"]}
    return _config(DetectorConfig, usual | given, auto | {"contamination": "auto"})


def n_folds(config: DetectorConfig, n_rows: int) -> int:
    """Return the number of folds that calibrate; 1: the held-out rows do, without cross-fitting."""
    if config.n_folds is not None:
        return config.n_folds
    few = n_rows < FEW_ROWS or not isinstance(config.contamination, str)
    return FEW_ROWS_FOLDS if few else 1


def sampler_config(params: Mapping[str, Any], codec: Codec) -> SamplerConfig:
    """Return the configuration of a sampler for the kind of data that a codec was fitted to."""
    if isinstance(codec, ImageCodec):
        auto = {**IMAGE_GAN, **image_networks(params["gan"], params["architecture"])}
        auto |= {"method": "data", "synthetic_share": 0.5}
    else:
        # more dimensions than in a detector: new rows should be diverse
        latent_dim = min(max(4, codec.n_varying // 2), 64)
        auto = {**TABLE_GAN, "latent_dim": latent_dim, "max_steps": 1500, "encoder_steps": 800}
        auto |= {"method": "columns", "synthetic_share": None}
        if params["method"] in ("auto", "columns"):
            auto |= {"width": COLUMN_WIDTH, "batch_size": COLUMN_BATCH}
            auto["max_steps"] = MAX_COLUMN_STEPS
    if is_auto(params["filters"]):
        method = auto["method"] if is_auto(params["method"]) else params["method"]
        added = ("label",) if method == "columns" else ()
        filters = {"filters": (), "added_filters": added}
    else:
        filters = dict.fromkeys(("filters", "added_filters"), tuple(params["filters"]))
    return _config(SamplerConfig, {**params, **filters}, auto)


def column_steps(most: int, asked: Any, n_rows: int, batch_size: int = COLUMN_BATCH) -> int:
    """Return the steps of a column network; small tables take fewer, so that rows are not copied.

    `asked` is the value of the parameter of the steps, and `most` the same with "auto" replaced.
    """
    return most if asked != "auto" else min(most, math.ceil(COLUMN_PASSES * n_rows / batch_size))


def table_values(codec: TableCodec, *, paper: bool) -> dict[str, Any]:
    """Return the values of "auto" for a detector of tables.

    With one latent dimension for every four columns, the generator has to learn the dependence
    between columns; with more, it can generate anomalies too. The paper's score depends on the GAN
    only, which is trained longer. Tables with categories have one more head, "pretext_deviation".
    With very many columns, or more columns than rows, the pretext network learns little, and
    heads that compare the rows themselves are better alone.
    """
    n_varying = codec.n_varying
    wide = n_varying > min(WIDE_COLUMNS, codec.n_rows)
    heads = TABLE_HEADS + ("pretext_deviation",) * codec.is_mixed
    return {
        **TABLE_GAN,
        **TABLE_NEIGHBORS,
        **({"n_neighbors": WIDE_NEIGHBORS} if wide else {}),
        "latent_dim": min(max(2, round(n_varying / 4)), 32),
        "max_steps": 2000 if paper else 1000,
        "encoder_steps": 1000,
        "pretext_steps": pretext_steps(len(codec.module.varying), codec.n_rows),
        "restoration_steps": 2000,
        "column_steps": MAX_COLUMN_STEPS,
        "n_folds": None,
        "backbone": None,
        "heads": WIDE_HEADS if wide else heads,
        "fusion": "mean",
        "chunk": 512,
    }


def pretext_steps(n_channels: int, n_rows: int) -> int:
    """Return the steps of the pretext networks of a table.

    With many channels each step takes longer. A few thousand rows are not read more than
    `PRETEXT_PASSES` times; networks of fewer rows than `FEW_ROWS` are no better for fewer steps.
    """
    steps = PRETEXT_STEPS
    if n_rows >= FEW_ROWS:
        steps = min(steps, round(PRETEXT_PASSES * n_rows / TABLE_GAN["batch_size"]))
    return round(steps * MAX_CHANNELS / max(n_channels, MAX_CHANNELS))


def for_rows(config: T, n_rows: int, asked: Any) -> T:
    """Return a configuration with batches no larger than the number of training rows.

    Warns
    -----
    DataWarning
        If `asked`, the value of the parameter `batch_size`, is larger.
    """
    size = min(config.batch_size, max(n_rows, 2))
    if asked != "auto" and asked > n_rows:
        warnings.warn(
            f"batch_size={asked} is more than the {n_rows} training rows: {size} is used",
            DataWarning,
            stacklevel=caller_level(),
        )
    return replace(config, batch_size=size)


def _config(cls: type[C], params: Mapping[str, Any], auto: Mapping[str, Any]) -> C:
    names = {item.name for item in fields(cls)}
    values = {
        name: auto[name] if is_auto(value) else value
        for name, value in params.items()
        if name in names
    }
    return cls(**values | {"betas": tuple(values["betas"])})
