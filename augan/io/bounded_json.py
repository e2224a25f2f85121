"""JSON out of files of unknown origin: read within bounds, every value of a kind that is known."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from augan.exceptions import shown

MAX_VALUES = 2_000_000  # of a text: a value takes up to a hundred bytes of memory
MAX_DEPTH = 24  # of lists and objects in each other
MAX_TEXT = 2**20  # characters of one string
MAX_NUMBER = 2**1023  # of an integer: that a float can hold
MAX_CONTAINERS = 300_000  # lists and objects, which take more


class JsonError(ValueError):
    """What is wrong, and where; the message is one line."""


def read_json(text: bytes) -> Any:
    """Return what a JSON text says.

    Raises
    ------
    JsonError
        For what is no JSON, repeated keys, NaN and infinity, more than two million values, deep
        nesting, and strings that are too long or no Unicode.
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
        raise JsonError(f"no JSON ({str(error)[:120]})") from None
    check_json(value)  # NaN and infinity as well: where they stand is named
    return value


def check_json(value: Any) -> None:
    """Raise JsonError at the first value, however deep, that is too large or no JSON."""
    _check(value, [])


def _check(value: Any, place: list[Any]) -> None:
    """Check a value that stands at a place, and all that it holds."""
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
        raise JsonError(f"{named(place)}: {shown(value)} is no JSON value")


def named(place: Sequence[Any]) -> str:
    """Return how a place is written: ``codec.columns[3].mean``."""
    parts = [f"[{key}]" if isinstance(key, int) else f".{_plain(str(key))}" for key in place]
    return "".join(parts).removeprefix(".") or "the whole"


def _plain(key: str) -> str:
    """Return a key in letters that a terminal shows."""
    return key[:60] if key.isprintable() else shown(key)


def _check_text(text: Any, place: Sequence[Any]) -> None:
    if not isinstance(text, str):
        raise JsonError(f"{named(place)}: {shown(text)} is no key")
    if len(text) > MAX_TEXT:
        raise JsonError(f"{named(place)}: a text of {len(text):,} characters")
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise JsonError(f"{named(place)}: a text that is no Unicode") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; one key twice could mean one thing here and another elsewhere."""
    found = dict(pairs)
    if len(found) < len(pairs):
        left = iter(found)  # in order of first appearance
        twice = next(key for key, _ in pairs if key != next(left, None))
        raise JsonError(f"{_plain(twice)} stands there twice")
    return found
