"""The filters of new rows, by their names."""

from __future__ import annotations

from collections.abc import Sequence

from augan.sampling.class_filter import ClassFilter
from augan.sampling.column_critic import ColumnCriticFilter
from augan.sampling.filters import CopyFilter, CriticFilter, Filter, LabelFilter
from augan.sampling.pool import Pool


def build_filters(names: Sequence[str], pool: Pool, spread: float, seed: int) -> dict[str, Filter]:
    """Return the filters by name, in the order in which they are applied."""
    built: dict[str, Filter] = {}
    if "copies" in names:
        built["copies"] = CopyFilter(pool)
    if "label" in names:
        if pool.columns is not None:
            built["label"] = ClassFilter(pool, spread, seed)
        else:
            built["label"] = LabelFilter(pool, seed)
    if "critic" in names:
        own = ColumnCriticFilter if pool.columns is not None else CriticFilter
        built["critic"] = own(pool, spread, seed)
    return built
