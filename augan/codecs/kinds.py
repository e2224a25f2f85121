"""The kinds of columns, and tables of their values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import pandas as pd

from augan.codecs.cells import Array
from augan.codecs.columns import CategoryColumn, Column, ConstantColumn, NumericColumn
from augan.codecs.identifiers import IdentifierColumn
from augan.codecs.origin import Origin, from_json
from augan.codecs.text_form import TextForm

KINDS: dict[str, type[Column]] = {
    cls.kind: cls for cls in (ConstantColumn, NumericColumn, CategoryColumn, IdentifierColumn)
}


def column_from_state(values: dict[str, Any], arrays: dict[str, Array]) -> Column:
    """Rebuild a column from what `Column.state` returned."""
    cls = KINDS[values["kind"]]
    origin = Origin(**{name: from_json(value) for name, value in values["origin"].items()})
    names = {f.name for f in fields(cls)} - {"origin", "form", *arrays}
    given = {name: from_json(values[name]) for name in names & set(values)} | arrays
    if "form" in values:
        form = {name: from_json(value) for name, value in values["form"].items()}
        given["form"] = TextForm(**form)
    return cls(origin=origin, **given)


def frame_of(columns: Sequence[Column], raw: Array) -> pd.DataFrame:
    """Return rows with the dtypes of training, by position, for raw numbers (n, d)."""
    return pd.DataFrame({i: _values(column, raw, i) for i, column in enumerate(columns)})


def _values(column: Column, raw: Array, place: int) -> pd.Series:
    if isinstance(column, IdentifierColumn):
        return column.texts(raw[:, place], raw)
    return column.from_raw(raw[:, place])
