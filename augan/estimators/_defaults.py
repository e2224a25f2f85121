"""What "auto" stands for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from augan.networks import Architecture
from augan.scoring.calibration import Fusion
from augan.scoring.heads import BACKBONE_HEADS


def of_images(gan: str, architecture: str) -> dict[str, Any]:
    """Return the networks of images that a loss is usually played with, and what suits these.

    Dense networks lose modes at the rates of others.
    """
    usual = {"gan": "dense", "hinge": "residual"}.get(gan, "conv")
    kind = usual if architecture == "auto" else architecture
    slow = kind == "dense"
    return {
        "architecture": kind,
        "spectral_norm": gan != "wgan-gp",
        "lr_generator": 2e-4 if slow else 1e-3,
        "lr_critic": 4e-4 if slow else 2e-3,
        "betas": (0.0, 0.9),
    }


@dataclass(frozen=True)
class Defaults:
    """What "auto" stands for, and how many rows are scored at once, by kind of data."""

    latent_dim: int
    width: int
    max_steps: int
    encoder_steps: int
    batch_size: int
    n_critic: int
    pretext_steps: int
    n_folds: int
    heads: tuple[str, ...]
    fusion: Fusion
    chunk: int
    n_neighbors: int = 2
    memory_size: int = 1024
    repair_steps: int = 2000
    image_size: int | None = None
    detail_size: int | None = 128
    standardize_images: bool = False
    architecture: Architecture = "conv"
    spectral_norm: bool = False
    lr_generator: float = 2e-4
    lr_critic: float = 1e-3
    betas: tuple[float, float] = (0.5, 0.9)

    def with_backbone(self) -> Defaults:
        """Return the same with the backbone's heads; one needs the restoration network."""
        restores = "detail_restoration" in self.heads
        return replace(self, heads=(*self.heads, *BACKBONE_HEADS[: 1 + restores]))

    def among_anomalies(self) -> Defaults:
        """Return the same for training rows with anomalies, one of which must not excuse others."""
        return replace(self, n_neighbors=5)


IMAGE = Defaults(
    *(64, 32, 800, 400, 64, 1, 800, 3),
    heads=("transforms", "pretext_neighbors", "data_neighbors"),
    fusion="mean",
    chunk=128,
)
# Photographs of parts, larger than the networks' images: coarse pixels and details, apart. What
# they show lies in place, so that the one nearest image says more than the mean of five.
PHOTOGRAPH = Defaults(
    *(64, 32, 800, 400, 64, 1, 800, 10),
    heads=("local_neighbors", "image_neighbors", "detail_restoration"),
    fusion="top2",
    chunk=16,
    n_neighbors=1,
    memory_size=4096,
    image_size=32,
    standardize_images=True,
)
AUTO_TABLE_HEADS = (
    "pretext_mahalanobis",
    "pretext_neighbors",
    "repair_neighbors",
    "data_neighbors",
)


PRETEXT_STEPS, MOST_CHANNELS = 1500, 2048  # of tables with up to so many standardised channels


def table_defaults(n_columns: int, n_channels: int, *, mixed: bool, paper: bool) -> Defaults:
    """Return the defaults for a table with `n_columns` columns that vary.

    Of more than `MOST_CHANNELS` standardised channels the pretext networks, whose steps take as
    much longer, take fewer of them.

    With a latent dimension for every four columns the generator has to learn what columns have
    to do with each other; with more it can make anomalies too. In a `mixed` table, one with
    categories, rows lie on a grid and neighbours tell less: there the distance from the middle
    counts as well, and the most abnormal head decides. For the `paper`'s score, which hangs on the
    GAN alone, that is trained for longer.
    """
    latent_dim = min(max(2, round(n_columns / 4)), 32)
    pretext_steps = round(PRETEXT_STEPS * MOST_CHANNELS / max(n_channels, MOST_CHANNELS))
    return Defaults(
        *(latent_dim, 256, 2000 if paper else 1000, 1000, 128, 2, pretext_steps, 4),
        heads=(*AUTO_TABLE_HEADS, "pretext_deviation") if mixed else AUTO_TABLE_HEADS,
        fusion="max" if mixed else "mean",
        chunk=512,
    )


@dataclass(frozen=True)
class SamplerDefaults:
    """What "auto" stands for in a sampler, by kind of data."""

    latent_dim: int
    width: int
    max_steps: int
    encoder_steps: int
    batch_size: int
    n_critic: int
    method: str
    synthetic_share: float | None
    architecture: Architecture = "conv"
    spectral_norm: bool = False
    lr_generator: float = 2e-4
    lr_critic: float = 1e-3
    betas: tuple[float, float] = (0.5, 0.9)


IMAGE_SAMPLER = SamplerDefaults(64, 32, 800, 400, 64, 1, "data", 0.5)


def table_sampler_defaults(n_columns: int) -> SamplerDefaults:
    """Return the defaults for a table with `n_columns` columns that vary.

    Two columns to a latent dimension: new rows have to differ in more ways than a detector's
    reconstructions may.
    """
    return SamplerDefaults(min(max(4, n_columns // 2), 64), 256, 1500, 800, 128, 2, "auto", None)
