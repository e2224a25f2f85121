"""The relations of a table and its class, read for a fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from augan.codecs.columns import Column
from augan.sampling.read_relations import read_relations
from augan.sampling.relation_set import Relations
from augan.sampling.stored_relations import class_column


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
