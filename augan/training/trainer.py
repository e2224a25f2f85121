"""Training of a model: a list of phases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from augan.training.loop import Run, run_phase
from augan.training.monitor import History
from augan.training.phases import Phase


@dataclass(frozen=True)
class PlannedPhase:
    """A phase that is built after the earlier phases have been trained.

    Attributes
    ----------
    build : callable
        Returns the phase.
    n_steps : int
        Largest number of steps.
    time_weight : float
        Share of the time limit, relative to the weights of the other phases.
    """

    build: Callable[[], Phase]
    n_steps: int
    time_weight: float


def train(phases: Sequence[PlannedPhase], run: Run) -> History:
    """Run phases in order and return the history.

    Parameters
    ----------
    phases : sequence of PlannedPhase
        The phases; time that a phase does not use is available to the later ones.
    run : Run
        Schedule, limits, callbacks and checkpoint.

    Returns
    -------
    history : History
        The reports of all phases.

    Raises
    ------
    NotTrainableError
        If training diverges repeatedly.
    CheckpointError
        If the checkpoint to resume from is damaged.
    """
    ends = list(accumulate(phase.time_weight for phase in phases))
    with run.watched():
        for phase, end in zip(phases, ends, strict=True):
            run_phase(phase.build(), run, n_steps=phase.n_steps, time_share=end / ends[-1])
    return run.history
