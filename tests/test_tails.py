"""Fitted tails: new numbers beyond those of training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import augan
from augan import GANSampler, OnnxGenerator
from augan.codecs.bins import ColumnBins
from augan.codecs.table import TableCodec
from augan.codecs.tails import with_fitted_tails
from augan.exceptions import ParameterError


def drawn(values: Any, n: int = 100_000) -> Any:
    """Values that all bins of a column with fitted tails give, as often as training has the bin."""
    frame = pd.DataFrame({"x": values})
    column = TableCodec().fit(frame).columns[0]
    raw = column.to_raw(frame["x"])
    bins = with_fitted_tails(ColumnBins.fit(raw, ordered=True), raw, column)
    random = np.random.default_rng(0)
    codes = random.choice(bins.encode(raw), n)
    return bins.draw(codes, random.random(n))


@pytest.mark.parametrize("law", [stats.lognorm(1.0), stats.norm(), stats.t(4), stats.expon()])
def test_tails_are_those_of_the_law(law: Any) -> None:
    values = law.rvs(2000, random_state=0)
    new = drawn(values)
    assert new.max() > values.max()
    for share in (0.995, 0.999):
        assert np.quantile(new, share) == pytest.approx(law.ppf(share), rel=0.25)
    assert np.median(new) == pytest.approx(np.median(values), abs=0.05)
    if values.min() < 0:
        assert new.min() < values.min()
        assert np.quantile(new, 0.001) == pytest.approx(law.ppf(0.001), rel=0.25)
    else:
        assert new.min() >= 0


def test_steps_and_frequent_ends_are_kept() -> None:
    random = np.random.default_rng(0)
    prices = np.round(random.lognormal(4, 1, 1000), 2)
    assert (np.round(drawn(prices), 2) == drawn(prices)).all()
    capped = np.minimum(prices, 200)
    assert drawn(capped).max() == 200
    whole = random.poisson(3000, 1000)
    assert (drawn(whole) % 1 == 0).all()
    assert drawn(whole).max() > whole.max()


def test_few_values_have_no_tails() -> None:
    assert set(drawn(np.arange(60) % 7)) == set(range(7))


@pytest.fixture(scope="module")
def rows() -> tuple[pd.DataFrame, Any]:
    random = np.random.default_rng(0)
    X = pd.DataFrame({"a": random.lognormal(3, 1, 500).round(2), "b": random.normal(size=500)})
    return X, (X["b"] + random.normal(size=500) > 1).astype(int)


def test_new_rows_beyond_the_training_range(rows: Any, tmp_path: Path) -> None:
    X, y = rows
    options: dict[str, Any] = {"max_steps": 100, "random_state": 0, "spread": 1.0}
    observed = GANSampler(**options).fit(X, y).sample(4000)[0]
    assert set(observed["a"]) <= set(X["a"])
    sampler = GANSampler(tails="fitted", **options).fit(X, y)
    new = sampler.sample(4000)[0]
    assert (new["a"] > X["a"].max()).any()
    assert new["a"].min() >= 0
    beyond = sampler.sample(50, where={"a": (X["a"].max(), None)})[0]["a"]
    assert (beyond >= X["a"].max()).all()
    sampler.save(tmp_path / "m.augan")
    pd.testing.assert_frame_equal(augan.load(tmp_path / "m.augan").sample(4000)[0], new)
    sampler.export_onnx(tmp_path / "m.onnx")
    exported = OnnxGenerator(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    assert (exported.sample(4000, random_state=0)[0]["a"] > X["a"].max()).any()


def test_other_methods_have_no_fitted_tails(rows: Any) -> None:
    with pytest.raises(ParameterError, match="tails='fitted': only method='columns'"):
        GANSampler(method="data", tails="fitted").fit(*rows)
