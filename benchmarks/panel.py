"""Results as arrays: the sets and methods that are complete for all seeds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from results import Result

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Panel:
    """Complete results of `methods` on `sets` with `seeds`.

    Parameters
    ----------
    sets, seeds, methods : list
        In the order of the arrays' axes.
    lines : dict
        The result of each (set, seed, method).
    baseline : str
        Method that the others are compared with.
    """

    sets: list[str]
    seeds: list[int]
    methods: list[str]
    lines: dict[tuple[str, int, str], Result]
    baseline: str = "KNN"

    def figures(self, name: str) -> Floats:
        """Return a field as (sets, seeds, methods); see `figure` for fits that failed."""
        keys = product(self.sets, self.seeds, self.methods)
        values = np.array([figure(self.lines[key], name) for key in keys])
        return values.reshape(len(self.sets), len(self.seeds), len(self.methods))

    def by_set(self, name: str) -> Floats:
        """Return means over seeds (sets, methods)."""
        return self.figures(name).mean(axis=1)

    def failures(self) -> list[int]:
        """Return how many fits of each method failed."""
        keys = list(product(self.sets, self.seeds))
        return [sum("error" in self.lines[(*key, m)] for key in keys) for m in self.methods]

    def only(self, sets: Iterable[str]) -> Panel:
        """Return the panel of some of its sets."""
        wanted = set(sets)
        return replace(self, sets=[name for name in self.sets if name in wanted])


def figure(line: Result, name: str) -> float:
    """Return a field of a result; a failed fit ranks by chance and takes no time."""
    if name in line:
        return float(line[name])
    chance = {"auroc": 0.5, "ap": line["test_anomalies"] / line["n_test"]}
    return chance.get(name, 0.0)


def make_panel(
    results: Sequence[Result],
    seeds: Iterable[int],
    methods: Sequence[str] | None = None,
    *,
    baseline: str = "KNN",
) -> Panel:
    """Return the panel of the sets that every method has with every seed.

    Without `methods`, those are compared that have the most sets complete.
    """
    seeds = list(seeds)
    lines = {(r["set"], r["seed"], r["method"]): r for r in results}
    found = list(dict.fromkeys(r["method"] for r in results))
    complete = {m: _complete_sets(lines, seeds, m) for m in (methods or found)}
    most = max(map(len, complete.values()), default=0)
    chosen = [m for m, sets in complete.items() if methods or (sets and len(sets) == most)]
    shared = set.intersection(*(complete[m] for m in chosen)) if chosen else set()
    return Panel(sorted(shared, key=_natural), seeds, chosen, lines, baseline)


def _complete_sets(
    lines: dict[tuple[str, int, str], Result], seeds: list[int], method: str
) -> set[str]:
    sets = {name for name, _, m in lines if m == method}
    return {name for name in sets if all((name, seed, method) in lines for seed in seeds)}


def _natural(name: str) -> tuple[int, str]:
    """Sort ADBench's sets by their number."""
    number = name.split("_", 1)[0]
    return (int(number) if number.isdigit() else 0, name)
