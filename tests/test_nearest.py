"""Nearest rows of a memory: the smallest values, spacing, and rows that few distances decide."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from augan import FAnoGAN
from augan.scoring.nearest import (
    GROUP,
    SPACED_AT_ONCE,
    nearest,
    rounding_error,
    smallest,
    spacing,
    to_others,
)
from augan.scoring.neighbours import NEGLIGIBLE, DataNeighbours, Neighbours


def values(n: int, n_values: int, seed: int = 0) -> Tensor:
    return torch.randn(n, n_values, generator=torch.Generator().manual_seed(seed))


# with and without whole groups, and with fewer groups than k
@pytest.mark.parametrize("n_values", [1, 2, 5, 63, 64, 65, 128, 192, 256, 300, 640, 2048])
@pytest.mark.parametrize("k", [1, 2, 3, 7])
def test_the_smallest_values_are_those_of_topk(k: int, n_values: int) -> None:
    given = values(50, n_values)
    found = smallest(given, k)
    expected = given.topk(min(k, n_values), dim=1, largest=False)
    assert found.shape == expected.indices.shape
    assert torch.equal(found.sort(dim=1).values, expected.indices.sort(dim=1).values)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("together", [True, False])
def test_the_smallest_values_may_be_in_one_group_or_far_apart(k: int, together: bool) -> None:
    given = values(40, 10 * GROUP).abs()
    places = 3 + GROUP * torch.arange(3) if together else torch.tensor([0, 5 * GROUP, 640 - 2])
    given[:, places] = torch.tensor([-3.0, -2.0, -1.0])
    found = smallest(given, k)
    assert torch.equal(found.sort(dim=1).values, places[:k].expand(40, -1))


@pytest.mark.parametrize("k", [1, 3])
def test_infinite_values_are_no_smallest_ones(k: int) -> None:
    """Memories are filled up to whole groups with rows that are infinitely far."""
    given = values(20, 4 * GROUP)
    given[:, 2 * GROUP + 5 :] = torch.inf
    assert (smallest(given, k) < 2 * GROUP + 5).all()


class Smallest(torch.nn.Module):
    def forward(self, given: Tensor) -> Tensor:
        return smallest(given, 1)


@pytest.mark.parametrize("n_values", [5, 64, 128, 300, 640, 2048])
def test_exported_programs_find_the_same_smallest_values(n_values: int) -> None:
    """They look for it in other groups."""
    given = values(50, n_values)
    n = torch.export.Dim("n", min=2, max=500)
    exported = torch.export.export(Smallest(), (given[:7],), dynamic_shapes=({0: n},)).module()
    assert torch.equal(exported(given), given.argmin(dim=1, keepdim=True))
    assert torch.equal(smallest(given, 1), given.argmin(dim=1, keepdim=True))


def test_equal_values_are_found_once_each() -> None:
    found = smallest(torch.zeros(4, 5 * GROUP), 3)
    assert all(len(set(row)) == 3 for row in found.tolist())


@pytest.mark.parametrize("k", [1, 3, 10])
@pytest.mark.parametrize("n_rows", [30, SPACED_AT_ONCE, SPACED_AT_ONCE + 200])
def test_spacing_equals_the_mean_distance_that_scikit_learn_finds(n_rows: int, k: int) -> None:
    bank = values(n_rows, 4)
    distances, _ = NearestNeighbors(n_neighbors=k + 1).fit(bank.numpy()).kneighbors(bank.numpy())
    expected = distances[:, 1:].mean(axis=1) + 0.25
    assert np.allclose(spacing(to_others(bank, k), 0.25).numpy(), expected, rtol=1e-4)


def test_spacing_in_a_memory_of_few_rows_is_to_all_others() -> None:
    bank = torch.tensor([[0.0], [1.0], [4.0]])
    assert spacing(to_others(bank, 10), 0.0).tolist() == pytest.approx([2.5, 2.0, 3.5])
    assert spacing(to_others(bank[:1], 10), 0.5).tolist() == [0.5]
    assert spacing(to_others(torch.ones(40, 3), 10), 1e-3).tolist() == pytest.approx([1e-3] * 40)


@pytest.mark.parametrize("k", [1, 4])
def test_distances_of_rows_that_are_far_from_zero_are_exact(k: int) -> None:
    """A product of large numbers is rounded; distances are computed from differences."""
    bank = 10 + 0.1 * values(200, 5)
    rows = bank[:30] + 1e-3 * values(30, 5, seed=1)
    distances, places = nearest(rows, bank, k)
    expected, own = NearestNeighbors(n_neighbors=k).fit(bank.numpy()).kneighbors(rows.numpy())
    assert np.allclose(distances[:, 0].numpy(), expected[:, 0], rtol=1e-3)
    assert places[:, 0].tolist() == own[:, 0].tolist() == list(range(30))


class Features:
    """What a head reads of a view."""

    def __init__(self, ranged: Tensor) -> None:
        self.ranged = ranged


@pytest.mark.parametrize("n_neighbors", [1, 3])
@pytest.mark.parametrize("n_banked", [2, 40, 63, 64, 65, 200, 256])
def test_a_head_finds_the_smallest_quotients_in_a_memory_of_any_size(
    n_banked: int, n_neighbors: int
) -> None:
    head = DataNeighbours(n_neighbors, n_banked)
    head.fit(Features(values(256, 3)), np.random.default_rng(0))
    assert head.bank.shape == (n_banked, 3)
    asked = values(100, 3, seed=1)
    squares = torch.cdist((asked - head.centre) / head.unit, head.bank).square()
    quotients = (squares + NEGLIGIBLE**2).sqrt() / spacing(
        to_others(head.bank, 10), NEGLIGIBLE
    ).sqrt()
    expected = quotients.sort(dim=1).values[:, :n_neighbors].mean(dim=1)
    assert torch.allclose(head(Features(asked)), expected, rtol=1e-3)


def test_what_a_head_computes_once_follows_its_memory() -> None:
    """After another fit, or with loaded weights, scores are those of the new memory."""
    one, other = DataNeighbours(1, 100), DataNeighbours(1, 100)
    asked = Features(values(20, 3, seed=1))
    other.fit(Features(2 + values(100, 3, seed=2)), np.random.default_rng(0))
    one.fit(Features(values(100, 3)), np.random.default_rng(0))
    first = one(asked)
    one.fit(Features(2 + values(100, 3, seed=2)), np.random.default_rng(0))
    assert torch.equal(one(asked), other(asked))
    one.fit(Features(values(100, 3)), np.random.default_rng(0))
    assert torch.equal(one(asked), first)
    one.load_state_dict(other.state_dict())
    assert torch.equal(one(asked), other(asked))
    one.load_state_dict(other.state_dict(), assign=True)
    assert torch.equal(one(asked), other(asked))


def test_a_row_near_dense_rows_is_further_than_one_near_sparse_rows() -> None:
    """At equal distances: where training rows lie close together, a distance counts for more."""
    dense, sparse = 0.05 * values(100, 2), 10 + values(100, 2, seed=1)
    head = DataNeighbours(1, 500)
    head.fit(Features(torch.cat([dense, sparse])), np.random.default_rng(0))
    step = torch.tensor([[-1.0, 0.0]])
    near_dense, near_sparse = (
        dense[dense[:, 0].argmin()] + step,
        sparse[sparse[:, 0].argmin()] + step,
    )
    scores = head(Features(torch.cat([near_dense, near_sparse])))
    assert scores[0] > 2 * scores[1]


def test_rows_that_lie_close_together_far_from_the_mean_are_told_apart() -> None:
    """Products alone have rounding errors as large as these distances."""
    random = np.random.default_rng(0)
    rows = 1 + 0.03 * random.random((2000, 3))
    rows[::2] *= -1
    others = torch.from_numpy(1 + 0.03 * random.random((300, 3))).float()
    head, view = DataNeighbours(1, 2048), SimpleNamespace(ranged=torch.from_numpy(rows).float())
    head.fit(view, random)  # type: ignore[arg-type]
    given = head._compared(others).double()
    distances = torch.cdist(given, head.bank.double(), compute_mode="donot_use_mm_for_euclid_dist")
    quotients = (distances.square() + NEGLIGIBLE**2).sqrt() * head.weights.double()
    found = head(SimpleNamespace(ranged=others))
    torch.testing.assert_close(found.double(), quotients.amin(dim=1), rtol=1e-3, atol=0)


def test_rows_that_lie_close_together_are_ranked_in_double_precision() -> None:
    """Single precision ranks rows unless their distances are small beside their norms."""
    apart = values(200, 5)
    close = torch.cat([apart, apart[:1] + 1e-3])
    assert rounding_error(apart, to_others(apart, 10), NEGLIGIBLE) < 1e-4
    assert rounding_error(close, to_others(close, 10), NEGLIGIBLE) > 1e-2
    for rows, dtype in ((apart, torch.float32), (close, torch.float64)):
        head = DataNeighbours(1, 500)
        head.fit(Features(rows), np.random.default_rng(0))
        loaded = DataNeighbours(1, 500)
        loaded.load_state_dict(head.state_dict())
        assert head._factors().dtype == loaded._factors().dtype == dtype


def test_features_that_are_constant_in_training_count_though_they_are_not_compared() -> None:
    rows = values(200, 3)
    head, other = DataNeighbours(1, 500), DataNeighbours(1, 500)
    head.fit(Features(rows), np.random.default_rng(0))
    constant = torch.full((200, 2), 0.3)
    other.fit(
        Features(torch.cat([rows[:, :1], constant, rows[:, 1:]], dim=1)), np.random.default_rng(0)
    )
    assert other.bank.shape == (200, 4)
    asked = values(50, 3, seed=1)
    given = torch.cat([asked[:, :1], constant[:50], asked[:, 1:]], dim=1)
    torch.testing.assert_close(other(Features(given)), head(Features(asked)))
    differences = other.difference(Features(given))
    torch.testing.assert_close(differences[:, [0, 3, 4]], head.difference(Features(asked)))
    given[:, 1] += 5.0
    assert (other(Features(given)) > head(Features(asked)) + 1).all()
    assert (other.difference(Features(given))[:, 1] - 5.0).abs().max() < 1e-5


def test_a_pickled_head_has_no_copy_of_its_memory() -> None:
    head = DataNeighbours(1, 100)
    head.fit(Features(values(100, 3)), np.random.default_rng(0))
    before = len(pickle.dumps(head))
    scores = head(Features(values(20, 3, seed=1)))
    assert len(pickle.dumps(head)) == before
    loaded = pickle.loads(pickle.dumps(head))
    assert torch.equal(loaded(Features(values(20, 3, seed=1))), scores)


def test_quantiles_are_compared_with_a_quarter_of_the_memory() -> None:
    detector = FAnoGAN(memory_size=40, pretext_steps=2, width=16, random_state=0)
    heads = detector.fit(values(120, 3).numpy()).scorer_.heads
    sizes = {name: len(head.bank) for name, head in heads.items() if isinstance(head, Neighbours)}
    assert sizes.pop("quantile_neighbors") == 10
    assert set(sizes.values()) == {40}
