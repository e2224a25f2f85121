"""`augan score --explain`: the most unusual columns of a row, and their usual values."""

from __future__ import annotations

from typing import Any

N_REASONS = 3
REASON_COLUMNS = ("column", "value", "usual", "direction")
SURPRISE = "surprise"  # of a value, in nats; of models with this head
SCORE_COLUMNS = ("row", "path", "anomaly_score", "p_value", "is_anomaly")


def reason_columns(*, surprise: bool) -> list[str]:
    """Return the names of the columns that --explain adds to the scores of a table."""
    each = (*REASON_COLUMNS, SURPRISE) if surprise else REASON_COLUMNS
    names = [f"{name}_{k}" for k in range(1, N_REASONS + 1) for name in each]
    return ["explanation", *names]


def score_columns() -> list[str]:
    """Return all names that columns of a result can have."""
    return [*SCORE_COLUMNS, *reason_columns(surprise=True)]


def explained(
    differences: Any, rows: Any, reasons: Any, surprise: Any = None
) -> dict[str, list[Any]]:
    """Return the columns of --explain: the columns of a row with the largest differences.

    For images, the pixel with the largest difference. With `surprise`, a frame of nats as
    `differences`, also that of each of these columns.
    """
    import pandas as pd

    if not isinstance(differences, pd.DataFrame):
        places = differences.reshape(len(differences), -1).argmax(axis=1)
        width = differences.shape[2]
        return {"explanation": [f"pixel {place // width}, {place % width}" for place in places]}
    nats = None if surprise is None else surprise.to_numpy()
    return _of_table(differences, rows, reasons, nats)


def _of_table(differences: Any, rows: Any, reasons: Any, nats: Any) -> dict[str, list[Any]]:
    """Return the columns of --explain for a table; `nats` (n, d) or None is the surprise."""
    import numpy as np
    import pandas as pd

    names, sizes = [str(name) for name in differences.columns], differences.to_numpy()
    highest = np.argsort(-sizes, axis=1)[:, :N_REASONS]
    cells: dict[int, tuple[list[str | None], str, list[str]]] = {}
    for j in np.unique(highest).tolist():
        values = pd.Series(rows[:, j]) if isinstance(rows, np.ndarray) else rows.iloc[:, j]
        if values.dtype == object:
            values = values.infer_objects()
        cells[j] = (reasons.values(j, values), reasons.texts(j), reasons.directions(j, values))
    result: dict[str, list[Any]] = {name: [] for name in reason_columns(surprise=nats is not None)}
    each = REASON_COLUMNS if nats is None else (*REASON_COLUMNS, SURPRISE)
    for i, columns in enumerate(highest.tolist()):
        said = []
        for k in range(1, N_REASONS + 1):
            if k > len(columns):
                for name in each:
                    result[f"{name}_{k}"].append(None)
                continue
            j = columns[k - 1]
            values, usual, directions = cells[j]
            found = (names[j], values[i], usual, directions[i])
            more = () if nats is None else (float(nats[i, j]),)
            in_nats = "".join(f", surprise {value:.1f} nats" for value in more)
            said.append(f"{names[j]} x{sizes[i, j]:.1f}: {_sentence(*found[1:])}{in_nats}")
            for name, value in zip(each, (*found, *more), strict=True):
                result[f"{name}_{k}"].append(value)
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
