"""Rows that have classes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ._columns import column_list, no_column
from ._labels import has_no_label


@dataclass(frozen=True)
class LabelledRows:
    """Rows and their classes; of a table also where the classes stood, and what was dropped."""

    source: Any
    rows: Any
    labels: Any
    place: int | None = None
    dropped: list[str] = field(default_factory=list)

    @property
    def is_table(self) -> bool:
        """Whether the rows are those of a table, not arrays or images."""
        return self.place is not None

    def reading(self) -> dict[str, Any]:
        """Return how the rows were read, for a model to keep."""
        from augan.io.image_folder import ImageFolder

        if isinstance(self.source, ImageFolder):
            return self.source.reading()
        return dict(self.source.resolved.to_dict()) if self.is_table else {}


def read_labelled(path: Path, options: Any, target: str, drop: list[str]) -> LabelledRows:
    """Return rows and their classes, of which none is missing."""
    import numpy as np

    from augan.exceptions import DataError, ParameterError, shown
    from augan.io.sources import open_data

    source: Any = open_data(path, options)
    if not source.is_table:
        if drop:
            raise ParameterError(f"--drop {drop[0]}: {path} has no named columns")
        return LabelledRows(source, np.asarray(source.rows()), source.labels(target))
    columns = source.columns()
    if target not in columns:
        raise no_column(path, target, columns)
    dropped = column_list(drop, columns, "--drop", path)
    if target in dropped:
        raise ParameterError(f"--drop {target}: the column with the classes")
    if len(dropped) == len(columns) - 1:
        raise DataError(f"{path}: no column beside {shown(target)}, the classes")
    frame = source.read(drop=dropped, nullable=True)
    unlabelled = has_no_label(frame[target])
    if unlabelled.any():
        raise DataError(
            f"{path}, row {unlabelled.argmax()}, column {shown(target)}: no class, as in "
            f"{unlabelled.sum()} of {len(frame)} rows; leave them out of the file"
        )
    place = frame.columns.get_loc(target)
    return LabelledRows(source, frame.drop(columns=target), frame[target], place, dropped)
