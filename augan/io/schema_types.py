"""Types of the values in model files and ONNX metadata, with their checks."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

import numpy as np
from pandas.api import types as pdt
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from augan.codecs.dtypes import check_name
from augan.codecs.origin import from_json
from augan.exceptions import shown

MOST_COLUMNS = 100_000
MOST_DIGITS = 400  # of a decimal number
MOST_LISTED = 100  # values of a parameter
MOST_NESTED = 3  # nested lists: labels of several levels

ZONE = r"[A-Za-z][A-Za-z0-9_+\-/:]{0,63}(\([+\-:0-9]{1,12}\))?"
TIME_UNIT = r"(Y|M|W|D|h|m|s|ms|us|ns)"
DTYPES = (
    r"[<>=|]?[biufc](1|2|4|8|16)",
    r"[<>=|]?[US][0-9]{1,5}",
    r"(u?int(8|16|32|64)|float(16|32|64|96|128)|complex(64|128)|bool|object|category)",
    r"(U?Int(8|16|32|64)|Float(32|64)|boolean|str|string(\[[a-z_]{1,20}\])?)",
    rf"[<>=|]?(datetime64|timedelta64|[mM]8)\[{TIME_UNIT}\]",
    rf"datetime64\[(s|ms|us|ns), (pytz\.|tz)?{ZONE}\]",
    r"period\[[A-Za-z0-9\-]{1,20}\]",
    rf"interval(\[[a-z0-9]{{1,20}}(\[[a-z]+(, {ZONE})?\])?, (left|right|both|neither)\])?",
    r"Sparse\[[A-Za-z0-9]{1,20}, [A-Za-z0-9.+\-]{1,30}\]",
    r"[A-Za-z0-9_<>\[\](),=:/+\- ]{1,200}\[pyarrow\]",
)
DTYPE = re.compile("|".join(f"({pattern})" for pattern in DTYPES))
WRITTEN = {  # patterns of the results of `to_json`
    "Timestamp": r"[-+]?\d{4,6}-\d\d-\d\d([T ][0-9:.]{2,20}([+-][0-9:.]{2,15})?)?",
    "date": r"\d{4}-\d\d-\d\d",
    "time": r"[0-9:.]{2,20}([+-][0-9:.]{2,15})?",
    "Timedelta": r"-?P[-+0-9DTHMS.]{1,60}",
    "Decimal": rf"[-+]?[0-9.]{{1,{MOST_DIGITS}}}([eE][-+]?[0-9]{{1,3}})?",
    "float": r"nan|-?inf",
    "bytes": r"([0-9a-f]{2})*",
    "Period": r"[-+0-9A-Za-z:./ ]{1,60}",
}
FREQUENCY = re.compile(r"[A-Za-z0-9\-]{1,20}")


class Part(BaseModel):
    """Base of schemas: strict types, and no unknown fields."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


def check_dtype(name: str) -> str:
    """Return the name of a dtype that numpy or pandas has.

    Raises
    ------
    ValueError
        If numpy and pandas have no such dtype.
    """
    if not DTYPE.fullmatch(name) or ".." in name or "//" in name:
        raise ValueError(f"{shown(name)} is not a dtype of a column")
    try:
        pdt.pandas_dtype(name)
    except Exception as error:  # numpy and pandas have their own errors
        raise ValueError(f"{shown(name)} is not a dtype of a column") from error
    return name


def check_native(name: str) -> str:
    """Return the name of a dtype that is read as another one.

    Raises
    ------
    ValueError
        If there is no such dtype.
    """
    try:
        check_name(name)
    except Exception as error:  # numpy has its own errors
        raise ValueError(f"{shown(name)} is not a dtype of a column") from error
    return name


def check_image_dtype(name: str) -> str:
    """Return the name of a dtype of pixels.

    Raises
    ------
    ValueError
        If it is not a dtype of numbers.
    """
    check_dtype(name)
    if np.dtype(name).kind not in "buif":
        raise ValueError(f"{shown(name)} is not a dtype of images")
    return name


def check_scalar(value: Any) -> Any:
    """Return a value that `to_json` wrote of a cell.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    if isinstance(value, list):
        raise ValueError("a list is not a value of a column")
    return check_written(value)


def check_written(value: Any, depth: int = 0) -> Any:
    """Return what `to_json` wrote of a cell or a label.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    if isinstance(value, list):
        if depth >= MOST_NESTED:
            raise ValueError("nested too deeply")
        for inner in value:
            check_written(inner, depth + 1)
    elif isinstance(value, dict):
        _check_tagged(value, depth)
    elif not isinstance(value, (str, bool, int, float, type(None))):
        raise ValueError(f"{shown(value)} is not a value of a column")
    return value


def _check_tagged(value: dict[str, Any], depth: int) -> None:
    """Check a value that is stored with its type, such as a date."""
    kind, written = value.get("type"), value.get("value")
    more = {"Interval": {"closed"}, "Period": {"freq"}}.get(str(kind), set())
    if set(value) != {"type", "value"} | more or not isinstance(kind, str):
        raise ValueError(f"{shown(value)} is not a value of a column")
    if kind == "Interval":
        if not isinstance(written, list) or len(written) != 2:
            raise ValueError("an interval has two ends")
        check_written(written, depth + 1)
    elif not isinstance(written, str) or not re.fullmatch(WRITTEN.get(kind, ".{1,200}"), written):
        raise ValueError(f"{shown(written)} is not a valid {shown(kind)[1:-1]}")
    if kind == "Period" and not FREQUENCY.fullmatch(str(value["freq"])):
        raise ValueError(f"{shown(value['freq'])} is not a frequency")
    try:
        from_json(value)
    except Exception as error:  # depends on the type
        raise ValueError(f"{shown(written)} is not a valid {shown(kind)[1:-1]}") from error


def check_plain(value: Any) -> Any:
    """Return a text, number, boolean or None.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    if not isinstance(value, (str, bool, int, float, type(None))):
        raise ValueError(f"{shown(value)} is not a text, number, boolean or null")
    return value


def check_plain_or_list(value: Any) -> Any:
    """Return a value of `check_plain`, or a short list of them.

    Raises
    ------
    ValueError
        If it is anything else.
    """
    if isinstance(value, list):
        if len(value) > MOST_LISTED:
            raise ValueError(f"a list of {len(value):,} values")
        return [check_plain(inner) for inner in value]
    return check_plain(value)


def check_printable(text: str) -> str:
    """Return a text without control characters.

    Raises
    ------
    ValueError
        If it has any.
    """
    if not text.isprintable():
        raise ValueError(f"{shown(text)} has characters that cannot be printed")
    return text


def within(value: float, low: float, high: float) -> bool:
    """Whether a number is between two others, up to rounding."""
    if not math.isfinite(low) or not math.isfinite(high):
        return False
    room = 1e-6 * max(abs(low), abs(high))
    return low - room <= value <= high + room


Finite = Annotated[float, Field(allow_inf_nan=False, ge=-1.7e308, le=1.7e308)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, lt=2**53)]
AtLeastOne = Annotated[int, Field(ge=1, lt=2**53)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Dtype = Annotated[str, StringConstraints(max_length=220), AfterValidator(check_dtype)]
Native = Annotated[str, StringConstraints(max_length=220), AfterValidator(check_native)]
ImageDtype = Annotated[str, StringConstraints(max_length=20), AfterValidator(check_image_dtype)]
Scalar = Annotated[Any, AfterValidator(check_scalar)]
Written = Annotated[Any, AfterValidator(check_written)]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.+!\-]{1,60}$")]
Line = Annotated[str, StringConstraints(max_length=1000), AfterValidator(check_printable)]
Scalars = Annotated[list[Scalar], Field(fail_fast=True)]
Label = Annotated[list[Written], Field(fail_fast=True, min_length=1, max_length=MOST_COLUMNS)]
Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
