"""From a sampler's parameters to what it draws rows with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from augan._device import resolve_device
from augan._random import draw_seed, numpy_stream
from augan.codecs.image import ImageCodec
from augan.codecs.spec import ImageSpec
from augan.codecs.table import TableCodec
from augan.estimators._params import check_params
from augan.estimators._training import now, training_config
from augan.exceptions import ParameterError
from augan.inputs.labelled import check_class_sizes, warn_of_columns
from augan.inputs.reading import Data, is_image_array, take
from augan.networks import Networks, build_class_networks
from augan.sampling.filters import check_critic_filter
from augan.sampling.ladder import choose
from augan.sampling.maker import RowMaker
from augan.sampling.pool import Pool
from augan.sampling.training import split_held_out, train_class_networks
from augan.sampling.tuning import FEW, OF_FEW, Candidate, Trial, amounts, best_of, try_candidates
from augan.sampling.tuning_images import FEW as FEW_IMAGES
from augan.sampling.tuning_images import try_image_candidates
from augan.training.loop import Schedule
from augan.training.monitor import History
from augan.training.progress import logger, observers, warn_of_health

if TYPE_CHECKING:
    from augan.estimators.sampler import GANSampler

MAX_KEPT = 10_000  # rows of a class that new ones are made of


def train_sampler(
    sampler: GANSampler, data: Data, y: NDArray[Any], groups: NDArray[np.intp] | None
) -> None:
    """Fit codec and networks; keep what the sources of each class need."""
    check_params(sampler.get_params(deep=False))
    device = resolve_device(sampler.device)
    unset = "auto" if is_image_array(data) else None  # what says nothing, "auto" aside
    if sampler.tune_for is not None and sampler.synthetic_share not in ("auto", unset):
        raise ParameterError("tune_for and synthetic_share: give one of them")
    warn_of_columns(data)
    sampler.classes_, codes = np.unique(y, return_inverse=True)
    sampler.sampling_strategy_ = {  # keys as those of `tolist`, dates too
        label.item() if isinstance(label, np.generic) else label: n
        for label, n in sampler.sampling_strategy_.items()
    }
    check_class_sizes(sampler.classes_, np.bincount(codes), sampler.sampling_strategy_)
    sampler.seed_ = draw_seed(sampler.random_state)
    sampler.codec_ = _build_codec(sampler, data).fit(data)
    sampler.symmetry_ = _given_symmetry(sampler)
    encoded, labels = sampler.codec_.encode(data), torch.from_numpy(codes)
    counts = np.bincount(codes)
    names, method = sampler.classes_.tolist(), sampler._auto("method")
    sampler.methods_ = {name: choose(method, n) for name, n in zip(names, counts, strict=True)}
    _check_critic(sampler, codes, method)
    sampler.networks_, sampler.history_, sampler.trained_ = None, History(), now()
    held_out = torch.zeros(len(encoded), dtype=torch.bool)
    if method != "data":
        sampler.networks_ = build_networks(sampler)
        for module in sampler.networks_.modules().values():
            module.to(device)
        held_out = _train_networks(sampler, encoded.to(device), labels.to(device))
    sampler._shares = torch.from_numpy(counts / counts.sum())
    kept = _at_most(codes, MAX_KEPT, numpy_stream(sampler.seed_, "kept"))
    rows, own, looked_at = (part[torch.from_numpy(kept)] for part in (encoded, labels, held_out))
    pool = Pool(
        sampler.networks_,
        sampler.codec_.spec,
        *(rows, own, looked_at),
        n_classes=len(names),
        method=method,
    )
    sampler.spread_, sampler.tuning_ = sampler.spread, None
    sampler.synthetic_share_ = sampler._auto("synthetic_share")
    warn_of_health(sampler.history_)
    if sampler.tune_for is not None:
        logger.info("measuring by cross-validation how many new rows help")
        own, groups = take(data, kept), None if groups is None else groups[kept]
        if isinstance(own, np.ndarray) and own.ndim > 2:
            _tune_images(sampler, own, pool, counts, groups)
        else:
            _tune(sampler, pd.DataFrame(own).reset_index(drop=True), pool, counts, groups)
    sampler._maker = build_maker(sampler, pool)


def _check_critic(sampler: GANSampler, codes: NDArray[np.intp], method: str) -> None:
    """Raise, before anything is trained, where the critic is to judge new rows but cannot."""
    share = sampler._auto("synthetic_share")
    if "critic" in sampler.filters and (
        share is not None or any(sampler.sampling_strategy_.values())
    ):
        held_out = split_held_out(codes, sampler.validation_fraction, sampler.seed_)
        check_critic_filter(method != "data", int(held_out.sum()))


def _given_symmetry(sampler: GANSampler) -> str | None:
    """Return how images are reflected before anything is tuned; rows of a table never are."""
    spec = sampler.codec_.spec
    if not isinstance(spec, ImageSpec) or sampler.symmetry == "auto":
        return None
    height, width = spec.inner
    if sampler.symmetry == "dihedral" and height != width:
        raise ParameterError(
            f"symmetry='dihedral': quarter turns take square images, these are worked on at "
            f"{height} x {width} pixels; 'flips' takes any"
        )
    return sampler.symmetry


def _build_codec(sampler: GANSampler, data: Data) -> ImageCodec | TableCodec:
    """Return what encodes the data; images that no network makes keep their size."""
    if not is_image_array(data):
        return TableCodec(sampler.max_categories)
    size = None if sampler.image_size == "auto" else sampler.image_size
    if size is None and sampler.method in ("auto", "data"):
        size = max(data.shape[1:3])
    return ImageCodec(size)


def build_networks(sampler: GANSampler) -> Networks:
    """Build the networks of a sampler whose codec and classes are known."""
    names = ("latent_dim", "width", "architecture", "spectral_norm")
    sizes = {name: sampler._auto(name) for name in names}
    sizes["with_encoder"] = sampler._auto("method") != "gan"  # which asks no latents of real rows
    n_classes = len(sampler.classes_)
    return build_class_networks(sampler.codec_.spec, n_classes, **sizes, seed=sampler.seed_)


def build_maker(sampler: GANSampler, pool: Pool) -> RowMaker:
    """Build what makes the rows of a fitted sampler."""
    return RowMaker(
        pool.reflected(sampler.symmetry_),
        sampler.codec_,
        sampler.classes_.tolist(),
        filters=sampler.filters,
        spread=sampler.spread_,
        seed=sampler.seed_,
    )


def _train_networks(sampler: GANSampler, encoded: Tensor, labels: Tensor) -> Tensor:
    """Train; return which rows (n,) were only looked at."""
    assert sampler.networks_ is not None
    sampler.history_, held_out = train_class_networks(
        sampler.networks_,
        encoded,
        labels,
        training_config(sampler, len(encoded)),
        n_steps=(sampler._auto("max_steps"), sampler._auto("encoder_steps")),
        schedule=cast("Schedule", sampler.schedule),
        max_time=sampler.max_time,
        patience=sampler.n_iter_no_change,
        callbacks=observers(sampler.callbacks, sampler.verbose),
        validation_fraction=sampler.validation_fraction,
        augmented=sampler.diff_augment and isinstance(sampler.codec_, ImageCodec),
        decode=sampler.codec_.decode,
        seed=sampler.seed_,
    )
    return held_out


def _tune(
    sampler: GANSampler,
    frame: pd.DataFrame,
    pool: Pool,
    counts: NDArray[np.intp],
    groups: NDArray[np.intp] | None,
) -> None:
    """Choose how many rows of those asked for are added, and how near to real ones they are."""
    codes = {name: code for code, name in enumerate(sampler.classes_.tolist())}
    wanted = {codes[name]: n for name, n in sampler.sampling_strategy_.items() if n}
    if not wanted:
        return
    trials: list[Trial] = []
    if min(counts[list(wanted)]) >= FEW:
        trials = try_candidates(
            frame,
            pool,
            wanted,
            counts,
            sampler.codec_.decode,
            classifier=sampler.tune_for,
            spread=sampler.spread_,
            groups=groups,
            seed=sampler.seed_,
        )
    sampler.tuning_ = trials or None
    best: Trial | Candidate | None = best_of(trials) if trials else OF_FEW
    new = amounts(wanted, counts, best.times if best else 1.0)
    sampler.spread_ *= best.spread if best else 1.0
    sampler.sampling_strategy_ = {
        name: new.get(codes[name], 0) for name in sampler.sampling_strategy_
    }


def _tune_images(
    sampler: GANSampler,
    images: NDArray[Any],
    pool: Pool,
    counts: NDArray[np.intp],
    groups: NDArray[np.intp] | None,
) -> None:
    """Choose between copies and new images, and how these differ from real ones; or none."""
    if min(counts) < FEW_IMAGES:
        return
    names = sampler.classes_.tolist()
    asked = np.array([sampler.sampling_strategy_.get(name, 0) for name in names])
    trials = try_image_candidates(
        images,
        pool,
        counts + asked,
        sampler.codec_.decode,
        classifier=sampler.tune_for,
        spread=sampler.spread_,
        symmetry=sampler.symmetry,
        groups=groups,
        seed=sampler.seed_,
    )
    if not trials:
        return
    sampler.tuning_, best = trials, best_of(trials)
    if best is None:
        sampler.synthetic_share_ = None
        sampler.sampling_strategy_ = dict.fromkeys(sampler.sampling_strategy_, 0)
    else:
        sampler.synthetic_share_ = best.share
        sampler.spread_ *= best.spread
        sampler.symmetry_ = best.symmetry


def _at_most(codes: NDArray[np.intp], n: int, random: np.random.Generator) -> NDArray[np.intp]:
    """Return indices of rows, in order: at most `n` of each class, drawn at random."""
    kept = []
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        kept.append(rows if len(rows) <= n else random.choice(rows, n, replace=False))
    return np.sort(np.concatenate(kept))
