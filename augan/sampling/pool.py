"""The pool that new rows are made from: real rows of every class, and trained networks."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from augan.codecs.spec import Spec
from augan.networks import Networks
from augan.sampling.column_rows import ColumnRows, ColumnSource
from augan.sampling.conditions import Condition
from augan.sampling.drawing import draw_passing
from augan.sampling.sources import (
    ClassGAN,
    DataNeighbourhood,
    ImageNeighbourhood,
    LatentNeighbourhood,
    Reflected,
    Source,
)
from augan.sampling.start import Start

Keep = Callable[[Tensor, int, torch.Generator], Tensor]  # encoded rows, class, random numbers: mask
Method = Literal["columns", "gan", "latent", "data"]

MIN_LATENT_ROWS = 5  # rows of a class for the source "latent"


class Pool:
    """Real encoded rows by class, and sources of new ones.

    Parameters
    ----------
    networks : Networks or None
        Trained networks; None if all sources use the data alone.
    spec : VectorSpec or ImageSpec
        Shape of the encoded rows.
    rows, labels : Tensor
        Encoded rows (m, ...), and their classes (m,) from 0.
    held_out : Tensor
        Mask (m,) of the rows that the networks were not trained on.
    n_classes : int
        Number of classes.
    method : {"auto", "columns", "gan", "latent", "data"}
        Source of new rows.
    symmetry : {"flips", "dihedral"} or None
        Symmetry of the images.
    columns : ColumnRows or None
        The trained column model and the relations that its rows obey, for the method "columns".
        Its sources draw raw rows instead of encoded ones.
    """

    def __init__(
        self,
        networks: Networks | None,
        spec: Spec,
        rows: Tensor,
        labels: Tensor,
        held_out: Tensor,
        n_classes: int,
        method: str,
        symmetry: str | None = None,
        columns: ColumnRows | None = None,
    ) -> None:
        self.networks, self.spec = networks, spec
        self.rows, self.labels, self.held_out = rows, labels, held_out
        self.n_classes, self.method, self.symmetry = n_classes, method, symmetry
        self.columns = columns
        self.step = 0.0

    def only(self, kept: Tensor) -> Pool:
        """Return a pool of some of the rows."""
        pool = copy.copy(self)
        pool.rows, pool.labels = self.rows[kept], self.labels[kept]
        pool.held_out = self.held_out[kept]
        return pool

    def reflected(self, symmetry: str | None) -> Pool:
        """Return a pool of the same rows with another symmetry of new images."""
        pool = copy.copy(self)
        pool.symmetry = symmetry
        return pool

    def moving(self, step: float) -> Pool:
        """Return a pool of the same rows, from which numbers are taken over with random steps.

        For the method "columns": with a spread s, the standard deviation of the steps is ``step``
        times s, as a share of the range of a column's ranks.
        """
        pool = copy.copy(self)
        pool.step = step
        return pool

    def n_rows(self, label: int) -> int:
        """Return the number of real rows of a class."""
        return int((self.labels == label).sum())

    def source(self, label: int, spread: float, start: Tensor | None = None) -> Source:
        """Return the source of a class's new rows; `start` (m,) masks the rows to start from."""
        source = self._source(label, spread, start)
        if self.symmetry is None:
            return source
        assert self.spec.kind == "image"
        return Reflected(source, self.symmetry, self.spec)

    def _source(self, label: int, spread: float, start: Tensor | None) -> Source:
        if self.columns is not None:
            return self.column_source(label, spread)
        own = self.labels == label
        begin = None if start is None else start[own].nonzero()[:, 0]
        rows = self.rows[own]
        method = choose(self.method, len(rows))
        if self.spec.kind == "image" and method == "data":
            return ImageNeighbourhood(rows if begin is None else rows[begin], self.spec, spread)
        if self.spec.kind == "vector" and method == "data":
            return DataNeighbourhood(rows, self.rows, self.spec, spread, begin)
        assert self.networks is not None
        gan = ClassGAN(self.networks, self.spec, label, self.n_classes)
        return gan if method == "gan" else LatentNeighbourhood(gan, rows, spread, begin)

    def column_source(
        self, label: int, spread: float, conditions: Iterable[Condition] = ()
    ) -> ColumnSource:
        """Return the source of a class's raw new rows that meet conditions.

        With a spread below 1, they start from the real rows of the class.
        """
        assert self.columns is not None
        if spread >= 1:
            return self.columns.source(label, conditions)
        model = self.columns.model
        own = self.labels == label
        raw = model.codec.prepare(model.codec.decode(self.rows[own]))
        codes = model.encode(raw.numpy(), self.labels[own].numpy())
        start = Start(codes, model.bins, spread, self.step * spread)
        return self.columns.source(label, conditions, start)

    def draw(self, wanted: Mapping[int, int], spread: float, random: torch.Generator) -> Tensor:
        """Return rows of the sources, encoded or raw as these draw them, sorted by class."""
        drawn = [self.source(label, spread).draw(n, random) for label, n in wanted.items() if n]
        return torch.cat(drawn) if drawn else self.rows[:0]

    def draw_kept(
        self,
        name: str,
        keep: Keep,
        wanted: Mapping[int, int],
        spread: float,
        random: torch.Generator,
    ) -> Tensor:
        """Return raw rows of a column model that the filter `name` keeps, sorted by class.

        Raises
        ------
        DataError
            If it keeps too few of them.
        """
        columns, pieces = self.columns, [self.rows[:0].double()]
        assert columns is not None
        for label, n in wanted.items():

            def check(raw: Tensor, label: int = label) -> Tensor:
                return keep(columns.encoded(raw), label, random)

            draw = partial(self.source(label, spread).draw, random=random)
            pieces += [draw_passing(n, draw, {name: check}, Counter())] if n else []
        return torch.cat(pieces[1:] or pieces)


def choose(method: str, n_rows: int) -> Method:
    """Return the source for a class of `n_rows`; "latent" needs several."""
    if method in ("latent", "auto"):  # "auto" in files of earlier versions
        return "latent" if n_rows >= MIN_LATENT_ROWS else "data"
    return method  # type: ignore[return-value]
