"""`max_copies`: the share of new rows that are near copies of training rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from augan_cli.app import app
from sklearn.datasets import load_breast_cancer
from sklearn.neighbors import NearestNeighbors
from typer.testing import CliRunner

import augan.sampling.drawing
import augan.sampling.near_copies
from augan import GANSampler
from augan.exceptions import DataError, ParameterError


@pytest.fixture(scope="module")
def sampler() -> GANSampler:
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X = X[["mean radius", "mean texture", "mean smoothness"]]
    settings: dict[str, Any] = {"max_steps": 300, "width": 32, "random_state": 0}
    return GANSampler(**settings, spread=1).fit(X, y)


def share(sampler: GANSampler, rows: Any) -> float:
    real = sampler.model_.pool.rows.numpy()  # type: ignore[union-attr]
    own, _ = NearestNeighbors(n_neighbors=1).fit(real).kneighbors()  # to another one
    near, _ = NearestNeighbors(n_neighbors=1).fit(real).kneighbors(sampler.codec_.encode(rows))
    return float((near < np.quantile(own, 0.05)).mean())


@pytest.mark.parametrize("most", [0, 0.01, 1])
def test_the_share_of_near_copies_is_limited(sampler: GANSampler, most: float) -> None:
    usual = share(sampler, sampler.sample(400)[0])
    rows, y = sampler.sample(400, max_copies=most)
    assert len(rows) == len(y) == 400 and usual > 0.01
    assert share(sampler, rows) <= most
    assert (share(sampler, rows) > 0) == (most > 0)
    parts = [part for part, _ in sampler.sample_batches(400, batch_size=90, max_copies=most)]
    pd.testing.assert_frame_equal(pd.concat(parts, ignore_index=True), rows)
    assert (sampler.refused_["max_copies"] > 0) == (most < 1)


def test_the_command_limits_them_too(sampler: GANSampler, tmp_path: Path) -> None:
    model, out = tmp_path / "m.augan", tmp_path / "f.parquet"
    sampler.save(model)
    words = ["sample", str(model), "-n", "100", "--max-copies", "0", "--out", str(out), "-q"]
    result = CliRunner().invoke(app, [*words, "--threads", "1"])
    assert result.exit_code == 0, result.output
    assert share(sampler, pd.read_parquet(out).drop(columns="class")) == 0
    result = CliRunner().invoke(app, [*words[:5], "2", *words[6:], "--threads", "1"])
    assert result.exit_code == 1 and "max_copies=2" in result.output


def test_what_cannot_be_is_one_error(sampler: GANSampler) -> None:
    with pytest.raises(ParameterError, match="max_copies=2"):
        sampler.sample(3, max_copies=2)
    X = np.random.default_rng(0).integers(0, 2, (19, 2)).astype(float)
    given: dict[str, Any] = {"max_steps": 5, "width": 8, "random_state": 0}
    small = GANSampler(**given).fit(X, X[:, 0])
    with pytest.raises(DataError, match="max_copies: needs 20 training rows, there are 19"):
        small.sample(3, max_copies=0)


def test_too_few_rows_that_are_no_copies_are_one_error(
    sampler: GANSampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(augan.sampling.drawing, "MAX_TRIES", 2)
    monkeypatch.setattr(augan.sampling.near_copies, "COPY_QUANTILE", 1.0)
    with pytest.raises(DataError, match=r"5000 rows requested.*\(max_copies rejected \d+\)"):
        sampler.sample({0: 5000}, max_copies=0)
