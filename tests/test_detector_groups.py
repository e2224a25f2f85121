"""Rows that belong together are held out together, so that p-values hold for new groups."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from augan import FAnoGAN
from augan.exceptions import DataError
from augan.training.rows import split_groups


@pytest.mark.parametrize("n_folds", [1, 2, 10])
@pytest.mark.parametrize("sizes", [[5] * 40, [60, 1, 1, 30, 8], [3, 3]])
def test_groups_are_never_split(n_folds: int, sizes: list[int]) -> None:
    groups = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    random = np.random.default_rng(1)
    held_out, folds = split_groups(groups, 0.2, n_folds, random)
    for group in range(len(sizes)):
        assert len(set(held_out[groups == group].tolist())) == 1
        assert len(set(folds[groups == group].tolist())) == 1
    assert held_out.any() and not held_out.all()
    if n_folds == 1:
        assert torch.equal(folds == 0, held_out) and torch.equal(folds == -1, ~held_out)
    else:
        assert set(folds.tolist()) == set(range(min(n_folds, len(sizes))))
    if sizes == [5] * 40:
        assert float(held_out.float().mean()) == pytest.approx(0.2)
        assert n_folds == 1 or folds.bincount().max() - folds.bincount().min() <= 5


def customers(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of `n` customers, ten each, who differ more than their rows do."""
    random = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n), 10)
    return 3 * random.normal(size=(n, 5))[groups] + 0.1 * random.normal(size=(10 * n, 5)), groups


def test_p_values_hold_for_new_groups() -> None:
    rows, groups = customers(60, 0)
    new, _ = customers(60, 1)
    fast = {"random_state": 0, "heads": ("data_neighbors", "quantile_mahalanobis")}
    alone = FAnoGAN(**fast).fit(rows)
    assert (alone.p_value(new) <= 0.1).mean() > 0.4  # all are new customers
    together = FAnoGAN(**fast).fit(rows, groups=[f"customer {group}" for group in groups])
    assert (together.p_value(new) <= 0.1).mean() < 0.2
    assert together.n_calibration_ == alone.n_calibration_ == len(rows)


def test_groups_go_through_a_pipeline_and_with_a_normal_label() -> None:
    rows, groups = customers(30, 0)
    y = np.arange(len(rows)) % 10  # the first row of each customer is an anomaly
    labels = np.where(y == 0, "bad", "good")
    fast = {"random_state": 0, "heads": ("data_neighbors",)}
    detector = FAnoGAN(**fast, normal_label="good")
    pipeline = make_pipeline(StandardScaler(), detector)
    pipeline.fit(rows, labels, fanogan__groups=groups)
    kept = labels == "good"
    scaled = StandardScaler().fit_transform(rows)[kept]
    same = FAnoGAN(**fast).fit(scaled, groups=groups[kept])
    assert np.array_equal(same.anomaly_score(scaled), pipeline[-1].anomaly_score(scaled))


def test_bad_groups_are_refused() -> None:
    rows, groups = customers(4, 0)
    for given, message in (
        (groups[:-1], r"groups has shape \(39,\) for 40 rows"),
        (np.zeros(40), "groups: all rows are of one group; at least 2 groups are needed"),
        (np.where(groups == 1, None, groups), "groups has no value in row 10"),
    ):
        with pytest.raises(DataError, match=message):
            FAnoGAN(random_state=0).fit(rows, groups=given)
