"""Runs that are killed, interrupted or out of space: nothing half is left, nothing is lost."""

from __future__ import annotations

import contextlib
import importlib.util
import multiprocessing
import os
import signal
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from augan_cli.app import app
from typer.testing import CliRunner

import augan
from augan.exceptions import CheckpointError
from augan.training import checkpoint
from augan.training.checkpoint import read_checkpoint

PRELOADED = [
    *("augan_cli.app", "augan.estimators.f_anogan", "augan.estimators.sampler"),
    *("augan.inputs.reading", "augan.io.results", "torch._dynamo"),
]
PATIENCE = 600  # seconds to wait for a process to come to a point
SETTINGS = [
    *("width=16", "latent_dim=4", "n_critic=1", "n_iter_no_change=None"),
    *("encoder_steps=150", "pretext_steps=150", "n_folds=2"),
]
SIZES = ["--steps", "150", *(word for text in SETTINGS for word in ("--set", text))]
OFTEN = ["--set", "checkpoint_interval=0"]
RUN = """
import os, sys
log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
os.dup2(log, 1), os.dup2(log, 2)
os.chdir(folder)
exec(before)
sys.argv = ["augan", *words]
from augan_cli.__main__ import main
main()
"""
WAIT = "def wait(name):\n    open(name, 'w').close()\n    import time; time.sleep(600)\n"
# Each stops at a point of writing `m` and waits there to be killed.
HALF_WRITTEN = """
import zipfile
original = zipfile.ZipFile.writestr
def writestr(self, name, data):
    if name == 'weights.safetensors':
        data = data[:len(data) // 2]
    original(self, name, data)
    if name == 'weights.safetensors':
        self.fp.flush(), wait('saving')
zipfile.ZipFile.writestr = writestr
"""
NOT_YET_ON_DISK = """
import os
original = os.fsync
def fsync(handle):
    if '.m.' in os.readlink(f'/proc/self/fd/{handle}').replace('.m.checkpoint', ''):
        wait('saving')
    original(handle)
os.fsync = fsync
"""
NOT_YET_NAMED = """
from pathlib import Path
original = Path.replace
def replace(self, target):
    if Path(target).name == 'm':
        wait('saving')
    return original(self, target)
Path.replace = replace
"""
CHECKPOINT_NOT_YET_NAMED = """
from pathlib import Path
original, count = Path.replace, []
def replace(self, target):
    count.append(target)
    if len(count) == 3:
        wait('saving')
    return original(self, target)
Path.replace = replace
"""
SLOW_BLOCKS = """
import time
from augan.io import csv_files, tables
csv_files.BLOCK_BYTES = 2000
original = tables.TableSource.batches
def batches(self, *given, **more):
    for batch in original(self, *given, **more):
        time.sleep(0.05)
        yield batch
tables.TableSource.batches = batches
"""
WAIT_IN_PHASE = """
from augan.training.{module} import {name} as phase
count = []
original = phase.step
def step(self, factor, done=0.0):
    count.append(factor)
    if len(count) == 75:
        wait('training')
    return original(self, factor, done)
phase.step = step
"""
WAIT_IN = {
    "gan": WAIT_IN_PHASE.format(module="phases", name="GANPhase"),
    "encoder": WAIT_IN_PHASE.format(module="phases", name="EncoderPhase"),
    "pretext": WAIT_IN_PHASE.format(module="pretext_phase", name="PretextPhase"),
}


@pytest.fixture(scope="module")
def context() -> Any:
    """Where processes come from that have torch loaded already, and nothing done with it."""
    context = multiprocessing.get_context("forkserver")
    assert all(map(importlib.util.find_spec, PRELOADED))
    context.set_forkserver_preload(PRELOADED)
    return context


@pytest.fixture
def start(context: Any, folder: Path) -> Iterator[Callable[..., Any]]:
    """Start `augan` in a process of its own, in `folder`; its output goes to the file `log`."""
    processes = []

    def start(*words: Any, before: str = "") -> Any:
        given = {
            "words": [*map(str, words), "--threads", "1"],
            "folder": str(folder),
            "log": str(folder.parent / "log"),
            "before": WAIT + before,
        }
        process = context.Process(target=exec, args=(RUN, given))
        process.start()
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.is_alive():
            process.kill()
        process.join()
        process.close()


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and the model of a run that nothing happened to."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"a": random.normal(size=300), "b": random.choice(["x", "y"], 300)})
    frame.to_csv(folder / "d.csv", index=False)
    result = run("fit", folder / "d.csv", "--out", folder / "m", *SIZES)
    assert result.exit_code == 0, result.stderr
    return folder


@pytest.fixture
def folder(uninterrupted: Path, tmp_path: Path) -> Path:
    """A folder of its own with the same data."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "d.csv").write_bytes((uninterrupted / "d.csv").read_bytes())
    return folder


def run(*words: Any) -> Any:
    """Run `augan` in this process."""
    result = CliRunner().invoke(app, [*map(str, words), "--threads", "1"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def said(result: Any) -> list[str]:
    """Return the lines on stderr but that on the health of a GAN as small as this."""
    return [line for line in result.stderr.splitlines() if "the GAN was not healthy" not in line]


def weights_of(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read("weights.safetensors")


def wait_for(process: Any, has_come: Callable[[], bool]) -> None:
    """Wait until the process has come to a point; it must not end before."""
    end = time.monotonic() + PATIENCE
    while not has_come():
        assert process.is_alive(), f"ended too soon, with code {process.exitcode}"
        assert time.monotonic() < end, "took too long"
        time.sleep(0.01)


def in_phase(folder: Path, phase: str) -> bool:
    with contextlib.suppress(CheckpointError):
        return bool(read_checkpoint(folder / "m.checkpoint")["phase"] == phase)
    return False


def kill(process: Any) -> None:
    process.kill()
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL


def log_of(folder: Path) -> list[str]:
    return (folder.parent / "log").read_text().splitlines()


def names(folder: Path) -> set[str]:
    """Return the names in a folder but those of unfinished files, which start with a dot."""
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def resume(folder: Path) -> Any:
    return run("fit", folder / "d.csv", "--out", folder / "m", *SIZES, "--resume")


def assert_ends_as(uninterrupted: Path, folder: Path) -> None:
    """Check that resuming ends in the model of the run that nothing happened to."""
    result = resume(folder)
    assert result.exit_code == 0, result.stderr
    assert weights_of(folder / "m") == weights_of(uninterrupted / "m")
    assert names(folder) == {"d.csv", "m"}
    rows = pd.read_csv(folder / "d.csv")
    expected = augan.load(uninterrupted / "m").anomaly_score(rows)
    assert np.array_equal(augan.load(folder / "m").anomaly_score(rows), expected)


@pytest.mark.parametrize(
    "phases",
    [
        ("gan", "encoder", "pretext"),
        *(pytest.param((phase,), marks=pytest.mark.slow) for phase in WAIT_IN),
    ],
)
def test_a_killed_run_goes_on_to_the_same_model(
    uninterrupted: Path, folder: Path, start: Callable[..., Any], phases: tuple[str, ...]
) -> None:
    words: list[Any] = ["fit", "d.csv", "--out", "m", *SIZES, *OFTEN]
    for phase in phases:
        process = start(*words, before=WAIT_IN[phase])
        wait_for(process, (folder / "training").exists)
        assert in_phase(folder, phase)
        kill(process)
        (folder / "training").unlink()
        assert names(folder) == {"d.csv", "m.checkpoint"}
        words.append("--resume")
    assert_ends_as(uninterrupted, folder)


@pytest.mark.parametrize(
    ("point", "had_model"),
    [
        (HALF_WRITTEN, True),
        (NOT_YET_ON_DISK, False),
        (NOT_YET_NAMED, True),
        pytest.param(HALF_WRITTEN, False, marks=pytest.mark.slow),
        pytest.param(NOT_YET_ON_DISK, True, marks=pytest.mark.slow),
        pytest.param(NOT_YET_NAMED, False, marks=pytest.mark.slow),
    ],
)
def test_a_run_killed_while_saving_keeps_the_old_model_and_the_checkpoint(
    uninterrupted: Path, folder: Path, start: Callable[..., Any], point: str, had_model: bool
) -> None:
    if had_model:
        (folder / "m").write_bytes(b"the model of last week")
    process = start("fit", "d.csv", "--out", "m", *SIZES, before=point)
    wait_for(process, (folder / "saving").exists)
    kill(process)
    (folder / "saving").unlink()
    assert names(folder) == {"d.csv", "m.checkpoint"} | ({"m"} if had_model else set())
    if had_model:
        assert (folder / "m").read_bytes() == b"the model of last week"
    assert_ends_as(uninterrupted, folder)


def test_a_run_killed_while_writing_a_checkpoint_keeps_the_one_before(
    uninterrupted: Path, folder: Path, start: Callable[..., Any]
) -> None:
    words = ["fit", "d.csv", "--out", "m", *SIZES, *OFTEN]
    process = start(*words, before=CHECKPOINT_NOT_YET_NAMED)
    wait_for(process, (folder / "saving").exists)
    kill(process)
    (folder / "saving").unlink()
    assert read_checkpoint(folder / "m.checkpoint")["progress"]["step"] == 100
    assert_ends_as(uninterrupted, folder)


@pytest.mark.parametrize(
    "ending, number",
    [
        *((ending, signal.SIGKILL) for ending in ("csv", "parquet", "jsonl")),
        *(("csv", signal.SIGINT), ("parquet", signal.SIGTERM), ("jsonl", signal.SIGHUP)),
    ],
)
def test_scoring_that_breaks_off_leaves_the_old_scores(
    uninterrupted: Path, folder: Path, start: Callable[..., Any], ending: str, number: int
) -> None:
    pd.concat([pd.read_csv(folder / "d.csv")] * 20).to_csv(folder / "d.csv", index=False)
    out = folder / f"s.{ending}"
    out.write_text("the scores of last week")
    words = ["score", uninterrupted / "m", "d.csv", "--out", out]
    process = start(*words, before=SLOW_BLOCKS)
    wait_for(process, lambda: any(p.stat().st_size for p in folder.glob(".s.*.tmp")))
    os.kill(process.pid, number)
    process.join(PATIENCE)
    assert out.read_text() == "the scores of last week"
    assert names(folder) == {"d.csv", f"s.{ending}"}
    if number != signal.SIGKILL:
        assert process.exitcode == 128 + number and log_of(folder) == ["augan: stopped"]
        assert not list(folder.glob(".*"))
    else:
        assert process.exitcode == -signal.SIGKILL


@pytest.mark.parametrize(
    "phase, often, number",
    [
        ("gan", [], signal.SIGINT),
        ("gan", OFTEN, signal.SIGTERM),
        pytest.param("encoder", OFTEN, signal.SIGINT, marks=pytest.mark.slow),
        pytest.param("pretext", OFTEN, signal.SIGHUP, marks=pytest.mark.slow),
    ],
    ids=["first", "gan", "encoder", "pretext"],
)
def test_a_signal_says_how_to_resume_and_resuming_gives_the_same_model(
    uninterrupted: Path,
    folder: Path,
    start: Callable[..., Any],
    phase: str,
    often: list[str],
    number: signal.Signals,
) -> None:
    words = ["fit", "d.csv", "--out", "m", *SIZES, *often]
    process = start(*words, before=WAIT_IN[phase])
    wait_for(process, (folder / "training").exists)
    if often:
        assert in_phase(folder, phase)
    else:
        assert not (folder / "m.checkpoint").exists()
    os.kill(process.pid, number)
    process.join(PATIENCE)
    assert process.exitcode == 128 + number
    (line,) = log_of(folder)
    assert line.startswith("augan: stopped; the state is in m.checkpoint") and "--resume" in line
    (folder / "training").unlink(missing_ok=True)
    assert names(folder) == {"d.csv", "m.checkpoint"}
    assert not list(folder.glob(".*"))
    assert_ends_as(uninterrupted, folder)


# No space left


def test_a_full_disk_ends_a_fit_with_one_line_and_no_file(
    uninterrupted: Path, tiny_disk: Path
) -> None:
    out = tiny_disk / "m"
    result = run("fit", uninterrupted / "d.csv", "--out", out, *SIZES)
    assert result.exit_code == 1 and result.stdout == ""
    warning, error = said(result)
    assert warning.startswith(f"augan: warning: {out}.checkpoint: ") and "No space" in warning
    assert error == f"augan: error: {out}: No space left on device"
    assert list(tiny_disk.iterdir()) == []


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_full_disk_ends_scoring_with_one_line_and_no_file(
    uninterrupted: Path, tiny_disk: Path, tmp_path: Path, ending: str
) -> None:
    pd.concat([pd.read_csv(uninterrupted / "d.csv")] * 20).to_csv(tmp_path / "d.csv", index=False)
    out = tiny_disk / f"s.{ending}"
    result = run("score", uninterrupted / "m", tmp_path / "d.csv", "--out", out)
    assert result.exit_code == 1 and result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"augan: error: {out}: ") and "No space left on device" in line
    assert list(tiny_disk.iterdir()) == []


def full(*_: Any, **__: Any) -> None:
    raise OSError(28, "No space left on device")


def test_a_fit_that_cannot_be_saved_can_be_resumed_when_there_is_space(
    uninterrupted: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "writestr", full)
        result = run("fit", folder / "d.csv", "--out", folder / "m", *SIZES)
    assert result.exit_code == 1
    (line,) = said(result)
    assert line.startswith(f"augan: error: {folder / 'm'}: No space left on device; ")
    assert f"the state is in {folder / 'm.checkpoint'}" in line and "--resume" in line
    assert names(folder) == {"d.csv", "m.checkpoint"}
    assert_ends_as(uninterrupted, folder)


def test_a_checkpoint_that_cannot_be_written_costs_a_warning_and_not_the_run(
    uninterrupted: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "atomic_path", full)
    result = run("fit", folder / "d.csv", "--out", folder / "m", *SIZES, *OFTEN)
    assert result.exit_code == 0, result.stderr
    warning, summary = said(result)
    assert warning.startswith(f"augan: warning: {folder / 'm.checkpoint'}: the checkpoint could")
    assert "No space left on device" in warning and "training goes on" in warning
    assert summary.startswith("trained")
    assert weights_of(folder / "m") == weights_of(uninterrupted / "m")


@pytest.mark.slow  # by default it cannot be written at all: the test before
def test_when_space_runs_out_the_last_checkpoint_is_kept(
    uninterrupted: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, written = checkpoint.atomic_path, []

    def atomic_path(path: Path) -> Any:
        written.append(path)
        return original(path) if len(written) <= 2 else full()

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "atomic_path", atomic_path)
        patch.setattr(zipfile.ZipFile, "writestr", full)
        result = run("fit", folder / "d.csv", "--out", folder / "m", *SIZES, *OFTEN)
    assert result.exit_code == 1 and len(written) > 5
    assert "the previous one is kept" in result.stderr and len(said(result)) == 2
    assert read_checkpoint(folder / "m.checkpoint")["progress"]["step"] == 100
    assert_ends_as(uninterrupted, folder)


def test_the_run_to_compare_with_took_all_its_steps(uninterrupted: Path) -> None:
    last = {row["phase"]: row["step"] for row in augan.load(uninterrupted / "m").history_}
    assert last == {"gan": 150, "encoder": 150, "pretext": 150}
