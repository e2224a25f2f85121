"""Which images are added is chosen by what they are worth to a classifier."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

import augan
from augan import GANSampler
from augan.classifiers.images import ImageClassifier
from augan.exceptions import ParameterError
from augan.sampling.tuning import best_of
from augan.sampling.tuning_images import FEW, candidates


@pytest.fixture(scope="module")
def uneven() -> tuple[np.ndarray, np.ndarray]:
    """Ones, sevens and few eights: 60, 60 and 12 images of 8 x 8 pixels."""
    digits = load_digits()
    kept = [np.flatnonzero(digits.target == k)[:n] for k, n in ((1, 60), (7, 60), (8, 12))]
    rows = np.concatenate(kept)
    return digits.images[rows].astype(np.uint8), digits.target[rows]


class OnlyOf(LogisticRegression):
    """A classifier that is right when its training rows are as it wants them."""

    def __init__(self, want: str = "copies", max_iter: int = 5000) -> None:
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
    tried = candidates("auto", is_square=True)
    assert [trial.gain for trial in sampler.tuning_] == [0.0] * len(tried)
    assert [trial.symmetry for trial in sampler.tuning_] == [one.symmetry for one in tried]
    assert sampler.symmetry_ is None
    new, labels = sampler.sample({8: 5})  # what is asked for is made all the same
    assert new.shape == (5, 8, 8) and labels.tolist() == [8] * 5


def test_copies_are_added_where_only_they_help(uneven: Any, tmp_path: Path) -> None:
    X, y = uneven
    sampler = GANSampler(tune_for=OnlyOf("copies"), random_state=0)
    X_new, y_new = sampler.fit_resample(X, y)
    assert sampler.synthetic_share_ == 0 and np.bincount(y_new).max() == 60
    assert len(X_new) == 180 and np.array_equal(X_new[: len(X)], X)
    real = {image.tobytes() for image in X}
    assert all(image.tobytes() in real for image in X_new)
    sampler.save(tmp_path / "s.augan")
    assert augan.load(tmp_path / "s.augan").synthetic_share_ == 0


def test_new_images_are_added_where_they_help(uneven: Any) -> None:
    X, y = uneven
    sampler = GANSampler(tune_for=OnlyOf("new"), random_state=0, spread=0.8)
    _, y_new = sampler.fit_resample(X, y)
    best = best_of(sampler.tuning_)
    assert best is not None and best.share == 0.5 == sampler.synthetic_share_
    assert sampler.spread_ == 0.8 * best.spread
    assert np.bincount(y_new)[[1, 7, 8]].tolist() == [120, 120, 120]
    assert sampler.copies_ == {1: 0, 7: 0, 8: 48}


@pytest.mark.slow  # by default with other classifiers: see above
def test_the_own_classifier_decides_the_same_again_and_a_file_keeps_it(
    uneven: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = partial(ImageClassifier, n_steps=15)
    monkeypatch.setattr("augan.sampling.tuning_images.ImageClassifier", quick)
    X, y = uneven
    sampler = GANSampler(tune_for="auto", random_state=0)
    first, _ = sampler.fit_resample(X, y)
    again = clone(sampler)
    second, _ = again.fit_resample(X, y)
    assert np.array_equal(first, second) and again.tuning_ == sampler.tuning_
    tried = candidates("auto", is_square=True)
    assert [trial.share for trial in sampler.tuning_] == [one.share for one in tried]
    sampler.save(tmp_path / "s.augan")
    loaded = augan.load(tmp_path / "s.augan")
    assert loaded.tuning_ == sampler.tuning_
    assert loaded.synthetic_share_ == sampler.synthetic_share_
    assert loaded.symmetry_ == sampler.symmetry_


@pytest.fixture(scope="module")
def parts() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Twelve parts with a bar, twelve with a bar and a slant, four photographs of each.

    A part lies one of four ways, the same in all of its photographs.
    """
    random = np.random.default_rng(0)
    images, labels = np.zeros((96, 9, 9)), np.repeat([0, 1], 48)
    shown = np.repeat(np.arange(24), 4)
    images[:, 1, 1:8] = 200
    images[48:, range(1, 8), range(1, 8)] = 200
    for part in range(24):
        own = shown == part
        images[own] = np.rot90(images[own], random.integers(4), axes=(1, 2))
    noisy = images + random.integers(0, 40, images.shape)
    return noisy.astype(np.uint8), labels, shown


def test_how_images_are_reflected_is_found_on_parts_that_were_not_seen(parts: Any) -> None:
    X, y, shown = parts
    few = shown % 12 < 4  # so that parts of a class lie in few of the ways
    X, y, shown = X[few], y[few], shown[few]
    sampler = GANSampler(tune_for=KNeighborsClassifier(1), random_state=0)
    new, _ = sampler.fit_resample(X, y, groups=shown)
    assert sampler.symmetry_ == "dihedral" and sampler.synthetic_share_ == 0.75
    assert len(new) == 4 * len(X)
    gains = {trial.symmetry: trial.gain for trial in sampler.tuning_}
    assert gains["dihedral"] > gains[None] + 0.1
    sampler.fit(X, y)  # now each held-out image has a twin to learn from
    assert sampler.synthetic_share_ is None and sampler.symmetry_ is None


def test_every_candidate_is_reflected_as_asked() -> None:
    assert {one.symmetry for one in candidates("flips", is_square=True)} == {"flips"}
    assert {one.symmetry for one in candidates(None, is_square=True)} == {None}
    assert {one.symmetry for one in candidates("auto", is_square=True)} == {None, "dihedral"}
    assert {one.symmetry for one in candidates("auto", is_square=False)} == {None, "flips"}


@pytest.mark.parametrize("method", ["data", "latent"])
def test_symmetry_reflects_new_images_and_a_file_keeps_it(method: str, tmp_path: Path) -> None:
    """The bar of these images is at the top; where they may lie any way it is at each side."""
    X = np.zeros((40, 10, 10), dtype=np.uint8)  # padded to 12 pixels for the networks
    X[:, 1, 2:8] = 200
    y = np.repeat([0, 1], 20)
    quick = {
        "max_steps": 20,
        "encoder_steps": 20,
        "width": 8,
        "spread": 0.0,
        "random_state": 0,
        "method": method,
    }
    seen = {}
    for symmetry in (None, "flips", "dihedral"):
        sampler = GANSampler(symmetry=symmetry, **quick).fit(X, y)
        assert sampler.symmetry_ == symmetry
        sampler.save(tmp_path / "s.augan")
        new, _ = augan.load(tmp_path / "s.augan").sample({0: 200}, random_state=1)
        assert np.array_equal(new, sampler.sample({0: 200}, random_state=1)[0])
        edges = new[:, 1, 2:8], new[:, 8, 2:8], new[:, 2:8, 1], new[:, 2:8, 8]
        brightest = np.argmax([edge.mean(axis=1) for edge in edges], axis=0)
        seen[symmetry] = np.bincount(brightest, minlength=4)
    assert seen[None].tolist() == [200, 0, 0, 0]
    assert seen["flips"][2:].sum() == 0 and min(seen["flips"][:2]) > 70
    assert min(seen["dihedral"]) > 30


def test_quarter_turns_take_square_images(uneven: Any) -> None:
    X, y = uneven
    with pytest.raises(ParameterError, match="'dihedral': rotations by 90 degrees need square"):
        GANSampler(symmetry="dihedral").fit(np.pad(X, ((0, 0), (0, 2), (0, 0))), y)
    table = GANSampler(symmetry="dihedral", method="data", random_state=0)
    assert table.fit(X.reshape(len(X), -1), y).symmetry_ is None  # says nothing of rows


def test_nothing_is_measured_where_a_class_has_too_few_groups(parts: Any) -> None:
    X, y, shown = parts
    two = np.where(y == 0, shown % 2, shown)
    sampler = GANSampler(tune_for=KNeighborsClassifier(1), random_state=0).fit(X, y, groups=two)
    assert sampler.tuning_ is None and sampler.synthetic_share_ == 0.5


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
    first, again = (ImageClassifier(n_steps=10).fit(X, y).predict_proba(held_out) for _ in "12")
    assert np.array_equal(first, again)
