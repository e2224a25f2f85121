"""Training of the class-conditional networks that a sampler draws from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from augan._random import numpy_stream
from augan.networks import Networks
from augan.training.conditional import ClassEncoderPhase, ClassGANPhase
from augan.training.loop import Run, Schedule, run_phase
from augan.training.monitor import History
from augan.training.steps import TrainingConfig

MIN_HELD_OUT = 64  # rows to look at while training
GAN_TIME = 0.75  # share of max_time by which the GAN's phase ends, where an encoder follows


def train_class_networks(
    networks: Networks,
    encoded: Tensor,
    labels: Tensor,
    config: TrainingConfig,
    *,
    n_steps: tuple[int, int],
    schedule: Schedule,
    max_time: float | None,
    patience: int | None,
    callbacks: Sequence[Callable[[dict[str, Any]], None]],
    validation_fraction: float,
    augmented: bool,
    decode: Callable[[Tensor], Any],
    seed: int,
) -> tuple[History, Tensor]:
    """Train generator, critic and encoder, if there is one, on rows (n, ...) of classes (n,).

    Rows of small classes are all trained on; those to look at come from the larger ones. With
    `augmented` the critic sees variants of images. Callbacks see generated rows as `decode` gives
    them. Returns the history, and a mask (n,) of the
    rows that were only looked at.
    """
    held_out = split_held_out(labels.cpu().numpy(), validation_fraction, seed).to(encoded.device)
    train = ~held_out
    parts = encoded[train], encoded[held_out], labels[train], labels[held_out]
    run = Run(
        schedule=schedule,
        max_time=max_time,
        patience=patience,
        callbacks=tuple(callbacks),
        decode=decode,
    )
    with run.watched():
        gan = ClassGANPhase(networks, *parts, config, seed, augmented=augmented)
        gan_time = 1.0 if networks.encoder is None else GAN_TIME
        run_phase(gan, run, n_steps=n_steps[0], time_share=gan_time)
        if networks.encoder is not None:
            encoder = ClassEncoderPhase(networks, *parts, config, seed)
            run_phase(encoder, run, n_steps=n_steps[1], time_share=1.0)
    return run.history, held_out.cpu()


def split_held_out(labels: np.ndarray, share: float, seed: int) -> Tensor:
    """Return which rows (n,) are not trained on: a share of each class that has rows to spare."""
    random = numpy_stream(seed, "split")
    held_out = np.zeros(len(labels), dtype=bool)
    largest = np.bincount(labels).argmax()
    for label in np.unique(labels):
        rows = random.permutation(np.flatnonzero(labels == label))
        n = round(share * len(rows))
        if n >= MIN_HELD_OUT or label == largest:
            held_out[rows[: max(1, min(n, len(rows) - 1))]] = True
    return torch.from_numpy(held_out)
