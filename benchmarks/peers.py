"""PyOD's detectors with their defaults, and the encoding of the rows that they are given.

KNN is also run with one neighbour, which is better here. Numbers are standardised by the training
rows, with missing ones replaced by the median; categories are one-hot encoded, with "missing" as a
category. (augan gets the raw rows.)
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

Floats = NDArray[np.float64]
MISSING = "(missing)"


@dataclass(frozen=True)
class Peer:
    """Where a detector of PyOD is, and how it is seeded.

    Parameters
    ----------
    module : str
        Module below `pyod.models`; the class has the first word of the peer's name.
    seeded : bool
        Whether it takes `random_state`. The others draw from the global streams, seeded before.
    counts_columns : bool
        Whether it must be told the number of columns.
    prints : bool
        Whether it prints unless told not to.
    units : str
        Units of numbers: "deviation", of the training rows, or "range", of their middle 99 % but
        at least four deviations.
    options : dict
        What is not the default.
    """

    module: str
    seeded: bool = False
    counts_columns: bool = False
    prints: bool = False
    units: str = "deviation"
    options: dict[str, Any] = field(default_factory=dict)


PEERS = {
    "KNN": Peer("knn"),
    "KNN (1 neighbour)": Peer("knn", options={"n_neighbors": 1}),
    "KNN (1 neighbour, ranges)": Peer("knn", units="range", options={"n_neighbors": 1}),
    "LUNAR": Peer("lunar"),
    "LOF": Peer("lof"),
    "IForest": Peer("iforest", seeded=True),
    "OCSVM": Peer("ocsvm"),
    "ECOD": Peer("ecod"),
    "PCA": Peer("pca", seeded=True),
    "VAE": Peer("vae", seeded=True, prints=True),
    "DeepSVDD": Peer("deep_svdd", seeded=True, counts_columns=True, prints=True),
    "AnoGAN": Peer("anogan"),
    "ALAD": Peer("alad"),
}


def make_peer(name: str, n_columns: int, seed: int) -> Any:
    """Return the detector, unfitted; seeds numpy's and torch's global streams."""
    peer = PEERS[name]
    options = peer.options | ({"verbose": 0} if peer.prints else {})
    if peer.seeded:
        options["random_state"] = seed
    if peer.counts_columns:
        options["n_features"] = n_columns
    module = importlib.import_module(f"pyod.models.{peer.module}")
    detector = getattr(module, name.split()[0])(**options)
    np.random.seed(seed)  # noqa: NPY002 (the stream that PyOD draws from)
    torch.manual_seed(seed)
    return detector


def encode(train: Any, test: Any, units: str = "deviation") -> tuple[Floats, Floats]:
    """Return both as columns of numbers, in units; nothing is learned from `test`."""
    if isinstance(train, pd.DataFrame):
        train, test = _mark_missing(train), _mark_missing(test)
        encoder = _table_encoder(train).fit(train)
    else:
        encoder = StandardScaler().fit(train)
    train, test = encoder.transform(train), encoder.transform(test)
    if units == "deviation":
        return train, test
    low, high = np.quantile(train, (0.005, 0.995), axis=0)
    width = np.maximum(high - low, 4 * train.std(axis=0))
    width[width == 0] = 1.0
    return train / width, test / width


def highest_when_infinite(scores: Floats) -> Floats:
    """Return scores that can be ranked: PyOD's PCA divides by variances of zero.

    Raises
    ------
    ValueError
        If a score is not a number.
    """
    if np.isnan(scores).any():
        raise ValueError(f"{np.isnan(scores).sum()} of {len(scores)} scores are not numbers")
    return np.nan_to_num(scores)


def _table_encoder(frame: pd.DataFrame) -> ColumnTransformer:
    numbers = list(frame.select_dtypes("number"))
    categories = [name for name in frame if name not in numbers]
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    standardised = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    return ColumnTransformer(
        [("numbers", standardised, numbers), ("categories", one_hot, categories)]
    )


def _mark_missing(frame: pd.DataFrame) -> pd.DataFrame:
    texts = frame.select_dtypes(exclude="number").astype(object)
    return frame.assign(**texts.where(texts.notna(), MISSING))
