"""What `augan sample MODEL` is asked for, from texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

RANGE = ".."  # between the two ends of a range


def read_where(texts: list[str], codec: Any) -> dict[str, Any] | None:
    """Return the conditions that ``--where COL=VALUE`` and ``--where COL=LOW..HIGH`` give."""
    from augan.codecs.table import TableCodec
    from augan.exceptions import ParameterError

    if texts and not isinstance(codec, TableCodec):
        raise ParameterError(f"--where {texts[0]}: images have no columns")
    where: dict[str, Any] = {}
    columns = {column.name: column for column in codec.columns} if texts else {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ParameterError(f"--where {text}: is not COL=VALUE or COL=LOW..HIGH")
        where[name] = _value(columns.get(name), value)
    return where or None


def _value(column: Any, text: str) -> Any:
    from augan.codecs.columns import CategoryColumn, NumericColumn

    if text == "":
        return None
    if isinstance(column, CategoryColumn):
        known = {str(value): value for value in (*column.categories, *column.rare)}
        return known.get(text, text)
    if isinstance(column, NumericColumn) and RANGE in text:
        low, _, high = text.partition(RANGE)
        return (low or None, high or None)
    return text


def read_class(text: str | None, estimator: Any, path: Path) -> Any:
    """Return the label that a text means, None if there is no text."""
    from augan.codecs.cells import category_key
    from augan.exceptions import ParameterError, shown

    if text is None:
        return None
    if not hasattr(estimator, "classes_"):
        raise ParameterError(f"--class {text}: {path} was trained without classes")
    known = {category_key(label): label for label in estimator.classes_.tolist()}
    if category_key(text) not in known:
        listed = ", ".join(map(shown, list(known.values())[:5]))
        raise ParameterError(f"--class {text}: {path} has no such class, only {listed}")
    return known[category_key(text)]


def read_range(text: str | None) -> tuple[float, float] | None:
    """Return the two quantiles of ``--score-range LOW..HIGH``."""
    from augan.exceptions import ParameterError

    if text is None:
        return None
    low, _, high = text.partition(RANGE)
    try:
        return float(low), float(high)
    except ValueError:
        raise ParameterError(f"--score-range {text}: is not LOW..HIGH, such as .9...99") from None
