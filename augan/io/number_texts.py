"""Numbers in text: decimal marks, thousands separators, currency and percent signs."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from augan.io.formats import NumberFormat

SPACES = " \u00a0\u2009\u202f"
MINUS = "\u2212-"  # the hyphen last, for use in brackets
CURRENCIES = "USD EUR GBP CHF JPY CNY INR AUD CAD SEK NOK DKK PLN CZK HUF RUB BRL ZAR KRW TRY MXN"
SIGN = rf"(?:(?:US|C|A|R)?\p{{Sc}}|%|kr\.?|zł|{CURRENCIES.replace(' ', '|')})"
N_TRIED = 1000  # texts that are checked first
NOTHING = r"[^\s\S]"  # matches no text
PLAIN = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"
CODE = r"^[+-]?(?:0\d+|\d{19,})$"
WHOLE = r"^[+-]?\d+$"
DOTTED_GROUPS = r"^[+-]?[1-9]\d{0,2}(?:\.\d{3})*$"
FORMATS = (
    NumberFormat("."),
    NumberFormat(","),
    *(NumberFormat(decimal, other) for decimal, other in (".,", ",.")),
    *(NumberFormat(decimal, other) for decimal in ".," for other in "' "),
)


@dataclass(frozen=True)
class Survey:
    """Possible formats of the numbers in a column of text.

    Parameters
    ----------
    formats : list of NumberFormat
        Formats in which every text is a number.
    n_numbers : int
        Number of texts that are numbers in some format.
    odd : int, optional
        The first row whose text is not a number.
    signs : list of (str, str)
        Prefix and suffix of the numbers that are not zero.
    marks : set of str
        Decimal marks that are certain.
    """

    formats: list[NumberFormat] = field(default_factory=list)
    n_numbers: int = 0
    odd: int | None = None
    signs: list[tuple[str, str]] = field(default_factory=list)
    marks: set[str] = field(default_factory=set)


def plain_numbers(text: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return texts as integers or floats if all are numbers such as 1, -2.5 or 1e-3."""
    bare = pc.replace_substring_regex(text, r"^\+", "")
    for kind in (pa.int64(), pa.float64()):
        with contextlib.suppress(pa.ArrowInvalid):
            values = bare.cast(kind)
            if kind == pa.float64() and pc.any(pc.is_nan(values)).as_py():
                return None  # "nan" that is not read as missing
            return values
    return None


def unlike_most(text: pa.ChunkedArray) -> str | None:
    """Return the first number that is not in the most frequent format."""
    plain = text.drop_null()
    right = [
        pc.match_substring_regex(plain, rf"^[+{MINUS}]?(?:{_body(how)})$") for how in FORMATS[:2]
    ]
    most = max(right, key=lambda alike: pc.sum(alike).as_py() or 0)
    others = plain.filter(pc.invert(most))
    return str(others[0].as_py()) if len(others) else None


def is_number(text: str) -> bool:
    """Whether a text is a number such as 1, -2.5 or 1e-3."""
    return re.match(PLAIN, text.strip()) is not None


def are_codes(text: pa.ChunkedArray, values: pa.ChunkedArray) -> bool:
    """Whether texts of digits are codes: with leading zeros or too many digits."""
    if pa.types.is_integer(values.type):
        return has(text, r"^[+-]?0\d")
    return not pc.any(pc.invert(pc.match_substring_regex(text, WHOLE))).as_py()


def are_dotted_groups(text: pa.ChunkedArray) -> bool:
    """Whether dots may separate thousands: three digits follow each of them."""
    return not has_not(text, DOTTED_GROUPS)


def read_numbers(
    text: pa.ChunkedArray, how: NumberFormat
) -> tuple[pa.ChunkedArray, NDArray[np.bool_]]:
    """Return numbers, null for texts in another format, and a mask of those texts."""
    plain = None if how.prefix or how.suffix else plain_numbers(text)
    if plain is not None and (how == NumberFormat() or pa.types.is_integer(plain.type)):
        return plain, np.zeros(len(text), dtype=bool)
    parts = _parts(text, _body(how), re.escape(how.prefix), re.escape(how.suffix))
    signed = pc.and_(
        pc.equal(parts.field("before"), how.prefix), pc.equal(parts.field("behind"), how.suffix)
    )
    right = pc.fill_null(pc.or_(signed, _is_zero(parts)), False)  # zero needs no sign
    digits = parts.field("body")
    if how.thousands is not None:
        digits = pc.replace_substring_regex(digits, f"[{_same_as(how.thousands)}]", "")
    digits = pc.binary_join_element_wise(
        _minus(parts), pc.replace_substring(digits, how.decimal, "."), parts.field("power"), ""
    )
    digits = pc.if_else(right, digits, pa.scalar(None, pa.string()))
    odd = pc.and_(text.is_valid(), pc.invert(right)).to_numpy(zero_copy_only=False)
    values = plain_numbers(pa.chunked_array([digits]))
    assert values is not None
    return values, odd.astype(bool)


def survey(text: pa.ChunkedArray, decimal: str | None, thousands: str | None) -> Survey:
    """Find the formats in which texts are numbers, among those with the given marks."""
    distinct = text.unique().drop_null()
    allowed = [
        how
        for how in FORMATS
        if decimal in (None, how.decimal) and how.thousands in (None, thousands or how.thousands)
    ]
    body = "|".join(dict.fromkeys(map(_body, allowed)))
    few = distinct[:N_TRIED]
    if len(distinct) > N_TRIED and 2 * _parts(few, body, SIGN, SIGN).null_count > N_TRIED:
        return Survey(odd=0)  # words
    parts = _parts(distinct, body, SIGN, SIGN)
    is_number = parts.is_valid()
    n_numbers = pc.sum(pc.is_in(text, value_set=distinct.filter(is_number))).as_py() or 0
    rest = distinct.filter(pc.invert(is_number))
    if len(rest):
        return Survey(n_numbers=n_numbers, odd=pc.index(text, rest[0]).as_py())
    body = parts.field("body")
    before, behind = parts.field("before").to_pylist(), parts.field("behind").to_pylist()
    zeros = _is_zero(parts).to_pylist()
    pairs = set(zip(before, behind, zeros, strict=True))
    signs = sorted({(a, b) for a, b, zero in pairs if not zero or a or b})
    used = "".join(body.to_pylist())
    formats = [how for how in allowed if not has_not(body, f"^(?:{_body(how)})$")]
    formats = _simplest(formats, used)
    marks = set()
    if len(formats) == 1 and (formats[0].decimal in used or formats[0].thousands in (".", ",")):
        marks = {formats[0].decimal}
    return Survey(formats, n_numbers, None, signs, marks)


def has(text: pa.ChunkedArray, pattern: str) -> bool:
    """Whether one of the texts matches."""
    return bool(pc.any(pc.match_substring_regex(text, pattern)).as_py())


def has_not(text: pa.Array, pattern: str) -> bool:
    """Whether one of the texts does not match."""
    return bool(pc.any(pc.invert(pc.match_substring_regex(text, pattern))).as_py())


def _simplest(formats: list[NumberFormat], used: str) -> list[NumberFormat]:
    """Return the formats whose separators are used, without equivalent ones."""
    kept: dict[tuple[str | None, str | None], NumberFormat] = {}
    for how in formats:
        groups = how.thousands
        if groups is None or any(sign in used for sign in _same_as(groups)):
            kept.setdefault((how.decimal if how.decimal in used else None, groups), how)
    return list(kept.values())


def _same_as(thousands: str) -> str:
    """Return the characters that a thousands separator stands for."""
    return {" ": SPACES, "'": "'\u2019"}.get(thousands, thousands)


def _body(how: NumberFormat) -> str:
    """Return the pattern of a number without its signs."""
    decimal = re.escape(how.decimal)
    whole = r"\d+"
    if how.thousands is not None:  # groups of three, or Indian groups of two before the last
        group = f"[{_same_as(how.thousands)}]"
        of_three = rf"[1-9]\d{{0,2}}(?:{group}\d{{3}})+"
        of_two = rf"[1-9]\d?(?:{group}\d{{2}})+{group}\d{{3}}"
        whole = rf"(?:{of_three}|{of_two}|\d+)"
    return rf"{whole}(?:{decimal}\d*)?|{decimal}\d+"


def _parts(text: Any, body: str, before: str, behind: str) -> pa.StructArray:
    """Return the parts of a number, null for other texts."""
    minus, space = f"[+{MINUS}]?", f"[{SPACES}]*"
    found = pc.extract_regex(
        text,
        rf"^(?P<open>\(?){space}(?P<minus>{minus}){space}(?P<before>(?:{before})?){space}"
        rf"(?P<inner>{minus}){space}(?P<body>{body or NOTHING})(?P<power>(?:[eE][+-]?\d+)?){space}"
        rf"(?P<behind>(?:{behind})?){space}(?P<last>[{MINUS}]?)(?P<close>\)?)$",
    )
    if isinstance(found, pa.ChunkedArray):
        found = found.combine_chunks()
    signs = pc.binary_join_element_wise(
        found.field("open"), found.field("minus"), found.field("inner"), found.field("last"), ""
    )
    closed = pc.equal(pc.binary_length(found.field("open")), pc.binary_length(found.field("close")))
    once = pc.less_equal(pc.utf8_length(signs), 1)
    right = pc.fill_null(pc.and_(pc.and_(closed, once), found.is_valid()), False)
    return pc.if_else(right, found, pa.scalar(None, found.type))


def _minus(parts: pa.StructArray) -> pa.Array:
    """Return "-" for negative numbers, also in parentheses or with a trailing minus."""
    signs = pc.binary_join_element_wise(
        parts.field("open"), parts.field("minus"), parts.field("inner"), parts.field("last"), ""
    )
    return pc.if_else(pc.match_substring_regex(signs, rf"[({MINUS}]"), "-", "")


def _is_zero(parts: pa.StructArray) -> pa.Array:
    return pc.match_substring_regex(parts.field("body"), r"^0+(?:[.,]0*)?$")
