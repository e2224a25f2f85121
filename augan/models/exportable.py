"""The parts of a fitted estimator that an export needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from augan.assessment import Assessment
from augan.codecs.codec import Codec
from augan.networks import Networks
from augan.sampling.column_rows import ColumnRows
from augan.scoring.scorer import AnomalyScorer


@dataclass(frozen=True)
class ScoringParts:
    """The parts of a detector that score rows.

    Attributes
    ----------
    scorer : AnomalyScorer
        Scores raw rows.
    chunk : int
        Batch size of scoring.
    threshold : float
        Score above which a row is an anomaly.
    pixel_threshold : float or None
        Value of a heatmap above which a pixel is anomalous; None for tables.
    pixel_thresholds : list of float or None
        The values that shares `PIXEL_RATES` of the pixels of normal images exceed.
    assess : callable
        ``assess(X, explain=True)`` returns an `Assessment` of rows.
    latents : callable
        ``latents(raw)`` returns the latents of raw rows.
    """

    scorer: AnomalyScorer
    chunk: int
    threshold: float
    pixel_threshold: float | None
    pixel_thresholds: list[float] | None
    assess: Callable[..., Assessment]
    latents: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class ExportableModel:
    """The values of a fitted estimator that are exported.

    Attributes
    ----------
    method : str
        Name of the estimator's class.
    codec : Codec
        Encoder and decoder of rows or images.
    networks : Networks or None
        Generator, critic and encoder; None with a column model.
    trained : str
        Date and time of the fit, in ISO 8601.
    n_features_in : int
        Number of columns, or of pixels times channels.
    feature_names_in : list of str or None
        Names of the columns, if the training rows had names.
    context : dict
        JSON values that the estimator stores with the model.
    sample : callable or None
        ``sample(n, random_state=seed)`` returns `n` new rows; None without a generator.
    scoring : ScoringParts or None
        The parts that score rows; None if only the generator is exported.
    classes : ndarray of shape (n_classes,) or None
        Labels; None for a model without classes.
    shares : list of float
        Shares of the classes in the training rows.
    columns : ColumnRows or None
        The any-order column model, which is exported as the generator, and relations.
    """

    method: str
    codec: Codec
    networks: Networks | None
    trained: str
    n_features_in: int
    feature_names_in: list[str] | None
    context: dict[str, Any]
    sample: Callable[..., Any] | None
    scoring: ScoringParts | None = None
    classes: NDArray[Any] | None = None
    shares: list[float] | None = None
    columns: ColumnRows | None = None
