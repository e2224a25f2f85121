"""Whether an exported file answers as the model in torch does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from augan._random import numpy_stream, torch_stream
from augan.codecs.columns import CategoryColumn, ConstantColumn, NumericColumn
from augan.codecs.drift import made_up_rows
from augan.codecs.dtypes import ARROW, DECIMAL
from augan.codecs.image import ImageCodec
from augan.deploy.detector import OnnxDetector
from augan.deploy.generator import OnnxGenerator
from augan.deploy.raw import form_of
from augan.deploy.session import Session
from augan.exceptions import ParameterError
from augan.frames import is_frame, to_pandas
from augan.inputs.reading import Data, read_input, take
from augan.networks.pseudo_defects import damage

# Float32 rounds otherwise in every library. Where thousands of rows lie close together, so that
# distances are small beside the features that they are taken of, that alone makes 1e-4.
TOLERANCE = 1e-3  # share of the score's scale by which answers may differ
HEAT_TOLERANCE = 1e-2  # the same of explanations
LATENT_TOLERANCE = 1e-3
CELL_TOLERANCE = 1e-3  # share of generated cells that rounding may make others
BATCHES = (1, 2, 1000)
PIXELS = 2**20  # of made-up images, at most
FEWEST = 20  # rows that say what a lower precision loses


@dataclass(frozen=True)
class Found:
    """How an ONNX file compares with torch on the same rows.

    Attributes
    ----------
    n_rows : int
        Real and made-up rows, or latents.
    difference : float
        Largest difference of scores, in deviations of normal rows' scores (of a score beyond one
        deviation, as a share of it); of generated cells or latents, as a share of their range.
    explanation_difference : float
        The same of heatmaps and of columns' explanations.
    n_other : int
        Rows that are anomalies for the one and not for the other; generated cells that differ.
    auroc, exported_auroc : float or None
        Of normal rows against pseudo-anomalies made of them, where normal rows were given.
    agrees : bool
        Whether all differences are within what rounding explains.
    """

    n_rows: int
    difference: float
    explanation_difference: float = 0.0
    n_other: int = 0
    auroc: float | None = None
    exported_auroc: float | None = None
    agrees: bool = True

    def __str__(self) -> str:
        """Say it in half a line."""
        text = f"{self.n_rows} rows, largest difference {self.difference:.1e}"
        text += f", {self.n_other} decided otherwise"
        if self.auroc is not None and self.exported_auroc is not None:
            change = self.exported_auroc - self.auroc
            text += f"; AUROC against pseudo-anomalies {self.exported_auroc:.4f} ({change:+.4f})"
        return text


@made_up_rows()
def check_scorer(estimator: Any, path: Path, X: Any) -> Found:
    """Compare scores, decisions and explanations on made-up rows and on `X`."""
    random = numpy_stream(0, "parity")
    exported = OnnxDetector(path, providers="cpu")
    exported.metadata_["chunk"] = max(BATCHES)  # all rows of a batch at once
    scale = float(estimator.scorer_.conformal.scores.std(correction=0)) or 1.0
    limit = estimator.threshold_
    n_rows, n_other, worst, worst_heat = 0, 0, 0.0, 0.0
    for data in _rows_to_try(estimator, X, random):
        ours, theirs = (model.assess(data, explain=True) for model in (estimator, exported))
        size = np.maximum(scale, np.abs(ours.anomaly_score))
        gap = np.abs(ours.anomaly_score - theirs.anomaly_score) / size
        close = np.abs(ours.anomaly_score - limit) <= TOLERANCE * size  # on the threshold itself
        other = (ours.anomaly_score > limit) != (theirs.anomaly_score > limit)
        n_other += int((other & ~close).sum())
        worst = max(worst, _largest(gap))
        heat, their_heat = (np.asarray(found.explanation) for found in (ours, theirs))
        gap = np.abs(heat - their_heat) / np.maximum(1, np.abs(heat))
        worst_heat = max(worst_heat, _largest(gap))
        n_rows += len(ours.anomaly_score)
    aurocs = (None, None) if X is None else _aurocs(estimator, exported, X, random)
    agrees = worst <= TOLERANCE and worst_heat <= HEAT_TOLERANCE and n_other == 0
    auroc, exported_auroc = aurocs
    return Found(n_rows, worst, worst_heat, n_other, auroc, exported_auroc, agrees)


def check_generator(estimator: Any, path: Path, X: Any) -> Found:
    """Compare generated cells, or pixels, of the same latents."""
    del X
    random = numpy_stream(0, "parity")
    exported, networks = OnnxGenerator(path, providers="cpu"), estimator.networks_
    codec, worst, n_rows, n_other, n_cells = estimator.codec_, 0.0, 0, 0, 0
    device = next(networks.generator.parameters()).device
    for n in BATCHES:
        z = random.standard_normal((n, networks.latent_dim)).astype(np.float32)
        given = [torch.from_numpy(z).to(device)]
        label = None
        if hasattr(estimator, "classes_"):
            label = random.integers(len(estimator.classes_), size=n)
            one_hot = np.eye(len(estimator.classes_), dtype=np.float32)[label]
            given.append(torch.from_numpy(one_hot).to(device))
        with torch.no_grad():
            ours = codec.decode(networks.generator(*given))
        theirs = exported.generate(z, label)
        if isinstance(codec, ImageCodec):
            gap = np.abs(ours.astype(float) - theirs.astype(float)) / (codec.high - codec.low)
        else:
            theirs = to_pandas(theirs) if is_frame(theirs) else theirs
            gap = _cells_apart(codec, ours, theirs)
        n_other += int((gap > CELL_TOLERANCE).sum())
        n_cells += gap.size
        worst = max(worst, float(np.quantile(gap, 1 - CELL_TOLERANCE)))
        n_rows += n
    allowed = max(1, round(CELL_TOLERANCE * n_cells))
    return Found(n_rows, worst, n_other=n_other, agrees=n_other <= allowed)


def check_encoder(estimator: Any, path: Path, X: Any) -> Found:
    """Compare latents of made-up rows and of `X`."""
    random = numpy_stream(0, "parity")
    session = Session(path, part="encoder", providers="cpu")
    form = form_of(session.metadata)
    worst, n_rows = 0.0, 0
    for data in _rows_to_try(estimator, X, random):
        raw = estimator.codec_.prepare(data)
        (ours,) = estimator._in_chunks(raw, lambda rows: (estimator.scorer_.view(rows).z,))
        theirs = session.run(form.feeds(data))["z"]
        gap = np.abs(ours.numpy() - theirs) / np.maximum(1, np.abs(ours.numpy()))
        worst, n_rows = max(worst, _largest(gap)), n_rows + len(ours)
    return Found(n_rows, worst, agrees=worst <= LATENT_TOLERANCE)


def halves(estimator: Any, X: Any) -> tuple[Data, Data]:
    """Return two halves of normal rows: one to calibrate with, one to look at what is lost."""
    data = read_input(X, estimator)
    if len(data) < FEWEST:
        raise ParameterError(f"X: {len(data)} rows; at least {FEWEST} say what is lost")
    order = numpy_stream(0, "halves").permutation(len(data))
    first, second = np.sort(order[: len(data) // 2]), np.sort(order[len(data) // 2 :])
    return take(data, first), take(data, second)


def _rows_to_try(estimator: Any, X: Any, random: np.random.Generator) -> list[Data]:
    """Return batches of made-up rows, of the sizes of `BATCHES`, and of real ones."""
    codec = estimator.codec_
    most = max(2, PIXELS // int(np.prod(codec.shape))) if isinstance(codec, ImageCodec) else 1000
    tried: list[Data] = []
    for n in BATCHES:
        size = min(n, most)
        made = estimator.sample(max(1, size // 2), random_state=int(random.integers(2**31)))
        made = to_pandas(made) if is_frame(made) else made
        wild = _wild(codec, size - len(made), random)
        if wild is None:
            tried.append(made)
        elif isinstance(made, pd.DataFrame):
            tried.append(pd.concat([made, wild], ignore_index=True))
        else:
            tried.append(np.concatenate([made, wild]))
    if X is not None:
        data = read_input(X, estimator)
        chosen = np.sort(random.permutation(len(data))[:most])
        tried.append(take(data, chosen))
    return tried


def _wild(codec: Any, n: int, random: np.random.Generator) -> Any:
    """Return rows that no generator makes: any values, missing ones, far beyond the bounds."""
    if n < 1:
        return None
    if isinstance(codec, ImageCodec):
        noise = random.uniform(codec.low, codec.high, size=(n, *codec.shape))
        noise[::3] = noise[::3].mean(axis=tuple(range(1, noise.ndim)), keepdims=True)
        return noise.astype(codec.dtype)
    raw = np.zeros((n, codec.width))
    for i, column in enumerate(codec.columns):
        if isinstance(column, NumericColumn):
            wide = 10.0 ** random.uniform(-1, 2, size=n) * random.choice([-1.0, 1.0], n)
            middle, half = column.high / 2 + column.low / 2, column.high / 2 - column.low / 2
            with np.errstate(over="ignore"):
                raw[:, i] = np.clip(middle + wide * half, *_bounds(column))
        elif isinstance(column, CategoryColumn):
            raw[:, i] = random.integers(len(column.categories) + 1, size=n)
        if not isinstance(column, ConstantColumn) and _may_be_missing(column):
            raw[random.random(n) < 0.1, i] = np.nan
    frame = pd.DataFrame({i: c.from_raw(raw[:, i]) for i, c in enumerate(codec.columns)})
    if codec.array_dtype is not None:
        return frame.to_numpy(dtype=codec.array_dtype)
    frame.columns = pd.Index(codec.labels)
    return frame


def _bounds(column: NumericColumn) -> tuple[float, float]:
    """Return numbers that the column's dtype can hold; of times, those of its training."""
    if column.origin.quantity in ("time", "duration"):
        return column.low, column.high
    dtype = column.origin.dtype.removesuffix(ARROW).lower()
    if "int" in dtype:
        info = np.iinfo(dtype)
        return float(info.min) / 2, float(info.max) / 2
    if decimal := DECIMAL.match(column.origin.native or ""):
        most = 10.0 ** (int(decimal[2]) - int(decimal[3])) / 4
    else:
        floats: dict[str, Any] = {"float": np.float32, "halffloat": np.float16}
        kind = floats.get(dtype, dtype if dtype in ("float16", "float32") else np.float64)
        most = float(np.finfo(kind).max) / 4
    return -most, most


def _may_be_missing(column: Any) -> bool:
    """Whether the dtype of training has missing values."""
    return column.has_missing or column.origin.dtype.startswith(("float", "object", "str"))


def _aurocs(
    estimator: Any, exported: OnnxDetector, X: Any, random: np.random.Generator
) -> tuple[float, float] | tuple[None, None]:
    """Return what normal rows against pseudo-anomalies give in torch, and in the file."""
    if len(read_input(X, estimator)) < FEWEST:
        return None, None
    normal = halves(estimator, X)[1]
    odd = _pseudo_anomalies(estimator.codec_, normal, random)
    truth = np.repeat([0, 1], [len(normal), len(odd)])
    found = [
        float(
            roc_auc_score(
                truth, np.concatenate([model.anomaly_score(rows) for rows in (normal, odd)])
            )
        )
        for model in (estimator, exported)
    ]
    return found[0], found[1]


def _pseudo_anomalies(codec: Any, normal: Data, random: np.random.Generator) -> Data:
    """Return rows half of whose columns come from other rows, or images with made-up defects."""
    if isinstance(codec, ImageCodec):
        images = codec.prepare(np.asarray(normal)).float()
        mean = images.mean((1, 2, 3), keepdim=True)
        deviation = images.std((1, 2, 3), keepdim=True).clamp(min=1e-6)
        standard = (images - mean) / deviation
        damaged, _ = damage(standard, standard.roll(1, 0), torch_stream(0, "pseudo-anomalies"))
        pixels = (damaged * deviation + mean).clamp(codec.low, codec.high)
        array = pixels.permute(0, 2, 3, 1).numpy().reshape(len(pixels), *codec.shape)
        return array.astype(codec.dtype)
    swapped = normal.copy()
    n, d = swapped.shape
    swaps = random.random((n, d)) < 0.5
    donors = random.integers(n, size=(n, d))
    for j in range(d):
        rows = np.flatnonzero(swaps[:, j])
        if isinstance(swapped, pd.DataFrame):
            order = np.arange(n)
            order[rows] = donors[rows, j]
            swapped.isetitem(j, swapped.iloc[order, j].set_axis(swapped.index))
        else:
            swapped[rows, j] = normal[donors[rows, j], j]
    return swapped


def _cells_apart(codec: Any, ours: Any, theirs: Any) -> NDArray[np.float64]:
    """Return how far cells (n, d) lie apart: numbers as shares of their range, texts 0 or 1."""
    raw, other = (codec.prepare(rows).numpy() for rows in (ours, theirs))
    both_missing = np.isnan(raw) & np.isnan(other)
    gap = np.where(both_missing, 0.0, np.nan_to_num(np.abs(raw - other), nan=np.inf))
    for i, column in enumerate(codec.columns):
        if isinstance(column, NumericColumn):
            gap[:, i] /= column.high - column.low or 1.0
    return np.minimum(gap, 1.0)


def _largest(gaps: NDArray[np.float64]) -> float:
    """Return the largest gap; infinity where one is not a number."""
    return float(np.nan_to_num(gaps, nan=np.inf).max()) if gaps.size else 0.0
