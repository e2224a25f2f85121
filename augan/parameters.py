"""Constructor parameters: each is a dataclass field with its default, check and documentation.

Constructors, docstrings, `check_params` and the command line's list of parameters are generated
from these fields.
"""

from __future__ import annotations

import functools
import textwrap
import warnings
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, TypeVar, dataclass_transform

from augan._callers import caller_level
from augan.checks import (
    Check,
    check_value,
)
from augan.exceptions import ParameterError, shown

C = TypeVar("C", bound=type[Any])

RENAMED = {"score": "scoring", "repair_steps": "restoration_steps"}  # former name: name
MARK = "{parameters}"  # the line of a docstring that is replaced by the parameters


def parameter(default: Any, check: Check, kind: str, text: str) -> Any:
    """Return a dataclass field for a constructor parameter.

    Parameters
    ----------
    default : object
        The default; not mutable.
    check : Check
        The allowed values.
    kind : str
        The type in numpydoc notation.
    text : str
        The documentation; the first line is the summary.
    """
    return field(default=default, metadata={"check": check, "kind": kind, "text": text})


def parameters_of(cls: type) -> dict[str, Field[Any]]:
    """Return the parameters of an estimator class by name; positional ones first."""
    found = [item for item in fields(cls) if "check" in item.metadata]
    return {item.name: item for item in sorted(found, key=lambda item: bool(item.kw_only))}


def check_params(cls: type, params: Mapping[str, Any]) -> None:
    """Check the values of parameters.

    Parameters
    ----------
    cls : type
        The estimator class.
    params : mapping of str to object
        Values by name.

    Raises
    ------
    ParameterError
        If a value is not allowed, or a parameter needs another one.
    """
    known = parameters_of(cls)
    for name, value in params.items():
        if name in known:
            check_value(name, value, known[name].metadata["check"])
    if params.get("resume") and params.get("checkpoint") is None:
        raise ParameterError("resume=True needs checkpoint, the file to resume from")
    if params.get("backbone_weights") is not None and params.get("backbone") is None:
        weights = shown(params["backbone_weights"])
        raise ParameterError(f"backbone_weights={weights}: needs backbone, the network's name")


def current_names(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters under their current names.

    Warns
    -----
    FutureWarning
        For each former name.
    """
    renamed = {}
    for name, value in given.items():
        if name in RENAMED:
            warnings.warn(
                f"the parameter {name!r} was renamed to {RENAMED[name]!r}; the former name will be "
                "removed in version 1.0",
                FutureWarning,
                stacklevel=caller_level(),
            )
        renamed[RENAMED.get(name, name)] = value
    return renamed


@dataclass_transform(kw_only_default=True, field_specifiers=(parameter,))
def estimator(cls: C) -> C:
    """Turn an estimator class into a dataclass, with a constructor and documentation of its fields.

    The constructor also accepts former names of parameters.
    """
    made: Any = dataclass(eq=False, repr=False, kw_only=True)(cls)
    init = made.__init__

    @functools.wraps(init)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        init(self, *args, **(current_names(kwargs) if RENAMED.keys() & kwargs.keys() else kwargs))

    @functools.wraps(made.set_params)
    def set_params(self: Any, **params: Any) -> Any:
        return super(made, self).set_params(**current_names(params))

    made.__init__, made.set_params = __init__, set_params
    if made.__doc__ is not None:
        entries = [_documented(item) for item in parameters_of(made).values()]
        made.__doc__ = made.__doc__.replace(f"    {MARK}\n", "".join(entries))
    found: C = made
    return found


def _documented(item: Field[Any]) -> str:
    """Return a parameter's entry of a numpydoc section."""
    first, _, rest = item.metadata["text"].partition("\n")
    text = f"{first}\n{textwrap.dedent(rest)}".strip()
    head = f"{item.name} : {item.metadata['kind']}, default={default_text(item)}"
    return textwrap.indent(f"{head}\n{textwrap.indent(text, '    ')}\n", "    ")


def default_text(item: Field[Any]) -> str:
    """Return the default of a parameter for the documentation."""
    return f'"{item.default}"' if isinstance(item.default, str) else repr(item.default)
