"""Reading of JSON from untrusted files, with limits on size and nesting."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from augan.exceptions import shown

MAX_VALUES = 2_000_000  # each takes up to a hundred bytes of memory
MAX_DEPTH = 24  # of nested lists and objects
MAX_TEXT = 2**20  # characters of one string
MAX_NUMBER = 2**1023  # larger integers do not fit a float
MAX_CONTAINERS = 300_000  # lists and objects take more memory


class JsonError(ValueError):
    """Error in a JSON text; the message is one line that names the place."""


def read_json(text: bytes) -> Any:
    """Return the value of a JSON text.

    Raises
    ------
    JsonError
        If the text is not JSON, has duplicate keys, NaN, infinity, too many values or deep nesting,
        or if a string is too long or not Unicode.
    """
    n_containers = text.count(b"[") + text.count(b"{")
    if n_containers > MAX_CONTAINERS or n_containers + text.count(b",") > MAX_VALUES:
        raise JsonError(f"more than {MAX_VALUES:,} values, or {MAX_CONTAINERS:,} lists of them")
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_object)
    except JsonError:
        raise
    except RecursionError:
        raise JsonError("nested too deeply") from None
    except UnicodeDecodeError:
        raise JsonError("not UTF-8") from None
    except ValueError as error:
        raise JsonError(f"not JSON ({str(error)[:120]})") from None
    check_json(value)  # also refuses NaN and infinity
    return value


def check_json(value: Any) -> None:
    """Check that a value and all that it contains are JSON within the limits.

    Raises
    ------
    JsonError
        Naming the first value that is not.
    """
    _check(value, [])


def _check(value: Any, place: list[Any]) -> None:
    """Check a value and all that it contains; `place` is the path to it."""
    if isinstance(value, (dict, list)):
        if len(place) >= MAX_DEPTH:
            raise JsonError(f"{named(place)[:200]}: nested too deeply")
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(value, dict):
                _check_text(key, place)
            place.append(key)
            _check(part, place)
            place.pop()
    elif isinstance(value, str):
        _check_text(value, place)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise JsonError(f"{named(place)}: {value} is not finite")
    elif isinstance(value, int):
        if abs(value) >= MAX_NUMBER:
            raise JsonError(f"{named(place)}: {shown(value)}")
    elif value is not None:
        raise JsonError(f"{named(place)}: {shown(value)} is not a JSON value")


def named(place: Sequence[Any]) -> str:
    """Return the path to a value as text, such as ``codec.columns[3].mean``."""
    parts = [f"[{key}]" if isinstance(key, int) else f".{_plain(str(key))}" for key in place]
    return "".join(parts).removeprefix(".") or "the document"


def _plain(key: str) -> str:
    """Return a key with unprintable characters escaped."""
    return key[:60] if key.isprintable() else shown(key)


def _check_text(text: Any, place: Sequence[Any]) -> None:
    if not isinstance(text, str):
        raise JsonError(f"{named(place)}: {shown(text)} is not a key")
    if len(text) > MAX_TEXT:
        raise JsonError(f"{named(place)}: a text of {len(text):,} characters")
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise JsonError(f"{named(place)}: a text that is not Unicode") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; refuse duplicate keys, which parsers treat differently."""
    found = dict(pairs)
    if len(found) < len(pairs):
        left = iter(found)  # in order of first appearance
        twice = next(key for key, _ in pairs if key != next(left, None))
        raise JsonError(f"duplicate key {_plain(twice)}")
    return found
