"""Modes of image data: classes, or clusters of features where there are no classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from augan._random import derive_seed
from augan.evaluation.generative_report import ClassQuality
from augan.evaluation.prdc import K, prdc

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

N_CLUSTERS = 20
FOUND = 0.1  # a mode is found if the new images have at least this part of its share
MAX_ROWS = 5000  # of each kind, to compute distances between


def cluster_modes(features: dict[str, Array], seed: int) -> dict[str, Counts]:
    """Return the cluster of each image; clusters are fitted to the features "learned"."""
    own = derive_seed(seed, "clusters") % 2**32
    n = min(N_CLUSTERS, len(features["learned"]) // 2)
    model = KMeans(n, n_init=1, random_state=own).fit(features["learned"])
    return {name: model.predict(rows).astype(np.int64) for name, rows in features.items()}


def mode_shares(modes: dict[str, Counts], n_modes: int) -> dict[str, Array]:
    """Return the share (n_modes,) of each mode in each kind of images."""
    return {name: np.bincount(of, minlength=n_modes) / len(of) for name, of in modes.items()}


def n_found(shares: dict[str, Array]) -> int:
    """Return how many modes of the real images the new ones have."""
    return int((shares["new"] >= FOUND * shares["real"]).sum())


def class_quality(
    names: NDArray[Any],
    features: dict[str, Array],
    modes: dict[str, Counts],
    shares: dict[str, Array],
    requested: Counts | None,
) -> tuple[ClassQuality, ...]:
    """Return figures of each class.

    The new images of a class are those requested as it or, from a model without classes, those
    classified as it.
    """
    given = modes["new"] if requested is None else requested
    found = []
    for i, name in enumerate(names.tolist()):
        real, new = features["real"][modes["real"] == i], features["new"][given == i]
        n = min(len(real), len(new), MAX_ROWS)
        figures: dict[str, Any] = {"precision": None, "coverage": None}
        if n > K:
            figures = prdc(real[:n], new[:n])
        agreement = None
        if requested is not None and len(new):
            agreement = float((modes["new"][given == i] == i).mean())
        found.append(
            ClassQuality(
                name=str(name),
                real_share=float(shares["real"][i]),
                new_share=float(shares["new"][i]),
                agreement=agreement,
                precision=figures["precision"],
                coverage=figures["coverage"],
            )
        )
    return tuple(found)
