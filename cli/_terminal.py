"""A console that shows texts from data literally."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from ._process import printable


class PlainConsole(Console):
    """A console without markup, emoji codes and escape sequences."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text with control characters escaped."""
        return super().render_str(printable(text), **options)
