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


def find_modes(
    features: dict[str, Array],
    probabilities: dict[str, Array],
    names: NDArray[Any] | None,
    seed: int,
) -> tuple[dict[str, Counts], dict[str, Array]]:
    """Return the mode of each image, and the share of each mode, for each kind of images.

    Modes are classes, by the class probabilities; without `names` of classes they are clusters,
    fitted to the features "learned".
    """
    if names is not None:
        modes = {name: part.argmax(axis=1) for name, part in probabilities.items()}
        n_modes = len(names)
    else:
        own = derive_seed(seed, "clusters") % 2**32
        n = min(N_CLUSTERS, len(features["learned"]) // 2)
        model = KMeans(n, n_init=1, random_state=own).fit(features["learned"])
        modes = {name: model.predict(rows).astype(np.int64) for name, rows in features.items()}
        n_modes = 1 + max(int(of.max()) for of in modes.values())
    shares = {name: np.bincount(of, minlength=n_modes) / len(of) for name, of in modes.items()}
    return modes, shares


def n_found(shares: dict[str, Array]) -> int:
    """Return how many modes of the real images the new ones have."""
    return int((shares["new"] >= FOUND * shares["real"]).sum())


def class_quality(
    names: NDArray[Any] | None,
    features: dict[str, Array],
    modes: dict[str, Counts],
    shares: dict[str, Array],
    requested: Counts | None,
) -> tuple[ClassQuality, ...]:
    """Return figures of each class, if there are classes.

    The new images of a class are those requested as it or, from a model without classes, those
    classified as it.
    """
    if names is None:
        return ()
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
