"""Training rows that may be anomalies, where the share of anomalies among them is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.cluster import HDBSCAN
from sklearn.decomposition import PCA
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from torch import Tensor

from augan.networks.pretext import compress

COMPONENTS = 20  # principal components that are clustered
MAX_ROWS = 4096  # that are clustered; other rows are compared with them
MAX_CLUSTER = 1.5  # largest size of a suspicious cluster, in multiples of the contamination
MAX_CLUSTERS = 1.5  # largest size of all of them together
MIN_CLUSTER, CORE_ROWS = 5, 15  # min_cluster_size and min_samples of HDBSCAN
NEIGHBORS = 2.0  # of a row, when its density is measured, in multiples of the contamination
LESS_DENSE = 0.6  # share of the rows whose local outlier factor a suspicious cluster exceeds
REMOTE = 0.5  # share of the rows whose distance to their neighbours it exceeds
NEAREST = 10  # rows around a row, which count with it
MAJORITY = 0.5  # share of them that are in suspicious clusters, with which the row is so too

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Suspicion:
    """What tells that rows (n,) may be anomalies, before a model is fitted to them.

    Attributes
    ----------
    clustered : Tensor
        Whether they are in small clusters that lie apart.
    outlying : Tensor
        Negative logarithm of the share of rows with a local outlier factor as high.
    reduced : Tensor
        Their principal components (n, F).
    """

    clustered: Tensor
    outlying: Tensor
    reduced: Tensor

    def __getitem__(self, chosen: Tensor) -> Suspicion:
        """Return what is suspicious of a selection of the rows."""
        return Suspicion(self.clustered[chosen], self.outlying[chosen], self.reduced[chosen])

    def with_scores(self, scores: Tensor) -> Tensor:
        """Return how suspicious rows (n,) are, with scores (n,) of a model.

        Scores and local outlier factors count as much, each as -log p among the rows. The sum is
        averaged over a row and its nearest ones: only anomalies that resemble each other make a
        model find such rows normal, and a normal row at the edge is mostly alone.
        """
        evidence = minus_log_p(scores) + self.outlying
        every = torch.arange(len(scores))[:, None]
        around = torch.from_numpy(_nearest(self.reduced.numpy()))
        return evidence[torch.cat([every, around], dim=1)].mean(dim=1)


def suspicion_of(standard: Tensor, contamination: float, random: np.random.Generator) -> Suspicion:
    """Return what is suspicious of standardised rows (n, S).

    Anomalies that resemble each other are near neighbours, so a model fitted to them finds them
    normal. Clusters of about the size of the contamination are therefore excluded, if they are less
    dense than their surroundings, those that are the least dense first; so are rows that are mostly
    among rows of such a cluster. Clusters are found by HDBSCAN (Campello 2013).
    """
    rows = compress(standard.flatten(1)).cpu().numpy()
    reference = rows[random.permutation(len(rows))[:MAX_ROWS]]
    n_components = min(COMPONENTS, *reference.shape)
    pca = PCA(n_components, svd_solver="randomized", random_state=int(random.integers(2**31)))
    with np.errstate(invalid="ignore"):  # shares of the variance, if all rows are equal
        reduced, every = pca.fit_transform(reference), pca.transform(rows)
    outlying, remote = isolation(reduced, every, contamination)
    clustered = in_small_clusters(reduced, every, contamination, outlying, remote)
    if clustered.any():
        clustered |= clustered[_nearest(every)].mean(axis=1) >= MAJORITY
    factors = minus_log_p(torch.from_numpy(outlying))
    return Suspicion(torch.from_numpy(clustered), factors, torch.from_numpy(every))


def minus_log_p(values: Tensor) -> Tensor:
    """Return the negative logarithm (n,) of the share of values (n,) that are as high."""
    n = len(values)
    return -((n - _places(values)) / n).log()


def in_small_clusters(
    reference: Floats, rows: Floats, contamination: float, outlying: Floats, remote: Floats
) -> Flags:
    """Return which rows (n, F) are in small clusters of rows `reference` (m, F) that lie apart.

    Other rows belong to the cluster of their nearest neighbour in `reference`. `outlying` and
    `remote` (n,) are what `isolation` returns.
    """
    smallest = max(MIN_CLUSTER, round(contamination * len(reference) / 4))
    if len(reference) <= 2 * max(smallest, CORE_ROWS):
        return np.zeros(len(rows), dtype=bool)
    labels = HDBSCAN(smallest, min_samples=CORE_ROWS, copy=True).fit_predict(reference)
    _, nearest = NearestNeighbors(n_neighbors=1).fit(reference).kneighbors(rows)
    of = labels[nearest[:, 0]]
    sizes = np.bincount(of[of >= 0])
    apart = []
    for cluster in np.flatnonzero(sizes <= MAX_CLUSTER * contamination * len(rows)):
        inside = of == cluster
        if not inside.any():
            continue
        factor, distance = np.median(outlying[inside]), np.median(remote[inside])
        if factor > LESS_DENSE and distance > REMOTE:
            apart.append((factor, cluster))
    order = np.array([cluster for _, cluster in sorted(apart, reverse=True)], dtype=int)
    most = min(MAX_CLUSTERS * contamination, 0.5) * len(rows)
    return np.isin(of, order[np.cumsum(sizes[order]) <= most])


def isolation(reference: Floats, rows: Floats, contamination: float) -> tuple[Floats, Floats]:
    """Return the local outlier factors (Breunig 2000) and distances of rows (n, F), as ranks.

    The distance is that to the last of the neighbours in `reference` (m, F). They are more than all
    anomalies that are expected, because those that resemble each other are not less dense among
    themselves. A rank is the share of rows with a smaller value.
    """
    k = max(MIN_CLUSTER, round(NEIGHBORS * contamination * len(reference)))
    found = LocalOutlierFactor(min(k, len(reference) - 1), novelty=True).fit(reference)
    parts = np.array_split(rows, -(-len(rows) // MAX_ROWS))
    factors = np.concatenate([-found.score_samples(part) for part in parts])
    distances = np.concatenate([found.kneighbors(part)[0][:, -1] for part in parts])
    return _ranks(factors), _ranks(distances)


def _nearest(rows: Floats) -> NDArray[np.intp]:
    """Return the indices (n, k) of the nearest other rows of each row (n, F)."""
    k = min(NEAREST, len(rows) - 1)
    found: NDArray[np.intp] = NearestNeighbors(n_neighbors=k).fit(rows).kneighbors()[1]
    return found


def _ranks(values: NDArray[np.floating]) -> Floats:
    ranks: Floats = (_places(torch.from_numpy(values)) / len(values)).float().numpy()
    return ranks


def _places(values: Tensor) -> Tensor:
    """Return the place (n,) of each value (n,) among them, from 0; equal ones in their order."""
    return values.argsort(stable=True).argsort()
