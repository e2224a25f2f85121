"""New rows to add to a table, and the existing rows that show how they are to be written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd

SAMPLE = 2_000  # cells from which the format of a column is learned


@dataclass(frozen=True)
class Added:
    """Rows to add below those of a file.

    Parameters
    ----------
    frame : DataFrame
        The rows of the file, as read.
    new : DataFrame
        The rows to add, of the same columns.
    is_new : sequence of bool
        Which of the rows to add are new, not copies.
    mark : str, optional
        Name of a column to add that flags new rows.
    """

    frame: pd.DataFrame
    new: pd.DataFrame
    is_new: Sequence[bool]
    mark: str | None = None


class Rows(Protocol):
    """The rows of the files of a table, in their original text."""

    def __len__(self) -> int: ...

    def write(self, added: Added) -> Iterator[bytes]:
        """Yield the bytes of the files, then those of the added rows."""
        ...


def informative_rows(values: pd.Series, added: pd.Series) -> list[int]:
    """Return rows that show the format of a column: a sample, and one for each value to add."""
    n_rows = len(values)
    plain = values.reset_index(drop=True)
    some = np.arange(0, n_rows, max(1, n_rows // SAMPLE))
    missing = np.flatnonzero(plain.isna().to_numpy(bool))[:SAMPLE]
    wanted = plain.isin(added.dropna().unique()) & ~plain.duplicated()
    return sorted({*some.tolist(), *missing.tolist(), *np.flatnonzero(wanted).tolist()})
