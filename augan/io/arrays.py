"""NumPy files: tables and images as .npy and .npz."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from augan.exceptions import DataError

BATCH_ROWS = 4096


class ArraySource:
    """An .npy file, or an .npz whose array `X` (or only array) holds the rows.

    Parameters
    ----------
    path : Path
        The file. An .npy file is mapped, not read, so it may be larger than memory.
    """

    is_table: ClassVar[bool] = False

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _open(path)

    def columns(self) -> list[str]:
        """Return the names of the arrays; an .npy file has none."""
        return [] if isinstance(self._file, np.ndarray) else list(self._file.files)

    def rows(self) -> NDArray[Any]:
        """Return the rows: (n, d), (n, H, W) or (n, H, W, C)."""
        if isinstance(self._file, np.ndarray):
            rows = self._file
        else:
            names = self._file.files
            name = "X" if "X" in names else names[0]
            if name != "X" and len(names) > 1 and len(_with_rows(self._file)) != 1:
                raise DataError(f"{self.path}: no array 'X' among {', '.join(names)}")
            rows = self._array(name if name == "X" else (_with_rows(self._file) or names)[0])
        if rows.ndim not in (2, 3, 4):
            raise DataError(f"{self.path}: rows of shape {rows.shape}: need 2, 3 or 4 axes")
        return rows

    def labels(self, name: str) -> NDArray[Any]:
        """Return the array called `name`, one label a row."""
        if name not in self.columns():
            raise DataError(f"{self.path}: no array {name!r}; it has {', '.join(self.columns())}")
        labels = self._array(name)
        n_rows = len(self.rows())
        if labels.shape != (n_rows,):
            raise DataError(f"{self.path}: {name!r} has shape {labels.shape}, for {n_rows} rows")
        return labels

    def batches(self) -> Iterator[NDArray[Any]]:
        """Give the rows in order, a few thousand at a time."""
        rows = self.rows()
        for start in range(0, len(rows), BATCH_ROWS):
            yield np.asarray(rows[start : start + BATCH_ROWS])

    def _array(self, name: str) -> NDArray[Any]:
        try:
            array: NDArray[Any] = self._file[name]
        except ValueError as error:
            raise DataError(f"{self.path}: array {name!r}: {error}") from error
        return array


def _with_rows(file: Any) -> list[str]:
    """Return the arrays of an .npz that could be rows: those of two axes or more."""
    return [name for name in file.files if file[name].ndim >= 2]


def _open(path: Path) -> Any:
    try:
        mapped = "r" if path.suffix == ".npy" else None
        return np.load(path, mmap_mode=mapped, allow_pickle=False)
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (ValueError, EOFError, zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{path}: not a NumPy file, or damaged ({error})") from error
