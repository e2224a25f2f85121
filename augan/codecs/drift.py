"""Data drift: values, ranges and missing values that differ from the training rows."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from augan._callers import caller_level
from augan.codecs.columns import Column, NumericColumn
from augan.exceptions import DriftWarning, shown

MOST_ROWS = 10_000  # rows of a call that are checked, evenly spaced
FEWEST = 5  # rows needed for a share
FEWEST_NUMBERS = 20
UNKNOWN = 0.05  # share of the rows with a new category
OUTSIDE = 0.8  # share of the numbers outside the middle 90 % of training
MORE_MISSING = 0.2  # increase of the share of missing values, beyond chance
LISTED = 3  # columns named by a warning


class DriftCheck:
    """Counts new values, numbers out of range and missing values in each column.

    Parameters
    ----------
    columns : sequence of Column
        The columns of the training rows.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns
        self.numeric = {i: c for i, c in enumerate(columns) if isinstance(c, NumericColumn)}
        self.n_rows = 0
        self.missing, self.unknown, self.numbers, self.outside = np.zeros((4, len(columns)), int)
        self.examples: dict[int, Any] = {}  # a new value by column
        self.medians: dict[int, list[float]] = {}

    def add(self, X: pd.DataFrame | NDArray[Any], raw: NDArray[np.float64] | None = None) -> None:
        """Count rows (n, d); `raw` are their raw numbers, if already known."""
        step = max(1, -(-len(X) // MOST_ROWS))
        frame = pd.DataFrame(X)[::step]
        if raw is not None:
            raw = raw[::step]
        self.n_rows += len(frame)
        for i, column in enumerate(self.columns):
            values = column.to_raw(frame.iloc[:, i]) if raw is None else raw[:, i]
            self.missing[i] += column.is_missing(values, frame.iloc[:, i]).sum()
            if i in self.numeric:
                self._add_numbers(i, self.numeric[i], values)
            if (unknown := column.is_unseen(values, frame.iloc[:, i])).any():
                self.unknown[i] += unknown.sum()
                self.examples.setdefault(i, frame.iloc[int(unknown.argmax()), i])

    def messages(self) -> list[str]:
        """Return a line for each kind of drift, with columns and numbers of rows."""
        if self.n_rows < FEWEST:
            return []
        found = (
            ("values that do not occur in training", self._unknown()),
            ("numbers outside their usual range in training", self._outside()),
            ("more missing values than in training", self._missing()),
        )
        return [f"{what}: {_joined(lines)}" for what, lines in found if lines]

    def _add_numbers(self, i: int, column: NumericColumn, values: NDArray[np.float64]) -> None:
        if (
            column.usual is None or column.few
        ):  # of an older model file, or with few distinct values
            return
        numbers = values[~np.isnan(values) & ~np.isin(values, column.masses)]
        low, high = column.usual
        self.numbers[i] += len(numbers)
        self.outside[i] += ((numbers < low) | (numbers > high)).sum()
        if len(numbers):
            self.medians.setdefault(i, []).append(float(np.median(numbers)))

    def _unknown(self) -> list[str]:
        shares = self.unknown / self.n_rows
        found = np.flatnonzero((shares >= UNKNOWN) & (self.unknown >= FEWEST)).tolist()
        return [
            f"column {shown(self.columns[i].name)} in {self.unknown[i]} of {self.n_rows} rows, "
            f"such as {_written(self.examples[i])}"
            for i in found
        ]

    def _outside(self) -> list[str]:
        lines = []
        for i in np.flatnonzero(self.numbers >= FEWEST_NUMBERS).tolist():
            column = self.numeric[i]
            assert column.usual is not None
            if self.outside[i] < OUTSIDE * self.numbers[i]:
                continue
            raw = np.array([np.median(np.array(self.medians[i])), column.median, *column.usual])
            median, usual, low, high = (_written(value) for value in column.from_raw(raw))
            lines.append(
                f"column {shown(column.name)} in {self.outside[i]} of {self.numbers[i]} rows, the "
                f"median is {median}, in training {usual} (90 % from {low} to {high})"
            )
        return lines

    def _missing(self) -> list[str]:
        lines = []
        for i, column in enumerate(self.columns):
            share, usual = self.missing[i] / self.n_rows, column.missing_share
            if usual is None or self.n_rows < FEWEST_NUMBERS:
                continue
            chance = 3 * float(np.sqrt(usual * (1 - usual) / self.n_rows))
            if share > usual + MORE_MISSING + chance:
                lines.append(
                    f"column {shown(column.name)} in {share:.0%} of {self.n_rows} rows, "
                    f"in training {usual:.0%}"
                )
        return lines


_off: ContextVar[bool] = ContextVar("_off", default=False)
_collecting: ContextVar[list[DriftCheck] | None] = ContextVar("_collecting", default=None)


def warn_of_drift(
    columns: Sequence[Column],
    X: pd.DataFrame | NDArray[Any],
    raw: NDArray[np.float64] | None = None,
) -> None:
    """Warn if many of the rows (n, d) differ from the training rows.

    Within `one_drift_warning`, rows are only counted; within `no_drift_warnings`, they are not
    checked.
    """
    collected = _collecting.get()
    if _off.get() or (collected is None and len(X) < FEWEST):
        return
    if collected is None:
        check = DriftCheck(columns)
    elif collected:
        check = collected[0]
    else:
        collected.append(check := DriftCheck(columns))
    check.add(X, raw)
    if collected is None:
        _warn(check)


@contextmanager
def one_drift_warning() -> Iterator[None]:
    """Count the rows of all calls of one model, and warn once at the end."""
    collected: list[DriftCheck] = []
    token = _collecting.set(collected)
    try:
        yield
    finally:
        _collecting.reset(token)
    for check in collected:
        _warn(check)


@contextmanager
def no_drift_warnings() -> Iterator[None]:
    """Turn drift warnings off, for generated rows."""
    token = _off.set(True)
    try:
        yield
    finally:
        _off.reset(token)


def _warn(check: DriftCheck) -> None:
    for message in check.messages():
        warnings.warn(message, DriftWarning, stacklevel=caller_level())


def _written(value: Any) -> str:
    if isinstance(value, (int, float, np.number)):
        return f"{value:.6g}"
    return shown(value) if isinstance(value, str) else shown(str(value))[1:-1]


def _joined(lines: list[str]) -> str:
    more = [f"and {len(lines) - LISTED} more columns"] if len(lines) > LISTED else []
    return "; ".join(lines[:LISTED] + more)
