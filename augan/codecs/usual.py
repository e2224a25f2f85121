"""Usual values of columns, and the direction in which a value deviates from them."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from augan.codecs.cells import category_key
from augan.codecs.columns import CategoryColumn, Column, ConstantColumn, NumericColumn
from augan.exceptions import shown

SHARE = 0.9  # of the training values in the usual range
# normal quantiles of its ends; scipy, which has them too, takes a tenth of a second to import
ENDS = [NormalDist().inv_cdf((1 - SHARE) / 2), NormalDist().inv_cdf((1 + SHARE) / 2)]
N_FREQUENT = 3
LONGEST = 60  # characters of a value
MOST_DIGITS = 6


def usual_values(columns: Sequence[Column], rows: Any = None) -> dict[str, Any]:
    """Return the usual values of each column, as JSON values.

    Parameters
    ----------
    columns : sequence of Column
        The columns of a codec.
    rows : DataFrame or ndarray, optional
        The training rows, which give the frequent categories.

    Returns
    -------
    usual : dict
        By column ``{"low", "high"}``, the range of 90 % of the numbers (seconds, for times), or
        ``{"frequent": list of str}``.
    """
    usual: dict[str, Any] = {}
    frame = None if rows is None else pd.DataFrame(rows)
    for i, column in enumerate(columns):
        if isinstance(column, NumericColumn) and len(column.knots):
            ends = np.interp(ENDS, column.normals, column.knots)
            usual[column.name] = {"low": float(ends[0]), "high": float(ends[1])}
        elif isinstance(column, NumericColumn):
            usual[column.name] = {"low": column.low, "high": column.high}
        elif isinstance(column, CategoryColumn):
            usual[column.name] = {"frequent": _frequent(column, frame, i)}
        elif isinstance(column, ConstantColumn) and column.value is not None:
            usual[column.name] = {"frequent": [str(column.value)[:LONGEST]]}
    return usual


def _frequent(column: CategoryColumn, frame: pd.DataFrame | None, i: int) -> list[str]:
    """Return the most frequent categories; without rows, all known ones if they are few."""
    if frame is None:
        known = [str(value)[:LONGEST] for value in column.categories]
        return known if len(known) <= N_FREQUENT else []
    if not column.categories:
        return []
    keys = frame.iloc[:, i].dropna().astype(object).map(category_key)
    return [key[:LONGEST] for key in keys.value_counts().index[:N_FREQUENT]]


class Reasons:
    """Texts that explain cells: their value, the usual values and the direction of deviation.

    Parameters
    ----------
    columns : sequence of Column
        The columns of a codec.
    usual : dict, optional
        The result of `usual_values` in training; columns that it lacks are derived.
    """

    def __init__(self, columns: Sequence[Column], usual: Any = None) -> None:
        self.columns = columns
        self.usual = usual_values(columns)
        stored = usual if isinstance(usual, dict) else {}
        for column in columns:
            found = stored.get(column.name)
            is_right = _is_range if isinstance(column, NumericColumn) else _is_frequent
            if is_right(found) and not isinstance(column, ConstantColumn):
                self.usual[column.name] = found

    def texts(self, j: int) -> str:
        """Return the usual values of column `j` as text."""
        column, usual = self.columns[j], self.usual.get(self.columns[j].name, {})
        if "low" in usual:
            low, high = (_number_text(column, usual[end]) for end in ("low", "high"))
            return low if low == high else f"{low} to {high}"
        if usual.get("frequent"):
            return ", ".join(usual["frequent"])
        if isinstance(column, CategoryColumn):
            n = len(column.categories)
            return f"one of {n} known" if n else "different in each row"
        return "missing"

    def directions(self, j: int, values: pd.Series) -> list[str]:
        """Return above, below, inside, missing, unseen or rare of each value (n,) of column `j`."""
        column, usual = self.columns[j], self.usual.get(self.columns[j].name, {})
        missing = values.isna().to_numpy(bool)
        raw = column.to_raw(values)
        found = np.full(len(raw), "inside", dtype=object)
        if isinstance(column, NumericColumn):
            found[raw < usual["low"]] = "below"
            found[raw > usual["high"]] = "above"
        elif isinstance(column, CategoryColumn):
            others = (raw == len(column.categories)) & bool(column.categories)
            found[others] = "rare" if column.rare else "unseen"
        else:
            found[raw != 0] = "unseen"
        found[missing] = "missing"
        return [str(text) for text in found]

    def values(self, j: int, values: pd.Series) -> list[str | None]:
        """Return the values (n,) of column `j` as texts, None where missing."""
        times = pd.api.types.is_datetime64_any_dtype(values.dtype)
        return [
            None if gone else _time_text(value) if times else _value_text(value)
            for value, gone in zip(values.tolist(), values.isna().tolist(), strict=True)
        ]


def _is_range(found: Any) -> bool:
    ends = [found.get(end) for end in ("low", "high")] if isinstance(found, dict) else [None]
    return all(isinstance(end, float | int) and np.isfinite(end) for end in ends)


def _is_frequent(found: Any) -> bool:
    frequent = found.get("frequent") if isinstance(found, dict) else None
    return isinstance(frequent, list) and all(isinstance(text, str) for text in frequent)


def _value_text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    text = str(value)
    return text if len(text) <= LONGEST else shown(text, LONGEST)[1:-1]


def _time_text(value: Any) -> str:
    text = str(value.isoformat(sep=" "))
    return text.removesuffix("+00:00").removesuffix(" 00:00:00")


def _number_text(column: Column, number: float) -> str:
    quantity = column.origin.quantity
    if quantity == "time":
        return _time_text(pd.Series(np.round([number]).astype("datetime64[s]"))[0])
    if quantity == "duration":
        return str(pd.to_timedelta(round(number), unit="s"))
    return f"{number:.{MOST_DIGITS}g}" if abs(number) < 1e15 else str(number)
