"""From an estimator's parameters to trained networks and a scorer."""

from __future__ import annotations

import datetime
import warnings
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from augan._random import numpy_stream
from augan.codecs.image import ENCODED_AT_ONCE, ImageCodec
from augan.codecs.table import TableCodec
from augan.estimators._build import pretext_networks
from augan.exceptions import DataWarning
from augan.networks import Networks, PretextNetwork
from augan.scoring.distances import Distance
from augan.training.checkpoint import Checkpointer, check_identity, fingerprint, read_checkpoint
from augan.training.loop import Run, run_phase
from augan.training.monitor import History
from augan.training.phases import EncoderPhase, GANPhase
from augan.training.pretext_phase import PretextPhase
from augan.training.progress import observers
from augan.training.restoration import RestorationPhase
from augan.training.rows import LazyRows, TrainingRows
from augan.training.steps import TrainingConfig

if TYPE_CHECKING:
    from augan.estimators._base import BaseDetector
    from augan.estimators.sampler import GANSampler

# What max_time is shared out by, among the phases there are
TIME_WEIGHTS: dict[Any, float] = {
    GANPhase: 0.45,
    EncoderPhase: 0.15,
    PretextPhase: 0.4,
    RestorationPhase: 1.0,
}
WIDE = 0.2  # columns a training row, beyond which rows are few
AUTO = ("n_critic", "lr_generator", "lr_critic", "betas")  # of the training parameters
NOT_IDENTITY = {  # parameters that may change when a run is resumed
    "backbone",
    "backbone_weights",
    "callbacks",
    "checkpoint",
    "checkpoint_interval",
    "device",
    "normal_label",
    "random_state",
    "resume",
    "target_fpr",
    "verbose",
    "warm_start_from",  # a checkpoint has its networks, trained on
}


@dataclass
class Start:
    """Where a fit begins: its seed and, when it resumes, the checkpoint's content."""

    seed: int
    checkpointer: Checkpointer | None
    resumed: dict[str, Any] | None


def start_run(estimator: BaseDetector, seed: int) -> Start:
    """Open the checkpoint; a resumed run goes on with the seed that it began with."""
    if estimator.checkpoint is None:
        return Start(seed, None, None)
    resumed = read_checkpoint(estimator.checkpoint) if estimator.resume else None
    if resumed is not None and estimator.random_state is None:
        seed = resumed["identity"]["seed"]
    checkpointer = Checkpointer(estimator.checkpoint, estimator.checkpoint_interval, {})
    return Start(seed, checkpointer, resumed)


def train_networks(estimator: BaseDetector, start: Start, rows: TrainingRows) -> History:
    """Train generator and critic, then encoder and pretext networks where there are any."""
    if start.checkpointer is not None:
        data = fingerprint(rows.raw, rows.trusted, rows.held_out, rows.folds)
        identity = _identity(estimator, start.seed, data)
        if start.resumed is not None:
            check_identity(start.checkpointer.path, start.resumed["identity"], identity)
        start.checkpointer.identity = identity
    run = Run(
        schedule=estimator.schedule,
        max_time=estimator.max_time,
        patience=estimator.n_iter_no_change,
        callbacks=observers(estimator.callbacks, estimator.verbose),
        checkpointer=start.checkpointer,
        resumed=start.resumed,
        decode=estimator.codec_.decode,
    )
    networks, seed = estimator.networks_, estimator.seed_
    if networks.pretext is not None:
        members = pretext_networks(estimator, int(rows.folds.max()) + 2)[1:]
        networks.folds = nn.ModuleList(members).to(estimator._device)
    encoded, standard = (part.to(estimator._device) for part in encode_rows(estimator, rows.raw))
    train = encoded[rows.trusted & ~rows.held_out]
    held_out = encoded[rows.trusted & rows.held_out]
    config = training_config(estimator, len(train))
    phases = _phases(networks)
    shares = np.cumsum([TIME_WEIGHTS[phase] for phase, _ in phases])
    with run.watched():
        for (phase, name), share in zip(phases, shares / shares[-1], strict=True):
            if phase is PretextPhase:
                assert networks.pretext is not None
                read = standard if networks.pretext.reads_standard else encoded
                kept = rows.trusted
                given: tuple[Any, ...] = (networks, read[kept], rows.folds[kept], config, seed)
                if rows.encoders:
                    parts = [encoder(rows.raw)[1][kept] for encoder in rows.encoders]
                    given += ([part.to(estimator._device) for part in parts],)
            elif phase is RestorationPhase:
                learned, looked_at = rows.trusted & ~rows.held_out, rows.trusted & rows.held_out
                assert isinstance(rows.raw, LazyRows)
                details = estimator.codec_.module.detail, estimator._device
                given = (networks, rows.raw[learned], rows.raw[looked_at], config, seed, *details)
            else:
                given = (networks, train, held_out, config, seed)
            if phase is GANPhase:
                augmented = estimator.diff_augment and isinstance(estimator.codec_, ImageCodec)
                phase = partial(GANPhase, augmented=augmented)
            run_phase(phase(*given), run, n_steps=estimator._auto(name), time_share=float(share))
    return run.history


def is_wide(estimator: BaseDetector, rows: TrainingRows) -> bool:
    """Whether there are few trusted rows for the columns that vary, or an image's pixels.

    Then what learns from all of them is further from what learned without a fold than unseen rows
    are from each other, and p-values would be too high.
    """
    if isinstance(estimator.codec_, ImageCodec):  # whose other heads look at one place at a time
        spec = estimator.codec_.spec
        size = spec.channels * spec.height * spec.width
        learns = any(isinstance(head, Distance) for head in estimator.scorer_.heads.values())
    else:
        size, learns = sum(bool(column.spans()) for column in estimator.codec_.columns), True
    return learns and size > WIDE * int(rows.trusted.sum())


def without_a_fold(estimator: BaseDetector, rows: TrainingRows, *, fit: bool) -> TrainingRows:
    """Return rows with the encoding of each fold, where they are few; else as they are.

    The detector's own encoding becomes that of the first fold. Without `fit` all are as it is.
    """
    codec = estimator.codec_
    if not isinstance(codec, TableCodec) or not is_wide(estimator, rows):
        return rows
    assert isinstance(rows.raw, Tensor)
    left = [rows.trusted & (rows.folds != k) for k in range(int(rows.folds.max()) + 1)]
    encoders = [codec.module] * len(left)
    if fit:
        encoders = [codec.module.standardised_by(rows.raw[part], rows.raw) for part in left]
        codec.standardise_by(encoders[0])
        estimator.scorer_.codec = codec.module
    return replace(rows, encoders=tuple(encoders))


def now() -> str:
    """Return date and time, in UTC, as ISO 8601 writes them."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def encode_rows(estimator: BaseDetector, raw: Tensor | LazyRows) -> list[Tensor]:
    """Return encoded and standardised rows; images some at a time."""
    at_once = ENCODED_AT_ONCE if isinstance(estimator.codec_, ImageCodec) else len(raw)
    parts = [estimator.codec_.module(batch) for batch in raw.split(at_once)]
    return [torch.cat(part) for part in zip(*parts, strict=True)]


def _phases(networks: Networks) -> list[tuple[Any, str]]:
    """Return the phases that the networks need, and the parameter with the steps of each."""
    phases: list[tuple[Any, str]] = [(GANPhase, "max_steps")]
    if networks.encoder is not None:
        phases.append((EncoderPhase, "encoder_steps"))
    if networks.pretext is not None:
        phases.append((PretextPhase, "pretext_steps"))
    if networks.restoration is not None:
        phases.append((RestorationPhase, "repair_steps"))
    return phases


def fit_scorer(estimator: BaseDetector, rows: TrainingRows) -> None:
    """Fit heads and calibration; the networks that only cross-fitting needs are let go."""
    folds = estimator.networks_.folds
    estimator.scorer_.fit(
        rows,
        members=cast("list[PretextNetwork]", list(folds or [])),
        n_calibration=estimator._calibration_rows(),
        trim=0.0 if estimator.contamination == "auto" else estimator.contamination,
        random=numpy_stream(estimator.seed_, "heads"),
        leave_out=is_wide(estimator, rows),
    )
    estimator.networks_.folds = None


def training_config(estimator: BaseDetector | GANSampler, n_rows: int) -> TrainingConfig:
    """Return the training parameters of an estimator, for `n_rows` training rows."""
    params = estimator.get_params(deep=False)
    names = set(TrainingConfig.__dataclass_fields__) & set(params)
    chosen = {name: params[name] for name in names}
    chosen |= {name: estimator._auto(name) for name in AUTO}
    chosen["batch_size"] = min(estimator._auto("batch_size"), max(n_rows, 2))
    if params["batch_size"] != "auto" and params["batch_size"] > n_rows:
        warnings.warn(
            f"batch_size={params['batch_size']} is more than the {n_rows} training rows: "
            f"a batch has {chosen['batch_size']}",
            DataWarning,
            stacklevel=5,
        )
    chosen["betas"] = tuple(chosen["betas"])
    return TrainingConfig(**chosen)


def _identity(estimator: BaseDetector, seed: int, data: str) -> dict[str, Any]:
    """Return what has to be the same for a run to be resumed."""
    params = estimator.get_params(deep=False)
    kept = {name: value for name, value in params.items() if name not in NOT_IDENTITY}
    plain = {
        name: list(value) if isinstance(value, tuple) else value for name, value in kept.items()
    }
    return {"method": type(estimator).__name__, **plain, "seed": seed, "data": data}
