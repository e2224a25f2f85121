"""Fitting of a sampler: encoding, training of the networks, choice of the rows that are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from augan._device import resolve_device
from augan._random import numpy_stream
from augan.codecs.codec import Codec
from augan.codecs.image import ImageCodec
from augan.codecs.spec import ImageSpec
from augan.codecs.table import TableCodec
from augan.exceptions import ParameterError, shown
from augan.inputs.labelled import check_class_sizes, warn_of_columns
from augan.inputs.reading import Data, is_image_array, take
from augan.models.column_relations import relations_of
from augan.models.column_training import train_columns
from augan.models.config import SamplerConfig, for_rows, sampler_config
from augan.models.sampler import SamplerModel, class_networks
from augan.models.sampler_tuning import tune
from augan.networks import Networks
from augan.sampling.column_rows import ColumnRows
from augan.sampling.column_spread import ALL_DRAWN, added_spread, usual_spread
from augan.sampling.filters import check_critic_filter
from augan.sampling.pool import Pool
from augan.training.conditional import ClassEncoderPhase, ClassGANPhase
from augan.training.loop import Run
from augan.training.monitor import History
from augan.training.progress import observers, warn_of_health
from augan.training.rows import split_held_out
from augan.training.trainer import PlannedPhase, train

MAX_KEPT = 10_000  # rows of a class that are kept
GAN_TIME = 0.75  # share of max_time for the GAN, the rest is for the encoder


def fit_sampler(
    params: Mapping[str, Any],
    data: Data,
    y: NDArray[Any],
    *,
    strategy: Mapping[Any, int],
    groups: NDArray[np.intp] | None,
    label: str,
    seed: int,
) -> tuple[SamplerModel, History]:
    """Fit codec and networks, and keep the real rows that new ones are made from.

    Parameters
    ----------
    params : mapping of str to object
        Constructor parameters, checked.
    data : DataFrame or ndarray
        Rows (n, d) or images.
    y : ndarray of shape (n,)
        Their labels.
    strategy : mapping of label to int
        Number of rows of each class to add.
    groups : ndarray of shape (n,) or None
        Groups of rows that cross-validation keeps together.
    label : str
        Name of the labels, in relations.
    seed : int
        Seed of all random streams.

    Returns
    -------
    model : SamplerModel
        The fitted parts.
    history : History
        The reports of the training.

    Raises
    ------
    DataError
        If the data cannot be used for training.
    ParameterError
        If parameters exclude each other or do not suit the data.
    NotTrainableError
        If training diverges repeatedly.
    """
    device = resolve_device(params["device"])
    _check_method(params, data)
    warn_of_columns(data)
    rows, added = _encode(params, data, y, strategy)
    config = rows.config
    _check_critic(config, rows.codes, any(added.values()), seed)
    trained = _train(params, rows, data, device, label, seed)
    kept = _at_most(rows.codes, MAX_KEPT, numpy_stream(seed, "kept"))
    model = SamplerModel(
        config=config,
        codec=rows.codec,
        networks=trained.networks,
        pool=_pool(rows, trained, kept),
        classes=rows.classes,
        shares=torch.from_numpy(rows.counts / rows.counts.sum()),
        strategy=added,
        spread=added_spread(params["spread"], config.method),
        sample_spread=ALL_DRAWN,
        synthetic_share=config.synthetic_share,
        symmetry=rows.symmetry,
        tuning=None,
        seed=seed,
        columns=trained.columns,
    )
    warn_of_health(trained.history)
    if params["tune_for"] is not None:
        groups = None if groups is None else groups[kept]
        tune(model, params, take(data, kept), rows.counts, groups)
    model.sample_spread = _sample_spread(model, params["spread"])
    return model, trained.history


@dataclass(frozen=True)
class _EncodedRows:
    """The training rows, encoded, and what follows from them and the parameters."""

    codec: Codec
    config: SamplerConfig
    symmetry: str | None
    encoded: Tensor  # (n, ...)
    classes: NDArray[Any]  # labels (n_classes,)
    codes: NDArray[np.intp]  # number of the class of each row (n,)

    @property
    def counts(self) -> NDArray[np.intp]:
        """Rows of each class (n_classes,)."""
        return np.bincount(self.codes)


@dataclass(frozen=True)
class _Trained:
    """The networks, the history of their training, and a mask (n,) of the held-out rows."""

    networks: Networks | None
    history: History
    held_out: Tensor
    columns: ColumnRows | None = None


def _train(
    params: Mapping[str, Any],
    rows: _EncodedRows,
    data: Data,
    device: torch.device,
    label: str,
    seed: int,
) -> _Trained:
    """Train what the method needs."""
    method = rows.config.method
    if method == "data":
        return _Trained(None, History(), torch.zeros(len(rows.codes), dtype=torch.bool))
    if method != "columns":
        return _train_networks(params, rows, device, seed)
    assert isinstance(rows.codec, TableCodec)
    raw = rows.codec.prepare(data)
    own = rows.codec.columns, raw, rows.classes, rows.codes
    relations = relations_of(params["relations"], *own, label)
    given = params, rows.config, rows.codec, raw, rows.codes
    columns, history, held_out = train_columns(*given, device=device, seed=seed)
    return _Trained(None, history, held_out, ColumnRows(columns, relations))


def _sample_spread(model: SamplerModel, asked: Any) -> float:
    """Return the spread of rows that stand alone."""
    if asked == "auto" and model.columns is not None:
        return usual_spread(model.pool, model.shares, model.seed)
    return model.spread


def _check_method(params: Mapping[str, Any], data: Data) -> None:
    """Raise ParameterError if parameters exclude each other or do not suit the data."""
    of_images = is_image_array(data)
    if of_images and params["method"] == "columns":
        raise ParameterError("method='columns': images have no columns; use 'data' or 'gan'")
    by_columns = not of_images and params["method"] in ("auto", "columns")
    if not by_columns and params["relations"] not in ("auto", None):
        raise ParameterError(
            f"relations={shown(params['relations'])}: only method='columns' obeys relations"
        )
    if not by_columns and params["tails"] != "observed":
        raise ParameterError(
            f"tails={shown(params['tails'])}: only method='columns' has fitted tails"
        )
    default = "auto" if of_images else None
    if params["tune_for"] is not None and params["synthetic_share"] not in ("auto", default):
        raise ParameterError("tune_for and synthetic_share: give one of them")


def _encode(
    params: Mapping[str, Any], data: Data, y: NDArray[Any], strategy: Mapping[Any, int]
) -> tuple[_EncodedRows, dict[Any, int]]:
    """Fit a codec and encode the rows; return them, and the rows to add of each class."""
    classes, codes = np.unique(y, return_inverse=True)
    added = {  # keys as those of `tolist`, dates too
        label.item() if isinstance(label, np.generic) else label: n for label, n in strategy.items()
    }
    check_class_sizes(classes, np.bincount(codes), added)
    codec = _new_codec(params, data).fit(data)
    config = sampler_config(params, codec)
    symmetry = _given_symmetry(params["symmetry"], codec)
    return _EncodedRows(codec, config, symmetry, codec.encode(data), classes, codes), added


def _pool(rows: _EncodedRows, trained: _Trained, kept: NDArray[np.intp]) -> Pool:
    """Return the pool of the rows at `kept`, from which new rows are made."""
    index = torch.from_numpy(kept)
    return Pool(
        trained.networks,
        rows.codec.spec,
        rows.encoded[index],
        torch.from_numpy(rows.codes)[index],
        trained.held_out[index],
        len(rows.classes),
        rows.config.method,
        columns=trained.columns,
    )


def _new_codec(params: Mapping[str, Any], data: Data) -> Codec:
    """Return a codec for the kind of data; images keep their size if no GAN is trained."""
    if not is_image_array(data):
        return TableCodec(params["max_categories"])
    size = None if params["image_size"] == "auto" else params["image_size"]
    if size is None and params["method"] in ("auto", "data"):
        size = max(data.shape[1:3])
    return ImageCodec(size)


def _given_symmetry(symmetry: str | None, codec: Codec) -> str | None:
    """Return the symmetry that is used before tuning; None for tables."""
    spec = codec.spec
    if not isinstance(spec, ImageSpec) or symmetry == "auto":
        return None
    height, width = spec.inner
    if symmetry == "dihedral" and height != width:
        raise ParameterError(
            f"symmetry='dihedral': rotations by 90 degrees need square images, these are "
            f"{height} x {width} pixels; 'flips' works for all"
        )
    return symmetry


def _check_critic(config: SamplerConfig, codes: NDArray[np.intp], adds: bool, seed: int) -> None:
    """Raise an error, before training, if the filter "critic" is asked for but not possible."""
    if "critic" in config.filters and (config.synthetic_share is not None or adds):
        held_out = split_held_out(codes, config.validation_fraction, seed)
        check_critic_filter(config.method != "data", int(held_out.sum()))


def _train_networks(
    params: Mapping[str, Any], rows: _EncodedRows, device: torch.device, seed: int
) -> _Trained:
    """Build and train the networks.

    All rows of small classes are trained on; a share of the larger ones is held out.
    """
    config, codec = rows.config, rows.codec
    networks = class_networks(config, codec, len(rows.classes), seed)
    for module in networks.modules().values():
        module.to(device)
    encoded, labels = rows.encoded.to(device), torch.from_numpy(rows.codes).to(device)
    held_out = split_held_out(rows.codes, config.validation_fraction, seed).to(device)
    own = encoded[~held_out], encoded[held_out], labels[~held_out], labels[held_out]
    given = (networks, *own, for_rows(config, len(encoded), params["batch_size"]), seed)
    augmented = config.diff_augment and codec.kind == "image"
    phases = [
        PlannedPhase(lambda: ClassGANPhase(*given, augmented=augmented), config.max_steps, GAN_TIME)
    ]
    if networks.encoder is not None:
        encoder = PlannedPhase(
            lambda: ClassEncoderPhase(*given), config.encoder_steps, 1 - GAN_TIME
        )
        phases.append(encoder)
    run = Run(
        schedule=config.schedule,
        max_time=config.max_time,
        patience=config.n_iter_no_change,
        callbacks=observers(params["callbacks"], params["verbose"]),
        decode=codec.decode,
    )
    return _Trained(networks, train(phases, run), held_out.cpu())


def _at_most(codes: NDArray[np.intp], n: int, random: np.random.Generator) -> NDArray[np.intp]:
    """Return indices of rows, in order: at most `n` of each class, drawn at random."""
    kept = []
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        kept.append(rows if len(rows) <= n else random.choice(rows, n, replace=False))
    return np.sort(np.concatenate(kept))
