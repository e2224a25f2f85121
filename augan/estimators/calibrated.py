"""Fitted attributes of a detector, thresholds and p-values."""

from __future__ import annotations

import torch
from sklearn.utils.validation import check_is_fitted

from augan.assessment import Floats
from augan.codecs.codec import Codec
from augan.estimators.detector_parameters import DetectorParameters
from augan.exceptions import DataError, ParameterError, shown
from augan.models.detector import DetectorModel
from augan.networks import Networks
from augan.outlier_mixin import AnomalyDetectorMixin
from augan.scoring.heatmap import Heatmap
from augan.scoring.rates import (
    check_one_limit,
    check_rate,
    check_scores,
    pixel_threshold,
    warn_of_few,
)
from augan.scoring.scorer import AnomalyScorer


class CalibratedDetector(AnomalyDetectorMixin, DetectorParameters):
    """Mixin of detectors with a fitted `model_`, whose scorer is calibrated."""

    model_: DetectorModel
    _offset: tuple[float, float, str | float]  # and `target_fpr` and `contamination` in `fit`

    def p_value_of(self, scores: Floats) -> Floats:
        """Return the conformal p-values (n,) of scores that `anomaly_score` returned.

        Parameters
        ----------
        scores : array-like of shape (n,)
            Anomaly scores.

        Returns
        -------
        p_values : ndarray of shape (n,)
            Lower = more abnormal.

        Raises
        ------
        DataError
            If a score is not a number.
        """
        check_is_fitted(self, "model_")
        given = torch.as_tensor(check_scores(scores))
        return self.model_.scorer.conformal.p_value(given).numpy()

    def threshold_at(self, target_fpr: float) -> float:
        """Return the `anomaly_score` that at most `target_fpr` of new normal rows exceed.

        With n calibration rows no rate below 1/(n + 1) can be guaranteed: then a
        `CalibrationWarning` is issued, and the threshold is extrapolated from the highest
        calibration scores.

        Parameters
        ----------
        target_fpr : float
            False-positive rate, above 0 and below 1.

        Returns
        -------
        threshold : float
            Rows with a higher `anomaly_score` are anomalies.

        Raises
        ------
        ParameterError
            If `target_fpr` is not above 0 and below 1.
        """
        check_is_fitted(self, "model_")
        rate = check_rate(target_fpr)
        warn_of_few(self.n_calibration_, rate)
        return float(self.model_.scorer.conformal.threshold(rate))

    @property
    def offset_(self) -> float:
        """The `score_samples` below which a row is an anomaly.

        Set by `fit`; changes with a `target_fpr` that is set after `fit`.

        Raises
        ------
        AttributeError
            Before `fit`.
        ParameterError
            If `contamination` was changed after `fit`.
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
        """Number of held-out normal rows that p-values are computed with."""
        check_is_fitted(self, "model_")
        return len(self.model_.scorer.conformal.scores)

    @property
    def pixel_threshold_(self) -> float:
        """The value of `explain` that a share `pixel_fpr` of the pixels of normal images exceed.

        Raises
        ------
        AttributeError
            For a model of tables.
        """
        check_is_fitted(self, "model_")
        if not self.model_.is_image:
            raise AttributeError("pixel_threshold_: not available for tables")
        return self.pixel_threshold_at(self.pixel_fpr)

    def pixel_threshold_at(self, pixel_fpr: float) -> float:
        """Return the heat that a share `pixel_fpr` of the pixels of normal images exceed.

        Parameters
        ----------
        pixel_fpr : float
            The share, above 0 and below 1.

        Returns
        -------
        threshold : float
            Pixels of `explain` above it are a defect.

        Raises
        ------
        DataError
            For a model of tables.
        ParameterError
            If `pixel_fpr` is not above 0 and below 1.
        """
        check_is_fitted(self, "model_")
        explainer = self.model_.scorer.explainer
        if not isinstance(explainer, Heatmap):
            raise DataError("pixel_threshold_at: the model is one of tables")
        return pixel_threshold(explainer.thresholds.cpu(), pixel_fpr)

    @property
    def codec_(self) -> Codec:
        """The fitted encoder and decoder of rows or images."""
        return self._model().codec

    @property
    def networks_(self) -> Networks:
        """The trained networks."""
        return self._model().networks

    @property
    def scorer_(self) -> AnomalyScorer:
        """The fitted scorer of raw rows."""
        return self._model().scorer

    def _model(self) -> DetectorModel:
        if "model_" not in self.__dict__:
            raise AttributeError(f"this {type(self).__name__} is not fitted")
        return self.model_
