"""Rows that no longer look like the training rows are said, once, with figures; others are not."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from augan_cli.app import app
from typer.testing import CliRunner

import augan
from augan import FAnoGAN, OnnxDetector
from augan.codecs.drift import DriftCheck, one_drift_warning, warn_of_drift
from augan.codecs.table import TableCodec
from augan.exceptions import DriftWarning

from .conftest import make_mixed_frame

Change = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module")
def codec(mixed_frame: pd.DataFrame) -> TableCodec:
    return TableCodec().fit(mixed_frame)


def _messages(codec: TableCodec, frame: pd.DataFrame) -> list[str]:
    check = DriftCheck(codec.columns)
    check.add(frame)
    return check.messages()


def _one(name: str, value: Any, every: int = 1) -> Change:
    """Return what sets a column to a value, in every so many-th row."""

    def change(frame: pd.DataFrame) -> pd.DataFrame:
        rows = np.arange(len(frame)) % every == 0
        return frame.assign(**{name: frame[name].astype(object).mask(rows, value)})

    return change


DRIFTS: dict[str, tuple[Change, tuple[str, ...]]] = {
    "unknown category": (
        _one("shop", "WEB", every=4),
        ("values that do not occur in training", "'shop' in 50 of 200 rows", "'WEB'"),
    ),
    "constant": (_one("country", "FR"), ("'country' in 200 of 200 rows", "'FR'")),
    "other unit": (
        lambda frame: frame.assign(amount=frame["amount"] * 60),
        ("outside their usual range", "'amount'", "the median is", "in training"),
    ),
    "smaller unit": (
        lambda frame: frame.assign(count=frame["count"] / 60 + 100),
        ("values that do not occur in training", "'count' in 200 of 200 rows, such as 10"),
    ),
    "later days": (
        lambda frame: frame.assign(day=frame["day"] + pd.Timedelta("700D")),
        ("outside their usual range", "'day' in 200 of 200 rows", "the median is 2026"),
    ),
    "missing": (
        lambda frame: frame.assign(score=frame["score"].where(frame.index % 2 == 0)),
        ("more missing values", "'score' in ", "of 200 rows, in training 1"),
    ),
    "missing where none was": (_one("shop", None, every=3), ("more missing values", "'shop'")),
    "missing constant": (_one("country", None), ("more missing values", "'country' in 100%")),
}


@pytest.mark.parametrize("name", DRIFTS)
def test_drift_is_said_with_figures(name: str, codec: TableCodec) -> None:
    change, words = DRIFTS[name]
    (message,) = _messages(codec, change(make_mixed_frame(200, seed=1)))
    for word in words:
        assert word in message, message


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("n", [1, 4, 5, 20, 300])
def test_rows_like_the_training_rows_are_not_said_to_drift(
    n: int, seed: int, codec: TableCodec
) -> None:
    assert _messages(codec, make_mixed_frame(n, seed=100 + seed)) == []


def test_few_odd_rows_among_many_are_no_drift(codec: TableCodec) -> None:
    frame = make_mixed_frame(300, seed=2)
    for name, value in {"shop": "WEB", "country": "FR", "amount": 1e9}.items():
        frame = _one(name, value, every=40)(frame)
    assert _messages(codec, frame) == []


def test_many_columns_are_said_in_one_line() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(50, 30)))
    codec = TableCodec().fit(frame.rename(columns=str))
    (message,) = _messages(codec, frame * 60 + 200)
    assert message.endswith("; and 27 more columns")


def test_batches_are_reported_once(codec: TableCodec) -> None:
    frame = _one("shop", "WEB")(make_mixed_frame(40, seed=1))
    with pytest.warns(DriftWarning) as caught, one_drift_warning():
        for start in range(0, 40, 3):
            warn_of_drift(codec.columns, frame[start : start + 3])
    assert ["40 of 40 rows" in str(warning.message) for warning in caught] == [True]


def test_python_and_onnx_warn_alike(
    default_detector: FAnoGAN, default_file: Path, tmp_path: Path
) -> None:
    onnx = OnnxDetector(default_file, providers="cpu").fit()
    default_detector.save(tmp_path / "m.augan")
    frame = make_mixed_frame(60, seed=1).assign(shop="WEB")
    said = []
    for detector in (default_detector, onnx, augan.load(tmp_path / "m.augan")):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            detector.anomaly_score(frame)
        said.append([str(w.message) for w in caught if w.category is DriftWarning])
    assert len(said[0]) == 1
    assert said[0] == said[1] == said[2]


def test_the_command_says_it_once_for_a_file_of_many_batches(
    default_detector: FAnoGAN, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("augan.io.csv_files.BLOCK_BYTES", 2000)
    default_detector.save(tmp_path / "m.augan")
    make_mixed_frame(200, seed=1).assign(shop="WEB").to_csv(tmp_path / "t.csv", index=False)
    words = "score", tmp_path / "m.augan", tmp_path / "t.csv", "--threads", "1"
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "do not occur in training" in line]
    assert len(lines) == 1
    assert "'shop' in 200 of 200 rows, such as 'WEB'" in lines[0]
