"""The training loop: steps, reports, early stopping, recovery, checkpoints. It prints nothing."""

from __future__ import annotations

import copy
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from augan._callers import caller_level
from augan.exceptions import CheckpointError, NotTrainableError, TrainingWarning
from augan.training.checkpoint import Checkpointer
from augan.training.health import health
from augan.training.monitor import Callback, GeneratorCallback, History, Row
from augan.training.phases import GANPhase, Phase

Schedule = Literal["constant", "linear", "cosine"]

LOG_EVERY = 10
SNAPSHOT_EVERY = 50  # steps between two measures on held-out rows, each with a snapshot
MAX_RECOVERIES = 5
MIN_IMPROVEMENT = 1e-3  # smallest relative decrease of a held-out loss that is an improvement


@dataclass
class Progress:
    """Progress of a phase; part of every checkpoint."""

    step: int = 0
    rate_scale: float = 1.0
    n_recoveries: int = 0
    best: float = math.inf
    n_stale: int = 0
    seconds: float = 0.0
    done: bool = False


@dataclass
class Run:
    """Settings and state that the phases of one `fit` share."""

    schedule: Schedule = "cosine"
    max_time: float | None = None  # seconds
    patience: int | None = None  # measures without improvement before stopping; None: never
    callbacks: Sequence[Callback] = ()
    checkpointer: Checkpointer | None = None
    resumed: dict[str, Any] | None = None  # a checkpoint's content
    history: History = field(default_factory=History)
    seconds_before: float = 0.0  # duration of earlier phases
    decode: Callable[[Tensor], Any] = lambda rows: rows  # generated rows for `GeneratorCallback`

    def report(self, row: Row) -> None:
        """Add a row to the history and hand it to the callbacks."""
        self.history.rows.append(row)
        for callback in self.callbacks:
            callback(row)

    @property
    def generator_callbacks(self) -> list[GeneratorCallback]:
        """The callbacks that also receive generated rows."""
        callbacks: Sequence[Any] = self.callbacks
        return [callback for callback in callbacks if isinstance(callback, GeneratorCallback)]

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Call `begin` and `close` of the generator callbacks around the training."""
        for callback in self.generator_callbacks:
            callback.begin((self.resumed or {}).get("history", []))
        try:
            yield
        finally:
            for callback in self.generator_callbacks:
                callback.close()

    def show(self, phase: Phase) -> None:
        """Give the generator callbacks a function that returns generated rows."""
        if isinstance(phase, GANPhase):
            for callback in self.generator_callbacks:
                callback.look(lambda n: self.decode(phase.preview(n).cpu()))


def run_phase(phase: Phase, run: Run, *, n_steps: int, time_share: float) -> None:
    """Train `phase` for `n_steps`, or until `time_share` of the run's time is used.

    With a checkpoint of this phase, training continues from it; with a checkpoint of a later
    phase, this phase is skipped.

    Raises
    ------
    NotTrainableError
        When training has diverged more than `MAX_RECOVERIES` times.
    CheckpointError
        When the state in a checkpoint does not fit the phase.
    """
    if run.resumed is not None and run.resumed["phase"] != phase.name:
        return
    loop = _Loop(phase, run, n_steps, time_share)
    try:
        loop.run()
    except KeyboardInterrupt:
        if run.checkpointer is not None:
            run.checkpointer.write(loop.good, force=True)
        raise
    run.seconds_before += loop.progress.seconds
    phase.finish()


class _Loop:
    """The loop of one phase; `good` is the last snapshot with finite weights."""

    def __init__(self, phase: Phase, run: Run, n_steps: int, time_share: float) -> None:
        self.phase, self.training, self.n_steps = phase, run, n_steps
        self.time_limit = math.inf if run.max_time is None else run.max_time * time_share
        self.progress = Progress()
        if run.resumed is not None:
            self._resume(run.resumed)
            run.resumed = None
        self.good = self._snapshot()
        self.reported = self.progress.step, self.progress.seconds

    def run(self) -> None:
        started = time.monotonic() - self.progress.seconds
        while not self.progress.done:
            figures = self.phase.step(self._factor(), self._done())
            self.progress.seconds = time.monotonic() - started
            self.progress.step += 1
            step = self.progress.step
            if not _all_finite(figures.values()):
                self._recover()
                continue
            out_of_time = self._elapsed() >= self.time_limit
            self.progress.done = step >= self.n_steps or out_of_time
            if step % SNAPSHOT_EVERY == 0 or self.progress.done:
                self._measure(figures)
            elif step % LOG_EVERY == 0:
                self._report(figures)

    def _elapsed(self) -> float:
        return self.training.seconds_before + self.progress.seconds

    def _factor(self) -> float:
        """Return the factor of the base learning rates at this step."""
        return self.progress.rate_scale * schedule_factor(self.training.schedule, self._done())

    def _done(self) -> float:
        """Return the completed share of the phase, by steps or by time."""
        done = max(self.progress.step / self.n_steps, self._elapsed() / self.time_limit)
        return min(done, 1.0)

    def _measure(self, figures: dict[str, Tensor]) -> None:
        """Measure on held-out rows, stop early if due, and take a snapshot of finite weights."""
        if not _weights_finite(self.phase.state_dict()):
            self._recover()
            return
        measured = self.phase.measure()
        event = self._stop_early(measured.get("held_out_loss"))
        self._report(figures, measured, event)
        self.training.show(self.phase)
        self.good = self._snapshot()
        if self.training.checkpointer is not None:
            self.training.checkpointer.write(self.good, force=self.progress.done)

    def _stop_early(self, loss: float | None) -> str | None:
        if loss is None:  # no rows are held out
            return None
        progress = self.progress
        patience = self.training.patience if self.phase.stops_early else None
        if loss < progress.best * (1 - MIN_IMPROVEMENT):
            progress.best, progress.n_stale = loss, 0
            return None
        progress.n_stale += 1
        if patience is None or progress.n_stale < patience or progress.done:
            return None
        progress.done = True
        return f"stopped early: no improvement on held-out rows in {patience} measures"

    def _recover(self) -> None:
        """Restore the last good snapshot, halve the learning rate, and warn."""
        diverged_at, n_recoveries = self.progress.step, self.progress.n_recoveries + 1
        scale = self.progress.rate_scale / 2
        if n_recoveries > MAX_RECOVERIES:
            raise NotTrainableError(
                f"training diverged {n_recoveries} times, last at step {diverged_at} of the "
                f"{self.phase.name}; try lower learning rates or gradient_clip=1.0"
            )
        self._restore(self.good)
        self.progress.n_recoveries, self.progress.rate_scale = n_recoveries, scale
        event = (
            f"the {self.phase.name} diverged at step {diverged_at}: went back to step "
            f"{self.progress.step} at {scale:g} times the learning rate"
        )
        warnings.warn(event, TrainingWarning, stacklevel=caller_level())
        self._report({}, event=event)
        self.good = self._snapshot()

    def _report(
        self,
        figures: dict[str, Tensor],
        measured: dict[str, float] | None = None,
        event: str | None = None,
    ) -> None:
        row: Row = {
            "phase": self.phase.name,
            "step": self.progress.step,
            "total_steps": self.n_steps,
            "done": round(self._done(), 6),
            "learning_rate_factor": self._factor(),
            **self.phase.rates(),
            "seconds": round(self._elapsed(), 3),
            "seconds_per_step": round(self._pace(), 6),
            **{name: float(value) for name, value in figures.items()},
            **(measured or {}),
        }
        if event is not None:
            row["event"] = event
        if "coverage" in row:
            rows = [earlier for earlier in self.training.history if earlier["phase"] == "gan"]
            row["health"] = health([*rows, row])
        self.training.report(row)

    def _pace(self) -> float:
        """Return the seconds that a step took since the last report."""
        (step, seconds), self.reported = self.reported, (self.progress.step, self.progress.seconds)
        return max(self.progress.seconds - seconds, 0.0) / max(self.progress.step - step, 1)

    def _snapshot(self) -> dict[str, Any]:
        return {
            "phase": self.phase.name,
            "progress": asdict(self.progress),
            "seconds_before": self.training.seconds_before,
            "state": copy.deepcopy(self.phase.state_dict()),
            "history": list(self.training.history.rows),
        }

    def _resume(self, content: dict[str, Any]) -> None:
        """Continue from a checkpoint; CheckpointError if its state does not fit this phase."""
        try:
            self._restore(content)
            if not all(isinstance(n, (int, float)) for n in asdict(self.progress).values()):
                raise TypeError("progress holds values that are not numbers")
        except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
            path = self.training.checkpointer.path if self.training.checkpointer else "checkpoint"
            message = f"{path}: damaged, its state does not fit the {self.phase.name} of this run"
            raise CheckpointError(message) from error

    def _restore(self, snapshot: dict[str, Any]) -> None:
        self.phase.load_state_dict(copy.deepcopy(snapshot["state"]))
        self.progress = Progress(**snapshot["progress"])
        self.training.seconds_before = snapshot["seconds_before"]
        self.training.history.rows[:] = snapshot["history"]


def schedule_factor(schedule: Schedule, done: float) -> float:
    """Return the learning rate's factor after the share `done` (0 to 1) of a run."""
    if schedule == "linear":
        return 1 - done
    if schedule == "cosine":
        return (1 + math.cos(math.pi * done)) / 2
    return 1.0


def _all_finite(values: Any) -> bool:
    return bool(torch.stack([torch.isfinite(value).all() for value in values]).all())


def _weights_finite(state: dict[str, Any]) -> bool:
    tensors = [v for v in _leaves(state) if isinstance(v, Tensor) and v.is_floating_point()]
    return _all_finite(tensors)


def _leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in _leaves(inner)]
    return [value]
