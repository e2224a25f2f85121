"""The filter "label" of the column model: rows accepted by the probability of their class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.naive_bayes import GaussianNB

from augan import GANSampler
from augan.classifiers.tables import CLASSIFIERS
from augan.sampling import class_filter
from augan.sampling.class_filter import POWER, ClassFilter

QUICK: dict[str, Any] = {"max_steps": 30, "width": 32, "relations": None, "random_state": 0}


@pytest.fixture(autouse=True, scope="module")
def _all_classifiers() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(class_filter, "CLASSIFIERS", CLASSIFIERS)
        yield


@pytest.fixture(scope="module")
def rows() -> tuple[pd.DataFrame, np.ndarray]:
    """A rare class that overlaps with a larger one, which is the more likely one in most places."""
    random = np.random.default_rng(0)
    y = np.repeat([0, 1], [760, 40])
    X = pd.DataFrame(random.normal(size=(800, 3)), columns=list("abc"))
    X["a"] += 1.5 * y
    return X, y


@pytest.fixture(scope="module")
def sampler(rows: Any) -> GANSampler:
    return GANSampler(**QUICK).fit(*rows)


def test_added_rows_lie_where_real_rows_show_the_class(rows: Any, sampler: GANSampler) -> None:
    X, y = rows
    new = sampler.fit_resample(X, y)[0].iloc[len(X) :]
    assert sampler.refused_["label"] > 0
    plain = GANSampler(filters=(), **QUICK)
    unfiltered = plain.fit_resample(X, y)[0].iloc[len(X) :]
    assert len(new) == len(unfiltered) == 720 and plain.refused_ == {}
    judge = GaussianNB().fit(X, y)
    chances = [judge.predict_proba(part)[:, 1].mean() for part in (new, unfiltered)]
    assert chances[0] > 1.15 * chances[1]


def test_rows_that_stand_alone_are_not_filtered(rows: Any, sampler: GANSampler) -> None:
    assert sampler.sample(100)[0].shape == (100, 3)
    assert sampler.refused_ == {}
    asked = GANSampler(filters=("label",), **QUICK).fit(*rows)
    asked.sample({1: 100})
    assert asked.refused_["label"] > 0


def test_rows_are_accepted_in_proportion_to_a_power_of_the_probability(sampler: GANSampler) -> None:
    pool = sampler.model_.pool
    by_class = ClassFilter(pool, 0.5, seed=0)
    real = pool.rows[pool.labels == 1].repeat(500, 1)
    kept = by_class.keep(real, 1, torch.Generator().manual_seed(0)).double().view(500, -1).mean(0)
    models = by_class.models
    chances = np.mean([model.predict_proba(real[: len(kept)].numpy())[:, 1] for model in models], 0)
    expected = np.minimum(chances / by_class.ceilings[1], 1) ** POWER
    np.testing.assert_allclose(kept, expected, atol=0.1)
    drawn = by_class.draw({0: 0, 1: 50}, 0.5, torch.Generator().manual_seed(0))
    assert drawn.shape == (50, 3)
    assert by_class.draw({}, 0.5, torch.Generator()).shape == (0, 3)


def test_enough_rows_are_accepted_where_no_row_shows_the_class() -> None:
    random = np.random.default_rng(0)
    X, y = random.normal(size=(1000, 2)), np.repeat([0, 1], [980, 20])
    sampler = GANSampler(**QUICK)
    sampler.fit_resample(X, y)
    assert 960 / (960 + sampler.refused_["label"]) > 0.05


def test_a_class_of_one_row_does_not_stop_the_others() -> None:
    random = np.random.default_rng(0)
    X, y = random.normal(size=(10_500, 1)), np.repeat([0, 1, 2], [10_479, 20, 1])
    sampler = GANSampler(sampling_strategy={1: 60}, **QUICK | {"max_steps": 5})
    assert (sampler.fit_resample(X, y)[1] == 1).sum() == 60
    pair = GANSampler(sampling_strategy={0: 60}, **QUICK | {"max_steps": 5})
    assert len(pair.fit_resample(X[:21], np.repeat([0, 1], [20, 1]))[0]) == 61
