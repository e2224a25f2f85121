"""Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def short(name: str) -> str:
    """Return a set's name without ADBench's number or collection."""
    return re.sub(r"^(\d+|MVTec-AD)_", "", name)
