"""Ablation of heads and training options, one at a time, on ADBench's tables.

For the heads, the score parts of one fit are fused again: without a head, from one head alone, or
with another fusion. Each training option is a fit of its own. Each figure is a line of
results/ablation.jsonl; a stopped run can be continued.

    python benchmarks/ablation.py --data DIR [--seeds 1] [--devices "spectral norm" ...]
    python benchmarks/ablation.py --report
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from augan.estimators._build import pretext_networks
from augan.estimators._defaults import AUTO_TABLE_HEADS
from augan.estimators._training import train_networks
from data import Split, sets, split
from formatting import markdown_table, short
from measuring import GAN_UNUSED, measure_augan, quality, sizes
from panel import Panel, make_panel
from ranking import holm, signed_rank
from report import OURS as WHOLE
from results import FOLDER, Result, read
from running import add_common_options, add_parts, parse, run, run_missing, threads

from augan.estimators import _base
from augan.networks import pretext
from augan.training.monitor import History
from augan.training.phases import freeze

Variant = tuple[str, dict[str, float], str]

KEY = ("set", "seed", "method")
TOLERANCE = 1e-4  # of an AUROC: float32 in the scorer, float64 here
FUSIONS = ("mean", "max", "top2")
CRITIC = {"heads": ("critic_mahalanobis", "critic_neighbors"), "encoder_steps": 1}
AFTER_TRAINING = ("n_neighbors", "memory_size")  # parameters that no network depends on
INVERSION = ("data_residual", "feature_residual", "latent", "latent_cycle")
DEVICES: dict[str, dict[str, Any]] = {  # parameters; in capitals, constants of the pretext network
    "a memory of 512 rows": {"memory_size": 512, **GAN_UNUSED},
    "a memory of 4,096 rows": {"memory_size": 4096, **GAN_UNUSED},
    "the nearest neighbour": {"n_neighbors": 1, **GAN_UNUSED},
    "5 neighbours": {"n_neighbors": 5, **GAN_UNUSED},
    "5 neighbours among 4,096 rows": {"n_neighbors": 5, "memory_size": 4096, **GAN_UNUSED},
    "no swaps to detect": {"REPAIR_WEIGHT": 1e4, **GAN_UNUSED},
    "no repair": {"REPAIR_WEIGHT": 0.0, "heads": AUTO_TABLE_HEADS[:2], **GAN_UNUSED},
    "numbers not compressed": {"LINEAR_UP_TO": 1e9, **GAN_UNUSED},
    "half the steps": {"pretext_steps": 750, **GAN_UNUSED},
    "2 folds": {"n_folds": 2, **GAN_UNUSED},
    "the critic's features instead": CRITIC,
    "the critic's, spectral norm": {"spectral_norm": True, **CRITIC},
    "the critic's, R1 for gradient penalty": {"gradient_penalty": 0.0, "r1": 10.0, **CRITIC},
    "the critic's features as well": {**CRITIC, "heads": AUTO_TABLE_HEADS + CRITIC["heads"]},
    "the inversion as well": {"heads": AUTO_TABLE_HEADS + INVERSION},
}


def main() -> None:
    arguments = _arguments()
    file = arguments.results or FOLDER / "ablation.jsonl"
    if not arguments.report:
        with threads(arguments.threads), patch.object(_base, "train_networks", Trained()):
            run_missing(file, _jobs(arguments), measure, key=KEY, fresh=arguments.fresh)
    results = read(file, KEY)
    print(table(make_panel(results, sorted({r["seed"] for r in results}), baseline=WHOLE)))


def _jobs(arguments: argparse.Namespace) -> Iterator[tuple[Result, Split]]:
    loaders = list(sets("classical", arguments.data).items())
    for seed in range(arguments.seeds):
        for name, load in loaders[arguments.part :: arguments.parts]:
            rows = split(*load(), seed)
            for method in (WHOLE, *arguments.devices):
                job = {"suite": "ablation", "set": name, "seed": seed, "method": method}
                yield job | sizes(rows.train, rows.test, rows.y), rows


class Trained:
    """Trains a detector's networks; those of the fit before are taken where they are the same."""

    def __init__(self) -> None:
        self.asked: str | None = None
        self.rows, self.history = torch.empty(0), History()
        self.states: dict[str, dict[str, torch.Tensor]] = {}

    def __call__(self, detector: Any, start: Any, rows: Any) -> History:
        """Return the history of training, of this fit or of the one before."""
        asked, networks = _asked_of_training(detector), detector.networks_
        if asked == self.asked and torch.equal(rows.raw, self.rows):
            members = pretext_networks(detector, int(rows.folds.max()) + 2)[1:]
            networks.folds = torch.nn.ModuleList(members)
            for name, module in networks.modules().items():
                module.load_state_dict(self.states[name])
                freeze(module)
            return self.history
        self.history = train_networks(detector, start, rows)
        self.asked, self.rows = asked, rows.raw
        self.states = {name: module.state_dict() for name, module in networks.modules().items()}
        return self.history


def _asked_of_training(detector: Any) -> str:
    """Return all that training depends on, the rows aside."""
    params = detector.get_params(deep=False)
    kept = {name: value for name, value in params.items() if name not in AFTER_TRAINING}
    return repr((kept, pretext.REPAIR_WEIGHT, pretext.LINEAR_UP_TO))


def measure(job: Result, rows: Split) -> list[Result]:
    """Return the figures of one fit: of a device, or of the parts and, last, the whole."""
    params = DEVICES.get(job["method"], GAN_UNUSED)
    constants = {name: value for name, value in params.items() if name.isupper()}
    params = {name: value for name, value in params.items() if not name.isupper()}
    with ExitStack() as patches:
        for name, value in constants.items():
            patches.enter_context(patch.object(pretext, name, value))
        detector, figures = measure_augan(rows.train, rows.test, rows.y, job["seed"], **params)
    if job["method"] != WHOLE:
        return [{"kind": "device", **figures}]
    return [*_refused(detector, rows, figures["auroc"]), {"kind": "whole", **figures}]


def _refused(detector: Any, rows: Split, auroc: float) -> list[Result]:
    """Return the figures of the calibrated parts fused in other ways.

    Raises
    ------
    ValueError
        If the parts, fused as the detector says, do not give its own AUROC.
    """
    parts = detector.score_parts(rows.test)
    weights = dict(zip(parts, detector.scorer_.weights, strict=True))
    own = quality(rows.y, _fuse(parts, weights, detector.scorer_.fusion))["auroc"]
    if abs(own - auroc) > TOLERANCE:
        raise ValueError(f"score_parts fuse to AUROC {own}, anomaly_score has {auroc}")
    return [
        {"method": name, "kind": kind} | quality(rows.y, _fuse(parts, *how))
        for name, (kind, *how) in variants_of(weights, detector.scorer_.fusion).items()
    ]


def variants_of(weights: dict[str, float], fusion: str) -> dict[str, Variant]:
    """Return kind, weights of the heads and fusion of each variant, by name."""
    variants: dict[str, Variant] = {}
    for head in weights:
        others = {name: weight for name, weight in weights.items() if name != head}
        variants[f"without {head}"] = ("head", others, fusion)
    for head, weight in weights.items():
        variants[f"{head} alone"] = ("alone", {head: weight}, fusion)
    for other in FUSIONS:
        if other != fusion:
            variants[f"fusion by {other}"] = ("fusion", weights, other)
    if len(set(weights.values())) > 1:
        variants["heads of equal weight"] = ("fusion", dict.fromkeys(weights, 1.0), fusion)
    return variants


def _fuse(parts: Any, weights: dict[str, float], fusion: str) -> np.ndarray:
    from augan.scoring.calibration import fuse

    values = torch.tensor(parts[list(weights)].to_numpy())
    return fuse(values, torch.tensor(list(weights.values()), dtype=values.dtype), fusion).numpy()


def table(panel: Panel) -> str:
    """Return each variant beside the whole, in the order that they were run."""
    if not panel.sets or WHOLE not in panel.methods:
        return "No set is complete."
    auroc, ap = panel.by_set("auroc"), panel.by_set("ap")
    whole = panel.methods.index(WHOLE)
    variants = [i for i in range(len(panel.methods)) if i != whole]
    p_values = [signed_rank(auroc[:, i], auroc[:, whole]) for i in variants]
    header = ["variant", "AUROC", "difference", "AP", "difference"]
    header += ["sets better / worse", "largest loss", "p (Wilcoxon)", "p (Holm)"]
    rows = [[WHOLE, f"{auroc[:, whole].mean():.3f}", "", f"{ap[:, whole].mean():.3f}", *[""] * 5]]
    for i, p, adjusted in zip(variants, p_values, holm(p_values), strict=True):
        change = auroc[:, i] - auroc[:, whole]
        worst = int(change.argmin())
        row = [panel.methods[i], f"{auroc[:, i].mean():.3f}", f"{change.mean():+.3f}"]
        row += [f"{ap[:, i].mean():.3f}", f"{(ap[:, i] - ap[:, whole]).mean():+.3f}"]
        row += [f"{(change > 0).sum()} / {(change < 0).sum()}"]
        row += [f"{change[worst]:+.2f} ({short(panel.sets[worst])})", f"{p:.2g}"]
        rows.append([*row, f"{adjusted:.2g}"])
    size = f"{len(panel.sets)} sets, {len(panel.seeds)} seed(s)"
    return f"{size}\n\n{markdown_table(header, rows)}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_common_options(parser)
    add_parts(parser)
    add = parser.add_argument
    add("--seeds", type=int, default=1, help="how many, from 0 on")
    add("--devices", nargs="*", default=list(DEVICES), choices=DEVICES, metavar="DEVICE")
    return parse(parser)


if __name__ == "__main__":
    run(main)
