"""NumPy's .npy files, read and written without memory maps.

With a memory map, a full disk or a truncated file would end the process instead of raising.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from augan.exceptions import DataError

HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


class NpyRows:
    """The array of an .npy file, whose rows are read when they are needed.

    Parameters
    ----------
    path : Path
        The file.

    Attributes
    ----------
    shape : tuple of int
        Shape of the array.
    dtype : numpy.dtype
        Type of its items.

    Raises
    ------
    ValueError
        If the file is not an .npy file, holds Python objects, or is truncated.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            if version not in HEADERS:
                raise ValueError(f"unknown version {version}")
            shape, self._in_columns, dtype = HEADERS[version](file)
            self._start = file.tell()
            size = file.seek(0, 2)
        self.shape: tuple[int, ...] = tuple(int(n) for n in shape)
        self.dtype: np.dtype[Any] = dtype
        if dtype.hasobject:
            raise ValueError("it holds Python objects, which are not read")
        if min(self.shape, default=0) < 0:
            raise ValueError(f"a shape of {self.shape}")
        needed = math.prod(self.shape) * dtype.itemsize
        if size - self._start < needed:
            raise ValueError(f"truncated: {size - self._start} bytes instead of {needed}")

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return the rows from `start` to `stop`."""
        stop = min(stop, len(self))
        if self._in_columns:
            return self.all()[start:stop]
        one = math.prod(self.shape[1:]) * self.dtype.itemsize
        rows = np.empty((stop - start, *self.shape[1:]), self.dtype)
        self._fill(rows, start * one)
        return rows

    def all(self) -> NDArray[Any]:
        """Return the whole array."""
        if not self._in_columns:
            return self.read(0, len(self)) if self.shape else self._scalar()
        turned = np.empty(self.shape[::-1], self.dtype)
        self._fill(turned, 0)
        return turned.T

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.all() if dtype is None else self.all().astype(dtype)

    def _scalar(self) -> NDArray[Any]:
        value = np.empty((), self.dtype)
        self._fill(value, 0)
        return value

    def _fill(self, rows: NDArray[Any], start: int) -> None:
        """Fill an array from `start` bytes after the header."""
        if not rows.nbytes:
            return
        view = memoryview(rows.reshape(-1).view(np.uint8).data)
        with self.path.open("rb") as file:
            file.seek(self._start + start)
            while view:
                n_read = file.readinto(view)
                if not n_read:
                    raise DataError(f"{self.path}: truncated while it was read")
                view = view[n_read:]


def write_npy(file: BinaryIO, batches: Iterator[NDArray[Any]], n: int) -> None:
    """Write batches of rows, `n` in total, as one array."""
    dtype: np.dtype[Any] | None = None
    for rows in batches:
        if dtype is None:
            dtype = rows.dtype
            header = {
                "descr": np.lib.format.dtype_to_descr(dtype),
                "fortran_order": False,
                "shape": (n, *rows.shape[1:]),
            }
            np.lib.format.write_array_header_1_0(file, header)
        file.write(np.ascontiguousarray(rows, dtype).data)
