"""Ablation of heads and training options, one at a time, on ADBench's tables.

For the heads, the score parts of one fit are fused again: without a head, from one head alone, or
with another fusion. Each training option is a fit of its own. Each figure is a line of
results/ablation.jsonl; a stopped run can be continued.

    python benchmarks/ablation.py --data DIR [--seeds 1] [--options "5 neighbours" ...]
    python benchmarks/ablation.py --report
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from data import Split, sets, split
from formatting import markdown_table, short
from measuring import quality, sizes, timed
from numpy.typing import NDArray
from panel import Panel, make_panel
from ranking import holm, signed_rank
from report import OURS as WHOLE
from results import FOLDER, Result, read
from running import add_common_options, add_parts, parse, run, run_missing, threads

from augan import FAnoGAN
from augan.codecs.table import TableCodec
from augan.models.config import TABLE_HEADS, DetectorConfig, detector_config
from augan.models.detector import DetectorModel
from augan.models.detector_parts import pretext_networks
from augan.models.detector_training import (
    fit_scorer,
    plan_phases,
    split_training_rows,
    without_a_fold,
)
from augan.scoring.calibration import fuse
from augan.training.loop import Run
from augan.training.phases import freeze
from augan.training.rows import TrainingRows
from augan.training.trainer import train

Floats = NDArray[np.float64]
Variant = tuple[str, dict[str, float], str]

KEY = ("set", "seed", "method")
TOLERANCE = 1e-4  # of an AUROC: float32 in the scorer, float64 here
FUSIONS = ("mean", "max", "top2")
CRITIC = ("critic_mahalanobis", "critic_neighbors")
INVERSION = ("data_residual", "feature_residual", "latent", "latent_cycle")
WITHOUT_REPAIR = tuple(name for name in TABLE_HEADS if name != "repair_neighbors")
PRETEXT = ("reconstruction_weight", "linear_up_to")  # of a configuration, no parameters of FAnoGAN
OPTIONS: dict[str, dict[str, Any]] = {  # parameters, and those of `PRETEXT`
    "a memory of 1,024 rows": {"memory_size": 1024},
    "a memory of 4,096 rows": {"memory_size": 4096},
    "2 neighbours": {"n_neighbors": 2},
    "5 neighbours": {"n_neighbors": 5},
    "no swaps to detect": {"reconstruction_weight": 1e4},
    "no repair": {"reconstruction_weight": 0.0, "heads": WITHOUT_REPAIR},
    "numbers not compressed": {"linear_up_to": 1e9},
    "half the steps": {"pretext_steps": 750},
    "4 folds of every set": {"n_folds": 4},
    "the critic's features as well": {"heads": TABLE_HEADS + CRITIC},
    "an untrained critic's features as well": {"heads": TABLE_HEADS + CRITIC, "max_steps": 1},
    "the critic's features instead": {"heads": CRITIC},
    "the inversion as well": {"heads": TABLE_HEADS + INVERSION},
}


def main() -> None:
    arguments = _arguments()
    file = arguments.results or FOLDER / "ablation.jsonl"
    if not arguments.report:
        trained = Trained()
        with threads(arguments.threads):
            run_missing(
                *(file, _jobs(arguments), lambda job, rows: measure(job, rows, trained)),
                key=KEY,
                fresh=arguments.fresh,
            )
    results = read(file, KEY)
    print(table(make_panel(results, sorted({r["seed"] for r in results}), baseline=WHOLE)))


def _jobs(arguments: argparse.Namespace) -> Iterator[tuple[Result, Split]]:
    loaders = list(sets("classical", arguments.data).items())
    for seed in range(arguments.seeds):
        for name, load in loaders[arguments.part :: arguments.parts]:
            rows = split(*load(), seed)
            for method in (WHOLE, *arguments.options):
                job = {"suite": "ablation", "set": name, "seed": seed, "method": method}
                yield job | sizes(rows.train, rows.test, rows.y), rows


class Trained:
    """Trains networks; those of the fit before are copied if their training would be the same."""

    def __init__(self) -> None:
        self.config: DetectorConfig | None = None
        self.rows = torch.empty(0)
        self.states: dict[str, dict[str, torch.Tensor]] = {}
        self.n_trained = 0

    def train(self, model: DetectorModel, rows: TrainingRows) -> None:
        """Train the networks of a model, or copy them."""
        config = replace(model.config, n_neighbors=1, memory_size=1)  # only scorers use these
        networks = model.networks
        if config == self.config and torch.equal(rows.raw, self.rows):
            n_networks = int(rows.folds.max()) + 2
            folds = pretext_networks(config, model.codec, n_networks, model.seed)[1:]
            networks.folds = torch.nn.ModuleList(folds)
            for name, module in networks.modules().items():
                module.load_state_dict(self.states[name])
                freeze(module)
            return
        run_ = Run(
            schedule=config.schedule, max_time=config.max_time, patience=config.n_iter_no_change
        )
        train(plan_phases(model, rows, {"batch_size": "auto", "column_steps": "auto"}), run_)
        self.config, self.rows = config, rows.raw
        self.states = {name: module.state_dict() for name, module in networks.modules().items()}
        self.n_trained += 1


def fit(X: Floats, seed: int, params: dict[str, Any], trained: Trained) -> DetectorModel:
    """Return the model of a detector of tables that is fitted with some options."""
    pretext = {name: value for name, value in params.items() if name in PRETEXT}
    others = {name: value for name, value in params.items() if name not in PRETEXT}
    given = FAnoGAN(**others).get_params(deep=False)
    codec = TableCodec(given["max_categories"]).fit(X)
    config = replace(detector_config(given, codec), **pretext)
    model = DetectorModel.build(config, codec, seed)
    rows = without_a_fold(model, split_training_rows(model, codec.prepare(X)), fit=True)
    trained.train(model, rows)
    fit_scorer(model, rows)
    return model


def measure(job: Result, rows: Split, trained: Trained) -> list[Result]:
    """Return the figures of one fit: of an option, or of the score parts and, last, the whole."""
    params = OPTIONS.get(job["method"], {})
    fitting, model = timed("fit", fit, rows.train, job["seed"], params, trained)
    raw = model.codec.prepare(rows.test)
    scoring, found = timed("score", lambda: model.assess(raw, explain=False))
    scores, parts = (part.double().numpy() for part in found)
    figures = quality(rows.y, scores) | fitting | scoring
    if job["method"] != WHOLE:
        return [{"kind": "option", **figures}]
    named = dict(zip(model.scorer.part_names, parts.T, strict=True))
    return [*_refused(model, named, rows.y, figures["auroc"]), {"kind": "whole", **figures}]


def _refused(
    model: DetectorModel, parts: dict[str, Floats], y: NDArray[np.int64], auroc: float
) -> list[Result]:
    """Return the figures of the calibrated parts fused in other ways.

    Raises
    ------
    ValueError
        If the parts, fused as the detector does, do not give its own AUROC.
    """
    scorer = model.scorer
    weights = dict(zip(parts, scorer.weights, strict=True))
    own = quality(y, _fuse(parts, weights, scorer.fusion))["auroc"]
    if abs(own - auroc) > TOLERANCE:
        raise ValueError(f"score parts fuse to AUROC {own}, the scores have {auroc}")
    return [
        {"method": name, "kind": kind} | quality(y, _fuse(parts, *how))
        for name, (kind, *how) in variants_of(weights, scorer.fusion).items()
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


def _fuse(parts: dict[str, Floats], weights: dict[str, float], fusion: str) -> Floats:
    values = torch.tensor(np.stack([parts[name] for name in weights], axis=1))
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
    add("--options", nargs="*", default=list(OPTIONS), choices=OPTIONS, metavar="OPTION")
    return parse(parser)


if __name__ == "__main__":
    run(main)
