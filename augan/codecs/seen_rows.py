"""Hashes of training rows, which tell whether a model is tested on them."""

from __future__ import annotations

import base64
import hashlib
import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from augan._callers import caller_level
from augan.exceptions import DataWarning

Hashes = NDArray[np.uint64]

MOST = 4096  # number of hashes kept: the smallest ones, comparable with those of other rows
BLOCK = 65_536  # rows hashed at once
LEAST = 5  # comparable rows needed
DISTINCT = 0.9  # with a lower share of distinct training rows, new rows often equal one
MOST_SEEN = 0.5  # share of tested rows that were training rows, above which to warn
MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
STEP = np.uint64(0x9E3779B97F4A7C15)


def hashes_of(codec: Any, rows: Any) -> Hashes:
    """Return a hash (n,) of each row as a codec, or an exported form, reads it."""
    if codec.kind == "image":
        images = np.asarray(rows)
        digests = (hashlib.blake2b(image.tobytes(), digest_size=8).digest() for image in images)
        return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(rows).infer_objects()
    raw = [column.to_raw(frame.iloc[:, i]) for i, column in enumerate(codec.columns)]
    return hashes_of_numbers(np.stack(raw, axis=1))


def hashes_of_numbers(raw: NDArray[np.float64]) -> Hashes:
    """Return a hash (n,) of each row of raw numbers (n, d): SplitMix64 over their bits."""
    parts = [_hashes(raw[start : start + BLOCK]) for start in range(0, len(raw), BLOCK)]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.uint64)


def _hashes(raw: NDArray[np.float64]) -> Hashes:
    plain = np.where(np.isnan(raw), np.nan, raw + 0.0)  # one zero, one NaN
    bits = np.ascontiguousarray(plain, dtype="<f8").view("<u8").astype(np.uint64)
    found = np.zeros(len(bits), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for column in bits.T:
            found = _mixed((found ^ column) + STEP)
    return found


def _mixed(z: Hashes) -> Hashes:
    z = (z ^ (z >> np.uint64(30))) * MULTIPLIERS[0]
    z = (z ^ (z >> np.uint64(27))) * MULTIPLIERS[1]
    return z ^ (z >> np.uint64(31))


def seen_rows(hashes: Hashes) -> dict[str, Any]:
    """Return the number of training rows and their smallest hashes."""
    distinct = np.unique(hashes)
    kept = base64.b64encode(distinct[:MOST].astype("<u8").tobytes()).decode()
    return {"rows": len(hashes), "distinct": len(distinct), "hashes": kept}


def share_seen(seen: Any, hashes: Hashes) -> float | None:
    """Return the share of rows that a model was trained on; None if unknown.

    It is unknown if too few rows can be compared, or if training rows are often equal.
    """
    try:
        kept = np.frombuffer(base64.b64decode(seen["hashes"], validate=True), dtype="<u8")
        n_rows, n_distinct = int(seen["rows"]), int(seen["distinct"])
    except (KeyError, TypeError, ValueError):
        return None  # from an older model, or a changed file
    if len(kept) == 0 or n_distinct < DISTINCT * n_rows:
        return None
    comparable = hashes[hashes <= kept.max()] if n_distinct > len(kept) else hashes
    if len(comparable) < LEAST:
        return None
    return float(np.isin(comparable, kept).mean())


def warn_of_seen(seen: Any, hashes: Hashes, what: str) -> None:
    """Warn if a detector was trained on most of the rows (n,) that it is tested on.

    `seen` is the detector's `training_rows_`, or None.
    """
    share = share_seen(seen, hashes)
    if share is not None and share > MOST_SEEN:
        warnings.warn(
            f"{what}: the model was trained on about {share:.0%} of the {len(hashes)} normal rows: "
            "the metrics are too optimistic",
            DataWarning,
            stacklevel=caller_level(),
        )
