"""What AnoGAN and FAnoGAN share: fitting, scoring, saving."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from augan._device import resolve_device
from augan._random import draw_seed, numpy_stream
from augan.assessment import Assessment, Floats
from augan.codecs.columns import CategoryColumn
from augan.codecs.drift import warn_of_drift
from augan.codecs.image import ImageCodec
from augan.codecs.seen_rows import hashes_of, hashes_of_numbers, seen_rows
from augan.codecs.table import TableCodec
from augan.estimators._build import build, make_codec
from augan.estimators._defaults import IMAGE, PHOTOGRAPH, Defaults, of_images, table_defaults
from augan.estimators._params import check_params
from augan.estimators._training import (
    encode_rows,
    fit_scorer,
    now,
    start_run,
    train_networks,
    without_a_fold,
)
from augan.estimators._warm_start import begin_near, read_warm_start, take_codec, take_networks
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
from augan.scoring.former_heads import current_heads
from augan.scoring.maps import Heatmap
from augan.scoring.rates import check_one_limit, check_rate, check_scores, warn_of_few
from augan.training.progress import logger, warn_of_health
from augan.training.rows import LazyRows, TrainingRows, in_small_clusters, split_rows

if TYPE_CHECKING:
    from augan.deploy.export import ExportReport


class BaseDetector(OutlierMixin, BaseEstimator):
    """Base of the detectors; subclasses give the parameters and the way of inversion."""

    _has_encoder: bool
    _offset: tuple[float, float, str | float]  # with `target_fpr` and `contamination` then

    def fit(self, X: Any, y: Any = None) -> BaseDetector:
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
            When a parameter has a value that it cannot have.
        NotTrainableError
            When training goes on diverging.
        """
        data, rows = self._train(X, y)
        logger.info("fitting heads and calibration to %d rows", len(data))
        fit_scorer(self, rows)
        self.offset_ = -self._threshold(data)
        if isinstance(rows.raw, Tensor):
            self.training_rows_ = seen_rows(hashes_of_numbers(rows.raw.numpy()))
        else:
            self.training_rows_ = seen_rows(hashes_of(self.codec_, data))
        self.trained_ = now()
        warn_of_health(self.history_)
        return self

    def _train(self, X: Any, y: Any) -> tuple[Data, TrainingRows]:
        """Fit the codec and train the networks; return the data that taught them."""
        params = self.get_params(deep=False)
        check_params(params)
        check_one_limit(self.contamination, self.target_fpr)
        device = resolve_device(params["device"])
        data = self._read_training_data(X, y)
        library = library_of(X)
        run = start_run(self, draw_seed(params["random_state"]))
        self.seed_ = run.seed
        former = read_warm_start(self)
        if former is None:
            self.codec_ = make_codec(self, data).fit(data)
        else:
            take_codec(self, former, data)
        if isinstance(self.codec_, TableCodec):
            self.codec_.library = library
        build(self)
        if former is not None:
            take_networks(self, former)
        if self.networks_.backbone is not None:
            self.networks_.backbone.load(self.backbone_weights)
        self.scorer_.place(device)
        rows = self._split(self.codec_.prepare(data))
        rows = without_a_fold(self, rows, fit=former is None)
        if former is not None:
            begin_near(self, former, rows)
        self.history_ = train_networks(self, run, rows)
        return data, rows

    def score_samples(self, X: Any) -> Floats:
        """Score rows, scikit-learn's way round.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n, d), or images of shape (n, H, W[, C])
            Rows with the columns, or images of the shape, that were seen in `fit`.

        Returns
        -------
        scores : ndarray of shape (n,)
            The negated `anomaly_score`: lower = more abnormal.
        """
        return -self.anomaly_score(X)

    def anomaly_score(self, X: Any) -> Floats:
        """Return scores (n,) of rows, higher = more abnormal."""
        return self.assess(X).anomaly_score

    def assess(self, X: Any, *, explain: bool = False) -> Assessment:
        """Return all that one pass over rows gives: scores, p-values, parts, explanations.

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
        """
        check_is_fitted(self, "scorer_")
        data = self._read(X)
        scorer = self.scorer_

        def answers(rows: Tensor) -> tuple[Tensor, ...]:
            view = scorer.view(rows)
            found = scorer.score_of(view)
            return (*found, scorer.explanation_of(view)) if explain else found

        raw = self.codec_.prepare(data)
        if isinstance(self.codec_, TableCodec):
            warn_of_drift(self.codec_.columns, data, raw.numpy())
        found = self._in_chunks(raw, answers)
        scores = found[0].double().numpy()
        parts = pd.DataFrame(found[1].double().numpy(), columns=list(scorer.part_names))
        explanation = self._explanation(found[2], X) if explain else None
        return Assessment(scores, self.p_value_of(scores), like(parts, X), explanation)

    def decision_function(self, X: Any) -> Floats:
        """Return ``score_samples(X) - offset_`` (n,): below zero is an anomaly."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any, target_fpr: float | None = None) -> NDArray[np.int64]:
        """Say which rows are anomalies.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n, d), or images of shape (n, H, W[, C])
            Rows, as for `score_samples`.
        target_fpr : float, default=None
            Share of new normal rows that may be flagged, as in `threshold_at`; ``None`` flags
            those beyond `threshold_`.

        Returns
        -------
        verdict : ndarray of shape (n,)
            1 for normal rows, -1 for anomalies.

        Raises
        ------
        ParameterError
            When `target_fpr` is not above 0 and below 1.
        """
        if target_fpr is None:
            return np.where(self.decision_function(X) < 0, -1, 1)
        limit = self.threshold_at(target_fpr)
        return np.where(self.anomaly_score(X) > limit, -1, 1)

    def fit_predict(self, X: Any, y: Any = None) -> NDArray[np.int64]:
        """Fit to the normal rows of `X`, then predict all of them (n,)."""
        return self.fit(X, y).predict(X)

    def p_value(self, X: Any) -> Floats:
        """Return conformal p-values (n,): how rare so high a score is among unseen normals.

        ``(1 + #{calibration scores >= s}) / (n_calibration + 1)`` (Vovk 2005).
        """
        return self.p_value_of(self.anomaly_score(X))

    def p_value_of(self, scores: Floats) -> Floats:
        """Return the conformal p-values (n,) of scores that `anomaly_score` returned.

        Raises
        ------
        DataError
            When a score is not a number.
        """
        check_is_fitted(self, "scorer_")
        given = torch.as_tensor(check_scores(scores))
        return self.scorer_.conformal.p_value(given).numpy()

    def threshold_at(self, target_fpr: float) -> float:
        """Return the `anomaly_score` above which at most a share of new normal rows lies.

        With n calibration rows no share below 1/(n + 1) can be promised: a `CalibrationWarning`
        says so, and the highest of their scores is returned.

        Parameters
        ----------
        target_fpr : float
            The share, above 0 and below 1.

        Raises
        ------
        ParameterError
            When it is not.
        """
        check_is_fitted(self, "scorer_")
        rate = check_rate(target_fpr)
        warn_of_few(self.n_calibration_, rate)
        return float(self.scorer_.conformal.threshold(rate))

    def score_parts(self, X: Any) -> Any:
        """Return what the score is made of, (n, heads), higher = more abnormal; with X's index.

        Robust z-scores of each head's logarithm for ``score="calibrated"``; the two terms of
        the sum for ``score="paper"``.
        """
        return self.assess(X).score_parts

    def explain(self, X: Any) -> Any:
        """Return where rows differ from normal ones.

        For tables a DataFrame (n, columns), or frame of X's library, with the index of `X`, in
        multiples of the difference that held-out normals have. For images heatmaps (n, H, W), in
        robust z-scores of the pixels of held-out normals; ``explain(X) > pixel_threshold_`` are
        the defects of images that are anomalies.
        """
        check_is_fitted(self, "scorer_")
        return self.assess(X, explain=True).explanation

    def export_onnx(
        self, path: str | os.PathLike[str], *, part: str = "scorer", X: Any = None, **options: Any
    ) -> ExportReport:
        """Write one ONNX file that takes raw rows and gives scores, or makes rows, without torch.

        Parameters
        ----------
        path : path-like
            The file, usually ``.onnx``.
        part : {"scorer", "generator", "encoder"}, default="scorer"
            What the file does: raw rows to scores, p-values and decisions; latents to rows; raw
            rows to latents.
        X : as in `fit`, optional
            Real normal rows that the file is tried with, besides made-up ones; lower precisions
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
        """
        from augan.deploy.export import export_onnx

        check_is_fitted(self, "scorer_")
        return export_onnx(self, path, part=part, X=X, **options)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to `path` (``.augan``), whole or not at all, without pickle."""
        from augan.io.model_file import save

        check_is_fitted(self, "scorer_")
        save(self, path)

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
        """How many unseen normal rows the p-values come from."""
        check_is_fitted(self, "scorer_")
        return len(self.scorer_.conformal.scores)

    @property
    def pixel_threshold_(self) -> float:
        """The heat of `explain` that 1 % of the pixels of normal images lie above."""
        check_is_fitted(self, "scorer_")
        if not isinstance(self.codec_, ImageCodec):
            raise AttributeError("pixel_threshold_: a model of tables has none")
        assert isinstance(self.scorer_.explainer, Heatmap)
        return float(self.scorer_.explainer.limit)

    def _auto(self, name: str, defaults: Defaults | None = None) -> Any:
        """Return a parameter, "auto" replaced by the default for this kind of data."""
        value = getattr(self, name)
        if name == "heads" and value != "auto":
            return current_heads(value)
        if not (isinstance(value, str) and value == "auto"):
            return value
        return getattr(defaults or self._defaults, name)

    @property
    def _defaults(self) -> Defaults:
        if isinstance(self.codec_, ImageCodec):
            defaults = PHOTOGRAPH if self.codec_.is_photograph else IMAGE
            defaults = replace(defaults, **of_images(self.gan, self.architecture))
            defaults = defaults if self.backbone is None else defaults.with_backbone()
        else:
            columns = [column for column in self.codec_.columns if column.spans()]
            mixed = any(isinstance(column, CategoryColumn) for column in columns)
            sizes = len(columns), self.codec_.module.standard_size
            defaults = table_defaults(*sizes, mixed=mixed, paper=self.score == "paper")
        return defaults if self.contamination == "auto" else defaults.among_anomalies()

    @property
    def _device(self) -> torch.device:
        return next(self.networks_.generator.parameters()).device

    def _read_training_data(self, X: Any, y: Any) -> Data:
        """Read `X`, remember its features, keep the normal rows."""
        data = read_input(X, self)
        remember_columns(self, data)
        if self.normal_label is not None:
            data = take(data, normal_rows(y, len(data), self.normal_label))
        if len(data) < 2:
            raise DataError(f"training needs at least 2 rows, got n_samples = {len(data)}")
        return data

    def _read(self, X: Any) -> Data:
        return read_like_training(X, self, images=isinstance(self.codec_, ImageCodec))

    def _split(self, raw: Tensor) -> TrainingRows:
        trusted = torch.ones(len(raw), dtype=torch.bool)
        if self.contamination != "auto":
            standard = encode_rows(self, raw)[1]
            random = numpy_stream(self.seed_, "trust")
            trusted = ~in_small_clusters(standard, self.contamination, random)
        images = isinstance(self.codec_, ImageCodec)
        return split_rows(
            *(LazyRows(raw) if images else raw, trusted),
            validation_fraction=self.validation_fraction,
            n_folds=self._auto("n_folds"),
            seed=self.seed_,
        )

    def _threshold(self, data: Data) -> float:
        """Return the threshold that `contamination` or `target_fpr` asks for."""
        if self.contamination == "auto":
            return self.threshold_at(self.target_fpr)
        scores = self.assess(data).anomaly_score
        return float(np.percentile(scores, 100 * (1 - self.contamination)))

    def _calibration_rows(self) -> int:
        return 10_000

    def _explanation(self, found: Tensor, X: Any) -> Any:
        """Return the scorer's explanations of rows `X` as `explain` does."""
        if isinstance(self.codec_, ImageCodec):
            return self.codec_.at_original_size(found).double().numpy()
        frame = pd.DataFrame(found.double().numpy(), columns=list(self.codec_.labels))
        return like(frame, X)

    @torch.no_grad()
    def _in_chunks(
        self, raw: Tensor, function: Callable[[Tensor], tuple[Tensor, ...]]
    ) -> list[Tensor]:
        """Apply `function` to chunks of one size, the last one padded; join each of its results.

        So every row goes through the same arithmetic, alone or among a million others.
        """
        chunk, results = self._defaults.chunk, []
        for rows in raw.split(chunk):
            padded = rows[torch.arange(chunk).clamp(max=len(rows) - 1)]
            results.append([part[: len(rows)].cpu() for part in function(padded)])
        return [torch.cat(parts) for parts in zip(*results, strict=True)]

    def __sklearn_tags__(self) -> Tags:
        return with_any_input(super().__sklearn_tags__())
