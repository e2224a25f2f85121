"""What is known of a model, or of a fit to come, as a table."""

from __future__ import annotations

from typing import Any


def print_facts(facts: dict[str, Any]) -> None:
    """Print names and values, nested ones on lines of their own."""
    from rich.table import Table

    from ._terminal import PlainConsole

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in facts.items():
        for i, line in enumerate(_lines(value)):
            table.add_row(name.replace("_", " ") if i == 0 else "", line)
    PlainConsole().print(table)


def _lines(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [f"{_short(k)}: {_short(v)}" for k, v in value.items()] or ["none"]
    return [_short(value)]


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{_short(k)} {_short(v)}" for k, v in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_short, value)) or "none"
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace("\n", "\\n")
