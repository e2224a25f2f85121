"""Data and fitted detectors that several tests share."""

from __future__ import annotations

import copy
import functools
import gc
import os
import pickle
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import typer.testing
from filelock import FileLock
from sklearn.datasets import load_digits
from threadpoolctl import threadpool_limits

from augan import AnoGAN, FAnoGAN
from augan.sampling import class_filter
from augan.scoring.heads import BACKBONE_HEADS, HEADS, IMAGE_HEADS, TABLE_HEADS

HANGS = 3600  # seconds after which a process is taken to hang, however busy the machine is
QUICK = {
    "max_steps": 60,
    "pretext_steps": 30,
    "restoration_steps": 10,
    "column_steps": 10,
    "n_folds": 2,
    "n_critic": 2,
    "width": 32,
    "latent_dim": 8,
    "random_state": 0,
}
HEADS_OF_TABLES = tuple(name for name in HEADS if name not in IMAGE_HEADS)
HEADS_OF_IMAGES = tuple(name for name in HEADS if name not in TABLE_HEADS + BACKBONE_HEADS)


def pytest_collection_finish() -> None:
    """Keep the garbage collector from going over the imported modules again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _commands_are_built_once() -> Iterator[None]:
    """Let Typer build the commands of an application once, not for every call."""
    with pytest.MonkeyPatch.context() as patch:
        build = functools.cache(typer.testing._get_command)
        patch.setattr(typer.testing, "_get_command", build)
        yield


@pytest.fixture(autouse=True, scope="session")
def _one_classifier_filters_rows() -> Iterator[None]:
    """Let the filter "label" train a logistic regression alone; its own tests train all."""
    with pytest.MonkeyPatch.context() as patch:
        name = "logistic regression"
        patch.setattr(class_filter, "CLASSIFIERS", {name: class_filter.CLASSIFIERS[name]})
        yield


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Let tests that run side by side keep to a core each."""
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield


@pytest.fixture(autouse=True)
def _one_thread_again() -> Iterator[None]:
    """Take the threads back that a command gave itself: with two, sums differ in the last digit."""
    yield
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def run_alone() -> Callable[..., str]:
    """Return what runs a command in a process of its own, on one thread, and gives its output."""

    def run(*command: str, cwd: Any) -> str:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        result = subprocess.run(
            command, cwd=cwd, capture_output=True, text=True, timeout=HANGS, env=environment
        )
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run


@pytest.fixture
def untouched_random_state() -> Iterator[None]:
    """Fail where the body of a test draws from, or seeds, a global random stream."""
    np.random.seed(123)  # noqa: NPY002
    torch.manual_seed(123)
    before = pickle.dumps(np.random.get_state()), torch.get_rng_state()  # noqa: NPY002
    yield
    assert pickle.dumps(np.random.get_state()) == before[0]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a file system is not permitted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def make_mixed_frame(n: int = 400, seed: int = 0) -> pd.DataFrame:
    """Return a table with a column of every kind that augan reads."""
    random = np.random.default_rng(seed)
    amount = np.round(np.exp(random.normal(3, 1, n)), 2)
    amount[random.random(n) < 0.3] = 0.0
    score = random.normal(size=n)
    score[random.random(n) < 0.1] = np.nan
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 300, n), unit="D")
    return pd.DataFrame(
        {
            "amount": amount,
            "count": random.poisson(4, n),
            "score": score,
            "visits": pd.array(np.where(random.random(n) < 0.1, None, 3), dtype="Int64"),
            "shop": random.choice(["north", "south", "web"], n, p=[0.5, 0.3, 0.2]),
            "grade": pd.Categorical(
                random.choice(["low", "high"], n), categories=["low", "mid", "high"], ordered=True
            ),
            "member": random.random(n) < 0.4,
            "day": days,
            "country": "DE",
            "comment": np.full(n, np.nan),
        }
    )


@pytest.fixture(scope="session")
def mixed_frame() -> pd.DataFrame:
    return make_mixed_frame()


@pytest.fixture(scope="session")
def table_detector(mixed_frame: pd.DataFrame) -> FAnoGAN:
    """An f-AnoGAN fitted to `mixed_frame`, with all heads; tests must not change it."""
    return FAnoGAN(encoder_steps=60, heads=HEADS_OF_TABLES, **QUICK).fit(mixed_frame)


@pytest.fixture(scope="session")
def default_detector(mixed_frame: pd.DataFrame) -> FAnoGAN:
    """An f-AnoGAN fitted to `mixed_frame`, with the default heads; tests must not change it."""
    return FAnoGAN(encoder_steps=60, **QUICK).fit(mixed_frame)


@pytest.fixture(scope="session")
def search_detector(mixed_frame: pd.DataFrame) -> AnoGAN:
    """An AnoGAN fitted to `mixed_frame`, with all heads; tests must not change it."""
    return AnoGAN(search_steps=20, heads=HEADS_OF_TABLES, **QUICK).fit(mixed_frame)


@pytest.fixture(scope="session")
def digits() -> np.ndarray:
    """The 8x8 images of the digit 3, (183, 8, 8), 0 to 16."""
    data = load_digits()
    return data.images[data.target == 3]


@pytest.fixture(scope="session")
def image_detector(digits: np.ndarray) -> FAnoGAN:
    """An f-AnoGAN fitted to `digits`, with all heads; tests must not change it."""
    return FAnoGAN(encoder_steps=60, heads=HEADS_OF_IMAGES, **{**QUICK, "width": 8}).fit(digits)


@pytest.fixture(scope="session")
def traced_once() -> Callable[[], AbstractContextManager[None]]:
    """Return a context in which exports of one model go on from one trace of it."""
    from augan.deploy import export

    traces: list[tuple[Any, str, Any]] = []
    trace = export.traced

    def again(model: Any, part: str) -> Any:
        if not any(n is model.networks and p == part for n, p, _ in traces):
            traces.append((model.networks, part, trace(model, part)))
        return next(copy.deepcopy(m) for n, p, m in traces if n is model.networks and p == part)

    @contextmanager
    def context() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(export, "traced", again)
            yield

    return context


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all processes of a test run share."""
    folder: Path = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def default_file(default_detector: FAnoGAN, shared_folder: Path) -> Path:
    """Return the exported scorer of `default_detector`; tests must not change it."""
    path = shared_folder / "default.onnx"
    with FileLock(shared_folder / "default.lock"):
        if not path.exists():
            default_detector.export_onnx(path)
    return path


@pytest.fixture(scope="session")
def numbers() -> pd.DataFrame:
    """Return a table of numbers alone."""
    random = np.random.default_rng(0)
    return pd.DataFrame(random.normal(size=(120, 3)), columns=["load [kW]", "speed", "heat"])


@pytest.fixture(scope="session")
def numbers_detector(numbers: pd.DataFrame) -> FAnoGAN:
    """An f-AnoGAN fitted to `numbers` in a second; tests must not change it."""
    quick = {**QUICK, "max_steps": 5, "pretext_steps": 5, "restoration_steps": 5, "width": 16}
    return FAnoGAN(encoder_steps=5, **quick).fit(numbers)


@pytest.fixture(scope="session")
def numbers_file(
    numbers_detector: FAnoGAN, tmp_path_factory: Any, traced_once: Callable[[], Any]
) -> Path:
    """Return the exported scorer of `numbers_detector`; tests must not change it."""
    path: Path = tmp_path_factory.mktemp("numbers") / "numbers.onnx"
    with traced_once():
        numbers_detector.export_onnx(path)
    return path
