"""scikit-learn's base classes, with the types that scikit-learn does not declare."""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = [
    "BaseEstimator",
    "ClassNamePrefixFeaturesOutMixin",
    "ClassifierMixin",
    "OutlierMixin",
    "TransformerMixin",
]

if TYPE_CHECKING:
    from typing import Any, Self

    from sklearn.utils import Tags

    class BaseEstimator:
        def get_params(self, deep: bool = True) -> dict[str, Any]: ...
        def set_params(self, **params: Any) -> Self: ...
        def __getstate__(self) -> dict[str, Any]: ...
        def __sklearn_tags__(self) -> Tags: ...

    class ClassifierMixin:
        def score(self, X: Any, y: Any, sample_weight: Any = None) -> float: ...

    class ClassNamePrefixFeaturesOutMixin:
        def get_feature_names_out(self, input_features: Any = None) -> Any: ...

    class OutlierMixin: ...

    class BaseOverSampler(BaseEstimator):  # imbalanced-learn's, which is not always installed
        _sampling_type: str

        def fit_resample(self, X: Any, y: Any, groups: Any = None) -> tuple[Any, Any]: ...

    class TransformerMixin:
        def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any: ...
else:
    from sklearn.base import (
        BaseEstimator,
        ClassifierMixin,
        ClassNamePrefixFeaturesOutMixin,
        OutlierMixin,
        TransformerMixin,
    )
