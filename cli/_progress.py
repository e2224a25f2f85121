"""What is shown of a training on a terminal: bars of its phases, the latest figures, the health."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

FIGURES = {  # of the history's rows, in pairs: critic, generator
    "loss": ("critic_loss", "generator_loss"),
    "gradient norm": ("critic_gradient_norm", "generator_gradient_norm"),
    "learning rate": ("critic_learning_rate", "generator_learning_rate"),
    "accuracy on real, fake": ("critic_accuracy_real", "critic_accuracy_fake"),
    "coverage, near-duplicates": ("coverage", "near_duplicates"),
}


class TrainingDisplay(Progress):
    """Bars and, below them, the figures of the GAN's phase."""

    def __init__(self, console: Console, *, disable: bool) -> None:
        self.latest: dict[str, Any] = {}
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f} {task.fields[note]}"),
            TimeRemainingColumn(),
        )
        super().__init__(*columns, console=console, disable=disable, transient=True)

    def show(self, row: dict[str, Any]) -> None:
        """Take over the figures of a row."""
        if row["phase"] == "gan":
            self.latest = self.latest | row

    def get_renderables(self) -> Iterator[RenderableType]:
        """Give the bars and, once there are any, the figures."""
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
        table.add_row("a step", f"{1000 * seconds:.0f} ms", "")
        return table


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"
