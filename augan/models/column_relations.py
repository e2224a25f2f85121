"""The relations of a table and its class: read for a fit, and stored in model files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from augan.codecs.columns import CategoryColumn, Column, ConstantColumn
from augan.codecs.origin import Origin
from augan.exceptions import shown
from augan.inputs.labelled import USUAL_NAME
from augan.sampling.read_relations import read_relations
from augan.sampling.relation_set import Relations
from augan.sampling.relations import Determined

MISSING = ".missing"  # end of the name of the mask of an array with missing values


def relations_of(
    asked: Any,
    columns: Sequence[Column],
    raw: Tensor,
    classes: NDArray[Any],
    labels: Any,
    name: str,
) -> Relations:
    """Return the relations of a table's columns and, as the last one, of its class.

    Parameters
    ----------
    asked : "auto", None or list of str
        The parameter `relations`.
    columns : sequence of Column
        The codec's columns.
    raw : Tensor of shape (n, d)
        Training rows.
    classes : ndarray of shape (n_classes,)
        Labels.
    labels : ndarray of shape (n,)
        The number of the class of each row.
    name : str
        Name of the class.

    Raises
    ------
    ParameterError
        If a relation cannot be read or does not hold in the training rows.
    """
    own = [*columns, class_column(name, classes, columns)]
    return read_relations(asked, own, np.column_stack([raw.numpy(), labels.astype(np.float64)]))


def class_column(name: str, classes: NDArray[Any], columns: Sequence[Column]) -> Column:
    """Return the class as a column; its raw numbers are the numbers of the classes.

    If a column of the table has its name, an underscore is added.
    """
    while any(column.name == name for column in columns):
        name += "_"
    if len(classes) < 2:
        return ConstantColumn(name, Origin("object"), classes.tolist()[0])
    return CategoryColumn(name, Origin("object"), tuple(classes.tolist()), (), has_missing=False)


def relations_state(relations: Relations) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return JSON values, and tensors by name, none of which holds NaN."""
    values, arrays = relations.state()
    tensors = {}
    for name, array in arrays.items():
        missing = np.isnan(array)
        tensors[name] = torch.from_numpy(np.where(missing, 0, array))
        if missing.any():
            tensors[name + MISSING] = torch.from_numpy(missing)
    return {"label": relations.columns[-1].name, **values}, tensors


def stored_relations(
    values: Mapping[str, Any] | None,
    tensors: Mapping[str, Tensor],
    columns: Sequence[Column],
    classes: NDArray[Any],
) -> Relations:
    """Return the relations for what `relations_state` returned; none for None.

    Raises
    ------
    ValueError, KeyError, ParameterError
        If they do not fit the columns or each other.
    """
    label = USUAL_NAME if values is None else values["label"]
    own = [*columns, class_column(label, classes, columns)]
    if values is None:
        return Relations((), tuple(own))
    if own[-1].name != label:
        raise ValueError(f"relations: the class has the name of column {shown(label)}")
    arrays = {
        name: _with_missing(tensor, tensors.get(name + MISSING))
        for name, tensor in tensors.items()
        if not name.endswith(MISSING)
    }
    relations = Relations.from_state({"relations": values["relations"]}, arrays, own)
    for relation in relations.relations:
        if isinstance(relation, Determined):
            _check_values(relation, own)
    return relations


def _with_missing(tensor: Tensor, missing: Tensor | None) -> NDArray[Any]:
    """Return an array with NaN where the mask says so."""
    array: NDArray[Any] = tensor.numpy()
    if array.ndim != 1 or tensor.dtype not in (torch.float64, torch.int64):
        raise ValueError(f"relations: an array {tuple(tensor.shape)} of dtype {tensor.dtype}")
    if missing is None:
        return array
    if tensor.dtype != torch.float64 or missing.shape != tensor.shape:
        raise ValueError("relations: missing values do not fit their array")
    return np.where(missing.numpy().astype(bool), np.nan, array)


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
