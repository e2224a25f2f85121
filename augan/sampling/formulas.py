"""Relations by formula: sums, products and ratios of numeric columns."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from augan.sampling.relations import TIE, Array, Grids, Mask, Relation


@dataclass(frozen=True)
class Formula(Relation):
    """A numeric column that is computed from others, and rounded as in training.

    Rows without a result are those in which a term is missing, or a ratio's denominator is zero.

    Attributes
    ----------
    result : int
        The column that is computed.
    terms : tuple of int
        The columns that it is computed from.
    missing_together : bool
        Whether the result was missing in all training rows in which the formula has none; if not,
        it stays as drawn in such rows.
    may_be_missing : bool
        Whether it was missing in other training rows as well; then it stays missing where it was
        drawn so.
    """

    result: int
    terms: tuple[int, ...]
    missing_together: bool = True
    may_be_missing: bool = False

    @property
    def places(self) -> tuple[int, ...]:
        """Columns of the relation, the computed one first."""
        return self.result, *self.terms

    @property
    def rounds_down(self) -> bool:
        """Whether the result is rounded down."""
        return False

    @abstractmethod
    def value(self, raw: Array) -> Array:
        """Return the formula's value (n,) for raw rows (n, d), not rounded; NaN: none."""

    @abstractmethod
    def size(self, raw: Array) -> Array:
        """Return the magnitude (n,) of the numbers that are added, for the error allowed."""

    def broken(self, raw: Array, grids: Grids) -> Mask:
        """Return which rows (n,) have a result that differs from the formula's value."""
        grid = grids[self.result]
        assert grid is not None
        found = raw[:, self.result]
        relative = max(g.relative for g in map(grids.__getitem__, self.places) if g is not None)
        with np.errstate(invalid="ignore", over="ignore"):
            difference = self.value(raw) - found
            error = relative * (self.size(raw) + np.abs(found)) + TIE * grid.step
            if self.rounds_down:
                wrong: Mask = (difference < -error) | (difference > grid.step + error)
            else:
                wrong = np.abs(difference) > grid.step / 2 + error
        return wrong

    def violated(self, raw: Array, grids: Grids) -> Mask:
        """Return which rows differ from the formula, or have missing values as no training row."""
        missing, none = np.isnan(raw[:, self.result]), np.isnan(self.value(raw))
        found = self.broken(raw, grids)
        if self.missing_together:
            found = found | (none & ~missing)
        return found if self.may_be_missing else found | (missing & ~none)

    def with_missing(self, raw: Array) -> Self:
        """Return the relation with what training rows (n, d) tell of missing values."""
        missing, none = np.isnan(raw[:, self.result]), np.isnan(self.value(raw))
        return replace(
            self,
            missing_together=bool(missing[none].all()),
            may_be_missing=bool(missing[~none].any()),
        )

    def solve(self, raw: Array, place: int, grids: Grids) -> Array:
        """Return the result, or a term for which it is right; where there is none, as drawn."""
        grid = grids[place]
        assert grid is not None
        drawn = raw[:, place]
        if place != self.result:
            found = grid.round(self.inverse(raw, place))
            return np.where(np.isfinite(found), found, drawn)
        found = grid.round(self.value(raw), down=self.rounds_down)
        if self.may_be_missing:
            found = np.where(np.isnan(drawn), np.nan, found)
        return found if self.missing_together else np.where(np.isnan(found), drawn, found)

    @abstractmethod
    def inverse(self, raw: Array, place: int) -> Array:
        """Return the term `place` (n,), computed from the result and the other terms."""


@dataclass(frozen=True)
class Sum(Formula):
    """A column is a sum or difference of others, or a multiple of one, plus a constant.

    Attributes
    ----------
    factors : tuple of float
        Of each term; 1 or -1, or any number if there is one term, or seconds in a unit of time.
    constant : float
        Is added.
    down : bool
        Whether the result is rounded down.
    """

    factors: tuple[float, ...] = ()
    constant: float = 0.0
    down: bool = False
    kind = "sum"

    @property
    def rounds_down(self) -> bool:
        """Whether the result is rounded down."""
        return self.down

    @property
    def solvable(self) -> tuple[int, ...]:
        """Columns that `solve` can compute, the target first."""
        return self.places[:1] if self.down else self.places

    def value(self, raw: Array) -> Array:
        """Return the sum (n,)."""
        total = np.full(len(raw), self.constant)
        for place, factor in zip(self.terms, self.factors, strict=True):
            total = total + _times(raw[:, place], factor)
        return total

    def size(self, raw: Array) -> Array:
        """Return the sum of the terms' magnitudes (n,)."""
        parts = zip(self.terms, self.factors, strict=True)
        return sum((np.abs(_times(raw[:, i], f)) for i, f in parts), np.abs(self.constant))

    def inverse(self, raw: Array, place: int) -> Array:
        """Return one term (n,)."""
        return self.turned(place).value(raw)

    def turned(self, place: int) -> Sum:
        """Return the same relation, solved for the term `place`."""
        own = self.factors[self.terms.index(place)]
        inverse = _divisor(own) or 1 / own
        others = [(i, f) for i, f in zip(self.terms, self.factors, strict=True) if i != place]
        parts = sorted([(self.result, inverse), *((i, -f * inverse) for i, f in others)])
        places, factors = zip(*parts, strict=True)
        constant = -self.constant * inverse + 0.0
        return Sum(place, places, factors=factors, constant=constant)

    def text(self, names: Sequence[str]) -> str:
        """Return such as "'total' = 'net' + 'tax'"."""
        parts = [_part(names[i], f) for i, f in zip(self.terms, self.factors, strict=True)]
        if self.constant:
            parts.append(("-" if self.constant < 0 else "+", _number(abs(self.constant))))
        parts.sort(key=lambda part: part[0] == "-")  # stable
        first = ("-" if parts[0][0] == "-" else "") + parts[0][1]
        formula = " ".join([first, *(f"{sign} {part}" for sign, part in parts[1:])])
        return f"{names[self.result]} = " + (f"floor({formula})" if self.down else formula)


@dataclass(frozen=True)
class Product(Formula):
    """A column is the product of two others."""

    kind = "product"

    def value(self, raw: Array) -> Array:
        """Return the product (n,)."""
        found: Array = raw[:, self.terms[0]] * raw[:, self.terms[1]]
        return found

    def size(self, raw: Array) -> Array:
        """Return the magnitude of the product (n,)."""
        return np.abs(self.value(raw))

    def inverse(self, raw: Array, place: int) -> Array:
        """Return one factor (n,)."""
        other = self.terms[0] if place == self.terms[1] else self.terms[1]
        return _divided(raw[:, self.result], raw[:, other])

    def text(self, names: Sequence[str]) -> str:
        """Return such as "'total' = 'price' × 'quantity'"."""
        return f"{names[self.result]} = {names[self.terms[0]]} × {names[self.terms[1]]}"


@dataclass(frozen=True)
class Ratio(Formula):
    """A column is the ratio of two others; there is none if the denominator is zero."""

    kind = "ratio"

    def value(self, raw: Array) -> Array:
        """Return the ratio (n,)."""
        return _divided(raw[:, self.terms[0]], raw[:, self.terms[1]])

    def size(self, raw: Array) -> Array:
        """Return the magnitude of the ratio (n,)."""
        return np.abs(self.value(raw))

    def inverse(self, raw: Array, place: int) -> Array:
        """Return the numerator or the denominator (n,)."""
        if place == self.terms[0]:
            return np.asarray(raw[:, self.result] * raw[:, self.terms[1]])
        return _divided(raw[:, self.terms[0]], raw[:, self.result])

    def text(self, names: Sequence[str]) -> str:
        """Return such as "'price' = 'total' / 'quantity'"."""
        return f"{names[self.result]} = {names[self.terms[0]]} / {names[self.terms[1]]}"


def _divided(a: Array, b: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(b == 0, np.nan, a / np.where(b == 0, 1.0, b))


def _times(numbers: Array, factor: float) -> Array:
    """Return a product; by division if the factor is that of a whole number, to be exact."""
    divisor = _divisor(factor)
    return numbers / divisor if divisor else numbers * factor


def _divisor(factor: float) -> float:
    """Return the integer of which a factor is the inverse, with its sign; 0 if there is none."""
    inverse = 1 / factor
    whole = round(inverse) if abs(inverse) < 2.0**53 else 0
    return float(whole) if abs(whole) > 1 and 1 / whole == factor else 0.0


def _part(name: str, factor: float) -> tuple[str, str]:
    """Return the sign and the text of a term."""
    sign, size = "-" if factor < 0 else "+", abs(factor)
    if size == 1:
        return sign, name
    divisor = _divisor(size)
    return sign, f"{name} / {_number(divisor)}" if divisor else f"{_number(size)} × {name}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))
