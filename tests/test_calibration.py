"""Scores as negative logarithms of p-values among held-out rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from augan.scoring.calibration import (
    LEAST_MEAN,
    LOG_OFFSET,
    N_KNOTS,
    TAIL,
    TAIL_ROWS,
    NegativeLogP,
)


def lognormal(n: int, n_heads: int = 2, seed: int = 0) -> Tensor:
    return torch.randn(n, n_heads, generator=torch.Generator().manual_seed(seed)).exp()


def fitted(parts: Tensor) -> NegativeLogP:
    scale = NegativeLogP()
    scale.fit(parts)
    return scale


def logs_of(parts: Tensor) -> np.ndarray:
    """Return logarithms after a hundredth of the median is added."""
    numbers = parts.double().numpy()
    return np.log(numbers + LOG_OFFSET * np.median(numbers, axis=0))


def tail_share(n: int) -> float:
    return max(TAIL, min(TAIL_ROWS / n, 0.5))


@pytest.mark.parametrize("n", [12, 50, 999, 20_000])
def test_below_the_tail_p_is_the_share_of_rows_with_higher_scores(n: int) -> None:
    """Interpolated between quantiles, in logarithms of the score and of p."""
    parts = lognormal(n)
    ours, logs = fitted(parts)(parts).numpy(), logs_of(parts)
    levels = np.linspace(0, 1 - tail_share(n), N_KNOTS + 1)
    for i in range(2):
        knots = np.quantile(logs[:, i], levels)
        body = logs[:, i] <= knots[-1]
        assert body.mean() == pytest.approx(1 - tail_share(n), abs=1 / n)
        expected = np.interp(logs[body, i], knots, -np.log(1 - levels))
        assert np.allclose(ours[body, i], expected, atol=2e-3)


def test_p_is_near_the_empirical_share_everywhere_below_the_tail() -> None:
    parts = lognormal(5000, 1)
    p = torch.exp(-fitted(parts)(parts))[:, 0].numpy()
    higher = 1 - parts[:, 0].argsort().argsort().numpy() / len(parts)
    error, first = np.abs(p - higher), (1 - TAIL) / N_KNOTS
    assert error[(higher > TAIL) & (higher < 1 - first)].max() < 0.015
    assert error[higher >= 1 - first].max() < first  # from the lowest score to the first quantile


@pytest.mark.parametrize("shape", [0.5, 1.0, 3.0])
def test_the_slope_of_the_tail_is_hills_estimate(shape: float) -> None:
    """The tail of a Pareto distribution: -log p rises by its exponent with each logarithm."""
    uniform = torch.rand(8000, 1, generator=torch.Generator().manual_seed(0)).double()
    parts = uniform.pow(-1 / shape)
    scale, logs = fitted(parts), logs_of(parts)[:, 0]
    start = np.quantile(logs, 1 - TAIL)
    above = logs[logs > start]
    hill = 1 / (above - start).mean()
    floor = LOG_OFFSET * float(parts.median())
    far = torch.tensor([[np.exp(start + x) - floor] for x in (0.5, 1.5, 20.0)])
    found = scale(far)[:, 0].double().numpy()
    assert np.allclose(np.diff(found), hill * np.array([1.0, 18.5]), rtol=1e-3)
    assert found[0] == pytest.approx(-np.log(TAIL) + 0.5 * hill, rel=1e-3)
    assert hill == pytest.approx(shape, rel=0.1)


def test_a_few_rows_leave_half_of_them_to_the_tail() -> None:
    for n, share in ((12, 0.5), (40, 0.25), (100, 0.1), (1000, 0.1)):
        scale = fitted(lognormal(n))
        assert tail_share(n) == share
        top = scale.starts[:, -1].exp() - scale.floor
        assert torch.allclose(scale(top[None]), -torch.tensor(share).log(), atol=1e-3)


@pytest.mark.parametrize("n", [1, 2, 3, 30, 3000])
def test_it_is_continuous_and_never_falls(n: int) -> None:
    scale = fitted(lognormal(n, 3))
    scores = torch.logspace(-6, 8, 20_001, dtype=torch.float64)[:, None].expand(-1, 3)
    found = scale(scores)
    assert torch.isfinite(found).all() and (found >= 0).all()
    rises = found.diff(dim=0)
    assert (rises >= 0).all()
    step = (scores[1:] + scale.floor).log() - (scores[:-1] + scale.floor).log()
    assert (rises <= step * scale.slopes.sum(dim=1) + 1e-5).all()  # no jump
    above = scores[:, 0] > lognormal(n, 3).max()
    assert (found[above].diff(dim=0) > 0).all()  # no end
    assert (found[0] == 0).all()


def test_scores_below_all_held_out_ones_are_0() -> None:
    parts = 1 + lognormal(200, 2)
    scale = fitted(parts)
    assert (scale(torch.zeros(1, 2)) == 0).all()
    assert (scale(parts.min(dim=0).values[None]) == 0).all()
    assert (scale(1.01 * parts.min(dim=0).values[None]) > 0).all()


def test_equal_scores_have_one_value_and_higher_ones_more() -> None:
    """Of a head with few values, as of counts."""
    parts = torch.tensor([1.0] * 50 + [2.0] * 30 + [3.0] * 15 + [9.0] * 5)[:, None]
    scale = fitted(parts)
    found = scale(torch.tensor([[1.0], [2.0], [3.0], [9.0], [20.0]]))[:, 0]
    assert found[0] == 0
    assert (found.diff() > 0.1).all()
    shares = torch.tensor([1.0, 0.5, 0.2])  # rows with a score at least as high
    assert torch.allclose(torch.exp(-found[:3]), shares, atol=0.06)
    assert torch.exp(-found[3]) <= 0.1


def test_constant_scores_are_usual_and_higher_ones_are_not() -> None:
    for value in (0.0, 5.0):
        scale = fitted(torch.full((100, 1), value))
        assert torch.isfinite(scale.slopes).all()
        assert (scale(torch.full((1, 1), value)) == 0).all()
        higher = scale(torch.tensor([[1.01 * value + 0.01], [2 * value + 1], [9 * value + 9]]))
        assert (higher.diff(dim=0) > 0).all()
        assert higher[0] >= -np.log(TAIL) - 1e-3
        assert scale.slopes[0, -1] == pytest.approx(1 / LEAST_MEAN)


def test_scores_that_are_mostly_0_have_logarithms() -> None:
    parts = torch.zeros(100, 1)
    parts[:30, 0] = torch.rand(30, generator=torch.Generator().manual_seed(0))
    scale = fitted(parts)
    assert scale.floor.item() == pytest.approx(LOG_OFFSET * parts.mean().item())
    assert (scale(torch.zeros(1, 1)) == 0).all()
    assert torch.isfinite(scale(parts)).all()
    found = scale(parts[:30].sort(dim=0).values)
    assert (found.diff(dim=0) > 0).all()
    assert np.abs(torch.exp(-found[[5, 15]])[:, 0].numpy() - [0.25, 0.15]).max() < 0.05


def test_heads_are_calibrated_on_their_own() -> None:
    parts = torch.cat([lognormal(300, 1), 1000 * lognormal(300, 1, seed=1) ** 3], dim=1)
    both = fitted(parts)(parts)
    for i in range(2):
        alone = fitted(parts[:, [i]])(parts[:, [i]])[:, 0]
        assert torch.allclose(both[:, i], alone, atol=1e-5)
    assert torch.allclose(both.mean(dim=0), torch.ones(2), atol=0.1)  # of an exponential


def test_units_of_a_score_do_not_matter() -> None:
    parts = lognormal(300)
    assert torch.allclose(fitted(parts)(parts), fitted(1e3 * parts)(1e3 * parts), atol=1e-4)
