"""The choice of the number of new rows and of their source by cross-validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from augan._device import resolve_device
from augan.codecs.table import TableCodec
from augan.inputs.reading import Data
from augan.models.column_training import train_columns
from augan.models.sampler import SamplerModel
from augan.sampling.column_spread import ADDED_STEP
from augan.sampling.pool import Pool
from augan.sampling.tuning import (
    FEW,
    N_ERRORS,
    OF_FEW,
    OF_FEW_COLUMNS,
    Candidate,
    Trial,
    amounts,
    best_of,
    try_candidates,
)
from augan.sampling.tuning_images import FEW as FEW_IMAGES
from augan.sampling.tuning_images import try_image_candidates
from augan.training.progress import logger


def tune(
    model: SamplerModel,
    params: Mapping[str, Any],
    data: Data,
    counts: NDArray[np.intp],
    groups: NDArray[np.intp] | None,
) -> None:
    """Set a model's strategy, spread, share and symmetry to what cross-validation chooses.

    Parameters
    ----------
    model : SamplerModel
        A trained model.
    params : mapping of str to object
        Constructor parameters.
    data : DataFrame or ndarray
        The rows or images of the model's pool.
    counts : ndarray of shape (n_classes,)
        Training rows of each class.
    groups : ndarray of shape (n,) or None
        Groups of rows that are kept together.
    """
    logger.info("choosing the number of new rows by cross-validation")
    if isinstance(data, np.ndarray) and data.ndim > 2:
        _tune_images(model, params, data, counts, groups)
    else:
        frame = pd.DataFrame(data).reset_index(drop=True)
        _tune_rows(model, params, frame, counts, groups)


def _tune_rows(
    model: SamplerModel,
    params: Mapping[str, Any],
    frame: pd.DataFrame,
    counts: NDArray[np.intp],
    groups: NDArray[np.intp] | None,
) -> None:
    """Choose the number of new rows and their spread."""
    codes = {name: code for code, name in enumerate(model.names)}
    wanted = {codes[name]: n for name, n in model.strategy.items() if n}
    if not wanted:
        return
    trials: list[Trial] = []
    if min(counts[list(wanted)]) >= FEW:
        trials = try_candidates(
            frame,
            model.pool.moving(ADDED_STEP),
            wanted,
            counts,
            model.maker.decode,
            classifier=params["tune_for"],
            spread=model.spread,
            groups=groups,
            seed=model.seed,
            by_label=model.columns is not None and "label" in model.config.added_filters,
            refit=None if model.columns is None else partial(_refitted, model, params),
        )
    model.tuning = trials or None
    of_few = OF_FEW if model.columns is None else OF_FEW_COLUMNS
    best: Trial | Candidate | None = best_of(trials, N_ERRORS) if trials else of_few
    new = amounts(wanted, counts, best.times if best else 1.0)
    model.spread *= best.spread if best else 1.0
    model.strategy = {name: new.get(codes[name], 0) for name in model.strategy}


def _refitted(model: SamplerModel, params: Mapping[str, Any], pool: Pool) -> Pool:
    """Return a pool of the same rows, with a column model of these rows alone."""
    codec = model.codec
    assert isinstance(codec, TableCodec) and model.columns is not None
    raw, labels = codec.prepare(codec.decode(pool.rows)), pool.labels.numpy()
    given = {**params, "callbacks": None, "verbose": 0}, model.config, codec, raw, labels
    device = resolve_device(params["device"])
    trained, _, _ = train_columns(*given, device=device, seed=model.seed)
    part = pool.only(torch.ones(len(labels), dtype=torch.bool))
    part.columns = replace(model.columns, model=trained)
    return part


def _tune_images(
    model: SamplerModel,
    params: Mapping[str, Any],
    images: NDArray[Any],
    counts: NDArray[np.intp],
    groups: NDArray[np.intp] | None,
) -> None:
    """Choose between copies, new images and none, and the spread and symmetry of new images."""
    if min(counts) < FEW_IMAGES:
        return
    asked = np.array([model.strategy.get(name, 0) for name in model.names])
    trials = try_image_candidates(
        images,
        model.pool,
        counts + asked,
        model.maker.decode,
        classifier=params["tune_for"],
        spread=model.spread,
        symmetry=params["symmetry"],
        groups=groups,
        seed=model.seed,
    )
    if not trials:
        return
    model.tuning, best = trials, best_of(trials)
    if best is None:
        model.synthetic_share = None
        model.strategy = dict.fromkeys(model.strategy, 0)
    else:
        model.synthetic_share = best.share
        model.spread *= best.spread
        model.symmetry = best.symmetry
