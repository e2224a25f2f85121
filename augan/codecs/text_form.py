"""How the texts of an identifier are written, and new texts of the same form."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

DIGIT, UPPER, LOWER, OTHER = "0", "A", "a", "字"  # what stands for a character that is drawn
PLACEHOLDERS = (DIGIT, UPPER, LOWER, OTHER)  # OTHER: a letter without case
MOST_SHAPES = 100
LONGEST = 500  # characters of a shape; longer ones are cut off
BITS_PER_TEXT = 16  # of the filter of real texts
LEAST_BITS, MOST_BITS = 2**10, 2**22
TRIES = 10  # draws, after which texts get longer

Texts = NDArray[np.object_]


@dataclass(frozen=True)
class TextForm:
    """The form of texts that differ from row to row, such as names and numbers of customers.

    A text is a prefix and a suffix that all texts have, and between them a shape: letters and
    digits are drawn, all other characters stay. The real texts are not kept, but a Bloom filter
    [1]_ with one hash, which tells for sure that a text is none of them.

    Parameters
    ----------
    prefix, suffix : str
        Start and end of all texts.
    shapes : tuple of str
        Shapes, each as often as it occurs. "0" stands for a digit, "A" and "a" for letters, and
        "字" for a letter without case.
    letters : tuple of str
        The characters that are drawn for each of these.
    seen : str
        The bits of the filter, in Base64.

    References
    ----------
    .. [1] Bloom. "Space/time trade-offs in hash coding with allowable errors." Communications of
       the ACM, 1970.
    """

    prefix: str
    suffix: str
    shapes: tuple[str, ...]
    letters: tuple[str, ...]
    seen: str

    @classmethod
    def of(cls, texts: Sequence[str]) -> TextForm:
        """Return the form of distinct texts."""
        prefix = _common_start(texts)
        rests = [text[len(prefix) :] for text in texts]
        suffix = _common_start([rest[::-1] for rest in rests])[::-1]
        rests = [rest[: len(rest) - len(suffix)][:LONGEST] for rest in rests]
        kinds = {character: _placeholder(character) for character in set().union(*rests)}
        letters = tuple(
            "".join(sorted(c for c, kind in kinds.items() if kind == place))
            for place in PLACEHOLDERS
        )
        if not any(letters):
            letters = ("0123456789", "", "", "")
        table = {ord(character): kind for character, kind in kinds.items()}
        shapes = sorted(rest.translate(table) for rest in rests)
        n = min(len(shapes), MOST_SHAPES)
        some = tuple(shapes[(2 * i + 1) * len(shapes) // (2 * n)] for i in range(n))
        return cls(prefix, suffix, some, letters, _filter_of(texts))

    def draw(self, n: int, random: np.random.Generator) -> Texts:
        """Return `n` distinct new texts. They get longer if too few others have the form."""
        texts = np.full(n, None, dtype=object)
        wrong = np.ones(n, dtype=bool)
        tries = 0
        while wrong.any():
            texts[wrong] = self._drawn(int(wrong.sum()), tries // TRIES, random)
            wrong = self._is_seen(texts) | pd.Series(texts).duplicated().to_numpy()
            tries += 1
        return texts

    def _drawn(self, n: int, added: int, random: np.random.Generator) -> Texts:
        """Return texts (n,) of random shapes, with characters `added` to each of them."""
        texts = np.empty(n, dtype=object)
        picked = random.integers(len(self.shapes), size=n)
        for i in np.unique(picked):
            shape = self._longer(self.shapes[i], added)
            rows = np.flatnonzero(picked == i)
            parts = [self._characters(place, len(rows), random) for place in shape]
            middles = map("".join, zip([""] * len(rows), *parts, strict=True))
            texts[rows] = [f"{self.prefix}{middle}{self.suffix}" for middle in middles]
        return texts

    def _characters(self, place: str, n: int, random: np.random.Generator) -> list[str]:
        """Return what stands at one place of `n` texts."""
        if place not in PLACEHOLDERS:
            return [place] * n
        letters = self.letters[PLACEHOLDERS.index(place)]
        return [letters[i] for i in random.integers(len(letters), size=n).tolist()]

    def _longer(self, shape: str, added: int) -> str:
        """Return a shape with characters `added`, of the kind of its last letter or digit."""
        if not added:
            return shape
        known = [p for p, own in zip(PLACEHOLDERS, self.letters, strict=True) if own]
        drawn = [place for place in shape if place in PLACEHOLDERS]
        return shape + [*known, *drawn][-1] * added

    @cached_property
    def _bits(self) -> NDArray[np.uint8]:
        return np.unpackbits(np.frombuffer(base64.b64decode(self.seen), dtype=np.uint8))

    def _is_seen(self, texts: Texts) -> NDArray[np.bool_]:
        return self._bits[_places(texts, len(self._bits))] > 0


def _common_start(texts: Sequence[str]) -> str:
    """Return the characters that all texts start with."""
    first, last = min(texts), max(texts)
    n = len(first)
    return first[: next((i for i in range(n) if first[i] != last[i : i + 1]), n)]


def _placeholder(character: str) -> str:
    """Return what stands for a character in a shape: itself, if it is no letter or digit."""
    if not character.isalnum():
        return character
    if character.isdecimal():
        return DIGIT
    return UPPER if character.isupper() else LOWER if character.islower() else OTHER


def _filter_of(texts: Sequence[str]) -> str:
    """Return the bits of a Bloom filter of texts, in Base64."""
    least = min(max(BITS_PER_TEXT * len(texts), LEAST_BITS), MOST_BITS)
    bits = np.zeros(2 ** (least - 1).bit_length(), dtype=np.uint8)
    bits[_places(np.array(texts, dtype=object), len(bits))] = 1
    return base64.b64encode(np.packbits(bits).tobytes()).decode()


def _places(texts: Texts, n: int) -> NDArray[np.intp]:
    """Return the place of each text among the `n` bits of the filter."""
    plain = [text.encode("utf-8", "backslashreplace").decode() for text in texts]
    hashes = pd.util.hash_array(np.array(plain, dtype=object), categorize=False)
    return (hashes % np.uint64(n)).astype(np.intp)
