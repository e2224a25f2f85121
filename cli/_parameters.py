"""`--set NAME=VALUE`: parameters of an estimator on the command line."""

from __future__ import annotations

import ast
from typing import Annotated, Any

import typer

Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="Any parameter of the estimator."),
]


def assignments(texts: list[str] | None, own: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the parameters that ``--set`` gives, Python literals or else texts.

    Those that the command gives its `own` way are refused.
    """
    from augan.exceptions import ParameterError

    given = dict(_assignment(text) for text in texts or [])
    for name in given:
        if name in (own or {}):
            raise ParameterError(f"--set {name}: {own[name]}")  # type: ignore[index]
    return given


def build_estimator(name: str, given: dict[str, Any], own: dict[str, str]) -> Any:
    """Return an estimator of augan; parameters that the command gives `own` way are refused."""
    import augan
    from augan.exceptions import ParameterError

    cls = getattr(augan, name)
    known = cls().get_params()
    for parameter in given:
        if parameter in own:
            raise ParameterError(f"--set {parameter}: {own[parameter]}")
        if parameter not in known:
            raise ParameterError(f"--set {parameter}: {name} has no such parameter")
    return cls(**given)


def _assignment(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint="--set")
    try:
        return name.strip(), ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name.strip(), value
