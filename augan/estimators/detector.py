"""Base class of the detectors: fitting, scoring, saving."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from augan._device import resolve_device
from augan._random import draw_seed
from augan._sklearn import BaseEstimator
from augan.assessment import Assessment
from augan.codecs.codec import Codec
from augan.codecs.seen_rows import hashes_of, hashes_of_numbers, seen_rows
from augan.estimators.calibrated import CalibratedDetector
from augan.estimators.dry_run import DryRunMixin
from augan.estimators.exporting import ExportMixin
from augan.exceptions import DataError, ParameterError
from augan.frames import library_of, like
from augan.inputs.columns import remember_columns
from augan.inputs.labelled import read_groups
from augan.inputs.reading import (
    Data,
    normal_rows,
    read_input,
    read_like_training,
    take,
    with_any_input,
)
from augan.models.config import DetectorConfig, detector_config
from augan.models.detector import DetectorModel
from augan.models.detector_parts import check_without_generator
from augan.models.detector_training import (
    fit_scorer,
    identity_of,
    load_backbone,
    new_codec,
    new_run,
    plan_phases,
    split_training_rows,
    start_run,
    without_a_fold,
)
from augan.models.reading_size import reduction
from augan.models.warm_start import adapt_prior, read_source, take_networks
from augan.parameters import check_params
from augan.scoring.former_heads import warn_of_former_heads
from augan.scoring.rates import check_one_limit
from augan.training.progress import logger, observers, warn_of_health
from augan.training.rows import TrainingRows
from augan.training.trainer import train


class BaseDetector(CalibratedDetector, DryRunMixin, ExportMixin, BaseEstimator):
    """Base class of the detectors; subclasses add the parameters of their inversion."""

    model_: DetectorModel
    training_rows_: dict[str, Any]

    def fit(self, X: Any, y: Any = None, groups: Any = None) -> Self:
        """Train on normal data.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n, d), or images of shape (n, H, W[, C])
            Training rows. Missing values are allowed in tables.
        y : array-like of shape (n,), default=None
            Ignored, unless `normal_label` is set: then only rows with that label are used.
        groups : array-like of shape (n,), default=None
            What each row belongs to, for example the part that a photograph shows, or a customer.
            Rows of a group are held out together, so that thresholds and p-values hold for rows of
            new groups. At least 2 groups are needed.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        DataError
            If the data cannot be used; the message names the row or column.
        ParameterError
            If a parameter has an invalid value.
        NotTrainableError
            If training diverges repeatedly.
        CheckpointError, ModelFileError
            If a checkpoint to resume from, or the model of `warm_start_from`, cannot be read.
        """
        data, rows = self._train(X, y, groups)
        logger.info("fitting heads and calibration to %d rows", len(data))
        fit_scorer(self.model_, rows)
        if reduced := reduction(self.model_):
            logger.info(reduced)
        self.offset_ = -self._fitted_threshold(data)
        if isinstance(rows.raw, Tensor):
            self.training_rows_ = seen_rows(hashes_of_numbers(rows.raw.numpy()))
        else:
            self.training_rows_ = seen_rows(hashes_of(self.codec_, data))
        self.trained_ = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        warn_of_health(self.history_)
        return self

    def _train(self, X: Any, y: Any, groups: Any = None) -> tuple[Data, TrainingRows]:
        """Fit the codec and train the networks; return the training data."""
        params = self.get_params(deep=False)
        self._check_params(params)
        device = resolve_device(self.device)
        data, numbers = self._read_training_data(X, y, groups)
        start = start_run(params, draw_seed(self.random_state))
        source = self._warm_start(data)
        codec = new_codec(params, data) if source is None else source.codec
        codec.library = library_of(X)
        model = DetectorModel.build(detector_config(params, codec), codec, start.seed)
        if source is not None:
            take_networks(model, source, str(self.warm_start_from))
        load_backbone(model, self.backbone_weights)
        model.scorer.place(device)
        rows = split_training_rows(model, codec.prepare(data), numbers)
        rows = without_a_fold(model, rows, fit=source is None)
        if source is not None:
            adapt_prior(model, source, rows)
        identity = identity_of(type(self).__name__, params)
        run = new_run(model, start, rows, observers(self.callbacks, self.verbose), identity)
        self.history_ = train(plan_phases(model, rows, params), run)
        self.model_, self.seed_ = model, model.seed
        return data, rows

    def _fit_networks(self, X: Any, y: Any) -> None:
        self._train(X, y)

    def _config(self, params: Mapping[str, Any], codec: Codec) -> DetectorConfig:
        return detector_config(params, codec)

    def assess(self, X: Any, *, explain: bool = False) -> Assessment:
        """Return scores, p-values, score parts and explanations, computed in one pass.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n, d), or images of shape (n, H, W[, C])
            Rows, as for `score_samples`.
        explain : bool, default=False
            Whether to compute explanations, as `explain` does.

        Returns
        -------
        assessment : Assessment
            The results of `anomaly_score`, `p_value`, `score_parts`, `explain` and, with its head,
            `surprise`; frames have the index of `X`, or are of its library.

        Raises
        ------
        DataError
            If the rows do not have the columns, or the images the shape, of training.
        """
        check_is_fitted(self, "model_")
        data, model = self._read(X), self.model_
        raw = model.codec.prepare(data)
        model.codec.warn_of_drift(data, raw)
        found = model.assess(raw, explain=explain)
        scores = found[0].double().numpy()
        parts = pd.DataFrame(found[1].double().numpy(), columns=list(model.scorer.part_names))
        explanation = _like(model.codec.explanation(found[2]), X) if explain else None
        surprise = None
        if model.networks.columns is not None:
            surprise = _like(model.codec.explanation(found[-1]), X)
        return Assessment(scores, self.p_value_of(scores), like(parts, X), explanation, surprise)

    def _check_params(self, params: Mapping[str, Any]) -> None:
        check_params(type(self), params)
        check_one_limit(self.contamination, self.target_fpr)
        if self.heads != "auto":
            warn_of_former_heads(self.heads)
        if self.generator is False:
            check_without_generator(self.heads, self.scoring)
        if self.freeze_critic and self.warm_start_from is None:
            raise ParameterError(
                f"freeze_critic={self.freeze_critic}: needs warm_start_from, the model whose "
                "layers are frozen"
            )

    def _warm_start(self, data: Data) -> DetectorModel | None:
        """Return the model of `warm_start_from` after a check that the data have its columns."""
        if self.warm_start_from is None:
            return None
        manifest, source = read_source(self.warm_start_from)
        trained = type(self)()
        trained._take_features(manifest)
        read_like_training(data, trained, source.codec)
        return source

    def _read_training_data(
        self, X: Any, y: Any, groups: Any
    ) -> tuple[Data, NDArray[np.intp] | None]:
        """Read `X` and `groups`, remember the features of `X`, keep the normal rows."""
        data = read_input(X, type(self).__name__)
        remember_columns(self, data)
        numbers = read_groups(groups, len(data))
        if self.normal_label is not None:
            kept = normal_rows(y, len(data), self.normal_label)
            data = take(data, kept)
            numbers = None if numbers is None else read_groups(numbers[kept], len(data))
        if len(data) < 2:
            raise DataError(f"training needs at least 2 rows, got n_samples = {len(data)}")
        if numbers is not None and numbers.max() == 0:
            raise DataError("groups: all rows are of one group; at least 2 groups are needed")
        return data, numbers

    def _read(self, X: Any) -> Data:
        return read_like_training(X, self, self.codec_)

    def _fitted_threshold(self, data: Data) -> float:
        """Return the threshold for `contamination` or `target_fpr`."""
        if isinstance(self.contamination, str):
            return self.threshold_at(self.target_fpr)
        scores = self.assess(data).anomaly_score
        return float(np.percentile(scores, 100 * (1 - self.contamination)))

    def _parts(self) -> tuple[Codec, dict[str, Any], dict[str, Tensor]]:
        return self.model_.codec, {"offset": float(self.offset_)}, self.model_.state()

    def _take_parts(
        self, codec: Codec, values: dict[str, Any], tensors: dict[str, Tensor], device: torch.device
    ) -> None:
        self.offset_ = values["offset"]
        if not np.isfinite(self._offset[0]):
            raise ValueError(f"offset {self._offset[0]}")
        config = detector_config(self.get_params(deep=False), codec)
        self.model_ = DetectorModel.from_state(config, codec, self.seed_, tensors, device)

    def _own_context(self) -> dict[str, Any]:
        seen = getattr(self, "training_rows_", None)
        return {} if seen is None else {"training_rows": seen}

    def _take_features(self, manifest: dict[str, Any]) -> None:
        super()._take_features(manifest)
        if "training_rows" in manifest["context"]:
            self.training_rows_ = manifest["context"]["training_rows"]

    def __sklearn_tags__(self) -> Tags:
        return with_any_input(super().__sklearn_tags__())


def _like(explanation: Any, X: Any) -> Any:
    """Return an explanation; a table gets the index of `X`, or becomes a frame of its library."""
    return like(explanation, X) if isinstance(explanation, pd.DataFrame) else explanation
