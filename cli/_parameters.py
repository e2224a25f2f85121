"""`--set NAME=VALUE`: parameters of an estimator on the command line."""

from __future__ import annotations

import ast
import difflib
import warnings
from collections.abc import Callable, Collection
from typing import Any

import typer

from ._console import say
from ._options import TRAINING

LISTS_PARAMETERS = "--help-parameters"
LONGEST = 10_000  # characters of a value


def assignments(texts: list[str] | None, own: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the parameters of ``--set``: Python literals, or else texts.

    If one is given twice, the last value counts.

    Raises
    ------
    ParameterError
        For a parameter in `own`, which the command sets in another way.
    """
    from augan.exceptions import ParameterError

    given: dict[str, Any] = {}
    for name, value in map(_assignment, texts or []):
        if name in (own or {}):
            raise ParameterError(f"--set {name}: {own[name]}")  # type: ignore[index]
        given[name] = value
    return given


def build_estimator(name: str, given: dict[str, Any], own: dict[str, str]) -> Any:
    """Return an estimator with these parameters.

    Raises
    ------
    ParameterError
        For an unknown parameter, or one in `own`, which the command sets in another way.
    """
    import augan
    from augan.exceptions import ParameterError, shown
    from augan.parameters import RENAMED

    cls = getattr(augan, name)
    known = cls().get_params()
    for former in RENAMED.keys() & given.keys():
        say(f"augan: warning: --set {former}: the parameter was renamed to {RENAMED[former]}")
    given = {RENAMED.get(parameter, parameter): value for parameter, value in given.items()}
    for parameter in given:
        if parameter in own:
            raise ParameterError(f"--set {parameter}: {own[parameter]}")
        if parameter not in known:
            near = difflib.get_close_matches(parameter, known, n=1)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise ParameterError(
                f"--set {shown(parameter)[1:-1]}: {name} has no such parameter{meant}"
            )
    return cls(**given)


def help_parameters(class_of: Callable[[Any], str], own: Collection[str]) -> Any:
    """Return the option that prints the parameters of an estimator for ``--set``, and stops.

    Parameters
    ----------
    class_of : callable
        Takes the command's context, returns the name of the estimator's class.
    own : collection of str
        Parameters that ``--set`` does not take.
    """

    def show(context: typer.Context, wanted: bool) -> None:
        if wanted and not context.resilient_parsing:
            print_parameters(class_of(context), own)
            raise typer.Exit

    return typer.Option(
        LISTS_PARAMETERS,
        is_eager=True,
        callback=show,
        help="List the parameters for --set, and exit.",
        rich_help_panel=TRAINING,
    )


def print_parameters(name: str, own: Collection[str]) -> None:
    """Print the parameters of an estimator: type, default, allowed values, a line of text."""
    from rich.table import Table

    import augan
    from augan.checks import ANYTHING
    from augan.parameters import default_text, parameters_of

    from ._terminal import PlainConsole

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), expand=True)
    for head in ("parameter", "default"):
        table.add_column(head, no_wrap=True)
    for head in ("type and allowed values", "description"):
        table.add_column(head, ratio=1)
    for item in parameters_of(getattr(augan, name)).values():
        about = item.metadata
        if item.name not in own:
            is_free = about["check"] is ANYTHING
            allowed = about["kind"] if is_free else about["check"].text
            line = about["text"].partition("\n")[0]
            table.add_row(item.name, default_text(item), allowed, line)
    PlainConsole().print(table)


def _assignment(text: str) -> tuple[str, Any]:
    from augan.exceptions import shown

    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise typer.BadParameter(f"{shown(text)} is not NAME=VALUE", param_hint="--set")
    if len(value) > LONGEST:
        raise typer.BadParameter(
            f"{shown(name)}: a value of {len(value)} characters, more than {LONGEST}",
            param_hint="--set",
        )
    try:
        with warnings.catch_warnings(action="ignore"):  # of Python, about the text
            return name.strip(), ast.literal_eval(value.strip())
    except (ValueError, SyntaxError):
        return name.strip(), value
    except (MemoryError, RecursionError):
        raise typer.BadParameter(f"{shown(text)}: nested too deeply", param_hint="--set") from None
