"""Training of one model: its phases, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from augan.training.loop import Run, run_phase
from augan.training.monitor import History
from augan.training.phases import Phase


@dataclass(frozen=True)
class PlannedPhase:
    """A phase that is built when its turn comes.

    Attributes
    ----------
    build : callable
        Returns the phase; networks are then as earlier phases left them.
    n_steps : int
        Largest number of steps.
    time_weight : float
        Share of the time limit, relative to the weights of the other phases.
    """

    build: Callable[[], Phase]
    n_steps: int
    time_weight: float


def train(phases: Sequence[PlannedPhase], run: Run) -> History:
    """Run phases in order and return what they reported.

    Parameters
    ----------
    phases : sequence of PlannedPhase
        What is trained; time that a phase does not use is left to the next ones.
    run : Run
        What the phases share: schedule, limits, callbacks, checkpoint.

    Returns
    -------
    history : History
        A row for each report.

    Raises
    ------
    NotTrainableError
        When training diverges again and again.
    CheckpointError
        When a run is resumed from a checkpoint that is damaged.
    """
    ends = list(accumulate(phase.time_weight for phase in phases))
    with run.watched():
        for phase, end in zip(phases, ends, strict=True):
            run_phase(phase.build(), run, n_steps=phase.n_steps, time_share=end / ends[-1])
    return run.history
