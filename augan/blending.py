"""Seamless filling of holes in images, by Poisson blending (Perez 2003)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

Floats = NDArray[np.float64]
AROUND = ((0, 1), (0, -1), (1, 0), (-1, 0))


def blend(images: NDArray[Any], made: NDArray[Any], holes: NDArray[np.bool_]) -> Floats:
    """Fill holes of images seamlessly.

    Inside a hole, the differences between neighbouring pixels are those of `made`; at its border,
    the values are those of the image (equation 7 of [1]_). If `made` is constant, the filling is
    the smoothest possible one.

    Parameters
    ----------
    images : ndarray of shape (n, H, W[, C])
        The images.
    made : ndarray of the same shape
        Images to fill the holes with.
    holes : ndarray of bool, shape (n, H, W)
        True in the holes.

    Returns
    -------
    ndarray of float, of the shape of `images`

    References
    ----------
    .. [1] Perez et al. "Poisson image editing." ACM SIGGRAPH, 2003.
    """
    filled = images.astype(float)
    for i, hole in enumerate(holes):
        target = filled[i].reshape(*hole.shape, -1)  # a view
        target[hole] = _solve(target, made[i].reshape(target.shape).astype(float), hole)
    return filled


def _solve(image: Floats, made: Floats, hole: NDArray[np.bool_]) -> Floats:
    """Return the pixels (m, C) of one hole."""
    where = np.argwhere(hole)
    number = np.full(hole.shape, -1)
    number[hole] = np.arange(len(where))
    degrees = np.zeros(len(where))
    right = np.zeros((len(where), image.shape[2]))
    pairs = []
    for step in AROUND:
        beside = where + step
        inside = ((beside >= 0) & (beside < hole.shape)).all(axis=1)
        own, there = np.flatnonzero(inside), beside[inside]
        rows, columns = there.T
        degrees[own] += 1
        right[own] += made[hole][own] - made[rows, columns]
        known = ~hole[rows, columns]
        right[own[known]] += image[rows[known], columns[known]]
        pairs.append(np.stack([own[~known], number[rows[~known], columns[~known]]]))
    rows, columns = np.concatenate(pairs, axis=1)
    shape = (len(where), len(where))
    links = sparse.coo_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
    return np.asarray(splu((sparse.diags(degrees) - links).tocsc()).solve(right))
