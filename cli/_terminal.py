"""Texts that come from data, on a terminal: shown as they are, never obeyed."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from ._process import printable


class PlainConsole(Console):
    """A console that takes no text for markup, an emoji or an escape sequence."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return what is shown of a text."""
        return super().render_str(printable(text), **options)
