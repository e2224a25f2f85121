"""Training of the any-order column model of a table and its classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from augan.codecs.table import TableCodec
from augan.models.config import SamplerConfig, column_steps, for_rows
from augan.sampling.columns import ColumnModel
from augan.training.columns import ColumnPhase
from augan.training.loop import Run
from augan.training.monitor import History
from augan.training.progress import observers
from augan.training.rows import split_held_out
from augan.training.trainer import PlannedPhase, train


def train_columns(
    params: Mapping[str, Any],
    config: SamplerConfig,
    codec: TableCodec,
    raw: Tensor,
    labels: NDArray[np.intp],
    *,
    device: torch.device,
    seed: int,
) -> tuple[ColumnModel, History, Tensor]:
    """Fit the codes of the columns and train the network.

    Parameters
    ----------
    params : mapping of str to object
        Constructor parameters, checked.
    config : SamplerConfig
        The configuration.
    codec : TableCodec
        The codec, fitted to the rows.
    raw : Tensor of shape (n, d)
        Rows, as the codec prepares them.
    labels : ndarray of shape (n,)
        The number of the class of each row.
    device : device
        Where the network is trained; it is returned on the CPU.
    seed : int
        Seed of all random streams.

    Returns
    -------
    model : ColumnModel
        The trained model.
    history : History
        The reports of the training.
    held_out : Tensor of shape (n,)
        Mask of the rows that the network was not trained on: none, or a share of each large class
        if training may stop early or there is a critic.

    Raises
    ------
    NotTrainableError
        If training diverges repeatedly.
    """
    fits_tails = params["tails"] == "fitted"
    model = ColumnModel.untrained(
        codec, raw.numpy(), labels, config.width, seed, fits_tails=fits_tails
    )
    codes = model.encode(raw.numpy(), labels).to(device)
    held_out = torch.zeros(len(labels), dtype=torch.bool, device=device)
    if config.n_iter_no_change is not None or "critic" in config.filters:
        held_out = split_held_out(labels, config.validation_fraction, seed).to(device)
    batch_size = for_rows(config, len(codes), params["batch_size"]).batch_size
    network = model.network.to(device)
    phase = PlannedPhase(
        lambda: ColumnPhase(network, codes[~held_out], codes[held_out], batch_size, seed),
        column_steps(config.max_steps, params["max_steps"], len(codes), config.batch_size),
        1.0,
    )
    run = Run(
        schedule=config.schedule,
        max_time=config.max_time,
        patience=config.n_iter_no_change,
        callbacks=observers(params["callbacks"], params["verbose"]),
    )
    history = train([phase], run)
    network.cpu().eval()
    return model, history, held_out.cpu()
