"""Tables with more columns than rows: p-values are uniform, and a fit takes minutes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import betabinom
from sklearn.metrics import roc_auc_score
from torch import nn

from augan import FAnoGAN, load
from augan.codecs.spec import Span, VectorSpec
from augan.codecs.table import TableCodec
from augan.models.config import detector_config, pretext_steps
from augan.models.detector import DetectorModel
from augan.models.detector_training import is_wide
from augan.networks.dense import DenseGenerator, softmax_runs

QUICK: dict[str, Any] = {
    **{"max_steps": 2, "encoder_steps": 2, "pretext_steps": 40, "n_critic": 1},
    **{"width": 32, "random_state": 0},
}


def few_factors(n: int, d: int, seed: int) -> np.ndarray:
    """Return rows (n, d) of ten factors and noise; the factors' weights are always the same."""
    random, weights = np.random.default_rng(seed), np.random.default_rng(7).normal(size=(10, d))
    return random.normal(size=(n, 10)) @ weights + random.normal(size=(n, d))


def zeros_and_ones(n: int, d: int, seed: int) -> np.ndarray:
    """Return rows (n, d) of six groups, each with rates of ones of its own."""
    random, rates = np.random.default_rng(seed), np.random.default_rng(7).beta(0.3, 3, (6, d))
    return (random.random((n, d)) < rates[random.integers(0, 6, n)]).astype(float)


def in_band(n_below: int, n: int, level: float, n_calibration: int, n_fits: int = 1) -> bool:
    """Whether a count lies among 99 % of those that so many calibration rows give."""
    low, high = band(n, level, n_calibration, n_fits)
    return low <= n_below / n_fits <= high


def band(n: int, level: float, n_calibration: int, n_fits: int = 1) -> tuple[float, float]:
    """Return the ends of the band in which 99 % of the counts per fit lie."""
    rank = int(level * (n_calibration + 1) + 1e-9)
    low, high = betabinom(n, rank, n_calibration + 1 - rank).interval(0.99)
    middle = n * level
    return middle - (middle - low) / n_fits**0.5, middle + (high - middle) / n_fits**0.5


def test_the_kept_model_of_a_wide_table_does_without_a_fold_as_those_that_calibrate_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from augan.estimators import detector as module

    kept: dict[str, Any] = {}

    def fit_scorer(model: DetectorModel, rows: Any) -> None:
        kept.update(rows=rows, folds=list(model.networks.folds or []))
        original(model, rows)

    original = module.fit_scorer
    monkeypatch.setattr(module, "fit_scorer", fit_scorer)
    X = few_factors(48, 90, seed=0)
    detector = FAnoGAN(heads=("pretext_mahalanobis", "data_neighbors"), **QUICK).fit(X)
    rows, scorer = kept["rows"], detector.scorer_
    assert is_wide(detector.model_, rows)
    for ours, theirs in zip(
        scorer.pretext.parameters(), kept["folds"][0].parameters(), strict=True
    ):
        assert torch.equal(ours, theirs)
    learned = rows.raw[rows.folds != 0]
    view = scorer.view(learned)
    mahalanobis, neighbours = scorer.heads.values()
    assert len(neighbours.bank) == len(learned) == 36
    torch.testing.assert_close(neighbours.centre, view.standard.mean(dim=0))
    torch.testing.assert_close(
        mahalanobis.mean, view.pretext_features.mean(dim=0), rtol=1e-5, atol=1e-5
    )
    assert detector.n_calibration_ == 48


def test_numbers_are_standardised_by_the_rows_that_were_learned() -> None:
    X = np.random.default_rng(0).normal(5, 2, size=(40, 4))
    X[:, 1] = X[:, 1] > 5  # zeros and ones
    X[:, 2] = 0
    X[3, 2] = 1  # a single one, which is not among the rows that are learned
    X[10:, 3] = np.nan
    X[:, 0] *= 1e300
    codec = TableCodec().fit(X)
    raw = codec.prepare(X)
    encoder = codec.module.standardised_by(raw[10:], raw)
    standard = encoder(raw)[1][:, :4]
    torch.testing.assert_close(standard[10:, :2].mean(dim=0), torch.zeros(2), atol=1e-5, rtol=0)
    spread = standard[10:, :2].std(dim=0, unbiased=False)
    torch.testing.assert_close(spread, torch.ones(2), atol=1e-5, rtol=0)
    assert standard[3, 2] == pytest.approx(3)  # as what never happened
    torch.testing.assert_close(standard[:, 3], codec.module(raw)[1][:, 3])  # nothing to learn
    assert torch.equal(encoder(raw)[0], codec.module(raw)[0])
    codec.standardise_by(encoder)
    assert torch.equal(codec.module(raw)[1], encoder(raw)[1])
    again = TableCodec.from_state(*codec.state())
    assert torch.equal(again.module(raw)[1], encoder(raw)[1])


def test_a_table_of_many_rows_keeps_a_model_of_all_of_them() -> None:
    X = few_factors(120, 12, seed=0)
    detector = FAnoGAN(heads=("data_neighbors",), **QUICK).fit(X)
    standard = detector.scorer_.view(detector.codec_.prepare(X)).standard
    assert len(detector.scorer_.heads["data_neighbors"].bank) == 90
    torch.testing.assert_close(
        detector.scorer_.heads["data_neighbors"].centre, standard.mean(dim=0)
    )


def test_p_values_of_new_rows_of_a_wide_table_are_uniform() -> None:
    n_fits, n_new = 3, 200
    below = {0.1: 0, 0.2: 0}
    for seed in range(n_fits):
        X = few_factors(60 + n_new, 150, seed)
        heads = ("repair_neighbors", "data_neighbors")
        params = {**QUICK, "pretext_steps": 80, "random_state": seed}
        p = FAnoGAN(heads=heads, **params).fit(X[:60]).p_value(X[60:])
        for level in below:
            below[level] += int((p <= level).sum())
    for level, count in below.items():
        assert in_band(count, n_new, level, 60, n_fits), (level, count / n_fits / n_new)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::augan.exceptions.DriftWarning")
@pytest.mark.parametrize(
    ("make", "d", "careful"), [(few_factors, 2000, False), (zeros_and_ones, 1555, True)]
)
def test_p_values_of_three_hundred_rows_of_thousands_of_columns_are_uniform(
    make: Any, d: int, careful: bool
) -> None:
    """Scores of different folds have different levels where zeros are many: p may be too large."""
    X = make(1300, d, seed=0)
    detector = FAnoGAN(random_state=0).fit(X[:300])
    p = detector.p_value(X[300:])
    for level in (0.05, 0.1):
        low, high = band(1000, level, 300)
        assert low / (4 if careful else 1) <= (p <= level).sum() <= high, (
            level,
            (p <= level).mean(),
        )
    odd = X[300:500][:, np.random.default_rng(1).permutation(d)]
    assert (detector.p_value(odd) <= 0.05).mean() > 0.5


@pytest.mark.parametrize(
    ("n", "d", "wide"), [(40, 39, False), (40, 41, True), (400, 256, False), (400, 257, True)]
)
def test_wide_tables_are_scored_without_a_network(n: int, d: int, wide: bool) -> None:
    """With more than 256 columns that vary, or more than rows."""
    X = np.random.default_rng(0).normal(size=(n, d + 3))
    X[:, -3:] = 7  # columns that never vary do not count
    usual = FAnoGAN().get_params()
    codec = TableCodec().fit(X)
    assert codec.n_varying == d and codec.n_rows == n
    config = detector_config(usual, codec)
    names = ("quantile_mahalanobis", "data_neighbors")
    assert (config.heads == names) == wide
    assert config.n_neighbors == (5 if wide else 1)
    assert not config.generator
    given = detector_config({**usual, "heads": ("repair",), "n_neighbors": 3}, codec)
    assert (given.heads, given.n_neighbors) == (("repair",), 3)
    again = TableCodec.from_state(*codec.state())
    assert detector_config(usual, again) == config


@pytest.mark.filterwarnings("ignore::augan.exceptions.DriftWarning")
def test_a_default_detector_of_a_wide_table_trains_nothing(tmp_path: Any) -> None:
    X, fresh = few_factors(60, 90, seed=0), few_factors(100, 90, seed=1)
    detector = FAnoGAN(random_state=0).fit(X)
    assert list(detector.history_) == [] and detector.networks_.modules() == {}
    assert list(detector.scorer_.heads) == ["quantile_mahalanobis", "data_neighbors"]
    assert detector.n_calibration_ == 60
    scores = detector.anomaly_score(fresh)
    odd = fresh[:, np.random.default_rng(1).permutation(90)]
    assert roc_auc_score(np.repeat([0, 1], 100), [*scores, *detector.anomaly_score(odd)]) > 0.9
    alone = np.concatenate([detector.anomaly_score(fresh[[i]]) for i in range(5)])
    np.testing.assert_array_equal(alone, scores[:5])
    shifted = fresh.copy()
    shifted[:, 4] += 60
    assert (detector.explain(shifted).to_numpy().argmax(axis=1) == 4).mean() > 0.9
    detector.save(tmp_path / "m.augan")
    np.testing.assert_array_equal(load(tmp_path / "m.augan").anomaly_score(fresh), scores)


def test_steps_of_the_pretext_networks_fall_where_a_step_takes_long() -> None:
    for n_channels, steps in ((10, 1500), (2048, 1500), (4096, 750), (6220, 494)):
        for n_rows in (5, 999, 2000, 10**6):
            assert pretext_steps(n_channels, n_rows) == steps


def test_a_thousand_rows_or_two_take_as_many_passes_and_no_more_steps() -> None:
    for n_rows, steps in ((999, 1500), (1000, 750), (1500, 1125), (1999, 1499), (2001, 1500)):
        assert pretext_steps(10, n_rows) == steps
    assert pretext_steps(4096, 1000) == 375


@pytest.mark.parametrize("sizes", [(2,) * 40, (3, 3, 2, 2, 2, 51), (2, 0, 2, 2, 0, 0, 3)])
def test_equal_spans_side_by_side_are_one_softmax_with_the_same_result(
    sizes: tuple[int, ...],
) -> None:
    spans: list[Span] = []
    for size in sizes:
        start = spans[-1].stop if spans else 0
        kind: Any = "softmax" if size else "identity"
        spans.append(Span("x", start, start + max(size, 1), kind))
    spec = VectorSpec(tuple(spans))
    generator = DenseGenerator(spec, latent_dim=4, width=16)
    assert len(softmax_runs(spec)) < sum(map(bool, sizes))
    random = torch.Generator().manual_seed(0)
    z = torch.randn(37, 4, generator=random)
    layers: nn.Module = generator.layers
    output = layers(z)
    for span in spans:
        if span.activation == "softmax":
            inside = slice(span.start, span.stop)
            output[:, inside] = output[:, inside].softmax(dim=1)
    assert torch.equal(generator(z), output)
