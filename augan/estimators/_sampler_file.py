"""What a model file keeps of a sampler, beside its parameters and its codec."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from augan.codecs.origin import from_json, to_json
from augan.estimators._sampler_training import build_maker, build_networks
from augan.sampling.ladder import choose
from augan.sampling.pool import Pool
from augan.sampling.tuning import Trial

if TYPE_CHECKING:
    from augan.estimators.sampler import GANSampler


def to_file(sampler: GANSampler) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return JSON values, and tensors by name: the networks, and real rows, encoded."""
    pool, trials = sampler._maker.pool, sampler.tuning_
    values = {
        "classes": to_json(sampler.classes_.tolist()),
        "classes_dtype": str(sampler.classes_.dtype),
        "strategy": [to_json([k, int(n)]) for k, n in sampler.sampling_strategy_.items()],
        "spread": float(sampler.spread_),
        "share": sampler.synthetic_share_,
        "symmetry": sampler.symmetry_,
        "tuning": None if trials is None else [to_json(astuple(trial)) for trial in trials],
    }
    tensors = {"rows": pool.rows, "labels": pool.labels, "held_out": pool.held_out}
    tensors["shares"] = sampler._shares
    if sampler.networks_ is not None:
        for name, module in sampler.networks_.modules().items():
            tensors |= {f"{name}.{key}": value for key, value in module.state_dict().items()}
    return values, tensors


def from_file(
    sampler: GANSampler, values: dict[str, Any], tensors: dict[str, Tensor], device: torch.device
) -> None:
    """Build networks without memory, take the stored weights over, draw one row as a test.

    Raises
    ------
    ValueError, KeyError, RuntimeError, ...
        When the parts do not fit together.
    """
    sampler.classes_ = np.array(from_json(values["classes"]), dtype=values["classes_dtype"])
    sampler.sampling_strategy_ = {k: int(n) for k, n in map(from_json, values["strategy"])}
    sampler.spread_ = float(values["spread"])
    sampler.synthetic_share_ = values.get("share", sampler._auto("synthetic_share"))
    sampler.symmetry_ = values.get("symmetry")
    trials = values["tuning"]
    sampler.tuning_ = None if trials is None else [Trial(*from_json(trial)) for trial in trials]
    names, method = sampler.classes_.tolist(), sampler._auto("method")
    counts = _check_rows(tensors, len(names))
    sampler._shares = tensors["shares"]
    sampler.methods_ = {
        name: choose(method, count) for name, count in zip(names, counts, strict=True)
    }
    sampler.networks_ = None
    if method != "data":
        with torch.device("meta"):
            sampler.networks_ = build_networks(sampler)
        for name, module in sampler.networks_.modules().items():
            state = {key: tensors[f"{name}.{key}"] for key in module.state_dict()}
            module.load_state_dict(state, assign=True)
            module.requires_grad_(False).eval().to(device)
    pool = Pool(
        sampler.networks_,
        sampler.codec_.spec,
        *(tensors["rows"], tensors["labels"], tensors["held_out"]),
        n_classes=len(names),
        method=method,
    )
    sampler._maker = build_maker(sampler, pool)
    sampler.sample({max(zip(counts, names, strict=True), key=lambda pair: pair[0])[1]: 1})
    sampler.refused_ = {}


def _check_rows(tensors: dict[str, Tensor], n_classes: int) -> list[int]:
    """Return how many rows of each class there are."""
    rows, labels, shares = (tensors[name] for name in ("rows", "labels", "shares"))
    if not len(rows) == len(labels) == len(tensors["held_out"]) > 0:
        raise ValueError("as many rows as classes are missing")
    if not 0 <= int(labels.min()) <= int(labels.max()) < n_classes or len(shares) != n_classes:
        raise ValueError("a class has no name")
    if not (torch.isfinite(rows).all() and torch.isfinite(shares).all()):
        raise ValueError("a row is not finite")
    counts: list[int] = torch.bincount(labels, minlength=n_classes).tolist()
    return counts
