"""`augan score --explain`: the most unusual columns of a row, and their usual values."""

from __future__ import annotations

from typing import Any

N_REASONS = 3
REASON_COLUMNS = ("column", "value", "usual", "direction")
SCORE_COLUMNS = ("row", "path", "anomaly_score", "p_value", "is_anomaly")


def reason_columns() -> list[str]:
    """Return the names of the columns that --explain adds to the scores of a table."""
    names = [f"{name}_{k}" for k in range(1, N_REASONS + 1) for name in REASON_COLUMNS]
    return ["explanation", *names]


def score_columns() -> list[str]:
    """Return all names that columns of a result can have."""
    return [*SCORE_COLUMNS, *reason_columns()]


def explained(differences: Any, rows: Any, reasons: Any) -> dict[str, list[str | None]]:
    """Return the columns of --explain: the columns of a row with the largest differences.

    For images, the pixel with the largest difference.
    """
    import numpy as np
    import pandas as pd

    if not isinstance(differences, pd.DataFrame):
        places = differences.reshape(len(differences), -1).argmax(axis=1)
        width = differences.shape[2]
        return {"explanation": [f"pixel {place // width}, {place % width}" for place in places]}
    names, sizes = [str(name) for name in differences.columns], differences.to_numpy()
    highest = np.argsort(-sizes, axis=1)[:, :N_REASONS]
    cells: dict[int, tuple[list[str | None], str, list[str]]] = {}
    for j in np.unique(highest).tolist():
        values = pd.Series(rows[:, j]) if isinstance(rows, np.ndarray) else rows.iloc[:, j]
        if values.dtype == object:
            values = values.infer_objects()
        cells[j] = (reasons.values(j, values), reasons.texts(j), reasons.directions(j, values))
    result: dict[str, list[str | None]] = {name: [] for name in reason_columns()}
    for i, columns in enumerate(highest.tolist()):
        said = []
        for k in range(1, N_REASONS + 1):
            if k > len(columns):
                for name in REASON_COLUMNS:
                    result[f"{name}_{k}"].append(None)
                continue
            j = columns[k - 1]
            values, usual, directions = cells[j]
            found = (names[j], values[i], usual, directions[i])
            said.append(f"{names[j]} x{sizes[i, j]:.1f}: {_sentence(*found[1:])}")
            for name, text in zip(REASON_COLUMNS, found, strict=True):
                result[f"{name}_{k}"].append(text)
        result["explanation"].append("; ".join(said))
    return result


def _sentence(value: str | None, usual: str, direction: str) -> str:
    if direction == "missing":
        return f"missing (usual {usual})"
    if direction in ("above", "below"):
        return f"{value} is {direction} {usual}"
    if direction == "inside":
        return f"{value} (usual {usual}), unusual given the other columns"
    return f"{value} is {direction} (usual {usual})"
