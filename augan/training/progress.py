"""Progress of a fit: bars and figures in a terminal, lines, and the logger `augan`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from augan.training.health import HEALTHY, STARTING

if TYPE_CHECKING:  # the module imports torch, which is not needed to score with ONNX
    from augan.training.monitor import Callback, Draw, History, Row

logger = logging.getLogger("augan")

FIGURES = {  # keys of a report, in pairs: critic, generator
    "loss": ("critic_loss", "generator_loss"),
    "gradient norm": ("critic_gradient_norm", "generator_gradient_norm"),
    "learning rate": ("critic_learning_rate", "generator_learning_rate"),
    "accuracy on real, fake": ("critic_accuracy_real", "critic_accuracy_fake"),
    "coverage, near-duplicates": ("coverage", "near_duplicates"),
}


class TrainingDisplay(Progress):
    """Progress bars, with the figures of the GAN below them."""

    def __init__(self, console: Console, *, disable: bool = False, transient: bool = True) -> None:
        self.latest: dict[str, Any] = {}
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[note]}"),
            TimeRemainingColumn(),
        )
        super().__init__(*columns, console=console, disable=disable, transient=transient)

    def show(self, row: dict[str, Any]) -> None:
        """Show the figures of a report."""
        if row["phase"] == "gan":
            self.latest = self.latest | row

    def get_renderables(self) -> Iterator[RenderableType]:
        """Yield the bars and the figures, if there are any."""
        yield self.make_tasks_table(self.tasks)
        if self.latest:
            yield self._figures()

    def _figures(self) -> Table:
        table = Table(title=self.latest.get("health"), title_justify="left", box=None)
        for heading in ("", "critic", "generator"):
            table.add_column(heading, justify="right" if heading else "left")
        for name, pair in FIGURES.items():
            if any(figure in self.latest for figure in pair):
                table.add_row(name, *(_short(self.latest.get(figure)) for figure in pair))
        seconds = self.latest.get("seconds_per_step", 0.0)
        table.add_row("time per step", f"{1000 * seconds:.0f} ms", "")
        return table


class TrainingProgress:
    """A callback that shows each phase of training as a bar, and the latest figures.

    Parameters
    ----------
    display : TrainingDisplay
        Where the bars are shown; the caller starts and stops it.
    """

    def __init__(self, display: TrainingDisplay) -> None:
        self.display = display
        self.tasks: dict[str, Any] = {}

    def __call__(self, row: Row) -> None:
        """Update the bar of the report's phase."""
        phase = row["phase"]
        if phase not in self.tasks:
            total = row["total_steps"]
            self.tasks[phase] = self.display.add_task(f"train {phase}", total=total, note="")
        loss = row.get("critic_loss", row.get("encoder_loss"))
        note = f"loss {loss:.3g}" if loss is not None else ""
        completed = row["done"] * row["total_steps"]
        self.display.update(self.tasks[phase], completed=completed, note=note)
        self.display.show(row)


class _StartStopCallback:
    """Base class of callbacks that act when training begins and ends, without generated rows."""

    def begin(self, history: Sequence[Row]) -> None:
        """Do nothing before training."""

    def look(self, draw: Draw) -> None:
        """Ignore generated rows."""

    def close(self) -> None:
        """Do nothing after training."""


class ProgressBars(_StartStopCallback):
    """``verbose=1``: progress bars on stderr."""

    def begin(self, history: Sequence[Row]) -> None:
        """Show the display."""
        self.display = TrainingDisplay(Console(stderr=True), transient=False)
        self.bars = TrainingProgress(self.display)
        self.display.start()

    def __call__(self, row: Row) -> None:
        """Update a bar."""
        self.bars(row)

    def close(self) -> None:
        """Stop the display."""
        self.display.stop()


class ProgressLines(_StartStopCallback):
    """``verbose=2``: a line on stderr for each measure on held-out rows, and each event."""

    def __call__(self, row: Row) -> None:
        """Print a report that has a measure or an event."""
        if not row.keys().isdisjoint(("held_out_loss", "training_loss", "event")):
            print(line_of(row), file=sys.stderr, flush=True)


class TrainingLog(_StartStopCallback):
    """Logs phases and events with level INFO, each report with level DEBUG."""

    last: Row | None = None

    def __call__(self, row: Row) -> None:
        """Log a report."""
        if self.last is None or self.last["phase"] != row["phase"]:
            self._end_phase()
            logger.info("training phase %r: at most %d steps", row["phase"], row["total_steps"])
        if "event" in row:
            logger.info("%s: %s", row["phase"], row["event"])
        logger.debug("%s", line_of(row))
        self.last = row

    def close(self) -> None:
        """Log the end of the last phase."""
        self._end_phase()
        self.last = None

    def _end_phase(self) -> None:
        if self.last is not None:
            logger.info("training phase %r ended: %s", self.last["phase"], line_of(self.last))


def line_of(row: Row) -> str:
    """Return a report as one line of text."""
    figures = [
        f"{name} {_short(row[name])}"
        for pair in (("loss", "loss"), *FIGURES.values(), ("training_loss", "held_out_loss"))
        for name in dict.fromkeys(pair)
        if name in row
    ]
    words = [row[name] for name in ("health", "event") if name in row]
    head = f"{row['phase']} {row['step']}/{row['total_steps']}, {row['seconds']:.0f} s"
    return ": ".join([head, ", ".join([*figures, *words])])


def observers(callbacks: Sequence[Callback] | None, verbose: int) -> tuple[Callback, ...]:
    """Return the callbacks of a fit: for the logger, for `verbose`, and those of the user."""
    shown: dict[int, Callable[[], Callback]] = {1: ProgressBars, 2: ProgressLines}
    own = [shown[verbose]()] if verbose else []
    return (TrainingLog(), *own, *(callbacks or ()))


def warn_of_health(history: History) -> None:
    """Log a warning if the last diagnosis of the GAN is not "healthy"."""
    found = [row["health"] for row in history if "health" in row]
    if found and found[-1] not in (HEALTHY, STARTING):
        logger.warning("the GAN was not healthy at the end of training: %s", found[-1])


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
