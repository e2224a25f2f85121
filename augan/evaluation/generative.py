"""Quality of the images that a fitted model generates."""

from __future__ import annotations

import os
import warnings
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from augan._random import derive_seed, numpy_stream
from augan.checks import check_arguments
from augan.evaluation.feature_extractor import (
    Array,
    FeatureExtractor,
    Images,
    InceptionFeatureExtractor,
    LearnedFeatureExtractor,
)
from augan.evaluation.frechet import classifier_score, frechet_distance, kernel_distance
from augan.evaluation.generative_report import FIGURES, GenerativeReport
from augan.evaluation.modes import MAX_ROWS, class_quality, find_modes, n_found
from augan.evaluation.prdc import near_copies, prdc
from augan.exceptions import DataError, ParameterError, shown
from augan.sampling.filters import distances

MIN_FRECHET = 2048  # images of each kind; with fewer, FID depends mostly on their number
MIN_IMAGES = 20  # of each kind
N_SHOWN = 10
FEATURE_EXTRACTORS = ("own", "inception")
HALVES = {"new": "new", "real": "learned"}  # images that the figures "new" and "real" are of


class Generator(Protocol):
    """A fitted model that generates images; one with `classes_` also returns their labels."""

    codec_: Any

    def sample(self, n_samples: int, /, *, random_state: Any = None) -> Any:
        """Return new images (n, H, W[, C]), with labels (n,) if it has classes."""


def evaluate_generator(
    model: Generator,
    X: Any,
    y: Any = None,
    *,
    n_samples: int = 10_000,
    feature_extractor: str = "own",
    inception_weights: str | os.PathLike[str] | None = None,
    random_state: int = 0,
    judge: str | None = None,
) -> GenerativeReport:
    """Measure the quality of the images that a fitted model generates.

    The real images are split in half. New images are compared with the second half, in the
    features of a network. Each figure is also computed with the first half in place of the new
    images, which is what perfect images would get. The feature extractor "own" is trained on the
    first half.

    Parameters
    ----------
    model : FAnoGAN, AnoGAN or GANSampler
        Fitted to images.
    X : ndarray of shape (n, H, W[, C])
        Real images, such as those that the model was trained on; at least 40.
    y : array-like of shape (n,), optional
        Their classes. With classes, the feature extractor "own" is trained on them instead of on
        rotations and shifts, and there are figures of each class.
    n_samples : int, default=10000
        Number of images to generate. FID is not computed with fewer than 2,048 new or real ones.
    feature_extractor : {"own", "inception"}, default="own"
        A small classifier trained on `X`, or torchvision's Inception v3. Figures of different
        feature extractors are not comparable.
    inception_weights : path-like, optional
        File with the weights of Inception v3. If None, the file in the cache of ``torch.hub``.
        Nothing is downloaded.
    random_state : int, default=0
        Seed of the halves, the feature extractor and the new images.
    judge : str, optional
        Deprecated name of `feature_extractor`.

    Returns
    -------
    report : GenerativeReport
        Fréchet distance [1]_, kernel distance [2]_, classifier score [3]_, precision and recall
        [4]_, density and coverage [5]_, near copies, modes and classes.

    Raises
    ------
    DataError
        When there are too few images, or their shape or classes are not those of the model.
    ParameterError
        When a parameter has a value that it cannot have, or the model generates tables.

    References
    ----------
    .. [1] Heusel et al. "GANs trained by a two time-scale update rule converge to a local Nash
       equilibrium." NeurIPS, 2017.
    .. [2] Bińkowski, Sutherland, Arbel and Gretton. "Demystifying MMD GANs." ICLR, 2018.
    .. [3] Salimans et al. "Improved techniques for training GANs." NeurIPS, 2016.
    .. [4] Kynkäänniemi et al. "Improved precision and recall metric for assessing generative
       models." NeurIPS, 2019.
    .. [5] Naeem et al. "Reliable fidelity and diversity metrics for generative models." ICML, 2020.
    """
    if judge is not None:
        warnings.warn("judge is deprecated, use feature_extractor", FutureWarning, stacklevel=2)
        feature_extractor = judge
    images = _check(model, X, n_samples, feature_extractor)
    names, classes = _classes(y, len(images))
    learned, kept = _halves(len(images), random_state)
    new, requested = _sampled(model, n_samples, names, random_state)
    if feature_extractor == "inception":
        names = classes = None  # it was trained on other classes
    given = {"learned": images[learned], "real": images[kept], "new": new}
    known = None if classes is None else classes[learned]
    extractor = _extractor(feature_extractor, given, known, inception_weights, random_state)
    extracted = {name: extractor.extract(part) for name, part in given.items()}
    features, probabilities = ({name: pair[i] for name, pair in extracted.items()} for i in (0, 1))
    modes, shares = find_modes(features, probabilities, names, random_state)
    copies, originals = _closest_pairs(features, new, given["learned"])
    return GenerativeReport(
        figures=_figures(features, None if names is None else probabilities, random_state),
        feature_extractor=extractor.name,
        classifier_accuracy=None if classes is None else _accuracy(modes["real"], classes[kept]),
        n_real=len(kept),
        n_new=n_samples,
        n_modes=len(shares["new"]),
        n_found=n_found(shares),
        by_class=class_quality(names, features, modes, shares, requested),
        new=copies,
        nearest=originals,
        notes=_notes(len(kept), n_samples),
    )


def _check(model: Generator, X: Any, n_samples: int, feature_extractor: str) -> Images:
    """Return the real images as an array.

    Raises
    ------
    DataError
        When there are too few images, or their shape is not that of the model.
    ParameterError
        When a parameter has a value that it cannot have, or the model generates tables.
    """
    check_is_fitted(model, "codec_")
    check_arguments(n_samples=n_samples)
    if model.codec_.kind != "image":
        raise ParameterError("model generates rows of a table: use evaluate_augmentation for it")
    if feature_extractor not in FEATURE_EXTRACTORS:
        known = ", ".join(map(shown, FEATURE_EXTRACTORS))
        raise ParameterError(
            f"feature_extractor={shown(feature_extractor)}: must be one of {known}"
        )
    images = np.asarray(X)
    if images.shape[1:] != model.codec_.shape:
        raise DataError(f"images of shape {images.shape[1:]}, in training {model.codec_.shape}")
    if min(len(images) // 2, n_samples) < MIN_IMAGES:
        raise DataError(
            f"{len(images)} real images and {n_samples} new ones: at least {2 * MIN_IMAGES} and "
            f"{MIN_IMAGES} are needed"
        )
    return images


def _classes(y: Any, n: int) -> tuple[NDArray[Any] | None, NDArray[np.int64] | None]:
    """Return the names of the classes, and the number of each image's class.

    Raises
    ------
    DataError
        When labels and images differ in number, or there is one class only.
    """
    if y is None:
        return None, None
    if len(y) != n:
        raise DataError(f"y has {len(y)} labels for {n} images")
    names, classes = np.unique(np.asarray(y), return_inverse=True)
    if len(names) < 2:
        raise DataError(f"y has the label {shown(names.tolist()[0])} alone: two classes are needed")
    return names, classes.astype(np.int64)


def _halves(n: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    order = numpy_stream(seed, "halves").permutation(n)
    first, second = np.array_split(order, 2)
    return np.sort(first), np.sort(second)


def _extractor(
    kind: str,
    images: dict[str, Images],
    classes: NDArray[np.int64] | None,
    weights: str | os.PathLike[str] | None,
    seed: int,
) -> FeatureExtractor:
    """Return a feature extractor; "own" is trained on the images "learned" and their classes."""
    if kind == "inception":
        return InceptionFeatureExtractor(
            np.concatenate([images["learned"], images["real"]]), weights
        )
    return LearnedFeatureExtractor(images["learned"], classes, seed)


def _sampled(
    model: Generator, n: int, names: NDArray[Any] | None, seed: int
) -> tuple[Images, NDArray[np.int64] | None]:
    """Return new images and, from a model with classes, the number of each one's class.

    Raises
    ------
    DataError
        When the model was trained on other classes.
    """
    random = np.random.RandomState(derive_seed(seed, "sample") % 2**32)
    known = getattr(model, "classes_", None)
    if known is None:
        return model.sample(n, random_state=random), None
    if names is not None and set(names.tolist()) != set(known.tolist()):
        listed = ", ".join(map(shown, known[:5].tolist()))
        raise DataError(f"y has other classes than in training, which were {listed}")
    images, labels = model.sample(n, random_state=random)
    return images, None if names is None else np.searchsorted(names, labels)


def _accuracy(predicted: NDArray[np.int64], classes: NDArray[np.int64]) -> float:
    return float((predicted == classes).mean())


def _figures(
    features: dict[str, Array], probabilities: dict[str, Array] | None, seed: int
) -> dict[str, dict[str, float | None]]:
    """Return the figures of new images, and of real ones in their place."""
    real = features["real"]
    some, others = np.array_split(real[:MAX_ROWS], 2)
    found: dict[str, dict[str, float | None]] = {}
    for kind, name in HALVES.items():
        rows = features[name]
        enough = min(len(real), len(rows)) >= MIN_FRECHET
        n = min(len(real), len(rows), MAX_ROWS)
        compared = some if kind == "real" else rows[:MAX_ROWS]
        found[kind] = {
            "fid": frechet_distance(real, rows) if enough else None,
            "kid": kernel_distance(real, rows, seed)[0],
            "classifier_score": None
            if probabilities is None
            else classifier_score(probabilities[name]),
            **prdc(real[:n], rows[:n]),
            "near_copies": near_copies(features["learned"], others, compared),
        }
    return {name: {kind: found[kind][name] for kind in found} for name in FIGURES}


def _closest_pairs(features: dict[str, Array], new: Images, real: Images) -> tuple[Images, Images]:
    """Return the new images closest to a real one, the closest first, and those real ones."""
    rows, own = (torch.from_numpy(features[name]) for name in ("new", "learned"))
    nearest = distances(rows[:MAX_ROWS], own, 1)[:, 0].argsort()[:N_SHOWN]
    of = torch.cdist(rows[nearest], own).argmin(dim=1)
    return new[nearest.numpy()], real[of.numpy()]


def _notes(n_real: int, n_new: int) -> tuple[str, ...]:
    n = min(n_real, n_new)
    if n >= MIN_FRECHET:
        return ()
    return (f"FID is not computed: it needs {MIN_FRECHET:,} images of each kind, there are {n}",)
