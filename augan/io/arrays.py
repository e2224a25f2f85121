"""Tables and images in NumPy files, .npy and .npz."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from augan.exceptions import DataError, listed, shown
from augan.io.npy import NpyRows

BATCH_ROWS = 4096
DAMAGED = (  # errors that numpy raises for damaged files
    *(ValueError, EOFError, OSError, KeyError, TypeError, OverflowError),
    *(SyntaxError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error, tokenize.TokenError),
)


class ArraySource:
    """An .npy file, or an .npz whose array `X` (or only array) holds the rows.

    Parameters
    ----------
    path : Path
        The file. An .npy file is read a batch at a time, so it may be larger than memory.
    """

    is_table: ClassVar[bool] = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lazy, self._names = _open(path)
        self._arrays: dict[str, NDArray[Any]] = {}

    def columns(self) -> list[str]:
        """Return the names of the arrays; an .npy file has none."""
        return self._names

    def rows(self) -> NDArray[Any]:
        """Return the rows: (n, d), (n, H, W) or (n, H, W, C)."""
        rows = self._known()
        return rows.all() if isinstance(rows, NpyRows) else rows

    def _known(self) -> NDArray[Any] | NpyRows:
        """Return the rows, or a reader of them."""
        rows = self._array(self._rows_name()) if self._lazy is None else self._lazy
        if rows.ndim not in (2, 3, 4):
            raise DataError(
                f"{self.path}: rows of shape {rows.shape}: must have 2, 3 or 4 dimensions"
            )
        if len(rows) == 0:
            raise DataError(f"{self.path}: no rows, the shape is {rows.shape}")
        return rows

    def labels(self, name: str) -> NDArray[Any]:
        """Return the array called `name`, one label for each row.

        Raises
        ------
        DataError
            If there is no such array, or it has not one value for each row.
        """
        if name not in self.columns():
            found = listed(self.columns()) or "none: .npy files hold one array"
            raise DataError(f"{self.path}: no array {shown(name)}; it has {found}")
        labels = self._array(name)
        n_rows = len(self._known())
        if labels.shape != (n_rows,):
            raise DataError(
                f"{self.path}: {shown(name)} has shape {labels.shape}, for {n_rows} rows"
            )
        return labels

    def batches(self) -> Iterator[NDArray[Any]]:
        """Yield the rows in order, a few thousand at a time."""
        rows = self._known()
        for start in range(0, len(rows), BATCH_ROWS):
            stop = start + BATCH_ROWS
            yield rows.read(start, stop) if isinstance(rows, NpyRows) else rows[start:stop]

    def _rows_name(self) -> str:
        """Return which array holds the rows: X, or the only one, or the only one with two axes."""
        names = self.columns()
        if "X" in names:
            return "X"
        several = [name for name in names if self._array(name).ndim >= 2]
        candidates = names if len(names) == 1 else several
        if len(candidates) != 1:
            raise DataError(f"{self.path}: no array 'X'; it has {listed(names) or 'none'}")
        return candidates[0]

    def _array(self, name: str) -> NDArray[Any]:
        if name not in self._arrays:
            try:
                with self.path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                    found = file[name]
            except DAMAGED as error:
                raise DataError(f"{self.path}: array {shown(name)}: {error}") from error
            if not isinstance(found, np.ndarray):
                raise DataError(f"{self.path}: {shown(name)} is not an array")
            self._arrays[name] = found
        return self._arrays[name]


def _open(path: Path) -> tuple[NDArray[Any] | NpyRows | None, list[str]]:
    """Return the array of an .npy file, or the names of an .npz file's arrays."""
    try:
        if path.suffix.lower() == ".npy" and not zipfile.is_zipfile(path):
            return NpyRows(path), []
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded, []
            with loaded:
                return None, list(loaded.files)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except PermissionError:
        raise
    except DAMAGED as error:
        reason = "the file is empty" if _is_empty(path) else f"not a NumPy file ({error})"
        raise DataError(f"{path}: {reason}") from error


def _is_empty(path: Path) -> bool:
    return path.is_file() and path.stat().st_size == 0
