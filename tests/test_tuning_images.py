"""Which images are added is chosen by what they are worth to a classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

import augan
from augan import GANSampler
from augan.evaluation.image_classifier import ImageClassifier
from augan.exceptions import ParameterError
from augan.sampling.tuning import best_of
from augan.sampling.tuning_images import CANDIDATES, FEW


@pytest.fixture(scope="module")
def uneven() -> tuple[np.ndarray, np.ndarray]:
    """Ones, sevens and few eights: 60, 60 and 12 images of 8 x 8 pixels."""
    digits = load_digits()
    kept = [np.flatnonzero(digits.target == k)[:n] for k, n in ((1, 60), (7, 60), (8, 12))]
    rows = np.concatenate(kept)
    return digits.images[rows].astype(np.uint8), digits.target[rows]


class OnlyOf(LogisticRegression):
    """A classifier that is right when its training rows are as it wants them."""

    def __init__(self, want: str = "copies", max_iter: int = 500) -> None:
        super().__init__(max_iter=max_iter)
        self.want = want

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> OnlyOf:
        super().fit(X, y)
        share_of_distinct = len(np.unique(X, axis=0)) / len(X)
        balanced = len(set(np.bincount(y).tolist())) == 1
        distinct = share_of_distinct > 0.85
        self.right = balanced and distinct == (self.want == "new")
        return self

    def predict(self, X: Any) -> Any:
        return super().predict(X) if self.right else np.zeros(len(X), dtype=int)


def test_nothing_is_added_for_a_classifier_that_learns_nothing(uneven: Any) -> None:
    X, y = uneven
    sampler = GANSampler(tune_for=DummyClassifier(strategy="prior"), spread=2.0, random_state=0)
    X_new, y_new = sampler.fit_resample(X, y)
    assert np.array_equal(X_new, X) and np.array_equal(y_new, y)
    assert sampler.synthetic_share_ is None and sampler.spread_ == 2.0
    assert set(sampler.sampling_strategy_.values()) == {0}
    assert [trial.gain for trial in sampler.tuning_] == [0.0] * len(CANDIDATES)
    new, labels = sampler.sample({8: 5})  # what is asked for is made all the same
    assert new.shape == (5, 8, 8) and labels.tolist() == [8] * 5


def test_copies_are_added_where_only_they_help(uneven: Any) -> None:
    X, y = uneven
    sampler = GANSampler(tune_for=OnlyOf("copies"), random_state=0)
    X_new, y_new = sampler.fit_resample(X, y)
    assert sampler.synthetic_share_ == 0 and np.bincount(y_new).max() == 60
    assert len(X_new) == 180 and np.array_equal(X_new[: len(X)], X)
    real = {image.tobytes() for image in X}
    assert all(image.tobytes() in real for image in X_new)


def test_new_images_are_added_where_they_help(uneven: Any) -> None:
    X, y = uneven
    sampler = GANSampler(tune_for=OnlyOf("new"), random_state=0, spread=0.8)
    _, y_new = sampler.fit_resample(X, y)
    best = best_of(sampler.tuning_)
    assert best is not None and best.share == 0.5 == sampler.synthetic_share_
    assert sampler.spread_ == 0.8 * best.spread
    assert np.bincount(y_new)[[1, 7, 8]].tolist() == [120, 120, 120]
    assert sampler.copies_ == {1: 0, 7: 0, 8: 48}


def test_the_own_classifier_decides_the_same_again_and_a_file_keeps_it(
    uneven: Any, tmp_path: Path
) -> None:
    X, y = uneven
    sampler = GANSampler(tune_for="auto", random_state=0)
    first, _ = sampler.fit_resample(X, y)
    again = clone(sampler)
    second, _ = again.fit_resample(X, y)
    assert np.array_equal(first, second) and again.tuning_ == sampler.tuning_
    assert [trial.share for trial in sampler.tuning_] == [c.share for c in CANDIDATES]
    sampler.save(tmp_path / "s.augan")
    loaded = augan.load(tmp_path / "s.augan")
    assert loaded.tuning_ == sampler.tuning_
    assert loaded.synthetic_share_ == sampler.synthetic_share_


def test_of_very_few_images_nothing_is_measured(uneven: Any) -> None:
    X, y = uneven
    kept = np.flatnonzero(y != 8).tolist() + np.flatnonzero(y == 8)[: FEW - 1].tolist()
    sampler = GANSampler(tune_for="auto", random_state=0)
    _, y_new = sampler.fit_resample(X[kept], y[kept])
    assert sampler.tuning_ is None and np.bincount(y_new)[8] == 120


@pytest.mark.parametrize("share", [None, 0.25])
def test_the_share_is_what_tuning_chooses(uneven: Any, share: Any) -> None:
    with pytest.raises(ParameterError, match="tune_for and synthetic_share: give one of them"):
        GANSampler(tune_for="auto", synthetic_share=share).fit(*uneven)


def test_the_classifier_of_images_tells_digits_apart() -> None:
    digits = load_digits()
    X, held_out, y, true = train_test_split(
        digits.images, np.array(list("abcdefghij"))[digits.target], random_state=0
    )
    model = ImageClassifier(n_steps=500).fit(X, y)
    assert model.score(held_out, true) > 0.93
    assert np.allclose(model.predict_proba(held_out).sum(axis=1), 1)
    assert np.array_equal(
        ImageClassifier(n_steps=500).fit(X, y).predict(held_out), model.predict(held_out)
    )
