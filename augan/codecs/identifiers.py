"""Columns of identifiers: texts that differ from row to row."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from augan.codecs.cells import Array
from augan.codecs.columns import CategoryColumn
from augan.codecs.origin import Origin
from augan.codecs.text_form import TextForm

MIN_ROWS = 30  # with fewer, texts may just happen to be distinct
MIN_DISTINCT = 0.9  # share of distinct texts


@dataclass(frozen=True)
class IdentifierColumn(CategoryColumn):
    """Texts that differ from row to row. Raw: 0, NaN if missing.

    They say nothing of a row, so there are no categories: all are "other". New rows get new texts
    of the same form, which no training row has.
    """

    form: TextForm
    kind = "identifier"

    @classmethod
    def of(cls, texts: Sequence[str], name: str, origin: Origin, *, has_missing: bool) -> Any:
        """Return the column for its distinct texts in training."""
        form = TextForm.of(texts)
        example = form.draw(1, np.random.default_rng(0))[0]
        return cls(name, origin, (), (example,), has_missing, form)

    @property
    def varies(self) -> bool:
        """Whether some texts are missing."""
        return self.has_missing

    def from_raw(self, raw: Array) -> pd.Series:
        """Return new texts for codes; the same ones for the same codes."""
        return self.texts(raw, raw)

    def texts(self, raw: Array, rows: Array) -> pd.Series:
        """Return new texts for codes (n,), which depend on all numbers of the rows (n, d)."""
        digest = hashlib.blake2b(
            np.ascontiguousarray(rows).tobytes(), key=repr(self.name).encode()[:64]
        )
        random = np.random.default_rng(list(digest.digest()))
        values = np.full(len(raw), None, dtype=object)
        known = ~np.isnan(raw)
        values[known] = self.form.draw(int(known.sum()), random)
        return self.origin.from_values(values)

    def state(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return the fields as JSON values, and those that are arrays."""
        values, arrays = super().state()
        return values | {"form": asdict(self.form)}, arrays
