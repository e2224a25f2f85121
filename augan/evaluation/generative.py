"""How good the images are that a model makes: `augan evaluate --generative`."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.utils.validation import check_is_fitted

from augan._random import derive_seed, numpy_stream
from augan.estimators._params import check_params
from augan.evaluation.feature_extractor import Array, Images, InceptionJudge, Judge, OwnJudge
from augan.evaluation.frechet import classifier_score, frechet_distance, kernel_distance
from augan.evaluation.prdc import K, near_copies, reach
from augan.exceptions import DataError, ParameterError, shown
from augan.sampling.filters import distances

MIN_FRECHET = 2048  # images of each kind, below which the distance says more of their number
MIN_IMAGES = 20  # to judge by
MAX_ROWS = 5000  # of each kind, to measure distances between
N_CLUSTERS = 20  # that stand for modes where there are no classes
FOUND = 0.1  # of a mode's share in real images, from which on it is found
N_SHOWN = 10
FIGURES = {
    "fid": "Frechet distance to real images (FID), lower is better",
    "kid": "kernel distance to real images (KID), lower is better",
    "classifier_score": "classifier score (as the Inception score), at most the number of classes",
    "precision": "images inside the reach of real ones",
    "recall": "real images inside the reach of these",
    "density": "real images whose reach one is in, of those it could be",
    "coverage": "real images with one in reach",
    "near_copies": "images nearer to a real one than 95 % of other real ones",
}
JUDGES = ("own", "inception")
STANDING_IN = {"new": "new", "real": "learned"}  # what each kind of figure is of
PICTURES = ("new", "nearest")  # attributes of a report that are images


@dataclass(frozen=True)
class ClassQuality:
    """How the images of one class are.

    Attributes
    ----------
    name : str
        The class.
    real_share, new_share : float
        Its share of real images, and of new ones, by the judge.
    agreement : float or None
        Share of the images that were asked for as this class that the judge takes for it; None
        of a model that cannot be asked.
    precision, coverage : float or None
        As of all images, within the class; None where there are too few.
    """

    name: str
    real_share: float
    new_share: float
    agreement: float | None
    precision: float | None
    coverage: float | None


@dataclass(frozen=True)
class GenerativeReport:
    """What `evaluate_generator` found.

    Attributes
    ----------
    figures : dict of str to dict
        Each figure for "new" images and, beside it, for "real" ones that stand in for them; None
        where it is refused, or there are no classes.
    judge : str
        What the features are of.
    judge_accuracy : float or None
        Share of the real images whose class it tells, of those that it has not learned from.
    n_real, n_new : int
        How many images were compared.
    n_modes, n_found : int
        Classes, or clusters where there are none, and how many of them are among the new images:
        those with at least a tenth of their share in real ones.
    by_class : tuple of ClassQuality
        Of classes, where there are any.
    new, nearest : ndarray of shape (10, H, W[, C])
        The new images that are nearest to a real one, and that one: what is learned by heart
        is here.
    notes : tuple of str
        What was refused, and why.
    """

    figures: dict[str, dict[str, float | None]]
    judge: str
    judge_accuracy: float | None
    n_real: int
    n_new: int
    n_modes: int
    n_found: int
    by_class: tuple[ClassQuality, ...]
    new: Images = field(repr=False)
    nearest: Images = field(repr=False)
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the images as JSON values."""
        values = {name: value for name, value in vars(self).items() if name not in PICTURES}
        return values | {
            "by_class": [asdict(part) for part in self.by_class],
            "notes": list(self.notes),
        }


def evaluate_generator(
    model: Any,
    X: Any,
    y: Any = None,
    *,
    n_samples: int = 10_000,
    judge: str = "own",
    inception_weights: str | os.PathLike[str] | None = None,
    random_state: int = 0,
) -> GenerativeReport:
    """Measure how good the images are that a fitted model makes.

    One half of the real images teaches the judge, whose features the figures are of; new images
    are compared with the other half. Each figure stands beside that of the first half in place of
    the new images: what perfect ones would have.

    Parameters
    ----------
    model : FAnoGAN, AnoGAN or GANSampler
        Fitted to images.
    X : ndarray of shape (n, H, W[, C])
        Real images, such as those that the model learned from; at least 40.
    y : array-like of shape (n,), optional
        Their classes: the judge learns to tell them, instead of turns and shifts, and there are
        figures of each.
    n_samples : int, default=10000
        How many new images to judge. The Frechet distance is refused under 2,048, of either kind.
    judge : {"own", "inception"}, default="own"
        Whose features: a small classifier's that learns from `X`, or torchvision's Inception v3.
    inception_weights : path-like, optional
        File with its weights; None is the cache of ``torch.hub``. Nothing is downloaded.
    random_state : int, default=0
        Seed of the halves, the judge and the new images.

    Returns
    -------
    report : GenerativeReport
        Frechet distance [1]_, kernel distance [2]_, classifier score [3]_, precision and recall
        [4]_, density and coverage [5]_, near copies, modes and classes.

    Raises
    ------
    DataError
        When there are too few images, or of another shape than the model's.
    ParameterError
        When a parameter has a value that it cannot have, or the model makes tables.

    References
    ----------
    .. [1] Heusel et al. "GANs trained by a two time-scale update rule converge to a local Nash
       equilibrium." NeurIPS, 2017.
    .. [2] Binkowski, Sutherland, Arbel and Gretton. "Demystifying MMD GANs." ICLR, 2018.
    .. [3] Salimans et al. "Improved techniques for training GANs." NeurIPS, 2016.
    .. [4] Kynkaanniemi et al. "Improved precision and recall metric for assessing generative
       models." NeurIPS, 2019.
    .. [5] Naeem et al. "Reliable fidelity and diversity metrics for generative models." ICML, 2020.
    """
    images = _check(model, X, n_samples, judge)
    names, classes = _classes(y, len(images))
    order = numpy_stream(random_state, "halves").permutation(len(images))
    learned, kept = (np.sort(half) for half in np.array_split(order, 2))
    new, asked = _sampled(model, n_samples, names, random_state)
    if judge == "own":
        told = None if classes is None else classes[learned]
        reader: Judge = OwnJudge(images[learned], told, random_state)
    else:
        reader = InceptionJudge(images, inception_weights)
    read = {
        name: reader.read(part)
        for name, part in (("learned", images[learned]), ("real", images[kept]), ("new", new))
    }
    features = {name: part for name, (part, _) in read.items()}
    told_classes = judge == "own" and classes is not None
    if told_classes:
        assert names is not None and classes is not None
        mode_of = {name: found.argmax(axis=1) for name, (_, found) in read.items()}
        accuracy = float((mode_of["real"] == classes[kept]).mean())
    else:
        mode_of, accuracy = _clusters(features, random_state), None
    figures = _figures(features, random_state)
    if told_classes:
        for kind, name in STANDING_IN.items():
            figures["classifier_score"][kind] = classifier_score(read[name][1])
    n_modes = 1 + max(int(of.max()) for of in mode_of.values()) if names is None else len(names)
    shares = {name: np.bincount(of, minlength=n_modes) / len(of) for name, of in mode_of.items()}
    return GenerativeReport(
        figures,
        reader.name,
        accuracy,
        *(len(kept), n_samples),
        *(n_modes, int((shares["new"] >= FOUND * shares["real"]).sum())),
        _by_class(names, features, mode_of, shares, asked) if told_classes else (),
        *_nearest(features, new, images[learned]),
        _notes(len(kept), n_samples),
    )


def _check(model: Any, X: Any, n_samples: int, judge: str) -> Images:
    """Return the real images, as an array that the model could have been fitted to."""
    check_is_fitted(model, "codec_")
    check_params({"n_samples": n_samples})
    if model.codec_.kind != "image":
        raise ParameterError("model: makes rows of a table; evaluate_augmentation judges these")
    if judge not in JUDGES:
        raise ParameterError(
            f"judge={shown(judge)}: must be one of {', '.join(map(shown, JUDGES))}"
        )
    images = np.asarray(X)
    if images.shape[1:] != model.codec_.shape:
        raise DataError(f"images of shape {images.shape[1:]}, in training {model.codec_.shape}")
    if min(len(images) // 2, n_samples) < MIN_IMAGES:
        raise DataError(
            f"{len(images)} real images and {n_samples} new ones: judging needs at least "
            f"{2 * MIN_IMAGES} and {MIN_IMAGES}"
        )
    return images


def _classes(y: Any, n: int) -> tuple[NDArray[Any] | None, NDArray[np.int64] | None]:
    """Return the names of the classes, and the number of each image's."""
    if y is None:
        return None, None
    if len(y) != n:
        raise DataError(f"y has {len(y)} labels for {n} images")
    names, classes = np.unique(np.asarray(y), return_inverse=True)
    if len(names) < 2:
        raise DataError(
            f"y: {shown(names.tolist()[0])} in every image, judging by classes needs two"
        )
    return names, classes.astype(np.int64)


def _sampled(
    model: Any, n: int, names: NDArray[Any] | None, seed: int
) -> tuple[Images, NDArray[np.int64] | None]:
    """Return new images and, of a model that can be asked for classes, the number of each one's."""
    random = np.random.RandomState(derive_seed(seed, "sample") % 2**32)
    if not hasattr(model, "classes_"):
        return model.sample(n, random_state=random), None
    if names is not None and set(names.tolist()) != set(model.classes_.tolist()):
        known = ", ".join(map(shown, model.classes_[:5].tolist()))
        raise DataError(f"y: other classes than in training, which were {known}")
    images, labels = model.sample(n, random_state=random)
    return images, None if names is None else np.searchsorted(names, labels)


def _figures(features: dict[str, Array], seed: int) -> dict[str, dict[str, float | None]]:
    """Return the figures of new images beside those of real ones in their place."""
    real, found = features["real"], {}
    some, others = np.array_split(_some(real), 2)
    for kind, name in STANDING_IN.items():
        rows = features[name]
        enough = min(len(real), len(rows)) >= MIN_FRECHET
        n = min(len(real), len(rows), MAX_ROWS)
        found[kind] = {
            "fid": frechet_distance(real, rows) if enough else None,
            "kid": kernel_distance(real, rows, seed)[0],
            "classifier_score": None,
            **reach(real[:n], rows[:n]),
            "near_copies": near_copies(
                *(features["learned"], others), some if kind == "real" else _some(rows)
            ),
        }
    return {name: {kind: found[kind][name] for kind in found} for name in FIGURES}


def _clusters(features: dict[str, Array], seed: int) -> dict[str, NDArray[np.int64]]:
    """Return the number of each image's cluster, of those of the real images' features."""
    own = derive_seed(seed, "clusters") % 2**32
    n = min(N_CLUSTERS, len(features["learned"]) // 2)
    model = KMeans(n, n_init=1, random_state=own).fit(features["learned"])
    return {name: model.predict(rows).astype(np.int64) for name, rows in features.items()}


def _by_class(
    names: NDArray[Any] | None,
    features: dict[str, Array],
    mode_of: dict[str, NDArray[np.int64]],
    shares: dict[str, Array],
    asked: NDArray[np.int64] | None,
) -> tuple[ClassQuality, ...]:
    """Return the figures of each class: of new images asked for as such, or that look so."""
    assert names is not None
    given = mode_of["new"] if asked is None else asked
    found = []
    for i, name in enumerate(names.tolist()):
        real, new = features["real"][mode_of["real"] == i], features["new"][given == i]
        n = min(len(real), len(new), MAX_ROWS)
        near = reach(real[:n], new[:n]) if n > K else {"precision": None, "coverage": None}
        agree = None
        if asked is not None and len(new):
            agree = float((mode_of["new"][given == i] == i).mean())
        found.append(
            ClassQuality(
                *(str(name), float(shares["real"][i]), float(shares["new"][i])),
                *(agree, near["precision"], near["coverage"]),
            )
        )
    return tuple(found)


def _nearest(features: dict[str, Array], new: Images, real: Images) -> tuple[Images, Images]:
    """Return the new images that are nearest to a real one, the nearest first, and that one."""
    rows, own = (torch.from_numpy(features[name]) for name in ("new", "learned"))
    nearest = distances(rows[:MAX_ROWS], own, 1)[:, 0].argsort()[:N_SHOWN]
    of = torch.cdist(rows[nearest], own).argmin(dim=1)
    return new[nearest.numpy()], real[of.numpy()]


def _notes(n_real: int, n_new: int) -> tuple[str, ...]:
    n = min(n_real, n_new)
    if n >= MIN_FRECHET:
        return ()
    return (f"FID is refused: of {n} images it says how few they are; {MIN_FRECHET:,} are enough",)


def _some(rows: Array) -> Array:
    return rows[:MAX_ROWS]
