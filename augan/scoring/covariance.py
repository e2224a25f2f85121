"""Principal components, and shrinkage of a covariance."""

from __future__ import annotations

import numpy as np
import torch
from scipy.linalg import eigh
from torch import Tensor


def shrinkage_of(centred: Tensor) -> float:
    """Return how far the covariance of centred rows (n, F) is shrunk to a multiple of the identity.

    The formula of Ledoit and Wolf (2004, section 3.3), from the smaller of the products of rows
    and of features. 1 if all rows are equal.
    """
    n_rows, n_features = centred.shape
    squares = centred.square().sum(dim=1).double()  # (n,)
    products = (centred @ centred.T if n_rows < n_features else centred.T @ centred).double()
    trace = float(squares.mean())
    norm = float(products.square().sum()) / n_rows**2  # squared, of the sample covariance
    spread = norm - trace**2 / n_features
    if spread <= 0:
        return 1.0
    error = float(squares.square().mean() - norm) / n_rows
    return min(error / spread, 1.0)


def principal_components(centred: Tensor, random: np.random.Generator, most: int) -> Tensor:
    """Return an orthonormal basis (F, K) of the first principal components, at most `most`.

    They are eigenvectors of the covariance of centred rows (n, F), or with fewer rows than
    features from those of their inner products.
    """
    n_rows, n_features = centred.shape
    if not bool(centred.any()):  # all directions are equivalent
        basis = np.linalg.qr(random.normal(size=(n_features, min(most, n_features))))[0]
        return torch.from_numpy(basis).to(centred)
    few = n_rows < n_features
    products = (centred @ centred.T if few else centred.T @ centred).double().cpu().numpy()
    n = min(most, max(n_rows - 1, 1), n_features)
    span = len(products) - n, len(products) - 1
    found = torch.from_numpy(eigh(products, subset_by_index=span)[1]).to(centred)
    return torch.linalg.qr(centred.T @ found)[0] if few else found
