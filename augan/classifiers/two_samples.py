"""How well a classifier tells two samples of rows apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from augan._random import derive_seed

N_FOLDS = 3
LEAF = 20  # minimum rows in a leaf; fewer with few rows


def two_sample_auc(rows: NDArray[Any], others: NDArray[Any], seed: int) -> float:
    """Return the cross-validated AUROC of gradient boosting for rows against as many others.

    0.5 is chance: the classifier cannot tell them apart (two-sample test, Lopez-Paz and Oquab
    2017).

    Parameters
    ----------
    rows, others : ndarray of shape (n, d) and (m, d)
        Encoded rows in random order. The first min(n, m) of each are used, at least 3.
    seed : int
        Seed of the folds and the classifier.
    """
    n = min(len(rows), len(others))
    X = np.concatenate([rows[:n], others[:n]])
    y = np.repeat([1, 0], n)
    own = derive_seed(seed, "two samples") % 2**32
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=own)
    leaf = min(LEAF, max(n // LEAF, 1))
    model = HistGradientBoostingClassifier(random_state=own, min_samples_leaf=leaf)
    scores = cross_val_predict(model, X, y, cv=folds, method="predict_proba")[:, 1]
    return float(roc_auc_score(y, scores))
