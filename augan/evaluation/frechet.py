"""Distances between real and generated images, in the features of a network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from augan._random import numpy_stream

Array = NDArray[np.float64]

N_SUBSETS, SUBSET = 100, 1000  # of the kernel distance
SMALLEST = 1e-16  # smallest probability, as its logarithm is taken


def frechet_distance(real: Array, fake: Array) -> float:
    """Return the Fréchet distance of features (n, F), (m, F), both taken as Gaussian.

    ``|m - m'|^2 + tr(C + C' - 2 (C C')^(1/2))`` (Heusel 2017, eq. 6): FID if the features are
    those of Inception.
    """
    gap = real.mean(axis=0) - fake.mean(axis=0)
    own, other = (np.cov(part, rowvar=False) for part in (real, fake))
    values, vectors = np.linalg.eigh(own)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    # the eigenvalues of C C' are those of C^(1/2) C' C^(1/2), which is symmetric
    shared = np.sqrt(np.linalg.eigvalsh(root @ other @ root).clip(min=0)).sum()
    return float(gap @ gap + np.trace(own) + np.trace(other) - 2 * shared)


def kernel_distance(real: Array, fake: Array, seed: int) -> tuple[float, float]:
    """Return the kernel distance of features (n, F), (m, F), and its deviation.

    The unbiased squared maximum mean discrepancy with the kernel ``(x y / F + 1)^3``: the mean
    over 100 subsets of up to 1,000 of each (Binkowski 2018, section 4): KID.
    """
    random = numpy_stream(seed, "kernel distance")
    size = min(SUBSET, len(real), len(fake))
    found = []
    for _ in range(N_SUBSETS):
        x, y = (part[random.choice(len(part), size, replace=False)] for part in (real, fake))
        found.append(_squared_mmd(x, y))
    return float(np.mean(found)), float(np.std(found))


def classifier_score(probabilities: Array) -> float:
    """Return exp(E[KL(p(y|x) | p(y))]) of class probabilities (n, K) (Salimans 2016, section 4).

    At most the number of classes, reached if each image is surely of one class and all classes
    are equally frequent.
    """
    sure = probabilities.clip(min=SMALLEST)
    usual = sure.mean(axis=0, keepdims=True)
    return float(np.exp((sure * np.log(sure / usual)).sum(axis=1).mean()))


def _squared_mmd(x: Array, y: Array) -> float:
    """Return the unbiased squared MMD of features (n, F) each, with the cubic kernel."""
    n = len(x)
    own, other, between = ((a @ b.T / x.shape[1] + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = (own.sum() - np.trace(own) + other.sum() - np.trace(other)) / (n * (n - 1))
    return float(within - 2 * between.mean())
