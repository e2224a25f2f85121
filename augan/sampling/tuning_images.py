"""Copies of images, new ones, or nothing: by cross-validation in the training images."""

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

FEW = 2 * N_FOLDS  # images of a class, below which nothing is measured
MAX_IMAGES, MAX_BYTES = 2000, 2**28  # of a class, and of all classes together


@dataclass(frozen=True)
class ImageCandidate:
    """Classes made equal by copies; `share` of each is new then, at `spread` times the spread.

    New images are reflected as `symmetry` says.
    """

    share: float
    spread: float
    symmetry: str | None = None


DEFAULT = ImageCandidate(0.5, 1)
CANDIDATES = (ImageCandidate(0, 1), ImageCandidate(0.25, 0.25), ImageCandidate(0.5, 0.5), DEFAULT)
REFLECTED = ((0.75, 0.25), (0.75, 1))  # shares and spreads of those with a symmetry


def candidates(symmetry: str | None, *, is_square: bool) -> tuple[ImageCandidate, ...]:
    """Return what is tried: all with `symmetry`, or with "auto" none and the largest there is."""
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
    """Measure each candidate on held-out real images, if there are folds: the classes' mean F1.

    New images start from those of the training folds alone. Networks of other methods than "data"
    have seen the held-out ones too: their gains are on the high side. Of classes with very many
    images so many take part that it stays a matter of minutes.

    Parameters
    ----------
    images : ndarray of shape (m, H, W[, C])
        The pool's images as they came.
    pool : Pool
        Draws new images.
    sizes : ndarray of shape (n_classes,)
        How many images each class is to have, the new ones aside.
    decode : callable
        Makes images of encoded ones.
    classifier : "auto" or classifier
        What the images are for; "auto" is a small convolutional network. Any other sees them as
        rows of pixels.
    spread : float
        What a candidate's spread is times of.
    symmetry : {"auto", "flips", "dihedral"} or None
        How new images are reflected; "auto": to be found out.
    groups : ndarray of shape (m,) or None
        Which of the pool's images belong together.
    seed : int
        Seed of folds, classifiers and images.
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
    """Training images, and held-out ones to score a classifier on."""

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
        """Return the mean F1 of the classes, trained with other `images` as well."""
        model = _Rows(self.classifier, self.seed)
        model.fit(np.concatenate([self.train, images]), np.concatenate([self.y_train, labels]))
        return float(f1_score(self.y_test, model.predict(self.test), average="macro"))


class _Rows:
    """A classifier of images, or one of rows that sees their pixels."""

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
