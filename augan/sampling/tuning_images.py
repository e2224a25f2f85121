"""The choice between copies, new images or none, by cross-validation in the training images."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.metrics import f1_score

from augan._random import derive_seed, numpy_stream, torch_stream
from augan.classifiers.images import ImageClassifier
from augan.sampling.pool import Pool
from augan.sampling.shares import Counts, draw_copies, split_added
from augan.sampling.tuning import N_FOLDS, Trial, means_and_errors, split_folds

Images = NDArray[Any]
Decode = Callable[[torch.Tensor], Images]

FEW = 2 * N_FOLDS  # images of a class; fewer cannot be cross-validated
MAX_IMAGES, MAX_BYTES = 2000, 2**28  # images of a class, memory of all classes


@dataclass(frozen=True)
class ImageCandidate:
    """Classes are made equal by copies; then new images are added until they are `share` of each.

    New images have `spread` times the spread, and `symmetry`.
    """

    share: float
    spread: float
    symmetry: str | None = None


DEFAULT = ImageCandidate(0.5, 1)
CANDIDATES = (ImageCandidate(0, 1), ImageCandidate(0.25, 0.25), ImageCandidate(0.5, 0.5), DEFAULT)
REFLECTED = ((0.75, 0.25), (0.75, 1))  # shares and spreads of candidates with a symmetry


def candidates(symmetry: str | None, *, is_square: bool) -> tuple[ImageCandidate, ...]:
    """Return the candidates: with `symmetry`, or for "auto" without and with the largest one."""
    if symmetry != "auto":
        return tuple(replace(one, symmetry=symmetry) for one in CANDIDATES)
    largest = "dihedral" if is_square else "flips"
    return CANDIDATES + tuple(ImageCandidate(share, spread, largest) for share, spread in REFLECTED)


def try_image_candidates(
    images: Images,
    pool: Pool,
    sizes: Counts,
    decode: Decode,
    *,
    classifier: Any,
    spread: float,
    symmetry: str | None,
    groups: Counts | None,
    seed: int,
) -> list[Trial]:
    """Evaluate each candidate by cross-validation on real images, by the mean F1 of the classes.

    New images are made from the training folds only. With other methods than "data", networks were
    trained on the held-out images too, so the gains are optimistic. Large classes are subsampled.

    Parameters
    ----------
    images : ndarray of shape (m, H, W[, C])
        The pool's images, not encoded.
    pool : Pool
        Source of new images.
    sizes : ndarray of shape (n_classes,)
        Number of images and copies of each class.
    decode : callable
        Function from encoded images to images.
    classifier : "auto" or classifier
        The classifier; "auto" is a small convolutional network. Others are given rows of pixels.
    spread : float
        Spread of the sampler.
    symmetry : {"auto", "flips", "dihedral"} or None
        Symmetry of new images; "auto" tries some.
    groups : ndarray of shape (m,) or None
        Groups of the pool's images.
    seed : int
        Seed of folds, classifiers and images.

    Returns
    -------
    trials : list of Trial
        The result of each candidate; empty if there are no folds.
    """
    codes = pool.labels.numpy()
    share_of_memory = MAX_BYTES // (images[0].nbytes * pool.n_classes)
    some = _at_most(codes, max(min(MAX_IMAGES, share_of_memory), FEW), seed)
    folds = split_folds(codes[some], None if groups is None else groups[some], seed)
    assert pool.spec.kind == "image"
    tried = candidates(symmetry, is_square=len({*pool.spec.inner}) == 1)
    gains = []
    for i, (train, test) in enumerate(folds):
        train, test = np.sort(some[train]), some[test]
        part = pool.only(torch.from_numpy(train))
        fold = _Fold(images, codes, train, test, classifier, seed)
        own = np.bincount(codes[train], minlength=pool.n_classes)
        added = np.maximum(np.rint(sizes / sizes.max() * own.max()).astype(np.intp) - own, 0)
        alone = fold.score(images[:0], codes[:0])
        found = []
        for candidate in tried:
            copies, new = split_added(own, added, candidate.share)
            copied = train[draw_copies(codes[train], copies, numpy_stream(seed, f"copies {i}"))]
            random = torch_stream(seed, f"tuning {i} {candidate}")
            reflected, wanted = part.reflected(candidate.symmetry), dict(enumerate(new.tolist()))
            made = decode(reflected.draw(wanted, candidate.spread * spread, random))
            labels = np.concatenate([codes[copied], np.repeat(np.arange(len(new)), new)])
            found.append(fold.score(np.concatenate([images[copied], made]), labels) - alone)
        gains.append(found)
    return [
        Trial(math.inf, c.spread, *found, c.share, c.symmetry)
        for c, found in zip(tried, means_and_errors(gains), strict=bool(gains))
    ]


class _Fold:
    """Training and held-out images of a fold, on which a classifier is evaluated."""

    def __init__(
        self,
        images: Images,
        codes: Counts,
        train: Counts,
        test: Counts,
        classifier: Any,
        seed: int,
    ) -> None:
        self.train, self.y_train = images[train], codes[train]
        self.test, self.y_test = images[test], codes[test]
        self.classifier, self.seed = classifier, derive_seed(seed, "classifier") % 2**32

    def score(self, images: Images, labels: Counts) -> float:
        """Return the mean F1 of the classes after training with added `images`."""
        model = _Rows(self.classifier, self.seed)
        model.fit(np.concatenate([self.train, images]), np.concatenate([self.y_train, labels]))
        return float(f1_score(self.y_test, model.predict(self.test), average="macro"))


class _Rows:
    """A classifier of images, or a classifier of rows that is given their pixels."""

    def __init__(self, classifier: Any, seed: int) -> None:
        self.sees_images = isinstance(classifier, str)
        self.model = ImageClassifier(random_state=seed) if self.sees_images else clone(classifier)

    def fit(self, images: Images, codes: Counts) -> None:
        self.model.fit(self._seen(images), codes)

    def predict(self, images: Images) -> Counts:
        found: Counts = self.model.predict(self._seen(images))
        return found

    def _seen(self, images: Images) -> Images:
        return images if self.sees_images else images.reshape(len(images), -1)


def _at_most(codes: Counts, n: int, seed: int) -> Counts:
    """Return indices of at most `n` images of each class."""
    random = numpy_stream(seed, "tuned")
    kept = [random.permutation(np.flatnonzero(codes == code))[:n] for code in np.unique(codes)]
    return np.sort(np.concatenate(kept))
