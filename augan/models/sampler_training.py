"""Training of a sampler's networks, and the real rows that new ones are made from."""

from __future__ import annotations

from collections.abc import Mapping
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
from augan.exceptions import ParameterError
from augan.inputs.labelled import check_class_sizes, warn_of_columns
from augan.inputs.reading import Data, is_image_array, take
from augan.models.config import SamplerConfig, for_rows, sampler_config
from augan.models.sampler import SamplerModel, class_networks
from augan.models.sampler_tuning import tune
from augan.networks import Networks
from augan.sampling.filters import check_critic_filter
from augan.sampling.pool import Pool
from augan.training.conditional import ClassEncoderPhase, ClassGANPhase
from augan.training.loop import Run
from augan.training.monitor import History
from augan.training.progress import observers, warn_of_health
from augan.training.rows import split_held_out
from augan.training.trainer import PlannedPhase, train

MAX_KEPT = 10_000  # rows of a class that new ones are made of
GAN_TIME = 0.75  # share of max_time by which the GAN's phase ends, where an encoder follows


def fit_sampler(
    params: Mapping[str, Any],
    data: Data,
    y: NDArray[Any],
    *,
    strategy: Mapping[Any, int],
    groups: NDArray[np.intp] | None,
    seed: int,
) -> tuple[SamplerModel, History]:
    """Fit codec and networks; keep what new rows of each class are made from.

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
    seed : int
        Seed of all random streams.

    Raises
    ------
    DataError
        When the data cannot be trained on.
    ParameterError
        For parameters that exclude each other, or do not suit the data.
    NotTrainableError
        When training diverges again and again.
    """
    device = resolve_device(params["device"])
    unset = "auto" if is_image_array(data) else None  # what says nothing, "auto" aside
    if params["tune_for"] is not None and params["synthetic_share"] not in ("auto", unset):
        raise ParameterError("tune_for and synthetic_share: give one of them")
    warn_of_columns(data)
    classes, codes = np.unique(y, return_inverse=True)
    strategy = {  # keys as those of `tolist`, dates too
        label.item() if isinstance(label, np.generic) else label: n for label, n in strategy.items()
    }
    counts = np.bincount(codes)
    check_class_sizes(classes, counts, dict(strategy))
    codec = _new_codec(params, data).fit(data)
    config = sampler_config(params, codec)
    symmetry = _given_symmetry(params["symmetry"], codec)
    encoded, labels = codec.encode(data), torch.from_numpy(codes)
    _check_critic(config, codes, any(strategy.values()), seed)
    networks, history, held_out = None, History(), torch.zeros(len(encoded), dtype=torch.bool)
    if config.method != "data":
        networks = class_networks(config, codec, len(classes), seed)
        for module in networks.modules().values():
            module.to(device)
        parts = encoded.to(device), labels.to(device)
        history, held_out = _train_networks(params, config, codec, networks, parts, seed)
    kept = _at_most(codes, MAX_KEPT, numpy_stream(seed, "kept"))
    rows, own, looked_at = (part[torch.from_numpy(kept)] for part in (encoded, labels, held_out))
    model = SamplerModel(
        config=config,
        codec=codec,
        networks=networks,
        pool=Pool(networks, codec.spec, rows, own, looked_at, len(classes), config.method),
        classes=classes,
        shares=torch.from_numpy(counts / counts.sum()),
        strategy=dict(strategy),
        spread=params["spread"],
        synthetic_share=config.synthetic_share,
        symmetry=symmetry,
        tuning=None,
        seed=seed,
    )
    warn_of_health(history)
    if params["tune_for"] is not None:
        groups = None if groups is None else groups[kept]
        tune(model, params, take(data, kept), counts, groups)
    return model, history


def _new_codec(params: Mapping[str, Any], data: Data) -> Codec:
    """Return what encodes the data; images that no network makes keep their size."""
    if not is_image_array(data):
        return TableCodec(params["max_categories"])
    size = None if params["image_size"] == "auto" else params["image_size"]
    if size is None and params["method"] in ("auto", "data"):
        size = max(data.shape[1:3])
    return ImageCodec(size)


def _given_symmetry(symmetry: str | None, codec: Codec) -> str | None:
    """Return how images are reflected before anything is tuned; rows of a table never are."""
    spec = codec.spec
    if not isinstance(spec, ImageSpec) or symmetry == "auto":
        return None
    height, width = spec.inner
    if symmetry == "dihedral" and height != width:
        raise ParameterError(
            f"symmetry='dihedral': rotations by 90 degrees need square images, these are "
            f"{height} x {width} pixels; 'flips' takes any"
        )
    return symmetry


def _check_critic(config: SamplerConfig, codes: NDArray[np.intp], adds: bool, seed: int) -> None:
    """Raise, before anything is trained, where the critic is to filter new rows but cannot."""
    if "critic" in config.filters and (config.synthetic_share is not None or adds):
        held_out = split_held_out(codes, config.validation_fraction, seed)
        check_critic_filter(config.method != "data", int(held_out.sum()))


def _train_networks(
    params: Mapping[str, Any],
    config: SamplerConfig,
    codec: Codec,
    networks: Networks,
    parts: tuple[Tensor, Tensor],
    seed: int,
) -> tuple[History, Tensor]:
    """Train on encoded rows (n, ...) and their classes (n,).

    All rows of small classes are trained on; a share of the larger ones is held out. Returns the
    history, and a mask (n,) of the rows that were held out.
    """
    encoded, labels = parts
    shares = labels.cpu().numpy(), config.validation_fraction
    held_out = split_held_out(*shares, seed).to(encoded.device)
    own = encoded[~held_out], encoded[held_out], labels[~held_out], labels[held_out]
    training = for_rows(config, len(encoded), params["batch_size"])
    given, augmented = (
        (networks, *own, training, seed),
        config.diff_augment and codec.kind == "image",
    )
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
    return train(phases, run), held_out.cpu()


def _at_most(codes: NDArray[np.intp], n: int, random: np.random.Generator) -> NDArray[np.intp]:
    """Return indices of rows, in order: at most `n` of each class, drawn at random."""
    kept = []
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        kept.append(rows if len(rows) <= n else random.choice(rows, n, replace=False))
    return np.sort(np.concatenate(kept))
