"""What all commands have in common: checks of their arguments, the layout of their help."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, get_args, get_type_hints

import typer
from typer.core import TyperCommand, TyperGroup

from ._deprecated import new_command
from ._parameters import LISTS_PARAMETERS


class Command(TyperCommand):
    """A command that takes no empty path: it would mean the working directory."""

    def __init__(self, *args: Any, help: str | None = None, **named: Any) -> None:
        paragraphs = (help or "").split("\n\n")
        text = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
        super().__init__(*args, help=text, **named)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments.

        Raises
        ------
        typer.BadParameter
            For an empty path.
        """
        options = _path_options(inspect.unwrap(self.callback)) if self.callback else set()
        for before, word in zip(["", *args], args, strict=False):
            of_text = before.startswith("-") and before not in options
            if word in {f"{option}=" for option in options} or (word == "" and not of_text):
                name = word.rstrip("=") or before
                raise typer.BadParameter(f"{name if name in options else 'DATA'}: an empty path")
        # the options before it, such as --method, say which parameters are listed
        args = sorted(args, key=LISTS_PARAMETERS.__eq__)
        return list(super().parse_args(ctx, args))


class Group(TyperGroup):
    """The commands, and former spellings of some."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the name of a command, the command and its arguments."""
        if not ctx.resilient_parsing:  # that is, unless a shell completes what is typed
            args = new_command(args)
        return super().resolve_command(ctx, args)


def _path_options(function: Any) -> set[str]:
    """Return the names of the options of a command that are paths."""
    names: set[str] = set()
    for name, hint in get_type_hints(function, include_extras=True).items():
        kind, *notes = get_args(hint) or (hint,)
        if kind is Path or Path in get_args(kind):
            declared = [word for note in notes for word in _declared(note)]
            names |= set(declared or [f"--{name.replace('_', '-')}"])
    return names


def _declared(note: Any) -> list[str]:
    """Return the names that an option is given, the first of which Typer takes for a default."""
    words = [getattr(note, "default", None), *(getattr(note, "param_decls", None) or ())]
    return [word for word in words if isinstance(word, str) and word.startswith("-")]
