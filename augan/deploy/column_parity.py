"""Comparison of an exported column model with the one in torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from augan._random import numpy_stream, torch_stream
from augan.codecs.bins import Given
from augan.deploy.column_draws import ColumnDraws
from augan.deploy.inputs import LABEL
from augan.deploy.parity import BATCHES, CELL_TOLERANCE, Found, cell_differences
from augan.deploy.raw import TableForm, form_of
from augan.deploy.session import Session
from augan.models.exportable import ExportableModel
from augan.sampling.columns import ColumnModel, Draws


def check_columns(model: ExportableModel, path: Path, X: Any) -> Found:
    """Compare rows, and their classes, that the same random numbers give.

    A uniform number within rounding of the bound of two codes gives another code, and other codes
    after it, so a few cells may differ.
    """
    del X
    assert model.columns is not None
    columns = model.columns.model
    random, torch_random = numpy_stream(0, "parity"), torch_stream(0, "parity")
    session = Session(path, part="generator", providers="cpu")
    form = form_of(session.metadata)
    assert isinstance(form, TableForm)
    exported, k = ColumnDraws(session, form), len(columns.bins)
    worst, n_rows, n_other, n_cells = 0.0, 0, 0, 0
    for n in BATCHES:
        for label in (None, int(random.integers(columns.bins[-1].size))):
            known = {} if label is None else {k - 1: Given(float(label), float(label))}
            draws = Draws.of(n, k, torch_random, known)
            codes = np.full((n, k), -1)
            codes[:, -1] = -1 if label is None else label
            gap = _differences(columns, exported, draws, codes, known)
            n_other += int((gap > CELL_TOLERANCE).sum())
            worst = max(worst, float(np.quantile(gap, 1 - CELL_TOLERANCE)))
            n_cells, n_rows = n_cells + gap.size, n_rows + n
    allowed = max(k, round(CELL_TOLERANCE * n_cells))
    return Found(n_rows, worst, n_other=n_other, agrees=n_other <= allowed)


@torch.no_grad()
def _differences(
    columns: ColumnModel,
    exported: ColumnDraws,
    draws: Draws,
    codes: np.ndarray[Any, Any],
    known: dict[int, Given],
) -> np.ndarray[Any, Any]:
    """Return the differences of cells (n, d + 1), the class last."""
    rows = columns.drawn(draws, known)
    uniform = np.stack([draws.codes.numpy().astype(np.float64), draws.values], axis=2)
    found = exported.run((draws.order, uniform), codes)
    raw = np.zeros((len(rows), columns.codec.width))
    raw[:, columns.places] = rows[:, :-1]
    ours = columns.codec.from_raw(raw)
    gap = cell_differences(columns.codec, ours, exported.form.rows_of(found))
    return np.column_stack([gap, rows[:, -1] != found[LABEL]])
