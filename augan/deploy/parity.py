"""Comparison of an exported file with the model in torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from augan._random import numpy_stream
from augan.codecs.columns import NumericColumn
from augan.codecs.drift import no_drift_warnings
from augan.deploy.comparison_rows import independent_rows, pseudo_anomalies, random_rows
from augan.deploy.detector import OnnxDetector
from augan.deploy.generator import OnnxGenerator
from augan.deploy.raw import form_of
from augan.deploy.session import Session
from augan.exceptions import ParameterError
from augan.frames import is_frame, to_pandas
from augan.inputs.reading import Data, read_input, take
from augan.models.exportable import ExportableModel

# Every library rounds float32 differently. If thousands of rows are close together, distances are
# small compared with the features, and rounding alone makes a difference of 1e-4.
TOLERANCE = 1e-3  # of scores, relative to their scale
EXPLANATION_TOLERANCE = 1e-2  # of explanations
LATENT_TOLERANCE = 1e-3
CELL_TOLERANCE = 1e-3  # share of generated cells that may differ because of rounding
BATCHES = (1, 2, 1000)
MAX_PIXELS = 2**20  # of random images
MIN_ROWS = 20  # needed to measure what a lower precision loses


@dataclass(frozen=True)
class Found:
    """Differences between an ONNX file and torch on the same rows.

    Attributes
    ----------
    n_rows : int
        Number of real and random rows, or of latents.
    difference : float
        Largest difference of scores, relative to the score or to the standard deviation of the
        scores of normal rows, whichever is larger; or of generated cells or latents, relative to
        their range.
    explanation_difference : float
        Largest relative difference of explanations and of surprise.
    n_other : int
        Number of rows with another decision, or of generated cells that differ.
    auroc, exported_auroc : float or None
        AUROC, in torch and of the file, of pseudo-anomalies made from normal rows; None if no
        normal rows were given.
    agrees : bool
        Whether all differences are within the tolerances for rounding.
    """

    n_rows: int
    difference: float
    explanation_difference: float = 0.0
    n_other: int = 0
    auroc: float | None = None
    exported_auroc: float | None = None
    agrees: bool = True

    def __str__(self) -> str:
        """Return a short text."""
        text = f"{self.n_rows} rows, largest difference {self.difference:.1e}"
        text += f", {self.n_other} decided differently"
        if self.auroc is not None and self.exported_auroc is not None:
            change = self.exported_auroc - self.auroc
            text += f"; AUROC against pseudo-anomalies {self.exported_auroc:.4f} ({change:+.4f})"
        return text


@no_drift_warnings()
def check_scorer(model: ExportableModel, path: Path, X: Any) -> Found:
    """Compare scores, decisions and explanations on random rows and on `X`."""
    scoring = model.scoring
    assert scoring is not None
    random = numpy_stream(0, "parity")
    exported = OnnxDetector(path, providers="cpu")
    exported.metadata_["chunk"] = max(BATCHES)  # one run per batch
    scale = float(scoring.scorer.conformal.scores.std(correction=0)) or 1.0
    limit = scoring.threshold
    n_rows, n_other, worst, worst_heat = 0, 0, 0.0, 0.0
    for data in batches_to_compare(model, X, random):
        ours, theirs = (assess(data, explain=True) for assess in (scoring.assess, exported.assess))
        size = np.maximum(scale, np.abs(ours.anomaly_score))
        gap = np.abs(ours.anomaly_score - theirs.anomaly_score) / size
        close = np.abs(ours.anomaly_score - limit) <= TOLERANCE * size  # to the threshold
        other = (ours.anomaly_score > limit) != (theirs.anomaly_score > limit)
        n_other += int((other & ~close).sum())
        worst = max(worst, _largest(gap))
        heat, their_heat = (np.asarray(found.explanation) for found in (ours, theirs))
        gap = np.abs(heat - their_heat) / np.maximum(1, np.abs(heat))
        worst_heat = max(worst_heat, _largest(gap))
        if ours.surprise is not None:
            nats, their_nats = (np.asarray(found.surprise) for found in (ours, theirs))
            gap = np.abs(nats - their_nats) / np.maximum(1, nats)
            worst_heat = max(worst_heat, _largest(gap))
        n_rows += len(ours.anomaly_score)
    aurocs = (None, None) if X is None else _aurocs(model, exported, X, random)
    agrees = worst <= TOLERANCE and worst_heat <= EXPLANATION_TOLERANCE and n_other == 0
    auroc, exported_auroc = aurocs
    return Found(n_rows, worst, worst_heat, n_other, auroc, exported_auroc, agrees)


def check_generator(model: ExportableModel, path: Path, X: Any) -> Found:
    """Compare cells, or pixels, generated from the same latents."""
    del X
    random = numpy_stream(0, "parity")
    exported, networks = OnnxGenerator(path, providers="cpu"), model.networks
    assert networks is not None
    codec, worst, n_rows, n_other, n_cells = model.codec, 0.0, 0, 0, 0
    device = next(networks.generator.parameters()).device
    for n in BATCHES:
        z = random.standard_normal((n, networks.latent_dim)).astype(np.float32)
        given = [torch.from_numpy(z).to(device)]
        label = None
        if model.classes is not None:
            label = random.integers(len(model.classes), size=n)
            one_hot = np.eye(len(model.classes), dtype=np.float32)[label]
            given.append(torch.from_numpy(one_hot).to(device))
        with torch.no_grad():
            ours = codec.decode(networks.generator(*given))
        theirs = exported.generate(z, label)
        if codec.kind == "image":
            gap = np.abs(ours.astype(float) - theirs.astype(float)) / (codec.high - codec.low)
        else:
            theirs = to_pandas(theirs) if is_frame(theirs) else theirs
            gap = cell_differences(codec, ours, theirs)
        n_other += int((gap > CELL_TOLERANCE).sum())
        n_cells += gap.size
        worst = max(worst, float(np.quantile(gap, 1 - CELL_TOLERANCE)))
        n_rows += n
    allowed = max(1, round(CELL_TOLERANCE * n_cells))
    return Found(n_rows, worst, n_other=n_other, agrees=n_other <= allowed)


def check_encoder(model: ExportableModel, path: Path, X: Any) -> Found:
    """Compare latents of random rows and of `X`."""
    assert model.scoring is not None
    random = numpy_stream(0, "parity")
    session = Session(path, part="encoder", providers="cpu")
    form = form_of(session.metadata)
    worst, n_rows = 0.0, 0
    for data in batches_to_compare(model, X, random):
        raw = model.codec.prepare(data)
        ours = model.scoring.latents(raw)
        theirs = session.run(form.feeds(data))["z"]
        gap = np.abs(ours.numpy() - theirs) / np.maximum(1, np.abs(ours.numpy()))
        worst, n_rows = max(worst, _largest(gap)), n_rows + len(ours)
    return Found(n_rows, worst, agrees=worst <= LATENT_TOLERANCE)


def halves(method: str, X: Any) -> tuple[Data, Data]:
    """Split normal rows into two halves: for calibration of int8, and for evaluation.

    Parameters
    ----------
    method : str
        Name of the estimator's class, for messages.
    X : DataFrame or array-like
        Normal rows.

    Raises
    ------
    ParameterError
        If there are fewer than `MIN_ROWS` rows.
    """
    data = read_input(X, method)
    if len(data) < MIN_ROWS:
        raise ParameterError(f"X: {len(data)} rows; at least {MIN_ROWS} are needed")
    order = numpy_stream(0, "halves").permutation(len(data))
    first, second = np.sort(order[: len(data) // 2]), np.sort(order[len(data) // 2 :])
    return take(data, first), take(data, second)


def batches_to_compare(model: ExportableModel, X: Any, random: np.random.Generator) -> list[Data]:
    """Return batches of random rows, of the sizes `BATCHES`, and a batch of rows of `X`."""
    codec = model.codec
    most = max(2, MAX_PIXELS // int(np.prod(codec.shape))) if codec.kind == "image" else 1000
    batches: list[Data] = []
    for n in BATCHES:
        size = min(n, most)
        half = max(1, size // 2)
        if model.sample is None:
            made = independent_rows(codec, half, random)
        else:
            made = model.sample(half, random_state=int(random.integers(2**31)))
        made = to_pandas(made) if is_frame(made) else made
        noise_rows = random_rows(codec, size - len(made), random)
        if noise_rows is None:
            batches.append(made)
        elif isinstance(made, pd.DataFrame):
            batches.append(pd.concat([made, noise_rows], ignore_index=True))
        else:
            batches.append(np.concatenate([made, noise_rows]))
    if X is not None:
        data = read_input(X, model.method)
        chosen = np.sort(random.permutation(len(data))[:most])
        batches.append(take(data, chosen))
    return batches


def _aurocs(
    model: ExportableModel, exported: OnnxDetector, X: Any, random: np.random.Generator
) -> tuple[float, float] | tuple[None, None]:
    """Return the AUROC of pseudo-anomalies in torch, and of the file."""
    assert model.scoring is not None
    if len(read_input(X, model.method)) < MIN_ROWS:
        return None, None
    normal = halves(model.method, X)[1]
    odd = pseudo_anomalies(model.codec, normal, random)
    truth = np.repeat([0, 1], [len(normal), len(odd)])
    found = [
        float(
            roc_auc_score(
                truth, np.concatenate([assess(rows).anomaly_score for rows in (normal, odd)])
            )
        )
        for assess in (model.scoring.assess, exported.assess)
    ]
    return found[0], found[1]


def cell_differences(codec: Any, ours: Any, theirs: Any) -> NDArray[np.float64]:
    """Return differences of cells (n, d): of numbers relative to their range, of texts 0 or 1."""
    raw, other = (codec.prepare(rows).numpy() for rows in (ours, theirs))
    both_missing = np.isnan(raw) & np.isnan(other)
    gap = np.where(both_missing, 0.0, np.nan_to_num(np.abs(raw - other), nan=np.inf))
    for i, column in enumerate(codec.columns):
        if isinstance(column, NumericColumn):
            gap[:, i] /= column.high - column.low or 1.0
    return np.minimum(gap, 1.0)


def _largest(gaps: NDArray[np.float64]) -> float:
    """Return the largest difference; infinity if one is NaN."""
    return float(np.nan_to_num(gaps, nan=np.inf).max()) if gaps.size else 0.0
