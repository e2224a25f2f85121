"""Options for reading files, which are the same in all commands."""

from __future__ import annotations

import csv
import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import typer

from ._console import plain_errors, say
from ._options import READING

NAMES = {  # of options whose name differs from the field
    "column_names": "--column-names",
    "date_formats": "--date-format",
    "default_missing": "--no-default-missing",
    "max_pixels": "--max-pixels",
}


def _option(help_text: str, *names: str, **how: Any) -> Any:
    return typer.Option(*names, help=help_text, rich_help_panel=READING, **how)


Delimiter = Annotated[
    str | None, _option("Delimiter of CSV files; default: detected.", metavar="CHAR")
]
Encoding = Annotated[
    str | None,
    _option("Encoding of CSV files, such as cp1252; default: UTF-8.", metavar="NAME"),
]
Missing = Annotated[
    list[str] | None,
    _option("Another text for missing values; '': only empty cells.", metavar="TEXT"),
]
NoDefaultMissing = Annotated[
    bool,
    _option("NA, NaN, null, None and the like are not missing.", "--no-default-missing"),
]
ColumnNames = Annotated[
    str | None, _option("Names (a,b,c), for CSV files without a header line.", metavar="COLS")
]
Text = Annotated[
    list[str] | None,
    _option("Columns (a,b) to read as text, such as zip codes.", metavar="COLS"),
]
Decimal = Annotated[
    str | None, _option("Decimal mark, . or , where it cannot be detected.", metavar="CHAR")
]
Thousands = Annotated[
    str | None, _option("Thousands separator, where it cannot be detected.", metavar="CHAR")
]
DateFormat = Annotated[
    list[str] | None,
    _option(
        "Date format: %d/%m/%Y or COL=%d/%m/%Y; repeatable.",
        metavar="FORMAT",
    ),
]
Kind = Annotated[
    Literal["images", "table"] | None,
    _option("images or table, for a folder that holds both.", metavar="KIND"),
]
ImagePage = Annotated[
    int | None,
    _option(
        *("Page of files with several images, from 0.", "--page"),
        min=0,
        metavar="N",
    ),
]
MaxPixels = Annotated[
    int | None,
    _option("Largest image, in pixels; default: 179 million.", min=1, metavar="N"),
]


def _reading(
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    missing: Missing = None,
    no_default_missing: NoDefaultMissing = False,
    column_names: ColumnNames = None,
    text: Text = None,
    decimal: Decimal = None,
    thousands: Thousands = None,
    date_format: DateFormat = None,
    kind: Kind = None,
    image_page: ImagePage = None,
    max_pixels: MaxPixels = None,
) -> Any:
    """Return the options as one object."""
    from augan.io.options import ReadOptions

    marks = tuple(missing or ())
    delimiter = None if delimiter is None else delimiter.replace("\\t", "\t")
    if delimiter is not None and len(delimiter) != 1:
        raise typer.BadParameter(f"{delimiter!r} is not one character", param_hint="--delimiter")
    return ReadOptions(
        delimiter=delimiter,
        encoding=encoding,
        missing=tuple(mark.strip() for mark in marks if mark.strip()),
        column_names=_names(column_names) if column_names is not None else None,
        default_missing=not (no_default_missing or any(not mark.strip() for mark in marks)),
        text=tuple(split_names(text)),
        decimal=decimal,
        thousands=thousands,
        date_formats=_date_formats(date_format or []),
        kind=kind,
        page=image_page,
        max_pixels=max_pixels,
    )


def split_names(given: list[str] | None) -> list[str]:
    """Return the names in comma-separated texts; a name with a comma must be quoted."""
    rows = csv.reader(given or [], skipinitialspace=True)
    return list(dict.fromkeys(name.strip() for row in rows for name in row if name.strip()))


def _names(given: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in next(csv.reader([given], skipinitialspace=True)))
    if not names:
        raise typer.BadParameter("no name given", param_hint="--column-names")
    return names


def _date_formats(given: list[str]) -> dict[str, str]:
    """Return the formats by column; "*" means any column."""
    from augan.exceptions import ParameterError
    from augan.io.options import ANY_COLUMN

    formats: dict[str, str] = {}
    for text in given:
        column, found, how = text.partition("=")
        if not found or "%" in column:
            column, how = ANY_COLUMN, text
        if column in formats:
            raise ParameterError(
                f"--date-format {text!r:.60}: a second format; use COLUMN=FORMAT for single columns"
            )
        formats[column] = how
    return formats


def stored_reading(context: dict[str, Any], model: Path) -> Any:
    """Return the options that the training data of a model was read with.

    Raises
    ------
    ModelFileError
        If the stored options are not valid.
    """
    from augan.exceptions import ModelFileError, ParameterError
    from augan.io.options import ReadOptions

    try:
        return ReadOptions.from_dict(context.get("reading", {}))
    except ParameterError as error:
        raise ModelFileError(f"{model}: {error}") from error


def as_trained(options: Any, context: dict[str, Any], model: Path, estimator: Any = None) -> Any:
    """Return the options that the training data was read with, updated by `options`.

    Options that differ are warned of. Options of single columns must match the columns of the
    `estimator`, if there is one.
    """
    if estimator is not None and estimator.codec_.kind == "table":
        _check_columns(options, context, model, estimator.codec_.columns)
    together, changed = options.over(stored_reading(context, model))
    for name in changed:
        option = NAMES.get(name, f"--{name}")
        say(
            f"augan: warning: {option} {_written(getattr(together, name))}: the data that {model} "
            "was trained on was read differently"
        )
    return together


def _check_columns(options: Any, context: dict[str, Any], model: Path, columns: Any) -> None:
    """Raise for an option of a column that the model reads differently, or does not have."""
    from augan.exceptions import ParameterError, listed, shown
    from augan.io.options import ANY_COLUMN

    kinds = {column.name: column.stored_as() for column in columns}
    others = {context.get("target"), *context.get("dropped", [])}
    wanted = [("--text", name, ("text",)) for name in options.text]
    times = ("time", "time with zone")
    wanted += [("--date-format", name, times) for name in options.date_formats]
    for option, name, fitting in wanted:
        if name == ANY_COLUMN or name in others or kinds.get(name) in fitting:
            continue
        if name in kinds:
            reason = f"a column of {kinds[name]}s in {model}"
        else:
            reason = f"{model} has no such column; it has {listed(kinds)}"
        raise ParameterError(f"{option} {shown(name)}: {reason}")


def _written(value: Any) -> str:
    """Return an option's value as on the command line."""
    from augan.exceptions import shown
    from augan.io.options import ANY_COLUMN

    if isinstance(value, tuple):
        return shown(",".join(value))
    if isinstance(value, Mapping):
        parts = [how if name == ANY_COLUMN else f"{name}={how}" for name, how in value.items()]
        return shown(", ".join(parts))
    return shown(value)


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Replace the parameter `options` of a command by the options above."""
    own = inspect.signature(command).parameters
    hints = get_type_hints(command, include_extras=True)
    added = inspect.signature(_reading, eval_str=True).parameters
    parameters = []
    for name, parameter in own.items():
        if name == "options":
            parameters.extend(added.values())
        else:
            parameters.append(parameter.replace(annotation=hints[name]))

    @functools.wraps(command)
    def wrapped(**given: Any) -> Any:
        reading = {name: given.pop(name) for name in added}
        with plain_errors():
            options = _reading(**reading)
        return command(**given, options=options)

    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapped.__annotations__ = {p.name: p.annotation for p in parameters}
    return wrapped
