"""`--set NAME=VALUE`: parameters of an estimator on the command line."""

from __future__ import annotations

import ast
import difflib
import warnings
from typing import Any

import typer

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

    cls = getattr(augan, name)
    known = cls().get_params()
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
