"""A small table, a folder of images, a model of each, and what every command owes its user."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from augan_cli.app import app
from filelock import FileLock
from PIL import Image
from typer.testing import CliRunner

SMALL = ("width=8", "latent_dim=2", "encoder_steps=1", "n_critic=1", "pretext_steps=1", "n_folds=2")
QUICK = ["--steps", "1", *(word for text in SMALL for word in ("--set", text))]
ONE_HEAD = ["--set", "heads=('data_neighbors',)"]  # the graph of all takes long to write
TWO_HEADS = ["--set", "heads=('data_neighbors', 'pretext_neighbors')"]
LONGEST = 500  # characters of a message


def sampled(n: int, n_default: int) -> list[Any]:
    """Return seeds for `parametrize`; those from `n_default` on are for slow tests alone."""
    slow = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(n_default, n)]
    return [*range(n_default), *slow]


def every_other(names: Iterable[str]) -> list[Any]:
    """Return names for `parametrize`; every other one is for slow tests alone."""
    slow = pytest.mark.slow
    return [pytest.param(name, marks=slow) if i % 2 else name for i, name in enumerate(names)]


@pytest.fixture(scope="session")
def command() -> Callable[..., Any]:
    """Return what runs a command in this process and checks what holds for every command."""

    def run(*words: Any, folder: Path | None = None, stdin: bytes | None = None) -> Any:
        given = [str(word) for word in words]
        if given[0] in ("fit", "score"):
            given[1:1] = ["--threads", "1"]
        before = _files(folder)
        result = CliRunner().invoke(app, given, input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit), (
            given,
            repr(result.exception),
        )
        errors = result.stderr.splitlines()
        assert "Traceback" not in result.stderr
        assert result.exit_code in (0, 1, 2), result.exit_code
        if result.exit_code == 1:
            said = [line for line in errors if not line.startswith("augan: warning: ")]
            assert len(said) == 1, result.stderr
            assert said[0].startswith("augan: error: "), said
            assert len(said[0]) <= LONGEST, said
            assert _files(folder) == before, "a refused command left files behind"
        if result.exit_code == 2:
            assert "Usage" in result.stderr or "Error" in result.stderr, result.stderr
        leftovers = [name for name in _files(folder) if re.search(r"\.tmp$", name)]
        assert not leftovers, leftovers
        return result

    return run


def _files(folder: Path | None) -> set[str]:
    return set() if folder is None else {str(path) for path in folder.rglob("*")}


def base_table(n: int = 120) -> pd.DataFrame:
    """Return a table of payments: amounts, counts, days, shops, ZIP codes, missing values."""
    random = np.random.default_rng(0)
    fee = np.round(random.gamma(2, 3, n), 2)
    fee[random.random(n) < 0.2] = np.nan
    return pd.DataFrame(
        {
            "amount": np.round(np.exp(random.normal(7, 1, n)), 2),
            "count": random.poisson(4, n),
            "fee": fee,
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 300, n), "D"),
            "shop": random.choice(["north", "south", "west"], n),
            "zip": random.choice(["02134", "10001", "00501"], n),
        }
    )


@pytest.fixture(scope="session")
def house(shared_folder: Path, command: Callable[..., Any]) -> Path:
    """Return a folder with base.csv and base.augan, and images/ and images.augan.

    All processes of a test run share it; tests must not change it.
    """
    house = shared_folder / "house"
    with FileLock(shared_folder / "house.lock"):
        if not house.exists():
            _build(house, command)
    return house


def _build(house: Path, command: Callable[..., Any]) -> None:
    house.mkdir()
    base_table().to_csv(house / "base.csv", index=False)
    (house / "images").mkdir()
    random = np.random.default_rng(1)
    for i in range(24):
        pixels = random.integers(0, 200, (12, 12), dtype=np.uint8)
        Image.fromarray(pixels).save(house / "images" / f"part{i:02}.png")
    for name in ("base.csv", "images"):
        model = house / f"{Path(name).stem}.augan"
        heads = ONE_HEAD if name == "images" else TWO_HEADS
        done = command("fit", house / name, "--out", model, *QUICK, *heads)
        assert done.exit_code == 0, done.stderr


@pytest.fixture(scope="session")
def model_file(house: Path, command: Callable[..., Any]) -> Callable[[str], Path]:
    """Return what gives a model of the house by name; an ONNX file is exported when asked for."""

    def found(name: str) -> Path:
        path = house / name
        with FileLock(house.with_suffix(".lock")):
            if not path.exists():
                done = command("export", path.with_suffix(".augan"), path, "--quiet")
                assert done.exit_code == 0, done.stderr
        return path

    return found


@pytest.fixture(scope="session")
def scores_of(command: Callable[..., Any]) -> Callable[..., Any]:
    """Return what scores a file with a model: (scores, or None where it was refused; stderr)."""

    def scores(model: Path, data: Any, out: Path, *options: Any, stdin: bytes | None = None) -> Any:
        result = command(
            "score", model, data, "--out", out, *options, folder=out.parent, stdin=stdin
        )
        if result.exit_code != 0:
            return None, result.stderr
        found = pd.read_csv(out)
        assert np.isfinite(found["anomaly_score"]).all()
        assert found["p_value"].between(0, 1).all()
        return found["anomaly_score"].to_numpy(), result.stderr

    return scores


@pytest.fixture(scope="session")
def base_scores(
    house: Path, scores_of: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """Return the scores of base.csv by base.augan."""
    out = tmp_path_factory.mktemp("base") / "scores.csv"
    return scores_of(house / "base.augan", house / "base.csv", out)[0]
