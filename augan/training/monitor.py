"""The history of a training, and measures of generated rows against held-out rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

Row = dict[str, Any]
Callback = Callable[[Row], None]
Draw = Callable[[int], Any]  # returns n generated rows or images of fixed latents

N_PROJECTIONS = 64
N_COVERAGE_NEIGHBOURS = 5
NEAR_DUPLICATE_DISTANCE = 0.25  # relative to the median distance of real rows to their nearest


@runtime_checkable
class GeneratorCallback(Protocol):
    """A callback that also receives generated rows."""

    def begin(self, history: Sequence[Row]) -> None:
        """Start; called before training, with the reports of the run that is resumed, if any."""

    def look(self, draw: Draw) -> None:
        """Process generated rows ``draw(n)``; called after each measure on held-out rows."""

    def close(self) -> None:
        """Stop; called after training, also if it failed."""


class History(Sequence[Row]):
    """The reports of a training, in order; `column` returns one figure over all steps.

    A row has the keys `phase` ("gan", "encoder", "pretext" or "restoration"), `step`,
    `total_steps`, `done` (completed share of the phase, by steps or by time),
    `learning_rate_factor`, `seconds`, `seconds_per_step`, learning rates and figures of that
    phase, `health` after a measure of the GAN on held-out rows, and `event` after a recovery from
    divergence or an early stop.
    """

    def __init__(self, rows: Sequence[Row] = ()) -> None:
        self.rows = list(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def column(self, name: str, phase: str) -> tuple[list[int], list[float]]:
        """Return (steps, values) of the figure `name` in `phase`."""
        found = [row for row in self.rows if row["phase"] == phase and name in row]
        return [row["step"] for row in found], [row[name] for row in found]


def coverage(real: Tensor, fake: Tensor, k: int = N_COVERAGE_NEIGHBOURS) -> float:
    """Return the share of real rows with a generated one among their k nearest real neighbours.

    Naeem et al. 2020, eq. 8; `real` (n, D) and `fake` (m, D).
    """
    k = min(k, len(real) - 1)
    if k < 1:
        return float("nan")
    radius = torch.cdist(real, real).kthvalue(k + 1, dim=1).values  # the first is the row itself
    nearest_fake = torch.cdist(real, fake).amin(dim=1)
    return float((nearest_fake <= radius).float().mean())


def near_duplicates(real: Tensor, fake: Tensor) -> float:
    """Return the share of generated rows (m, D) that are near-duplicates of another one.

    Near-duplicates are closer to each other than a quarter of the median distance between a real
    row (n, D) and its nearest neighbour.
    """
    if min(len(real), len(fake)) < 2:
        return float("nan")
    usual = torch.cdist(real, real).kthvalue(2, dim=1).values.median()  # the first is itself
    nearest = torch.cdist(fake, fake).kthvalue(2, dim=1).values
    return float((nearest < NEAR_DUPLICATE_DISTANCE * usual).float().mean())


def spread(real: Tensor, fake: Tensor) -> float:
    """Return the mean standard deviation of generated rows (m, D), relative to real rows (n, D)."""
    if min(len(real), len(fake)) < 2:
        return float("nan")
    return float(fake.std(dim=0).mean() / real.std(dim=0).mean().clamp(min=1e-12))


def sliced_wasserstein(real: Tensor, fake: Tensor, generator: torch.Generator) -> float:
    """Return the mean 1-Wasserstein distance over random projections (Rabin 2011).

    `real` (n, D) and `fake` (n, D) have the same number of rows.
    """
    directions = torch.randn(real.shape[1], N_PROJECTIONS, generator=generator, device=real.device)
    directions = directions / directions.norm(dim=0)
    difference = (real @ directions).sort(dim=0).values - (fake @ directions).sort(dim=0).values
    return float(difference.abs().mean())
