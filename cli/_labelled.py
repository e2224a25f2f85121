"""Rows that have classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def read_labelled(
    path: Path, options: Any, target: str, drop: list[str]
) -> tuple[Any, Any, int | None]:
    """Return rows, their classes, and at which place among a table's columns these stood."""
    import numpy as np

    from augan.exceptions import DataError, ParameterError
    from augan.io.sources import open_data

    source: Any = open_data(path, options)
    if not source.is_table:
        if drop:
            raise ParameterError(f"--drop {drop[0]}: {path} has no named columns")
        return np.asarray(source.rows()), source.labels(target), None
    frame = source.read(nullable=True)
    for name in [*drop, target]:
        if name not in frame:
            raise DataError(f"{path}: no column {name!r}; it has {', '.join(frame.columns)}")
    frame = frame.drop(columns=drop)
    unlabelled = frame[target].isna().to_numpy()
    if unlabelled.any():
        raise DataError(f"{path}, row {unlabelled.argmax()}, column {target!r}: no class")
    return frame.drop(columns=target), frame[target], frame.columns.get_loc(target)
