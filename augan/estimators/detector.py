"""Base class of the detectors: fitting, scoring, saving."""

from __future__ import annotations

import datetime
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
import torch
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from augan._device import resolve_device
from augan._random import draw_seed
from augan._sklearn import BaseEstimator
from augan.assessment import Assessment, Floats
from augan.codecs.codec import Codec
from augan.codecs.image import MAX_SIDE, ImageCodec
from augan.codecs.seen_rows import hashes_of, hashes_of_numbers, seen_rows
from augan.codecs.table import TableCodec
from augan.estimators.config import DetectorConfig, codec_values, detector_config
from augan.estimators.detector_model import DetectorModel
from augan.estimators.detector_parameters import DetectorParameters
from augan.estimators.detector_training import (
    fit_scorer,
    identity_of,
    new_run,
    plan_phases,
    split_training_rows,
    start_run,
    without_a_fold,
)
from augan.estimators.dry_run import DryRunMixin
from augan.estimators.parameters import check_params, current_names
from augan.estimators.saving import ModelFileMixin, damage_reported, read_codec, with_prefix
from augan.estimators.warm_start import begin_near, take_networks
from augan.exceptions import DataError, ParameterError, shown
from augan.frames import library_of, like
from augan.inputs.columns import remember_columns
from augan.inputs.reading import (
    Data,
    normal_rows,
    read_input,
    read_like_training,
    take,
    with_any_input,
)
from augan.io.model_tensors import read_model
from augan.networks import Networks
from augan.outlier_mixin import AnomalyDetectorMixin
from augan.scoring.former_heads import warn_of_former_heads
from augan.scoring.maps import Heatmap
from augan.scoring.rates import check_one_limit, check_rate, check_scores, warn_of_few
from augan.scoring.scorer import AnomalyScorer
from augan.training.progress import logger, observers, warn_of_health
from augan.training.rows import TrainingRows
from augan.training.trainer import train

if TYPE_CHECKING:
    from augan.deploy.export import ExportReport


class BaseDetector(
    AnomalyDetectorMixin, DryRunMixin, ModelFileMixin, DetectorParameters, BaseEstimator
):
    """Base class of the detectors; subclasses add the parameters of their inversion."""

    model_: DetectorModel
    training_rows_: dict[str, Any]
    _offset: tuple[float, float, str | float]  # with `target_fpr` and `contamination` at that time

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on normal data.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n, d), or images of shape (n, H, W[, C])
            Training rows. Missing values are allowed in tables.
        y : array-like of shape (n,), default=None
            Ignored, unless `normal_label` is set: then only rows with that label train.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        DataError
            When the data cannot be trained on; the message names the row or column.
        ParameterError
            When a parameter has a value that is not allowed.
        NotTrainableError
            When training diverges again and again.
        """
        data, rows = self._train(X, y)
        logger.info("fitting heads and calibration to %d rows", len(data))
        fit_scorer(self.model_, rows)
        self.offset_ = -self._fitted_threshold(data)
        if isinstance(rows.raw, Tensor):
            self.training_rows_ = seen_rows(hashes_of_numbers(rows.raw.numpy()))
        else:
            self.training_rows_ = seen_rows(hashes_of(self.codec_, data))
        self.trained_ = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        warn_of_health(self.history_)
        return self

    def _train(self, X: Any, y: Any) -> tuple[Data, TrainingRows]:
        """Fit the codec and train the networks; return the data that they were trained on."""
        params = self.get_params(deep=False)
        self._check_params(params)
        device = resolve_device(self.device)
        data = self._read_training_data(X, y)
        start = start_run(params, draw_seed(self.random_state))
        source = self._warm_start(data)
        codec = self._new_codec(data) if source is None else source.codec
        codec.library = library_of(X)
        model = DetectorModel.build(detector_config(params, codec), codec, start.seed)
        if source is not None:
            take_networks(model, source, str(self.warm_start_from))
        if model.networks.backbone is not None:
            model.networks.backbone.load(self.backbone_weights)
        model.scorer.place(device)
        rows = split_training_rows(model, codec.prepare(data))
        rows = without_a_fold(model, rows, fit=source is None)
        if source is not None:
            begin_near(model, source, rows)
        identity = identity_of(type(self).__name__, params)
        run = new_run(model, start, rows, observers(self.callbacks, self.verbose), identity)
        self.history_ = train(plan_phases(model, rows, self.batch_size), run)
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
            Whether to explain as well, as `explain` does.

        Returns
        -------
        assessment : Assessment
            Arrays (n, ...) of what `anomaly_score`, `p_value`, `score_parts` and `explain` return;
            frames have the index of `X`, or are of its library.

        Raises
        ------
        DataError
            If the rows do not have the columns, or the images the shape, of training.
        """
        check_is_fitted(self, "model_")
        data, model = self._read(X), self.model_
        raw = model.codec.prepare(data)
        model.codec.warn_of_drift(data, raw)
        found = model.answers(raw, explain=explain)
        scores = found[0].double().numpy()
        parts = pd.DataFrame(found[1].double().numpy(), columns=list(model.scorer.part_names))
        explanation = _like(model.codec.explanation(found[2]), X) if explain else None
        return Assessment(scores, self.p_value_of(scores), like(parts, X), explanation)

    def p_value_of(self, scores: Floats) -> Floats:
        """Return the conformal p-values (n,) of scores that `anomaly_score` returned.

        Parameters
        ----------
        scores : array-like of shape (n,)
            Anomaly scores.

        Raises
        ------
        DataError
            When a score is not a number.
        """
        check_is_fitted(self, "model_")
        given = torch.as_tensor(check_scores(scores))
        return self.scorer_.conformal.p_value(given).numpy()

    def threshold_at(self, target_fpr: float) -> float:
        """Return the `anomaly_score` that at most `target_fpr` of new normal rows exceed.

        With n calibration rows no rate below 1/(n + 1) can be guaranteed: then a
        `CalibrationWarning` is issued, and the highest of their scores is returned.

        Parameters
        ----------
        target_fpr : float
            False-positive rate, above 0 and below 1.

        Raises
        ------
        ParameterError
            If `target_fpr` is not above 0 and below 1.
        """
        check_is_fitted(self, "model_")
        rate = check_rate(target_fpr)
        warn_of_few(self.n_calibration_, rate)
        return float(self.scorer_.conformal.threshold(rate))

    def export_onnx(
        self, path: str | os.PathLike[str], *, part: str = "scorer", X: Any = None, **options: Any
    ) -> ExportReport:
        """Write one ONNX file that takes raw rows and gives scores, or makes rows, without torch.

        Parameters
        ----------
        path : path-like
            The file, usually ``.onnx``.
        part : {"scorer", "generator", "encoder"}, default="scorer"
            Raw rows to scores, p-values and decisions; latents to rows; raw rows to latents.
        X : as in `fit`, optional
            Real normal rows that the file is tried with, besides generated ones; lower precisions
            need them.
        **options
            `precision` and `bank`, as in `augan.deploy.export.export_onnx`.

        Returns
        -------
        report : ExportReport
            Size, opset, and how far the file's scores lie from torch's.

        Raises
        ------
        ExportError
            When the model cannot be exported, or the file would score differently.
        ParameterError
            When an argument has a value that is not allowed.
        """
        from augan.deploy.export import export_onnx

        check_is_fitted(self, "model_")
        return export_onnx(self, path, part=part, X=X, **options)

    def save(
        self, path: str | os.PathLike[str], *, context: Mapping[str, Any] | None = None
    ) -> None:
        """Write the model to `path` (``.augan``), whole or not at all, without pickle.

        Parameters
        ----------
        path : path-like
            The file.
        context : mapping, optional
            JSON values that are kept beside the model.

        Raises
        ------
        OSError
            When the file cannot be written.
        """
        check_is_fitted(self, "model_")
        self._write(path, context)

    def set_params(self, **params: Any) -> Self:
        """Set parameters; see scikit-learn's ``BaseEstimator.set_params``."""
        return super().set_params(**current_names(params))

    @property
    def codec_(self) -> Codec:
        """Rows or images to tensors, and back."""
        return self._model().codec

    @property
    def networks_(self) -> Networks:
        """The trained networks."""
        return self._model().networks

    @property
    def scorer_(self) -> AnomalyScorer:
        """Raw rows to scores."""
        return self._model().scorer

    @property
    def offset_(self) -> float:
        """The `score_samples` below which a row is an anomaly.

        `fit` sets it; another `target_fpr` given after `fit` moves it.
        """
        if "_offset" not in self.__dict__:
            raise AttributeError(f"this {type(self).__name__} is not fitted: it has no offset_")
        offset, rate, contamination = self._offset
        if self.contamination != contamination:
            raise ParameterError(
                f"contamination={shown(self.contamination)}: the model was fitted with "
                f"{shown(contamination)}; fit again, or give predict(X, target_fpr=...)"
            )
        if self.target_fpr == rate:
            return offset
        check_one_limit(self.contamination, self.target_fpr)
        return -self.threshold_at(self.target_fpr)

    @offset_.setter
    def offset_(self, value: float) -> None:
        self._offset = float(value), self.target_fpr, self.contamination

    @property
    def threshold_(self) -> float:
        """The `anomaly_score` above which a row is an anomaly."""
        check_is_fitted(self, "offset_")
        return -float(self.offset_)

    @property
    def n_calibration_(self) -> int:
        """Number of held-out normal rows that p-values are computed from."""
        check_is_fitted(self, "model_")
        return len(self.scorer_.conformal.scores)

    @property
    def pixel_threshold_(self) -> float:
        """The value of `explain` that 1 % of the pixels of normal images exceed.

        Raises
        ------
        AttributeError
            If the model is one of tables.
        """
        check_is_fitted(self, "model_")
        explainer = self.scorer_.explainer
        if not isinstance(explainer, Heatmap):
            raise AttributeError("pixel_threshold_: a model of tables has none")
        return float(explainer.limit)

    def _model(self) -> DetectorModel:
        if "model_" not in self.__dict__:
            raise AttributeError(f"this {type(self).__name__} is not fitted")
        return self.model_

    def _check_params(self, params: Mapping[str, Any]) -> None:
        check_params(type(self), params)
        check_one_limit(self.contamination, self.target_fpr)
        if self.heads != "auto":
            warn_of_former_heads(self.heads, stacklevel=5)
        if self.freeze_critic and self.warm_start_from is None:
            raise ParameterError(
                f"freeze_critic={self.freeze_critic}: needs warm_start_from, the model whose "
                "layers stay as they are"
            )

    def _new_codec(self, data: Data) -> Codec:
        """Return a codec that is fitted to the data."""
        if isinstance(data, np.ndarray) and data.ndim > 2:
            photograph = max(data.shape[1:3]) > MAX_SIDE
            values = codec_values(self.get_params(deep=False), photograph=photograph)
            return ImageCodec(
                values["image_size"], values["standardize_images"], values["detail_size"]
            ).fit(data)
        return TableCodec(self.max_categories).fit(data)

    def _warm_start(self, data: Data) -> DetectorModel | None:
        """Return the model of `warm_start_from`, once the data have its columns."""
        if self.warm_start_from is None:
            return None
        path = str(self.warm_start_from)
        with damage_reported(path):
            manifest, tensors = read_model(path)
            kind = manifest["class"]
            if kind != "GANSampler":
                codec = read_codec(manifest, tensors)
                config = detector_config(manifest["params"], codec)
                parts = with_prefix("parts.", tensors)
                given = int(manifest["seed"]), parts, torch.device("cpu")
                source = DetectorModel.from_state(config, codec, *given)
        if kind == "GANSampler":
            raise ParameterError(f"warm_start_from={shown(path)}: a {kind}, and no detector")
        trained = type(self)()
        trained._take_features(manifest)
        read_like_training(data, trained, source.codec)
        return source

    def _read_training_data(self, X: Any, y: Any) -> Data:
        """Read `X`, remember its features, keep the normal rows."""
        data = read_input(X, type(self).__name__)
        remember_columns(self, data)
        if self.normal_label is not None:
            data = take(data, normal_rows(y, len(data), self.normal_label))
        if len(data) < 2:
            raise DataError(f"training needs at least 2 rows, got n_samples = {len(data)}")
        return data

    def _read(self, X: Any) -> Data:
        return read_like_training(X, self, self.codec_)

    def _fitted_threshold(self, data: Data) -> float:
        """Return the threshold that `contamination` or `target_fpr` asks for."""
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
    """Return an explanation; a DataFrame with the index of `X`, or as a frame of its library."""
    return like(explanation, X) if isinstance(explanation, pd.DataFrame) else explanation
