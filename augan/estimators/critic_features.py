"""CriticFeatures: features of a detector's networks for a classifier."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from augan._sklearn import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from augan.estimators.anogan import AnoGAN
from augan.estimators.f_anogan import FAnoGAN
from augan.estimators.latent_space import GeneratingDetector
from augan.exceptions import ParameterError, shown
from augan.inputs.reading import Data, read_like_training, with_any_input
from augan.io.model_tensors import read_model
from augan.models.reading import damage_reported
from augan.scoring.view import View

NETWORKS = {"critic": "f_x", "pretext": "pretext_features", "encoder": "z"}  # part of a `View`


class CriticFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Features of rows or images, learned without labels, for a classifier with few labels.

    The critic is trained on all rows, without labels. A classifier on its features needs fewer
    labels than one on the rows [1]_. The transformer is used before it in a `Pipeline`.

    Parameters
    ----------
    detector : FAnoGAN, AnoGAN, path or None, default=None
        Detector that is cloned and fitted to the rows given to `fit`; None is `FAnoGAN()`.
        The path of a model file, or scikit-learn's ``FrozenEstimator(detector)``, is a detector
        that is already fitted and is not changed.
    network : {"critic", "pretext", "encoder"}, default="critic"
        Source of the features: hidden layers of the critic or of the pretext network, or latents.

    Attributes
    ----------
    detector_ : FAnoGAN or AnoGAN
        The fitted detector.
    n_features_in_ : int
        Number of columns, or of pixels times channels.
    feature_names_in_ : ndarray of str
        Column names, if `X` is a DataFrame.

    References
    ----------
    .. [1] Radford, Metz and Chintala. "Unsupervised representation learning with deep
       convolutional generative adversarial networks." ICLR, 2016, section 5.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from augan import CriticFeatures, FAnoGAN
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> detector = FAnoGAN(max_steps=50, encoder_steps=1, pretext_steps=1, random_state=0)
    >>> features = CriticFeatures(detector).fit(X)
    >>> model = make_pipeline(features, LogisticRegression(max_iter=1000)).fit(X[:50], y[:50])
    >>> features.transform(X).shape
    (569, 512)
    """

    def __init__(self, detector: Any = None, *, network: str = "critic") -> None:
        self.detector = detector
        self.network = network

    def fit(self, X: Any, y: Any = None) -> CriticFeatures:
        """Fit the detector, or load a fitted one.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n, d), or images of shape (n, H, W[, C])
            Training rows.
        y : array-like of shape (n,)
            Labels; used only if the detector has a `normal_label`.

        Returns
        -------
        self : object
            Fitted transformer.

        Raises
        ------
        ParameterError
            For invalid parameters, or if the detector does not have the network.
        DataError
            If the rows cannot be used.
        ModelFileError
            If the file cannot be read.
        """
        if self.network not in NETWORKS:
            known = ", ".join(map(shown, NETWORKS))
            raise ParameterError(f"network={shown(self.network)}: must be one of {known}")
        if isinstance(self.detector, (str, os.PathLike)):
            self.detector_ = _load(self.detector)
            _read(X, self.detector_)
        else:
            given = FAnoGAN() if self.detector is None else clone(self.detector)
            if not isinstance(getattr(given, "estimator", given), GeneratingDetector):
                raise ParameterError(
                    f"detector={shown(self.detector)}: must be a detector of augan"
                )
            self.detector_ = given.fit(X, y)
        if self.network == "pretext" and self.detector_.networks_.pretext is None:
            raise ParameterError("network='pretext': the detector has no pretext network")
        self.n_features_in_ = self.detector_.n_features_in_
        if hasattr(self.detector_, "feature_names_in_"):
            self.feature_names_in_ = self.detector_.feature_names_in_
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Return the features of rows or images.

        Parameters
        ----------
        X : DataFrame, array-like of shape (n, d), or images of shape (n, H, W[, C])
            Rows with the columns, or images of the shape, that were seen in `fit`.

        Returns
        -------
        features : ndarray of shape (n, n_features)
            Features.

        Raises
        ------
        DataError
            If the rows do not have the columns, or the images the shape, of training.
        """
        check_is_fitted(self, "detector_")
        model, part = self.detector_.model_, NETWORKS[self.network]
        raw = model.codec.prepare(_read(X, self.detector_))

        def features(rows: Tensor) -> tuple[Tensor]:
            view: View = model.scorer.view(rows)
            return (getattr(view, part),)

        (found,) = model.in_chunks(raw, features)
        return np.asarray(found.double().numpy())

    @property
    def _n_features_out(self) -> int:
        networks = self.detector_.networks_
        sizes = {"critic": networks.critic.n_features, "encoder": networks.latent_dim}
        if self.network in sizes:
            return int(sizes[self.network])
        assert networks.pretext is not None
        return int(networks.pretext.n_features)

    def __sklearn_tags__(self) -> Tags:
        return with_any_input(super().__sklearn_tags__())


def _read(X: Any, detector: Any) -> Data:
    """Return rows that have the columns, or images of the shape, that a detector was fitted to."""
    fitted = getattr(detector, "estimator", detector)  # of a frozen detector
    return read_like_training(X, fitted, fitted.codec_)


def _load(path: str | os.PathLike[str]) -> GeneratingDetector:
    """Return the detector of a model file."""
    classes: dict[str, type[GeneratingDetector]] = {"FAnoGAN": FAnoGAN, "AnoGAN": AnoGAN}
    with damage_reported(path):
        manifest, tensors = read_model(path)
        cls = classes.get(manifest["class"])
        if cls is not None:
            return cls._from_file(manifest, tensors, None)
    raise ParameterError(f"detector={shown(str(path))}: a {manifest['class']}, not a detector")
