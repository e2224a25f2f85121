"""Training rows that may be anomalies, where the share of anomalies is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from augan.training.contamination import (
    MAX_ROWS,
    Suspicion,
    in_small_clusters,
    isolation,
    minus_log_p,
    suspicion_of,
)

SHARE = 0.05


def two_groups(n: int, apart: float, spread: float) -> torch.Tensor:
    """Return 950 normal rows of each 1,000, and a cluster `apart` from their mean."""
    random = np.random.default_rng(0)
    n_anomalies = round(SHARE * n)
    usual = random.normal(size=(n - n_anomalies, 6))
    cluster = apart + spread * random.normal(size=(n_anomalies, 6))
    return torch.from_numpy(np.concatenate([usual, cluster])).float()


def suspicion(rows: torch.Tensor) -> Suspicion:
    return suspicion_of(rows, SHARE, np.random.default_rng(0))


@pytest.mark.parametrize("n", [400, MAX_ROWS + 1000])
def test_a_small_cluster_that_lies_apart_is_found(n: int) -> None:
    found = suspicion(two_groups(n, apart=3.0, spread=0.3)).clustered
    n_anomalies = round(SHARE * n)
    assert found[-n_anomalies:].float().mean() > 0.95
    assert found[:-n_anomalies].float().mean() < 0.01


def test_a_small_cluster_in_the_midst_of_the_rows_is_none() -> None:
    """It is denser than its surroundings, as frequent values are."""
    assert not suspicion(two_groups(400, apart=0.0, spread=0.05)).clustered.any()


def test_rows_of_one_group_are_not_suspicious() -> None:
    rows = torch.from_numpy(np.random.default_rng(0).normal(size=(600, 6))).float()
    assert not suspicion(rows).clustered.any()


def test_rows_that_are_mostly_among_a_cluster_belong_to_it() -> None:
    rows = two_groups(400, apart=3.0, spread=0.3).numpy()
    outlying, remote = isolation(rows, rows, SHARE)
    core = in_small_clusters(rows, rows, SHARE, outlying, remote)
    found = suspicion(torch.from_numpy(rows)).clustered.numpy()
    assert (found >= core).all()
    assert found[-20:].sum() >= core[-20:].sum() > 0


@pytest.mark.parametrize("n", [2, 3, 25])
def test_few_rows_have_no_clusters(n: int) -> None:
    rows = torch.from_numpy(np.random.default_rng(0).normal(size=(n, 3))).float()
    found = suspicion(rows)
    assert not found.clustered.any()
    assert torch.isfinite(found.with_scores(torch.arange(n).float())).all()


def test_equal_rows_have_finite_evidence() -> None:
    found = suspicion(torch.ones(80, 3))
    assert torch.isfinite(found.outlying).all()
    assert not found.clustered.any()


def test_outlier_factors_and_distances_are_ranks() -> None:
    rows = two_groups(400, apart=3.0, spread=0.3).numpy()
    for ranks in isolation(rows, rows, SHARE):
        assert np.array_equal(np.sort(ranks), (np.arange(400) / 400).astype(np.float32))
        assert np.median(ranks[-20:]) > 0.9


def test_minus_log_p_is_that_of_the_share_of_values_as_high() -> None:
    values = torch.tensor([3.0, 1.0, 2.0, 7.0])
    expected = -torch.log(torch.tensor([0.5, 1.0, 0.75, 0.25]))
    torch.testing.assert_close(minus_log_p(values), expected)


def test_an_outlier_that_is_alone_is_less_suspicious_than_several_that_are_near() -> None:
    random = np.random.default_rng(0)
    alone = np.full((1, 6), -8.0)
    together = 8 + 0.1 * random.normal(size=(12, 6))
    rows = np.concatenate([random.normal(size=(387, 6)), alone, together])
    found = suspicion(torch.from_numpy(rows).float())
    scores = torch.zeros(400)
    scores[-13:] = 10.0  # the model has found all of them
    evidence = found.with_scores(scores)
    assert evidence[-12:].min() > evidence[-13]
    assert evidence[-12:].min() > evidence[:-13].max()


def test_a_selection_of_rows_keeps_what_is_known_of_them() -> None:
    found = suspicion(two_groups(400, apart=3.0, spread=0.3))
    chosen = torch.arange(399, 299, -1)
    part = found[chosen]
    assert torch.equal(part.clustered, found.clustered[chosen])
    assert torch.equal(part.outlying, found.outlying[chosen])
    assert torch.equal(part.reduced, found.reduced[chosen])
