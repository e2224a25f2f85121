"""Fidelity and privacy of new rows, compared with held-out real rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import ks_2samp
from sklearn.metrics import roc_auc_score

from augan._random import numpy_stream
from augan.classifiers.tables import make_encoder, plain
from augan.classifiers.two_samples import two_sample_auc
from augan.evaluation.prdc import K, near_copies, prdc
from augan.exceptions import DataError
from augan.sampling.filters import distances

Array = NDArray[np.float64]

MAX_ROWS = 5000  # of each kind, to compute distances between
MIN_ROWS = 2 * K
FIGURES = {
    "precision": "share of new rows within the radius of a training row",
    "recall": "share of training rows within the radius of a new row",
    "density": "training rows within whose radius a new row lies, mean, divided by 5",
    "coverage": "share of training rows with a new row within their radius",
    "two_sample_auc": "AUROC of a classifier of new against held-out rows; 0.5 is chance",
    "column_distance": "mean distance of columns' distributions (Kolmogorov-Smirnov, variation)",
    "correlation_error": "mean absolute difference of the correlations between columns",
    "closest_record": "median distance to the closest training row",
    "near_copies": "share of new rows closer to a training row than 95 % of held-out rows",
    "membership_auc": "AUROC of a membership attack by the distance to new rows; 0.5 is chance",
}


def fidelity_metrics(
    train: Any, held_out: Any, new: Any, *, random_state: int = 0
) -> dict[str, dict[str, float]]:
    """Compare new rows with the rows that a model was trained on, and with held-out rows.

    Each figure is also computed with held-out rows in place of the new ones, which is what perfect
    new rows would get.

    Parameters
    ----------
    train, held_out, new : DataFrame or array-like of shape (n, d)
        Training rows, held-out rows, and new rows, with the same columns; at least 10 each. At
        most 5,000 of each, drawn at random, are used.
    random_state : int, default=0
        Seed of the draw and of the classifier.

    Returns
    -------
    figures : dict of str to dict
        For each figure its value for "new" and for "held_out" rows: precision and recall
        [1]_, density and coverage [2]_ with 5 neighbours among encoded rows; the AUROC of a
        gradient boosting classifier of rows against held-out rows [3]_; the mean
        Kolmogorov-Smirnov distance of numbers and total variation distance of categories; the mean
        absolute difference of correlations; the median distance to the closest training row; the
        share of rows closer to one than 95 % of held-out rows; and the AUROC of a membership
        inference attack that ranks rows by their distance to the closest new row [4]_.

    Raises
    ------
    DataError
        When there are fewer than 10 rows of a kind.

    References
    ----------
    .. [1] Kynkäänniemi et al. "Improved precision and recall metric for assessing generative
       models." NeurIPS, 2019.
    .. [2] Naeem et al. "Reliable fidelity and diversity metrics for generative models." ICML, 2020.
    .. [3] Lopez-Paz and Oquab. "Revisiting classifier two-sample tests." ICLR, 2017.
    .. [4] Chen et al. "GAN-Leaks: a taxonomy of membership inference attacks against generative
       models." CCS, 2020.
    """
    tables = {}
    for name, rows in (("train", train), ("held_out", held_out), ("new", new)):
        frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(np.asarray(rows))
        if len(frame) < MIN_ROWS:
            raise DataError(f"{len(frame)} rows in {name}: at least {MIN_ROWS} are needed")
        picked = numpy_stream(random_state, name).permutation(len(frame))[:MAX_ROWS]
        tables[name] = plain(frame.rename(columns=str)).iloc[np.sort(picked)]
    encoder = make_encoder().fit(tables["train"])
    encoded = {name: np.asarray(encoder.transform(table)) for name, table in tables.items()}
    halves = numpy_stream(random_state, "halves").permutation(len(encoded["held_out"]))
    some, others = (encoded["held_out"][part] for part in np.array_split(halves, 2))
    figures: dict[str, dict[str, float]] = {name: {} for name in FIGURES}
    for kind in ("new", "held_out"):
        rows = encoded[kind]
        other = "held_out" if kind == "new" else "train"
        found = {
            **prdc(encoded["train"], rows),
            "two_sample_auc": two_sample_auc(rows, encoded[other], random_state),
            "column_distance": _column_distance(tables["train"], tables[kind]),
            "correlation_error": _correlation_error(encoded["train"], rows),
            # with held-out rows as the new ones: one half of them, the other half is held out
            **_privacy(encoded["train"], others, rows if kind == "new" else some),
        }
        for name, value in found.items():
            figures[name][kind] = float(value)
    return figures


def _privacy(train: Array, held_out: Array, rows: Array) -> dict[str, float]:
    """Return the distances to training rows, and the AUROC of a membership attack."""
    members, strangers, given = (torch.from_numpy(part) for part in (train, held_out, rows))
    closest = distances(given, members, 1)[:, 0]
    to_given = [distances(part, given, 1)[:, 0] for part in (members, strangers)]
    is_member = np.repeat([1, 0], [len(members), len(strangers)])
    return {
        "closest_record": float(closest.median()),
        "near_copies": near_copies(train, held_out, rows),
        "membership_auc": roc_auc_score(is_member, -torch.cat(to_given).numpy()),
    }


def _column_distance(real: pd.DataFrame, rows: pd.DataFrame) -> float:
    """Return the mean distance between the distributions of columns, missing values included."""
    found = []
    for name in real:
        a, b = real[name], rows[name]
        if pd.api.types.is_numeric_dtype(a):
            gap = abs(a.isna().mean() - b.isna().mean())
            a, b = a.dropna(), b.dropna()
            found.append(
                max(gap, ks_2samp(a, b, method="asymp").statistic if len(a) and len(b) else 0.0)
            )
        else:
            shares = pd.concat(
                [a.value_counts(normalize=True), b.value_counts(normalize=True)], axis=1
            )
            shares = shares.fillna(0.0)
            found.append(0.5 * (shares.iloc[:, 0] - shares.iloc[:, 1]).abs().sum())
    return float(np.mean(found))


def _correlation_error(real: Array, rows: Array) -> float:
    """Return the mean absolute difference of the correlations of columns that vary in `real`."""
    varies = real.std(axis=0) > 0
    if varies.sum() < 2:
        return 0.0
    a, b = (_correlations(part[:, varies]) for part in (real, rows))
    above = np.triu_indices(len(a), 1)
    return float(np.abs(a[above] - b[above]).mean())


def _correlations(rows: Array) -> Array:
    """Return Pearson's correlations (d, d), zero where a column does not vary."""
    centred = rows - rows.mean(axis=0)
    spread = np.sqrt((centred**2).mean(axis=0))
    scaled = centred / np.where(spread > 0, spread, 1.0)
    return np.asarray(scaled.T @ scaled / len(rows))
