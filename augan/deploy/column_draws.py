"""Rows that an exported column model draws, without torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augan.codecs.bins import ColumnBins, Given, all_choices
from augan.deploy.inputs import COUNT, FIRST, GIVEN, LABEL, ORDER, UNIFORM, VALUES
from augan.deploy.raw import TableForm
from augan.deploy.session import Session
from augan.exceptions import ModelFileError
from augan.sampling.conditions import Condition
from augan.sampling.given import allowed_codes, given_columns

GROUP = 1024  # rows that are drawn in the same order of columns
N_SHARES = 4096  # rows that are drawn to find the shares of the classes

Draws = tuple[list[int], NDArray[np.float64]]  # order (k,), uniform numbers (n, k, 2)
Longs = NDArray[np.int64]


class ColumnDraws:
    """The column model in an exported file.

    Parameters
    ----------
    session : Session
        Runs the file.
    form : TableForm
        The table that it draws rows of.
    """

    def __init__(self, session: Session, form: TableForm) -> None:
        self.session, self.form = session, form
        self.codes: list[dict[str, Any]] = session.metadata["codes"]

    def draw(
        self, labels: Longs, random: np.random.RandomState, given: Mapping[int, Given]
    ) -> dict[str, NDArray[Any]]:
        """Return the outputs of the graph for rows of classes (n,), of which more may be given.

        Parameters
        ----------
        labels : ndarray of shape (n,)
            Index of the class of each row; -1: the class is drawn too.
        random : RandomState
            Random stream.
        given : mapping of int to Given
            What is known of columns, by their place among those that vary; drawn first.

        Raises
        ------
        DataError
            If no training value of a column is in its range.
        ModelFileError
            If the file cannot be run.
        """
        k = len(self.codes)
        first = list(allowed_codes(given, self.form.columns, self.bins)) if given else []
        parts = []
        for start in range(0, len(labels), GROUP):
            own = labels[start : start + GROUP]
            rest = [place for place in random.permutation(k).tolist() if place not in first]
            draws = ([*first, *rest], random.random_sample((len(own), k, 2)))
            codes = np.full((len(own), k), -1)
            codes[:, -1] = own
            parts.append(self.run(draws, codes, given))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def run(
        self, draws: Draws, codes: Longs, given: Mapping[int, Given] | None = None
    ) -> dict[str, NDArray[Any]]:
        """Return the outputs of the graph for random numbers and given codes (n, k)."""
        order, uniform = draws
        feeds = {UNIFORM: uniform, GIVEN: codes.astype(np.int64), ORDER: np.array(order)}
        if given:
            feeds |= self._choices(given)
        return self.session.run(feeds)

    def given(self, conditions: Iterable[Condition]) -> dict[int, Given]:
        """Return what conditions on columns of the table say of the columns that vary."""
        return given_columns(conditions, self.form.columns, self.bins)

    def label_shares(self, given: Mapping[int, Given], n_classes: int) -> NDArray[np.float64]:
        """Return the shares (n_classes,) of the classes among rows of which `given` is known."""
        unknown = np.full(N_SHARES, -1)
        labels = self.draw(unknown, np.random.RandomState(0), given)[LABEL]
        return np.bincount(labels, minlength=n_classes) / N_SHARES

    @cached_property
    def bins(self) -> list[ColumnBins]:
        """The codes of each column, with the values that the file holds.

        Raises
        ------
        ModelFileError
            If the values do not fit the codes.
        """
        k = len(self.codes)
        feeds = {UNIFORM: np.zeros((1, k, 2)), GIVEN: np.zeros((1, k), dtype=np.int64)}
        values = self.session.constant(VALUES, feeds)
        found, start = [], 0
        for code in self.codes:
            n, sizes = code["values"], code["members"]
            end = start + n + sum(sizes)
            arrays = {
                "values": values[start : start + n],
                "edges": np.array(code["edges"], dtype=np.float64),
                "members": values[start + n : end],
                "starts": np.cumsum([0, *sizes]),
                "positions": np.zeros(0),
            }
            start = end + code["missing"]
            try:
                found.append(ColumnBins.from_arrays(arrays, code["missing"]))
            except ValueError as error:
                raise ModelFileError(f"{self.session.path}: {error}") from error
        return found

    def _choices(self, given: Mapping[int, Given]) -> dict[str, Longs]:
        """Return the optional inputs that leave the given columns only values in their range."""
        first, count = all_choices(self.bins, given)
        return {FIRST: first, COUNT: count}
