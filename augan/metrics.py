"""Scorers for scikit-learn's cross-validation of outlier detectors on labelled rows.

>>> from sklearn.datasets import load_breast_cancer
>>> from sklearn.ensemble import IsolationForest
>>> from sklearn.model_selection import cross_val_score
>>> from augan.metrics import roc_auc_scorer
>>> X, benign = load_breast_cancer(return_X_y=True)
>>> y = 1 - benign  # malignant tumours, the anomalies, are 1
>>> detector = IsolationForest(random_state=0)
>>> float(cross_val_score(detector, X, y, cv=3, scoring=roc_auc_scorer).min()) > 0.7
True
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_outlier_detector
from sklearn.metrics import average_precision_score, roc_auc_score

from augan.exceptions import ParameterError
from augan.labels import anomaly_labels

__all__ = ["AnomalyScorer", "average_precision_scorer", "roc_auc_scorer"]

Scores = NDArray[np.float64]

METRICS: dict[str, Callable[..., float]] = {
    "roc_auc": roc_auc_score,
    "average_precision": average_precision_score,
}
UNSET: Any = object()


@dataclass(frozen=True, repr=False)
class AnomalyScorer:
    """A scorer whose positive class is the anomaly: ``scorer(estimator, X, y)``.

    `roc_auc_scorer` and `average_precision_scorer` are instances. Pass them as ``scoring`` to
    `cross_val_score`, `cross_validate` or `GridSearchCV`, as they are or with the label of the
    anomalies: ``scoring=roc_auc_scorer(pos_label="fraud")``. A detector that ranks every anomaly
    above every normal row gets 1.0.

    scikit-learn's ``scoring="roc_auc"`` uses the larger label as the positive class and
    `decision_function`, which is high for normal rows, as the score. If the anomalies are labelled
    1, a perfect detector gets 0.0.

    Parameters
    ----------
    metric : {"roc_auc", "average_precision"}
        Area under the ROC curve, or average precision.
    pos_label : object, default=None
        Label of the anomalies; every other label is normal. If None, every label but the
        detector's `normal_label` is an anomaly. For a detector without one, 1 is the anomaly among
        labels 0 and 1 (or booleans), and -1 among labels -1 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import LocalOutlierFactor
    >>> from augan.metrics import average_precision_scorer, roc_auc_scorer
    >>> X = np.r_[np.random.default_rng(0).normal(size=(90, 2)), np.full((10, 2), 9.0)]
    >>> detector = LocalOutlierFactor(novelty=True).fit(X[:90])
    >>> roc_auc_scorer(detector, X, np.arange(100) >= 90)
    1.0
    >>> average_precision_scorer(pos_label="odd")(detector, X, ["usual"] * 90 + ["odd"] * 10)
    1.0
    >>> roc_auc_scorer(pos_label="odd")
    roc_auc_scorer(pos_label='odd')
    """

    metric: str
    pos_label: Any = None

    @overload
    def __call__(self, *, pos_label: Any = ...) -> AnomalyScorer: ...

    @overload
    def __call__(self, estimator: Any, X: Any, y: Any = ..., *, pos_label: Any = ...) -> float: ...

    def __call__(
        self, estimator: Any = UNSET, X: Any = UNSET, y: Any = None, *, pos_label: Any = UNSET
    ) -> AnomalyScorer | float:
        """Score a fitted detector on labelled rows; without them, return a scorer.

        Parameters
        ----------
        estimator : outlier detector, or a pipeline or search that ends in one
            Fitted. Its `score_samples`, or else its `decision_function`, is low for anomalies.
        X : array-like of shape (n, d), or whatever `estimator` scores
            Rows.
        y : array-like of shape (n,)
            Their labels.
        pos_label : object
            Label of the anomalies, instead of the scorer's own.

        Returns
        -------
        score : float, or AnomalyScorer
            The metric, or the scorer with another `pos_label` if no estimator is given.

        Raises
        ------
        ParameterError
            When `estimator` is not an outlier detector, or `pos_label` is not a single label.
        DataError
            When a label is missing, when the labels do not tell which rows are anomalies, or when
            all rows are of one kind. In `cross_val_score` and the like, scikit-learn turns the
            error into a warning and the score into `error_score`, NaN by default.
        """
        scorer = self if pos_label is UNSET else replace(self, pos_label=pos_label)
        if estimator is UNSET:
            return scorer
        if X is UNSET:
            raise ParameterError(f"{self._name}: call it with a fitted estimator, X and y")
        score = _score_samples(estimator, X, self._name)
        normal_label = getattr(_last_step(estimator), "normal_label", None)
        given = {"pos_label": scorer.pos_label, "normal_label": normal_label}
        anomaly = anomaly_labels(y, **given, n_rows=len(score))
        return float(METRICS[self.metric](anomaly, -score))

    def __repr__(self) -> str:
        given = "" if self.pos_label is None else f"(pos_label={self.pos_label!r})"
        return f"{self._name}{given}"

    @property
    def _name(self) -> str:
        return f"{self.metric}_scorer"


roc_auc_scorer = AnomalyScorer("roc_auc")
average_precision_scorer = AnomalyScorer("average_precision")


def _score_samples(estimator: Any, X: Any, name: str) -> Scores:
    """Return scores (n,) that are low for anomalies.

    Raises
    ------
    ParameterError
        When the estimator has no such scores.
    """
    if _is_outlier_detector(estimator):
        for method in ("score_samples", "decision_function"):
            if hasattr(estimator, method):
                return np.asarray(getattr(estimator, method)(X), dtype=np.float64)
    raise ParameterError(
        f"{name}: {type(estimator).__name__} is not an outlier detector with score_samples or "
        "decision_function"
    )


def _is_outlier_detector(estimator: Any) -> bool:
    try:
        return bool(is_outlier_detector(estimator))
    except AttributeError:  # what is no estimator has no tags
        return False


def _last_step(estimator: Any) -> Any:
    """Return the detector in a fitted search or pipeline."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "steps"):
            estimator = estimator.steps[-1][1]
        else:
            return estimator
