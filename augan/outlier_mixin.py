"""The methods that follow from the scores of a detector, however it computes them."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from augan._sklearn import OutlierMixin
from augan.assessment import Assessment, Floats
from augan.exceptions import ParameterError
from augan.labels import anomaly_labels, are_kinds


class AnomalyDetectorMixin(OutlierMixin):
    """Mixin of outlier detectors that define `fit`, `assess`, `threshold_at` and `offset_`.

    In all methods `X` is a DataFrame, an array-like of shape (n, d) or images of shape
    (n, H, W[, C]), with the columns, or images of the shape, that were seen in `fit`. They raise
    DataError if `X` does not fit.
    """

    @abstractmethod
    def fit(self, X: Any, y: Any = None) -> AnomalyDetectorMixin:
        """Fit to the normal rows of `X`."""

    @abstractmethod
    def assess(self, X: Any, *, explain: bool = False) -> Assessment:
        """Return scores, p-values, score parts and, if asked for, explanations of one pass."""

    @abstractmethod
    def threshold_at(self, target_fpr: float) -> float:
        """Return the `anomaly_score` that at most `target_fpr` of new normal rows exceed."""

    @property
    @abstractmethod
    def offset_(self) -> float:
        """The `score_samples` below which a row is an anomaly."""

    def anomaly_score(self, X: Any) -> Floats:
        """Return the anomaly score of each row.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n, d), or images of shape (n, H, W[, C])
            Rows with the columns, or images of the shape, that were seen in `fit`.

        Returns
        -------
        scores : ndarray of shape (n,)
            Higher = more abnormal.

        Raises
        ------
        DataError
            If the rows do not have the columns, or the images the shape, of training.
        """
        return self.assess(X).anomaly_score

    def score_samples(self, X: Any) -> Floats:
        """Return the negated anomaly score of each row, as scikit-learn's detectors do.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n, d), or images of shape (n, H, W[, C])
            Rows, as for `anomaly_score`.

        Returns
        -------
        scores : ndarray of shape (n,)
            Lower = more abnormal.

        Raises
        ------
        DataError
            If the rows do not have the columns, or the images the shape, of training.
        """
        return -self.anomaly_score(X)

    def decision_function(self, X: Any) -> Floats:
        """Return ``score_samples(X) - offset_``.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n, d), or images of shape (n, H, W[, C])
            Rows, as for `anomaly_score`.

        Returns
        -------
        decision : ndarray of shape (n,)
            Negative for anomalies.

        Raises
        ------
        DataError
            If the rows do not have the columns, or the images the shape, of training.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any, target_fpr: float | None = None) -> NDArray[np.int64]:
        """Return which rows are anomalies.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n, d), or images of shape (n, H, W[, C])
            Rows, as for `anomaly_score`.
        target_fpr : float, default=None
            False-positive rate: the largest share of new normal rows that may be flagged, as in
            `threshold_at`. ``None`` flags the rows with a score above `threshold_`.

        Returns
        -------
        prediction : ndarray of shape (n,)
            1 for normal rows, -1 for anomalies.

        Raises
        ------
        ParameterError
            If `target_fpr` is not above 0 and below 1.
        DataError
            If the rows do not have the columns, or the images the shape, of training.
        """
        if target_fpr is None:
            return np.where(self.decision_function(X) < 0, -1, 1)
        limit = self.threshold_at(target_fpr)
        return np.where(self.anomaly_score(X) > limit, -1, 1)

    def score(self, X: Any, y: Any = None) -> float:
        """Return the area under the ROC curve (AUROC) of the anomalies.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n, d), or images of shape (n, H, W[, C])
            Rows, as for `score_samples`.
        y : array-like of shape (n,)
            Their labels. With the parameter `normal_label` set, all other labels are anomalies.
            Otherwise anomalies are labelled 1 and normal rows 0 (or True and False; or 1, 2, ...
            for kinds of anomalies), or -1 and 1, as scikit-learn's outlier detectors predict. For
            other labels see `augan.metrics.roc_auc_scorer`.

        Returns
        -------
        auroc : float
            1.0 where every anomaly has a higher `anomaly_score` than every normal row, 0.5 by
            chance.

        Raises
        ------
        TypeError
            Without labels.
        DataError
            When labels say of no row, or of all rows, that they are anomalies, or cannot be told
            apart.
        """
        if y is None:
            raise TypeError(
                "score(X, y) needs y, the labels: it is the AUROC of the anomalies; "
                "score_samples(X) gives the scores of rows"
            )
        scores = self.anomaly_score(X)
        normal = getattr(self, "normal_label", None)
        normal = 0 if normal is None and are_kinds(y) else normal
        truth = anomaly_labels(y, normal_label=normal, n_rows=len(scores))
        return float(roc_auc_score(truth, scores))

    def fit_predict(self, X: Any, y: Any = None) -> NDArray[np.int64]:
        """Call ``fit(X, y)``, then ``predict(X)``.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n, d), or images of shape (n, H, W[, C])
            Rows, as for `fit`.
        y : array-like of shape (n,), default=None
            As for `fit`.

        Returns
        -------
        prediction : ndarray of shape (n,)
            1 for normal rows, -1 for anomalies.
        """
        return self.fit(X, y).predict(X)

    def p_value(self, X: Any) -> Floats:
        """Return conformal p-values: the share of held-out normal rows that score as high.

        ``(1 + #{calibration scores >= s}) / (n_calibration + 1)`` for a score s (Vovk, Gammerman
        and Shafer 2005). Beyond the highest of these scores the p-value is extrapolated: it falls
        exponentially, by the mean excess of the highest scores, and is no longer guaranteed.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n, d), or images of shape (n, H, W[, C])
            Rows, as for `anomaly_score`.

        Returns
        -------
        p_values : ndarray of shape (n,)
            Lower = more abnormal.

        Raises
        ------
        DataError
            If the rows do not have the columns, or the images the shape, of training.
        """
        return self.assess(X).p_value

    def score_parts(self, X: Any) -> Any:
        """Return the heads that the score is made of.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n, d), or images of shape (n, H, W[, C])
            Rows, as for `anomaly_score`.

        Returns
        -------
        parts : DataFrame of shape (n, heads)
            Higher = more abnormal. Robust z-scores of each head's logarithm or, with the paper's
            score, the two terms of its sum. Has the index of `X`, or is a frame of its library.

        Raises
        ------
        DataError
            If the rows do not have the columns, or the images the shape, of training.
        """
        return self.assess(X).score_parts

    def explain(self, X: Any) -> Any:
        """Return where rows differ from normal ones.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n, d), or images of shape (n, H, W[, C])
            Rows, as for `anomaly_score`.

        Returns
        -------
        explanation : DataFrame of shape (n, d), or ndarray of shape (n, H, W)
            For tables, the difference of each column as a multiple of its mean difference in
            held-out normal rows; has the index of `X`, or is a frame of its library. For images,
            heatmaps in robust z-scores of the pixels of held-out normal images: in an anomalous
            image, pixels above `pixel_threshold_` are the defect.

        Raises
        ------
        DataError
            If the rows do not have the columns, or the images the shape, of training.
        """
        return self.assess(X, explain=True).explanation

    def surprise(self, X: Any) -> Any:
        """Return how improbable each value of a row is, given the row's other values.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n, d)
            Rows, as for `anomaly_score`.

        Returns
        -------
        surprise : DataFrame of shape (n, d)
            -log p(value | the other columns) in nats, by the column network; has the index of
            `X`, or is a frame of its library. Its sum over the columns is the head "surprise",
            before calibration: the negative log-pseudo-likelihood (Besag 1975, "Statistical
            analysis of non-lattice data"). Numbers are in bins: beyond the training range, the
            distance from it does not count. A category that no training row had counts as half
            a training row, and so does a missing value in a column without any in training.

        Raises
        ------
        ParameterError
            If "surprise" is not one of the detector's `heads`.
        DataError
            If the rows do not have the columns of training.
        """
        found = self.assess(X).surprise
        if found is None:
            raise ParameterError("surprise: the detector was fitted without the head 'surprise'")
        return found
