"""Training of the column network that the head "surprise" reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from augan.codecs.bins import ColumnBins
from augan.codecs.columns import NumericColumn
from augan.models.config import COLUMN_BATCH, COLUMN_WIDTH, column_steps
from augan.models.detector import DetectorModel
from augan.networks.columns import ColumnNetwork
from augan.networks.layers import ENOUGH_OUTPUTS
from augan.training.rows import TrainingRows
from augan.training.surprise import SurprisePhase
from augan.training.trainer import PlannedPhase


def surprise_phase(
    model: DetectorModel, rows: TrainingRows, asked: Mapping[str, Any]
) -> PlannedPhase:
    """Return the phase of the column network; the model takes the codes of its columns.

    Codes and network learn from trusted rows that are not held out.

    Parameters
    ----------
    model : DetectorModel
        The model, of tables, with untrained networks.
    rows : TrainingRows
        The training rows.
    asked : mapping of str to object
        The constructor parameters.
    """
    networks, seed, raw, surprise = model.networks, model.seed, rows.raw, model.networks.columns
    assert surprise is not None and isinstance(raw, Tensor)
    learned, held_out = rows.trusted & ~rows.held_out, rows.trusted & rows.held_out
    exact = [not isinstance(column, NumericColumn) for column in model.codec.columns]
    cells = raw[learned].numpy().T
    bins = [ColumnBins.fit(own, ordered=not one) for own, one in zip(cells, exact, strict=True)]
    surprise.fit_codes(bins, exact, cells.shape[1])
    codes = surprise.learned_codes(raw).to(model.device)
    held_out = held_out & (codes >= 0).all(1).cpu()  # of values that have codes
    own = [bins[place] for place in surprise.places.long().tolist()]
    width = max(ENOUGH_OUTPUTS, min(model.config.width, COLUMN_WIDTH))
    sizes, positions = [one.size for one in own], [one.positions for one in own]
    batch_size = COLUMN_BATCH if asked["batch_size"] == "auto" else asked["batch_size"]
    steps = column_steps(model.config.column_steps, asked["column_steps"], len(raw))

    def build() -> SurprisePhase:
        network = ColumnNetwork(sizes, positions, width, seed).to(model.device)
        size = max(1, min(batch_size, len(codes[learned])))
        return SurprisePhase(networks, network, codes[learned], codes[held_out], size, seed)

    return PlannedPhase(build, steps, 0.4)
