"""From an estimator's parameters to trained networks and a scorer."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from augan.codecs import TableCodec
from augan.exceptions import DataWarning
from augan.inversion import EncoderInversion, SearchInversion
from augan.scoring.heads import build_head
from augan.scoring.scorer import AnoGANScore, AnomalyScorer, FAnoGANScore
from augan.training.checkpoint import Checkpointer, check_identity, fingerprint, read_checkpoint
from augan.training.loop import Run, run_phase
from augan.training.monitor import History
from augan.training.phases import EncoderPhase, GANPhase
from augan.training.steps import TrainingConfig

if TYPE_CHECKING:
    from augan.estimators._base import BaseDetector

GAN_TIME, ALL_TIME = 0.75, 1.0  # shares of max_time by which a phase ends
NOT_IDENTITY = {  # parameters that may change when a run is resumed
    "callbacks",
    "checkpoint",
    "checkpoint_interval",
    "contamination",
    "device",
    "normal_label",
    "random_state",
    "resume",
    "target_fpr",
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


def train_networks(
    estimator: BaseDetector, start: Start, train: Tensor, held_out: Tensor
) -> History:
    """Train generator and critic, then the encoder where there is one; return the history."""
    if start.checkpointer is not None:
        identity = _identity(estimator, start.seed, fingerprint(train, held_out))
        if start.resumed is not None:
            check_identity(start.checkpointer.path, start.resumed["identity"], identity)
        start.checkpointer.identity = identity
    run = Run(
        schedule=estimator.schedule,
        max_time=estimator.max_time,
        patience=estimator.n_iter_no_change,
        callbacks=tuple(estimator.callbacks or ()),
        checkpointer=start.checkpointer,
        resumed=start.resumed,
    )
    device = next(estimator.networks_.generator.parameters()).device
    rows = estimator.codec_.module(train)[0].to(device)
    checked = estimator.codec_.module(held_out)[0].to(device)
    given = (estimator.networks_, rows, checked, training_config(estimator, len(rows)))
    has_encoder = estimator.networks_.encoder is not None
    run_phase(
        GANPhase(*given, estimator.seed_),
        run,
        n_steps=estimator._auto("max_steps"),
        time_share=GAN_TIME if has_encoder else ALL_TIME,
    )
    if has_encoder:
        steps = estimator._auto("encoder_steps")
        encoder = EncoderPhase(*given, estimator.seed_)
        run_phase(encoder, run, n_steps=steps, time_share=ALL_TIME)
    return run.history


def training_config(estimator: BaseDetector, n_rows: int) -> TrainingConfig:
    """Return the training parameters of an estimator, for `n_rows` training rows."""
    params = estimator.get_params(deep=False)
    names = set(TrainingConfig.__dataclass_fields__) & set(params)
    chosen = {name: params[name] for name in names}
    chosen["n_critic"] = estimator._auto("n_critic")
    chosen["batch_size"] = min(estimator._auto("batch_size"), max(n_rows, 2))
    if estimator.batch_size != "auto" and estimator.batch_size > n_rows:
        warnings.warn(
            f"batch_size={estimator.batch_size} is more than the {n_rows} training rows: "
            f"a batch has {chosen['batch_size']}",
            DataWarning,
            stacklevel=4,
        )
    chosen["betas"] = tuple(params["betas"])
    return TrainingConfig(**chosen)


def build_scorer(estimator: BaseDetector) -> AnomalyScorer:
    """Build the scorer of an estimator around its networks."""
    networks, codec = estimator.networks_, estimator.codec_
    paper: FAnoGANScore | AnoGANScore
    if networks.encoder is not None:
        inversion: nn.Module = EncoderInversion(networks.encoder)
        paper = FAnoGANScore(estimator.kappa)
    else:
        inversion = SearchInversion(
            networks.generator,
            networks.critic,
            latent_dim=networks.latent_dim,
            n_steps=estimator.search_steps,
            lr=estimator.search_lr,
            feature_weight=estimator.feature_weight,
            seed=estimator.seed_,
        )
        paper = AnoGANScore(estimator.feature_weight)
    sizes = {"n_neighbors": estimator.n_neighbors, "memory_size": estimator.memory_size}
    return AnomalyScorer(
        codec.module,
        networks,
        inversion,
        heads={name: build_head(name, **sizes) for name in estimator.heads},
        paper=paper,
        score=estimator.score,
        fusion=estimator.fusion,
        owners=codec.owners() if isinstance(codec, TableCodec) else None,
    ).eval()


def _identity(estimator: BaseDetector, seed: int, data: str) -> dict[str, Any]:
    """Return what has to be the same for a run to be resumed."""
    params = estimator.get_params(deep=False)
    kept = {name: value for name, value in params.items() if name not in NOT_IDENTITY}
    plain = {
        name: list(value) if isinstance(value, tuple) else value for name, value in kept.items()
    }
    return {"method": type(estimator).__name__, **plain, "seed": seed, "data": data}
