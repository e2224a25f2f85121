"""Rows of a sampler in batches: the same as all at once, in exact numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from augan_cli.app import app
from typer.testing import CliRunner

import augan.sampling.batches
import augan.sampling.maker
from augan import GANSampler
from augan.codecs.bins import Given
from augan.exceptions import ParameterError
from augan.io.results import open_results
from augan.sampling.batches import block_rows, label_counts, rebatched
from augan.sampling.columns import Draws


@pytest.fixture(scope="module")
def sampler() -> GANSampler:
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "amount": np.round(random.lognormal(3, 1, 300), 2),
            "shop": random.choice(["north", "south"], 300, p=[0.8, 0.2]),
            "age": pd.array(random.integers(18, 80, 300), dtype="Int64"),
        }
    )
    frame.loc[random.random(300) < 0.2, "age"] = pd.NA
    y = np.where(frame["amount"] > 40, "fraud", "fine")
    return GANSampler(method="columns", max_steps=20, width=16, random_state=0).fit(frame, y)


@pytest.mark.parametrize("size", [7, 100, 5000])
@pytest.mark.parametrize(
    ("wanted", "asked"),
    [(250, {}), ({"fraud": 30, "fine": 71}, {"where": {"shop": "south", "age": (30, 50)}})],
)
def test_batches_are_the_rows_of_sample(
    sampler: GANSampler,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    wanted: Any,
    asked: dict[str, Any],
) -> None:
    monkeypatch.setattr(augan.sampling.maker, "block_rows", lambda n: 64)
    rows, y = sampler.sample(wanted, random_state=3, **asked)
    batches = [*sampler.sample_batches(wanted, batch_size=size, random_state=3, **asked)]
    n = len(rows)
    assert [len(part) for part, _ in batches] == [min(size, n - i) for i in range(0, n, size)]
    pd.testing.assert_frame_equal(pd.concat([p for p, _ in batches], ignore_index=True), rows)
    assert np.array_equal(np.concatenate([labels for _, labels in batches]), y)


@pytest.mark.parametrize("filters", [(), ("copies",)])
def test_other_sources_and_filters_work_in_batches(filters: tuple[str, ...]) -> None:
    X = np.random.default_rng(0).normal(size=(120, 2))
    made = GANSampler(method="data", filters=filters, random_state=0).fit(X, np.repeat([0, 1], 60))
    rows, _ = made.sample({1: 50, 0: 3}, random_state=1)
    refused = made.refused_
    batches = [*made.sample_batches({1: 50, 0: 3}, batch_size=20, random_state=1)]
    assert np.array_equal(np.concatenate([part for part, _ in batches]), rows)
    assert np.concatenate([y for _, y in batches]).tolist() == [1] * 50 + [0] * 3
    assert made.refused_ == refused and set(refused) == set(filters)


def test_wrong_requests_are_said_at_once(sampler: GANSampler) -> None:
    with pytest.raises(ParameterError, match="batch_size"):
        sampler.sample_batches(10, batch_size=0)
    with pytest.raises(ParameterError, match="no class 'x'"):
        sampler.sample_batches({"x": 1})
    with pytest.raises(ParameterError, match="amount"):
        sampler.sample_batches(5, where={"amount": (1e7, 2e7)})


def test_more_rows_than_memory_are_refused(
    sampler: GANSampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 2**20}
    monkeypatch.setattr(augan.sampling.batches.os, "sysconf", pages.get, raising=False)
    with pytest.raises(ParameterError, match=r"n_samples=1000000000: \d\d GB.*\(4 GB\).*batches"):
        sampler.sample({"fraud": 10**9})
    rows, y = next(sampler.sample_batches({"fraud": 10**9}, batch_size=3))
    assert len(rows) == 3 and (y == "fraud").all()


def test_the_command_writes_the_rows_of_sample(sampler: GANSampler, tmp_path: Path) -> None:
    sampler.save(tmp_path / "m.augan")
    words = ["sample", "m.augan", "-n", "20000", "--seed", "5", "--out", "f.parquet", "-q"]
    words = [str(tmp_path / word) if "." in word else word for word in words]
    result = CliRunner().invoke(app, [*words, "--threads", "1"])
    assert result.exit_code == 0, result.output
    rows, y = sampler.sample(20_000, random_state=5)
    found = pd.read_parquet(tmp_path / "f.parquet")
    assert found["class"].tolist() == y.tolist()
    assert found["amount"].tolist() == rows["amount"].tolist()
    assert found["shop"].tolist() == rows["shop"].tolist()


def test_rows_of_equal_beginnings_are_drawn_as_by_a_plain_loop(sampler: GANSampler) -> None:
    columns = sampler.model_.columns.model  # type: ignore[union-attr]
    sizes = torch.tensor([bins.size for bins in columns.bins])
    for known in ({}, {len(sizes) - 1: Given(1.0, 1.0)}):
        draws = Draws.of(400, len(sizes), torch.Generator().manual_seed(0), known)
        codes = sizes.expand(400, -1).clone()  # the size means masked
        for place in draws.order:
            logits = columns.network(codes)[place].detach().double()
            if place in known:
                logits[:, [c for c in range(int(sizes[place])) if c != 1]] = -torch.inf
            totals = logits.softmax(1).cumsum(1)
            codes[:, place] = (totals <= draws.codes[:, [place]]).sum(1).clamp(max=sizes[place] - 1)
        values = [
            bins.draw(codes[:, j].numpy(), draws.values[:, j])
            for j, bins in enumerate(columns.bins)
        ]
        same = (columns.drawn(draws, known) == np.stack(values, axis=1)) | np.isnan(values).T
        assert same.all(axis=1).sum() >= 399  # rounding may choose another code


def test_blocks_and_counts() -> None:
    assert block_rows(10) == 16_384 and block_rows(2**20) == 16 and block_rows(2**30) == 1
    blocks = [(0, torch.arange(5.0)[:, None]), (2, torch.arange(5.0, 8.0)[:, None])]
    found = [(rows[:, 0].tolist(), labels.tolist()) for rows, labels in rebatched(blocks, 4)]
    assert found == [([0, 1, 2, 3], [0] * 4), ([4, 5, 6, 7], [0, 2, 2, 2])]
    counts = label_counts(torch.tensor([0.0, 1.0, 3.0]), 3_000_000, torch.Generator())
    assert sum(counts) == 3_000_000 and counts[0] == 0
    assert counts[1] == pytest.approx(750_000, rel=0.01)


@pytest.mark.parametrize("dtype", ["object", "str", "string"])
def test_texts_are_written_alike_whatever_their_dtype(tmp_path: Path, dtype: str) -> None:
    texts = pd.Series(["a", None, "b\r", 'c,"', "a", "\ud800"], dtype=object)
    if dtype != "object":
        texts = texts[:5].astype(dtype)
    frame = pd.DataFrame({"text": texts, "n": range(len(texts))})
    for name, missing in (("t.csv", '"",1'), ("t.jsonl", '{"text": null, "n": 1}')):
        with open_results(tmp_path / name) as write:
            write(frame)
        lines = (tmp_path / name).read_bytes().decode().split("\n")
        assert missing in lines and len(lines) == len(frame) + 1 + (name == "t.csv")
