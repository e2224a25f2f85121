"""The modules that are exported: from raw data to scores and decisions, or to new rows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from augan.codecs.cells import parse_numbers
from augan.codecs.codec import Codec
from augan.codecs.columns import Column, ConstantColumn
from augan.codecs.image import ImageCodec
from augan.codecs.table import TableCodec
from augan.deploy.inputs import is_text
from augan.networks.conditioning import ClassGenerator
from augan.scoring.scorer import AnomalyScorer

Verdict = tuple[Tensor, ...]


class Decision(nn.Module):
    """Computes p-values and decisions from scores."""

    threshold: Tensor

    def __init__(self, scorer: AnomalyScorer, threshold: float) -> None:
        super().__init__()
        self.conformal = scorer.conformal
        limit = torch.tensor(threshold, dtype=torch.float64)
        self.register_buffer("threshold", limit, persistent=False)

    def forward(self, scores: Tensor, target_fpr: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return p-values (B,), decisions (B,), true for anomalies, and the threshold ().

        If `target_fpr` () is NaN, the threshold is the model's own.
        """
        own = torch.isnan(target_fpr)
        asked = self.conformal.threshold(torch.where(own, 0.5, target_fpr))
        limit = torch.where(own, self.threshold, asked)
        return self.conformal.p_value(scores), scores.double() > limit, limit


class TableScorer(nn.Module):
    """Scores rows of numbers and category codes (B, d) float64."""

    def __init__(self, scorer: AnomalyScorer, codec: TableCodec, threshold: float) -> None:
        super().__init__()
        self.scorer, self.constants = scorer, Constants(codec.columns)
        self.decision = Decision(scorer, threshold)

    def forward(self, raw: Tensor, target_fpr: Tensor) -> Verdict:
        """Return scores, p-values, decisions, parts, explanations (B, d) and the threshold.

        With a column network, the surprise (B, d) as well.
        """
        view = self.scorer.view(self.constants(raw))
        scores, parts = self.scorer.score_of(view)
        p_value, is_anomaly, limit = self.decision(scores, target_fpr)
        found = scores, p_value, is_anomaly, parts, self.scorer.explanation_of(view), limit
        return found if self.scorer.columns is None else (*found, view.surprise)


class ImageScorer(nn.Module):
    """Scores images (B, H, W, C) of uint8 or float32."""

    def __init__(self, scorer: AnomalyScorer, codec: ImageCodec, threshold: float) -> None:
        super().__init__()
        self.scorer, self.codec = scorer, codec
        self.decision = Decision(scorer, threshold)

    def forward(self, images: Tensor, target_fpr: Tensor) -> Verdict:
        """Return scores, p-values, decisions, parts, heatmaps (B, H, W) and the threshold."""
        view = self.scorer.view(images.permute(0, 3, 1, 2))
        scores, parts = self.scorer.score_of(view)
        p_value, is_anomaly, limit = self.decision(scores, target_fpr)
        heat = self.codec.at_original_size(self.scorer.explanation_of(view))
        return scores, p_value, is_anomaly, parts, heat, limit


class LatentEncoder(nn.Module):
    """Returns the latents (B, latent_dim) of raw rows, or of images (B, H, W, C)."""

    def __init__(self, scorer: AnomalyScorer, codec: Codec) -> None:
        super().__init__()
        self.scorer = scorer
        self.constants = Constants(codec.columns) if codec.columns else None

    def forward(self, raw: Tensor) -> Tensor:
        """Return latents."""
        rows = raw.permute(0, 3, 1, 2) if self.constants is None else self.constants(raw)
        return self.scorer.view(rows).z


class TableGenerator(nn.Module):
    """Generates raw rows from latents (B, latent_dim) and, with classes, labels (B,)."""

    def __init__(self, generator: nn.Module, codec: TableCodec) -> None:
        super().__init__()
        self.generator, self.decoder = generator, codec.decoder
        self.constants = Constants(codec.columns)

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Return raw rows (B, d) of float64."""
        return self.constants.filled(self.decoder(_generated(self.generator, z, label)))


class ImageGenerator(nn.Module):
    """Generates images from latents (B, latent_dim) and, with classes, labels (B,)."""

    def __init__(self, generator: nn.Module, codec: ImageCodec) -> None:
        super().__init__()
        self.generator, self.codec = generator, codec

    def forward(self, z: Tensor, label: Tensor | None = None) -> Tensor:
        """Return images (B, H, W, C) of the dtype of training."""
        pixels = self.codec.pixels(_generated(self.generator, z, label))
        return pixels.to(torch.uint8) if self.codec.dtype == "uint8" else pixels


class Constants(nn.Module):
    """Constant columns of numbers: a raw value is 0 if it equals the constant, else 1."""

    is_constant: Tensor
    numbers: Tensor

    def __init__(self, columns: Sequence[Column]) -> None:
        super().__init__()
        found = [constant_number(column) for column in columns]
        constant = torch.tensor([number is not None for number in found])
        numbers = torch.tensor([0.0 if n is None else n for n in found], dtype=torch.float64)
        self.register_buffer("is_constant", constant, persistent=False)
        self.register_buffer("numbers", numbers, persistent=False)

    def forward(self, raw: Tensor) -> Tensor:
        """Return raw rows (B, d) with 0 or 1 in constant columns, as the codec expects."""
        both_missing = torch.isnan(raw) & torch.isnan(self.numbers)
        differs = ~((raw == self.numbers) | both_missing)
        return torch.where(self.is_constant, differs.to(raw.dtype), raw)

    def filled(self, raw: Tensor) -> Tensor:
        """Return raw rows (B, d) with the constants themselves."""
        return torch.where(self.is_constant, self.numbers, raw)


def constant_number(column: Column) -> float | None:
    """Return the value of a constant column of numbers, NaN if missing; None of other columns."""
    if not isinstance(column, ConstantColumn) or is_text(column):
        return None
    if column.value is None:
        return math.nan
    import pandas as pd

    return float(parse_numbers(pd.Series([column.value]), column.origin.quantity)[0])


def _generated(generator: nn.Module, z: Tensor, label: Tensor | None) -> Tensor:
    """Return encoded rows (B, ...) of latents and, with classes, labels."""
    if label is None:
        rows: Tensor = generator(z)
        return rows
    assert isinstance(generator, ClassGenerator)
    n_classes = generator.embedding.shape[0]
    one_hot = label[:, None] == torch.arange(n_classes, device=label.device)
    return generator(z, one_hot.to(z.dtype))
