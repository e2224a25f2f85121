"""Training of a detector's networks, and fitting of its scorer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from augan._random import numpy_stream
from augan.codecs.codec import Codec
from augan.codecs.image import ImageCodec
from augan.codecs.table import TableCodec
from augan.exceptions import ParameterError, shown
from augan.inputs.reading import Data
from augan.models.config import for_rows, n_folds
from augan.models.detector import DetectorModel
from augan.models.detector_parts import pretext_networks
from augan.models.image_defaults import codec_values
from augan.models.surprise_training import surprise_phase
from augan.networks import PretextNetwork
from augan.scoring.distances import Distance
from augan.training.checkpoint import Checkpointer, check_identity, fingerprint, read_checkpoint
from augan.training.contamination import suspicion_of
from augan.training.loop import Run
from augan.training.monitor import Callback
from augan.training.phases import EncoderPhase, GANPhase
from augan.training.pretext_phase import PretextPhase
from augan.training.restoration import RestorationPhase
from augan.training.rows import LazyRows, TrainingRows, split_rows
from augan.training.steps import TrainingConfig
from augan.training.trainer import PlannedPhase

MAX_COLUMNS_PER_ROW = 0.2  # with more, rows are few
CALIBRATION_ROWS, SEARCHED_ROWS = 10_000, 1_000  # with an encoder, with a search for each row
NOT_IDENTITY = {  # parameters that may change when a run is resumed
    *{"backbone", "backbone_weights", "callbacks", "checkpoint", "checkpoint_interval", "device"},
    *{"normal_label", "pixel_fpr", "random_state", "resume", "target_fpr", "verbose"},
    "warm_start_from",  # the checkpoint contains its networks after further training
}


@dataclass
class Start:
    """The start of a fit: seed, checkpoint and, if it is resumed, the checkpoint's content."""

    seed: int
    checkpointer: Checkpointer | None = None
    resumed: dict[str, Any] | None = None


def start_run(params: Mapping[str, Any], seed: int) -> Start:
    """Open the checkpoint; a resumed run without `random_state` keeps its seed.

    Raises
    ------
    CheckpointError
        If the checkpoint cannot be read.
    """
    path = params["checkpoint"]
    if path is None:
        return Start(seed)
    resumed = read_checkpoint(path) if params["resume"] else None
    if resumed is not None and params["random_state"] is None:
        seed = resumed["identity"]["seed"]
    return Start(seed, Checkpointer(path, params["checkpoint_interval"], {}), resumed)


def new_codec(params: Mapping[str, Any], data: Data) -> Codec:
    """Return a codec fitted to the data."""
    if isinstance(data, np.ndarray) and data.ndim > 2:
        values = codec_values(params, *data.shape[1:3])
        sizes = values["image_size"], values["standardize_images"], values["detail_size"]
        return ImageCodec(*sizes).fit(data)
    return TableCodec(params["max_categories"]).fit(data)


def load_backbone(model: DetectorModel, weights: Any) -> None:
    """Load the weights of the backbone, from a file if one is given.

    Raises
    ------
    DataError
        If they cannot be read.
    ParameterError
        If a file is given and there is no backbone, or the usual weights are not installed.
    """
    if model.networks.backbone is not None:
        model.networks.backbone.load(weights)
    elif weights is not None:
        raise ParameterError(f"backbone_weights={shown(weights)}: no head reads a backbone here")


def split_training_rows(
    model: DetectorModel, raw: Tensor, groups: NDArray[np.intp] | None = None
) -> TrainingRows:
    """Return the training rows, split into trusted rows, held-out rows and folds.

    Rows of the same one of the `groups` (n,) are in the same fold.
    """
    config, suspicion = model.config, None
    if not isinstance(config.contamination, str):
        random = numpy_stream(model.seed, "trust")
        suspicion = suspicion_of(model.standardised(raw), config.contamination, random)
    return split_rows(
        LazyRows(raw) if model.is_image else raw,
        suspicion,
        validation_fraction=config.validation_fraction,
        n_folds=n_folds(config, len(raw)),
        seed=model.seed,
        groups=groups,
    )


def new_run(
    model: DetectorModel,
    start: Start,
    rows: TrainingRows,
    callbacks: tuple[Callback, ...],
    identity: Mapping[str, Any],
) -> Run:
    """Return the settings and state that the phases share.

    Raises
    ------
    CheckpointError
        If the checkpoint belongs to another fit, by its `identity`.
    """
    if start.checkpointer is not None:
        data = fingerprint(rows.raw, rows.trusted, rows.held_out, rows.folds)
        of_this_fit = {**identity, "seed": model.seed, "data": data}
        if start.resumed is not None:
            check_identity(start.checkpointer.path, start.resumed["identity"], of_this_fit)
        start.checkpointer.identity = of_this_fit
    return Run(
        schedule=model.config.schedule,
        max_time=model.config.max_time,
        patience=model.config.n_iter_no_change,
        callbacks=callbacks,
        checkpointer=start.checkpointer,
        resumed=start.resumed,
        decode=model.codec.decode,
    )


def identity_of(method: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that must not change when a run is resumed."""
    kept = {name: value for name, value in params.items() if name not in NOT_IDENTITY}
    plain = {name: list(v) if isinstance(v, tuple) else v for name, v in kept.items()}
    return {"method": method, **plain}


def plan_phases(
    model: DetectorModel, rows: TrainingRows, asked: Mapping[str, Any]
) -> list[PlannedPhase]:
    """Return the phases that train a detector's networks.

    `asked` are the constructor parameters, for a warning and for steps that depend on the rows.
    """
    networks, config = model.networks, model.config
    in_training, is_held_out = rows.trusted & ~rows.held_out, rows.trusted & rows.held_out
    training = for_rows(config, int(in_training.sum()), asked["batch_size"])
    phases: list[PlannedPhase] = []
    if config.generator:
        phases += _gan_phases(model, rows.raw[in_training], rows.raw[is_held_out], training)
    if networks.pretext is not None:
        members = pretext_networks(config, model.codec, int(rows.folds.max()) + 2, model.seed)[1:]
        networks.folds = nn.ModuleList(members).to(model.device)
        phases.append(
            PlannedPhase(_pretext_phase(model, rows, training), config.pretext_steps, 0.4)
        )
    if networks.restoration is not None:
        restoration = _restoration_phase(model, rows.raw, in_training, is_held_out, training)
        phases.append(PlannedPhase(restoration, config.restoration_steps, 1.0))
    if networks.columns is not None:
        phases.append(surprise_phase(model, rows, asked))
    return phases


def _gan_phases(
    model: DetectorModel,
    train: Tensor | LazyRows,
    held_out: Tensor | LazyRows,
    config: TrainingConfig,
) -> list[PlannedPhase]:
    """Return the phases of the GAN and, with `FAnoGAN`, of the encoder."""
    rows = model.encoded(train), model.encoded(held_out)
    given = model.networks, *rows, config, model.seed
    own = model.config
    augmented = own.diff_augment and model.is_image
    gan = PlannedPhase(lambda: GANPhase(*given, augmented=augmented), own.max_steps, 0.45)
    if model.networks.encoder is None:
        return [gan]
    return [gan, PlannedPhase(lambda: EncoderPhase(*given), own.encoder_steps, 0.15)]


def _pretext_phase(model: DetectorModel, rows: TrainingRows, config: TrainingConfig) -> Any:
    """Return a function that builds the phase of the pretext networks."""
    kept, networks, seed = rows.trusted, model.networks, model.seed
    assert networks.pretext is not None
    raw, folds = rows.raw[kept], rows.folds[kept]
    is_table = networks.pretext.reads_standard
    read = model.standardised(raw) if is_table else model.encoded(raw)
    parts = [model.standardised(raw, encoder) for encoder in rows.encoders]
    short = is_table and model.config.n_folds is None and int(folds.max()) > 0
    return lambda: PretextPhase(networks, read, folds, config, seed, parts, short_folds=short)


def _restoration_phase(
    model: DetectorModel,
    raw: Tensor | LazyRows,
    in_training: Tensor,
    is_held_out: Tensor,
    config: TrainingConfig,
) -> Any:
    """Return a function that builds the phase of the restoration network."""
    assert isinstance(raw, LazyRows) and isinstance(model.codec, ImageCodec)
    train, held_out = raw[in_training], raw[is_held_out]
    seed, detail, device = model.seed, model.codec.module.detail, model.device
    return lambda: RestorationPhase(model.networks, train, held_out, config, seed, detail, device)


def is_wide(model: DetectorModel, rows: TrainingRows) -> bool:
    """Whether there are few trusted rows for the number of varying columns or pixels.

    The difference between fits with and without a fold is then large compared with the variation
    of unseen rows, and p-values of a final fit to all rows would be too high.
    """
    heads = model.scorer.heads.values()  # those of images compare single places
    learns = not model.is_image or any(isinstance(head, Distance) for head in heads)
    return learns and model.codec.n_varying > MAX_COLUMNS_PER_ROW * int(rows.trusted.sum())


def without_a_fold(model: DetectorModel, rows: TrainingRows, *, fit: bool) -> TrainingRows:
    """Return rows, with an encoding fitted without each fold if there are few of them.

    The model's encoding is then the one without the first fold. Without `fit`, the present
    encoding is used for all folds.
    """
    codec = model.codec
    if not isinstance(codec, TableCodec) or not is_wide(model, rows):
        return rows
    assert isinstance(rows.raw, Tensor)
    left = [rows.trusted & (rows.folds != k) for k in range(int(rows.folds.max()) + 1)]
    encoders = [codec.module] * len(left)
    if fit:
        encoders = [codec.module.standardised_by(rows.raw[part], rows.raw) for part in left]
        codec.standardise_by(encoders[0])
        model.scorer.codec = codec.module
    return replace(rows, encoders=tuple(encoders))


def fit_scorer(model: DetectorModel, rows: TrainingRows) -> None:
    """Fit heads and calibration, and remove the networks that only cross-fitting needs."""
    config, folds = model.config, model.networks.folds
    model.scorer.fit(
        rows,
        members=cast("list[PretextNetwork]", list(folds or [])),
        n_calibration=SEARCHED_ROWS if config.searches else CALIBRATION_ROWS,
        trim=0.0 if isinstance(config.contamination, str) else config.contamination,
        random=numpy_stream(model.seed, "heads"),
        leave_out=is_wide(model, rows),
    )
    model.networks.folds = None
