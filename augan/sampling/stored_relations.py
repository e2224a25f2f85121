"""The relations of a table and its class, stored as JSON values and arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augan.codecs.columns import CategoryColumn, Column, ConstantColumn
from augan.codecs.origin import Origin
from augan.exceptions import shown
from augan.sampling.relation_set import Relations
from augan.sampling.relations import Determined

MISSING = ".missing"  # end of the name of the mask of an array with missing values


def class_column(name: str, classes: NDArray[Any], columns: Sequence[Column]) -> Column:
    """Return the class as a column; its raw numbers are the numbers of the classes.

    If a column of the table has its name, an underscore is added.
    """
    while any(column.name == name for column in columns):
        name += "_"
    if len(classes) < 2:
        return ConstantColumn(name, Origin("object"), classes.tolist()[0])
    return CategoryColumn(name, Origin("object"), tuple(classes.tolist()), (), has_missing=False)


def relations_state(relations: Relations) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return JSON values, and arrays by name, none of which holds NaN."""
    values, arrays = relations.state()
    stored = {}
    for name, array in arrays.items():
        missing = np.isnan(array)
        stored[name] = np.where(missing, 0, array)
        if missing.any():
            stored[name + MISSING] = missing
    return {"label": relations.columns[-1].name, **values}, stored


def stored_relations(
    values: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    columns: Sequence[Column],
    classes: NDArray[Any],
) -> Relations:
    """Return the relations for what `relations_state` returned.

    Raises
    ------
    ValueError, KeyError, ParameterError
        If they do not fit the columns or each other.
    """
    label = values["label"]
    own = [*columns, class_column(label, classes, columns)]
    if own[-1].name != label:
        raise ValueError(f"relations: the class has the name of column {shown(label)}")
    found = {
        name: _with_missing(array, arrays.get(name + MISSING))
        for name, array in arrays.items()
        if not name.endswith(MISSING)
    }
    relations = Relations.from_state({"relations": values["relations"]}, found, own)
    for relation in relations.relations:
        if isinstance(relation, Determined):
            _check_values(relation, own)
    return relations


def _with_missing(array: NDArray[Any], missing: NDArray[Any] | None) -> NDArray[Any]:
    """Return an array with NaN where the mask says so."""
    if array.ndim != 1 or array.dtype not in (np.float64, np.int64):
        raise ValueError(f"relations: an array {array.shape} of dtype {array.dtype}")
    if missing is None:
        return array
    if array.dtype != np.float64 or missing.shape != array.shape:
        raise ValueError("relations: missing values do not fit their array")
    return np.where(missing.astype(bool), np.nan, array)


def _check_values(relation: Determined, columns: Sequence[Column]) -> None:
    """Raise ValueError if a relation has categories that its columns do not have."""
    sources = relation.keys if relation.other is None else [*relation.keys, relation.other]
    for place, found in ((relation.source, sources), (relation.result, relation.values)):
        column, known = columns[place], np.asarray(found)[~np.isnan(found)]
        if isinstance(column, ConstantColumn):
            raise ValueError(f"relation 'determined' of the constant column {shown(column.name)}")
        if isinstance(column, CategoryColumn):
            size = len(column.categories) + bool(column.rare)
            if not np.isin(known, np.arange(size)).all():
                raise ValueError(f"relation 'determined': unknown codes of {shown(column.name)}")
        if len(known) < len(found) and not column.has_missing:  # type: ignore[attr-defined]
            raise ValueError(f"relation 'determined': {shown(column.name)} is never missing")
