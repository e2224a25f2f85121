"""Splits of the training rows: trusted rows, held-out rows and folds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN
from sklearn.decomposition import PCA
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from torch import Tensor

from augan._random import numpy_stream
from augan.codecs.table_encoder import TableEncoder
from augan.networks.pretext import compress

MAX_CLUSTER = 1.5  # largest size of an excluded cluster, in multiples of the contamination
MAX_CLUSTERS = 2.0  # largest size of all excluded clusters together
CLUSTER_COMPONENTS = 20  # principal components that are clustered
MIN_CLUSTER, CORE_ROWS = 5, 15  # min_cluster_size and min_samples of HDBSCAN
MIN_HELD_OUT = 64  # held-out rows of a class; smaller classes have none
MAX_CLUSTERED = 4096  # rows
OUTLYING = 2.0  # rows that are excluded as outlying, in multiples of the contamination
MOST_OUTLYING = 0.25  # largest share of them

Floats = NDArray[np.float32]


class LazyRows:
    """A selection of rows of a tensor that may be larger than memory; copied in batches."""

    def __init__(self, rows: Tensor, index: Tensor | None = None) -> None:
        self.rows = rows
        self.index = torch.arange(len(rows)) if index is None else index

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, chosen: Tensor) -> LazyRows:
        """Return a selection of these rows, without a copy."""
        return LazyRows(self.rows, self.index[chosen])

    def first(self, n: int) -> Tensor:
        """Return the first rows, at most `n`."""
        return self.rows[self.index[:n]]

    def split(self, n: int) -> Iterator[Tensor]:
        """Yield the rows, `n` at a time."""
        for part in self.index.split(n):
            yield self.rows[part]


@dataclass(frozen=True)
class TrainingRows:
    """Raw rows (n, ...) and the use of each of them (n,).

    Attributes
    ----------
    raw : Tensor or LazyRows
        The rows.
    trusted : Tensor
        Whether networks and heads are fitted to it. Calibration uses the other rows as well.
    held_out : Tensor
        Whether it is held out from the GAN, for early stopping and calibration.
    folds : Tensor
        Its fold: networks and heads that are fitted without it score it for calibration. -1 is no
        fold: the row is never left out.
    encoders : tuple of Module, default=()
        For tables with few rows, an encoding fitted without each fold. The model then keeps the
        parts that were fitted without the first fold.
    """

    raw: Tensor | LazyRows
    trusted: Tensor
    held_out: Tensor
    folds: Tensor
    encoders: tuple[TableEncoder, ...] = ()

    def __getitem__(self, chosen: Tensor) -> TrainingRows:
        """Return a selection of the rows."""
        parts = (self.trusted[chosen], self.held_out[chosen], self.folds[chosen])
        return TrainingRows(self.raw[chosen], *parts, self.encoders)


def split_rows(
    raw: Tensor | LazyRows, trusted: Tensor, *, validation_fraction: float, n_folds: int, seed: int
) -> TrainingRows:
    """Split raw rows at random; trusted and other rows are split in the same shares.

    With one fold, it is the held-out rows; otherwise each row is in one of the folds.
    """
    n = len(raw)
    order = torch.from_numpy(numpy_stream(seed, "split").permutation(n))
    learned, left_out = order[trusted[order]], order[~trusted[order]]
    held_out, folds = torch.zeros(n, dtype=torch.bool), torch.full((n,), -1)
    n_held_out = round(validation_fraction * len(learned))
    held_out[learned[: min(max(1, n_held_out), len(learned) - 1)]] = True
    held_out[left_out[: round(validation_fraction * len(left_out))]] = True
    if n_folds == 1:
        folds[held_out] = 0
    else:
        for part in (learned, left_out):
            folds[part] = torch.arange(len(part)) % min(n_folds, len(learned))
    return TrainingRows(raw, trusted, held_out, folds)


def suspicious(standard: Tensor, contamination: float, random: np.random.Generator) -> Tensor:
    """Return which standardised rows (n, S) may be anomalies: in small clusters, or outlying."""
    rows = compress(standard.flatten(1)).cpu().numpy()
    reference = rows[random.permutation(len(rows))[:MAX_CLUSTERED]]
    n_components = min(CLUSTER_COMPONENTS, *reference.shape)
    pca = PCA(n_components, svd_solver="randomized", random_state=int(random.integers(2**31)))
    reduced, every = pca.fit_transform(reference), pca.transform(rows)
    clustered = in_small_clusters(reduced, every, contamination)
    return torch.from_numpy(clustered | outlying(reduced, every, contamination))


def outlying(reference: Floats, rows: Floats, contamination: float) -> NDArray[np.bool_]:
    """Return which rows (n, F) have the highest local outlier factors (Breunig 2000).

    They are `OUTLYING` times as many as the anomalies that are expected, and a quarter of all rows
    at most. Anomalies that resemble each other have no low density among themselves; so the
    neighbours, of all rows in `reference` (m, F), are more than all of them.
    """
    k = max(MIN_CLUSTER, round(OUTLYING * contamination * len(reference)))
    if k >= len(reference) - 1:
        return np.zeros(len(rows), dtype=bool)
    factors = -LocalOutlierFactor(k, novelty=True).fit(reference).score_samples(rows)
    share = min(OUTLYING * contamination, MOST_OUTLYING)
    outside: NDArray[np.bool_] = factors > np.quantile(factors, 1 - share)
    return outside


def in_small_clusters(reference: Floats, rows: Floats, contamination: float) -> NDArray[np.bool_]:
    """Return which rows (n, F) are in small clusters.

    Anomalies that resemble each other are near neighbours, so a model fitted to them finds them
    normal. Clusters of about the size of the contamination are therefore excluded, the smallest
    first. They are found by HDBSCAN (Campello 2013) in rows `reference` (m, F); other rows belong
    to the cluster of their nearest neighbour.
    """
    smallest = max(MIN_CLUSTER, round(contamination * len(reference) / 4))
    if len(reference) <= 2 * max(smallest, CORE_ROWS):
        return np.zeros(len(rows), dtype=bool)
    labels = HDBSCAN(smallest, min_samples=CORE_ROWS, copy=True).fit_predict(reference)
    sizes = np.bincount(labels[labels >= 0])
    order = np.argsort(sizes, kind="stable")
    small = sizes[order] <= MAX_CLUSTER * contamination * len(reference)
    within = np.cumsum(sizes[order]) <= min(MAX_CLUSTERS * contamination, 0.5) * len(reference)
    _, of = NearestNeighbors(n_neighbors=1).fit(reference).kneighbors(rows)
    return np.isin(labels[of[:, 0]], order[small & within])


def split_held_out(labels: np.ndarray, share: float, seed: int) -> Tensor:
    """Return which rows (n,) are held out from training, a share of each large class."""
    random = numpy_stream(seed, "split")
    held_out = np.zeros(len(labels), dtype=bool)
    largest = np.bincount(labels).argmax()
    for label in np.unique(labels):
        rows = random.permutation(np.flatnonzero(labels == label))
        n = round(share * len(rows))
        if n >= MIN_HELD_OUT or label == largest:
            held_out[rows[: max(1, min(n, len(rows) - 1))]] = True
    return torch.from_numpy(held_out)
