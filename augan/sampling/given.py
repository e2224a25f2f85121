"""What conditions say of the columns of a column model, as ranges and as codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from augan.codecs.bins import ColumnBins, Given, Mask
from augan.codecs.columns import Column
from augan.exceptions import DataError, shown
from augan.sampling.conditions import Condition


def varying(columns: Sequence[Column]) -> NDArray[np.intp]:
    """Return the places of the columns that vary in training, which a column model draws."""
    return np.flatnonzero([column.kind != "constant" for column in columns])


def given_columns(
    conditions: Iterable[Condition], columns: Sequence[Column], bins: Sequence[ColumnBins]
) -> dict[int, Given]:
    """Return what conditions on columns of a table say of the columns in `bins`, by their place."""
    places = varying(columns).tolist()
    known = {}
    for condition in conditions:
        if condition.place in places:
            own = places.index(condition.place)
            known[own] = _known(condition, columns[condition.place], bins[own])
    return known


def allowed_codes(
    given: Mapping[int, Given], columns: Sequence[Column], bins: Sequence[ColumnBins]
) -> dict[int, Mask]:
    """Return which codes of the given columns are allowed; columns with the fewest come first.

    Raises
    ------
    DataError
        If no training value of a column is in its range.
    """
    places = varying(columns)
    allowed = {place: bins[place].allowed(known) for place, known in given.items()}
    for place, mask in allowed.items():
        if not mask.any():
            raise DataError(
                f"where: column {shown(columns[places[place]].name)} has no training value in the "
                "range"
            )
    return dict(sorted(allowed.items(), key=lambda item: int(item[1].sum())))


def _known(condition: Condition, column: Any, bins: ColumnBins) -> Given:
    """Return the range of raw numbers of a condition; of its single value, if it has one."""
    if not condition.exact:
        return Given(condition.low, condition.high)
    return bins.around(float(column.to_raw(pd.Series([condition.value]))[0]))
