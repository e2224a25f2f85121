"""The parameter `relations`: relations written by users, checked with training rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from augan.codecs.columns import CategoryColumn, Column, ConstantColumn, NumericColumn
from augan.exceptions import ParameterError, listed, shown
from augan.sampling.find_relations import find_relations
from augan.sampling.formulas import Formula, Product, Ratio, Sum
from augan.sampling.relation_set import Relations
from augan.sampling.relations import Array, Determined, Ordered, Relation

QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|`([^`]*)`""")
NUMBER = re.compile(r"\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?")
OPERATOR = re.compile(r"->|→|determines\b|<=|≤|floor\b|[-+*×/()=]")
SAME = {"→": "->", "determines": "->", "≤": "<=", "×": "*"}

Kind = Literal["name", "number", "operator"]
Value = int | float | str


@dataclass(frozen=True)
class _Text:
    """A relation as it was written, and its parts: names as indices of columns."""

    written: str
    parts: tuple[tuple[Kind, Value], ...]

    @property
    def form(self) -> str:
        """The parts as one text: n for names, 1 for numbers, f for floor, > for ->, < for <=."""
        letters = {"name": "n", "number": "1", "floor": "f", "->": ">", "<=": "<"}
        return "".join(
            letters.get(str(value), str(value)) if kind == "operator" else letters[kind]
            for kind, value in self.parts
        )

    def error(self, reason: str) -> ParameterError:
        """Return the error of this text."""
        return ParameterError(f"relations: {shown(self.written)}: {reason}")


def read_relations(value: Any, columns: Sequence[Column], raw: Array) -> Relations:
    """Return the relations of a table from the parameter `relations`.

    Parameters
    ----------
    value : "auto", None or list of str
        "auto": those of `find_relations`. None: none. Otherwise each as `Relations.describe`
        writes it, with ``->`` for "determines", ``<=`` for "≤", ``*`` for the product:
        ``model -> make``, ``start <= end``, ``total = price * quantity``, ``price = total /
        quantity``, ``c = a + b - d + 5``, ``gross = 1.19 * net``, ``days = floor(seconds /
        86400)``. Names of columns may be quoted; those with operators in them need it unless
        they are names of columns as a whole.
    columns : sequence of Column
        The codec's columns.
    raw : ndarray (n, d)
        Training rows as `TableCodec.prepare` returns them.

    Raises
    ------
    ParameterError
        If a text cannot be read, names an unknown or unsuitable column, or a training row breaks
        the relation; the message names the relation, the row and its values.
    """
    if value is None:
        return Relations((), tuple(columns))
    if isinstance(value, str) and value == "auto":
        return Relations(tuple(find_relations(raw, columns)), tuple(columns))
    is_list = isinstance(value, (list, tuple))
    if not is_list or not all(isinstance(text, str) for text in value):
        raise ParameterError(
            f"relations={shown(value)}: must be 'auto', None or a list of texts such as "
            "'total = price * quantity'"
        )
    raw = np.asarray(raw, dtype=np.float64)
    found = Relations(tuple(_read(text, columns, raw) for text in value), tuple(columns))
    for text, relation in zip(value, found.relations, strict=True):
        if (fault := found.fault(relation, raw)) is not None:
            raise ParameterError(
                f"relations: {shown(text)} does not hold in the training rows: {fault}"
            )
    return found


def _read(written: str, columns: Sequence[Column], raw: Array) -> Relation:
    """Return one relation."""
    text = _Text(written, tuple(_parts(written, columns)))
    names = [v for kind, v in text.parts if kind == "name" and isinstance(v, int)]
    if len(set(names)) < len(names):
        raise text.error("a column occurs twice")
    form = text.form
    if form == "n>n":
        return _determined(text, names[0], names[1], columns, raw)
    for place in names:
        if not isinstance(columns[place], NumericColumn):
            raise text.error(f"column {shown(columns[place].name)} does not hold varying numbers")
    if form == "n<n":
        quantities = {columns[place].origin.quantity for place in names}
        if len(quantities) > 1:
            raise text.error(f"{' and '.join(sorted(quantities))} cannot be compared")
        return Ordered(names[0], names[1])
    formula = _formula(text, names, form)
    if formula is None:
        raise text.error(
            "must be such as 'a -> b', 'a <= b', 'a = b + c - d', 'a = b * c' or 'a = b / c'"
        )
    return formula.with_missing(raw)


def _formula(text: _Text, names: list[int], form: str) -> Formula | None:
    """Return the formula of a text; None if it is none."""
    if form == "n=n*n":
        return Product(names[0], (names[1], names[2]))
    if form == "n=n/n":
        return Ratio(names[0], (names[1], names[2]))
    down = re.fullmatch(r"n=f\((.*)\)", form)
    right = down.group(1) if down else form[2:]
    term = r"(?:1\*n|n\*1|n/1|n|1)"
    if not form.startswith("n=") or not re.fullmatch(rf"[-+]?{term}(?:[-+]{term})*", right):
        return None
    parts = list(text.parts[4:-1] if down else text.parts[2:])
    terms, factors, constant = [], [], 0.0
    for sign, one in re.findall(rf"([-+]?)({term})", right):
        if sign:
            parts.pop(0)
        factor = -1.0 if sign == "-" else 1.0
        own, parts = parts[: len(one)], parts[len(one) :]
        numbers = [float(v) for kind, v in own if kind == "number"]
        if 0 in numbers and "n" in one:
            raise text.error("a factor is 0")
        size = numbers[0] if numbers else 1.0
        factor *= 1 / size if "/" in one else size
        if "n" in one:
            terms.append(next(int(v) for kind, v in own if kind == "name"))
            factors.append(factor)
        else:
            constant += factor
    if not terms:
        return None
    return Sum(
        names[0], tuple(terms), factors=tuple(factors), constant=constant, down=down is not None
    )


def _determined(
    text: _Text, source: int, target: int, columns: Sequence[Column], raw: Array
) -> Determined:
    for place in (source, target):
        if isinstance(columns[place], ConstantColumn):
            raise text.error(f"column {shown(columns[place].name)} is constant")
    found = Determined.learn(raw, source, target)
    column = columns[source]
    if isinstance(column, CategoryColumn) and column.rare:
        other = float(len(column.categories))
        if found.violated(raw[raw[:, source] == other], ()).any():
            return Determined.learn(raw, source, target, other)
    return found


def _parts(written: str, columns: Sequence[Column]) -> list[tuple[Kind, Value]]:
    """Return the names, numbers and operators of a text."""
    plain = {c.name for c in columns if c.name.strip() and not NUMBER.fullmatch(c.name)}
    names = sorted(plain, key=lambda n: (-len(n), n))
    found: list[tuple[Kind, Value]] = []
    rest = written.strip()
    while rest:
        if match := QUOTED.match(rest):
            name = next(group for group in match.groups() if group is not None)
            if not rest.startswith("`"):
                name = re.sub(r"\\(.)", r"\1", name)
            found.append(("name", _place(name, columns, written)))
            length = match.end()
        elif (name := next((n for n in names if _starts(rest, n)), "")) != "":
            found.append(("name", _place(name, columns, written)))
            length = len(name)
        elif match := NUMBER.match(rest):
            found.append(("number", float(match.group())))
            length = match.end()
        elif match := OPERATOR.match(rest):
            found.append(("operator", SAME.get(match.group(), match.group())))
            length = match.end()
        else:
            unknown = re.split(r"\s*(?:->|→|<=|[≤=+*×/()]|\s-\s|$)", rest)[0] or rest
            raise _unknown(unknown, columns, written)
        rest = rest[length:].lstrip()
    return found


def _starts(text: str, name: str) -> bool:
    """Return whether a text starts with a name as a whole word."""
    return text.startswith(name) and not re.match(r"\w\w", name[-1] + text[len(name) :][:1])


def _place(name: str, columns: Sequence[Column], written: str) -> int:
    places = [i for i, column in enumerate(columns) if column.name == name]
    if not places:
        raise _unknown(name, columns, written)
    if len(places) > 1:
        raise ParameterError(
            f"relations: {shown(written)}: {len(places)} columns are called {shown(name)}"
        )
    return places[0]


def _unknown(name: str, columns: Sequence[Column], written: str) -> ParameterError:
    known = listed([column.name for column in columns])
    return ParameterError(f"relations: {shown(written)}: no column {shown(name)}; columns: {known}")
