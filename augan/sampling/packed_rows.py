"""Encoded rows of tables as they are stored: zeros and ones as bits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor


def pack(rows: Tensor) -> dict[str, Tensor]:
    """Return tensors for encoded rows (n, ...), by name.

    Of rows of a table (n, d), the features that are only 0 and 1 are "bits", a bit each, and the
    mask "binary" (d,) says which these are. "rows" has the others, or all.
    """
    if rows.ndim != 2:
        return {"rows": rows}
    binary = ((rows == 0) | (rows == 1)).all(dim=0)
    bits = np.packbits(rows[:, binary].bool().numpy(), axis=1)
    return {
        "rows": rows[:, ~binary].contiguous(),
        "bits": torch.from_numpy(bits),
        "binary": binary,
    }


def unpack(tensors: Mapping[str, Tensor]) -> Tensor:
    """Return the encoded rows (n, ...) for tensors of `pack`; files before it have "rows" alone.

    Raises
    ------
    ValueError
        If the tensors do not fit together.
    """
    rows = tensors["rows"]
    if "binary" not in tensors:
        return rows
    binary, bits = tensors["binary"], tensors["bits"]
    n_binary = int(binary.sum())
    if binary.dtype != torch.bool or bits.dtype != torch.uint8:
        raise ValueError("bits of the rows have another type")
    if bits.shape != (len(rows), -(-n_binary // 8)) or rows.shape[1] != len(binary) - n_binary:
        raise ValueError("numbers of rows and bits, or of their features, differ")
    whole = rows.new_empty(len(rows), len(binary))
    whole[:, ~binary] = rows
    unpacked = np.unpackbits(bits.numpy(), axis=1, count=n_binary)
    whole[:, binary] = torch.from_numpy(unpacked).to(rows.dtype)
    return whole
