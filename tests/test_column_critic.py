"""Rejection sampling of a column model's rows by critics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

import augan.sampling.column_critic as column_critic
from augan import GANSampler, load
from augan.networks.row_critic import RowCritic

QUICK = {"method": "columns", "spread": 1.0, "width": 16, "random_state": 0}


@pytest.fixture(scope="module")
def rings() -> tuple[pd.DataFrame, np.ndarray]:
    """Points on two circles: each coordinate alone says nothing of the other's sign."""
    random = np.random.default_rng(0)
    angle = random.uniform(0, 2 * np.pi, 600)
    outer = random.random(600) < 0.3
    radius = np.where(outer, 2.0, 1.0) + random.normal(0, 0.03, 600)
    frame = pd.DataFrame({"x": radius * np.cos(angle), "y": radius * np.sin(angle)})
    return frame, np.where(outer, "outer", "inner")


@pytest.fixture(scope="module")
def untrained(rings: Any) -> GANSampler:
    """A sampler whose column model has learned little, so that a critic has much to reject."""
    return GANSampler(**QUICK, max_steps=5, filters=("critic",)).fit(*rings)


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(column_critic, "N_STEPS", 150)
    monkeypatch.setattr(column_critic, "WIDTH", 64)


def _distance(frame: pd.DataFrame, labels: np.ndarray) -> float:
    """Return the mean distance of points to the circle of their class."""
    radius = np.hypot(frame["x"], frame["y"])
    return float(np.abs(radius - np.where(labels == "outer", 2.0, 1.0)).mean())


def test_rows_that_the_critics_accept_are_nearer_to_the_truth(
    rings: Any, untrained: GANSampler
) -> None:
    frame, labels = untrained.sample({"inner": 200, "outer": 100}, random_state=0)
    assert (labels == "outer").sum() == 100 and len(frame) == 300
    assert untrained.refused_["critic"] > 200
    plain = GANSampler(**QUICK, max_steps=5).fit(*rings)
    others, other_labels = plain.sample({"inner": 200, "outer": 100}, random_state=0)
    assert _distance(frame, labels) < 0.7 * _distance(others, other_labels)


def test_accepted_rows_are_harder_to_tell_from_held_out_ones(rings: Any) -> None:
    half = {"max_steps": 5, "validation_fraction": 0.5}
    sampler = GANSampler(**QUICK, **half, filters=("critic",)).fit(*rings)
    before, after = sampler.critic_auc_
    assert before > 0.8
    assert after < before - 0.03
    assert sampler.critic_auc_ == (before, after)
    assert GANSampler(**QUICK, max_steps=1).fit(*rings).critic_auc_ is None


def test_conditions_are_met_by_accepted_rows(untrained: GANSampler) -> None:
    frame, _ = untrained.sample(50, where={"x": (0.5, None)}, random_state=0)
    assert len(frame) == 50 and (frame["x"] >= 0.5).all()


def test_a_stored_sampler_accepts_the_same_rows(untrained: GANSampler, tmp_path: Any) -> None:
    untrained.save(tmp_path / "m.augan")
    rows, labels = untrained.sample(60, random_state=3)
    again, same = load(tmp_path / "m.augan").sample(60, random_state=3)
    pd.testing.assert_frame_equal(rows, again)
    np.testing.assert_array_equal(labels, same)


def test_critics_that_say_nothing_of_held_out_rows_reject_none() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"colour": random.choice(["red", "blue", "green"], 400)})
    frame["size"] = random.choice(["s", "m", "l"], 400)
    y = random.integers(0, 2, 400)
    sampler = GANSampler(**QUICK, max_steps=100, filters=("critic",)).fit(frame, y)
    sampler.sample(100, random_state=0)
    critic = sampler.model_.maker.filters["critic"]
    before, after = critic.two_sample_aucs()
    assert max(abs(before - 0.5), abs(after - 0.5)) < 0.12
    assert sampler.refused_["critic"] < 0.6 * 100


def test_a_critic_learns_a_detail_of_one_number() -> None:
    random = torch.Generator().manual_seed(0)
    drawn = torch.rand(2000, 1, generator=random) * 2
    real = drawn.flip(0).floor() + torch.rand(2000, 1, generator=random) / 2  # two intervals
    labels = torch.zeros(2000, dtype=torch.long)
    critic = column_critic._trained((real, labels), (drawn, labels), 1, seed=0)
    assert isinstance(critic, RowCritic) and not critic.training
    logits = torch.cat([critic(real, labels), critic(drawn, labels)])
    assert roc_auc_score(np.repeat([1, 0], 2000), logits) > 0.7  # at most 0.75
