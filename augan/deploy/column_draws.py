"""Rows that an exported column model draws, without torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augan.codecs.bins import ColumnBins, Given, all_choices
from augan.codecs.origin import from_json
from augan.deploy.inputs import COUNT, FIRST, GIVEN, LABEL, MATRIX, ORDER, UNIFORM, VALUES, raw_of
from augan.deploy.raw import TableForm
from augan.deploy.session import Session
from augan.exceptions import ModelFileError, ParameterError
from augan.sampling.asked_rows import AskedRows
from augan.sampling.conditions import Condition
from augan.sampling.given import allowed_codes, varying
from augan.sampling.relation_set import Relations
from augan.sampling.stored_relations import class_column, stored_relations

GROUP = 1024  # rows that are drawn in the same order of columns

Floats = NDArray[np.float64]
Draws = tuple[list[int], Floats]  # order (k,), uniform numbers (n, k, 2)
Outputs = dict[str, NDArray[Any]]


class ColumnDraws:
    """The column model in an exported file.

    Parameters
    ----------
    session : Session
        Runs the file.
    form : TableForm
        The table that it draws rows of.

    Raises
    ------
    ModelFileError
        If the values of the columns or the relations between them are invalid.
    """

    def __init__(self, session: Session, form: TableForm) -> None:
        self.session, self.form = session, form
        self.codes: list[dict[str, Any]] = session.metadata["codes"]
        self.relations = relations_in(session.metadata, form, session.path)

    def source(self, conditions: Iterable[Condition], label: int | None = None) -> AskedRows:
        """Return what draws rows that meet conditions, of one class or of all.

        Raises
        ------
        DataError
            If no training row meets conditions on columns that determine each other.
        """
        own = []
        if label is not None:
            own = [Condition(len(self.form.columns), float(label), float(label))]
        return AskedRows(self.relations, (*conditions, *own), self.bins)

    def cells(self, random: np.random.RandomState, n: int, given: Mapping[int, Given]) -> Floats:
        """Return the raw numbers (n, k) of the columns that vary, the class last.

        Parameters
        ----------
        random : RandomState
            Random stream.
        n : int
            Number of rows.
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
        first = list(allowed_codes(given, self.form.columns, self.bins))
        parts = [np.zeros((0, k))]
        for start in range(0, n, GROUP):
            size = min(GROUP, n - start)
            rest = [place for place in random.permutation(k).tolist() if place not in first]
            draws = ([*first, *rest], random.random_sample((size, k, 2)))
            parts.append(self.raw(self.run(draws, np.full((size, k), -1), given)))
        return np.concatenate(parts)

    def run(
        self, draws: Draws, codes: NDArray[np.int64], given: Mapping[int, Given] | None = None
    ) -> Outputs:
        """Return the outputs of the graph for random numbers and given codes (n, k)."""
        order, uniform = draws
        feeds = {UNIFORM: uniform, GIVEN: codes.astype(np.int64), ORDER: np.array(order)}
        if given:
            feeds[FIRST], feeds[COUNT] = all_choices(self.bins, given)
        return self.session.run(feeds)

    def raw(self, outputs: Outputs) -> Floats:
        """Return the raw numbers (n, k) of the columns that vary, the class last."""
        form, places = self.form, varying(self.form.columns)
        if form.is_matrix:
            return np.column_stack([outputs[MATRIX][:, places], outputs[LABEL]])
        columns = [raw_of(form.columns[i], outputs[form.names[i]][:, 0]) for i in places]
        return np.column_stack([*columns, outputs[LABEL]])

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


def relations_in(metadata: Mapping[str, Any], form: TableForm, path: Any) -> Relations:
    """Return the relations of the columns and, last, of the class, that metadata describe.

    Raises
    ------
    ModelFileError
        If they do not fit the columns or each other.
    """
    classes = metadata["classes"]
    labels = np.array(from_json(classes["labels"]), dtype=classes["dtype"])
    stored = metadata.get("relations")
    if stored is None:
        return Relations((), (*form.columns, class_column("class", labels, form.columns)))
    kinds = {"counts": np.int64, "missing": np.bool_}
    try:
        arrays: dict[str, NDArray[Any]] = {
            name: np.array(values, dtype=kinds.get(name.rpartition(".")[2], np.float64))
            for name, values in stored["arrays"].items()
        }
        return stored_relations(stored, arrays, form.columns, labels)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, ParameterError) as error:
        raise ModelFileError(f"{path}: metadata: relations: {error}") from error
