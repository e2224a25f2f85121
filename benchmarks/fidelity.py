"""Fidelity of new rows of the table "adult", and the time they take: augan and CTGAN.

There are 10,000 training rows, 10,000 held-out rows and 10,000 new rows. The same figures with
held-out rows in place of new ones are what perfect rows would get. Each fit is a line of
results/fidelity.jsonl; a stopped run can be continued.

    python benchmarks/fidelity.py --data DIR [--seeds 5] [--methods ...]
    python benchmarks/fidelity.py --report

CTGAN (Business Source License, only compared with) is trained for its default 300 epochs.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from augmentation import ctgan_of, whole_numbers
from data import TABLES, load_table
from formatting import markdown_table
from measuring import timed
from results import FOLDER, Result, read
from running import add_common_options, parse, run, run_missing, threads

from augan import GANSampler
from augan.evaluation import fidelity_metrics
from augan.evaluation.fidelity import FIGURES

KEY = ("set", "seed", "method")
SET, N_ROWS = "adult", 10_000
SAMPLERS: dict[str, dict[str, Any]] = {
    "augan": {},
    "augan (spread 0.5)": {"spread": 0.5},
    "augan (generator alone)": {"method": "gan"},
}
METHODS = (*SAMPLERS, "CTGAN")
Parts = tuple[pd.DataFrame, pd.DataFrame]


def main() -> None:
    arguments = _arguments()
    file = arguments.results or FOLDER / "fidelity.jsonl"
    if not arguments.report:
        with threads(arguments.threads):
            run_missing(file, _jobs(arguments), measure, key=KEY, fresh=arguments.fresh)
    print(report(read(file, KEY)))


def measure(job: Result, parts: Parts) -> list[Result]:
    """Return the figures of one method's rows, and of held-out rows in their place."""
    train, held_out = parts
    target = TABLES[SET].target
    if job["method"] == "CTGAN":
        filled, restore = whole_numbers(train)
        fitting, model = timed("fit", ctgan_of, filled, job["seed"])
        drawing, rows = timed("sample", model.sample, N_ROWS)
        new = restore(rows)
    else:
        sampler = GANSampler(random_state=job["seed"], **SAMPLERS[job["method"]])
        X, y = train.drop(columns=target), train[target]
        fitting, _ = timed("fit", sampler.fit, X, y)
        drawing, (new, labels) = timed("sample", sampler.sample, N_ROWS)
        new[target] = labels
    figures = fidelity_metrics(train, held_out, new[train.columns], random_state=job["seed"])
    found: Result = {f"{n}_{kind}": v for n, both in figures.items() for kind, v in both.items()}
    return [{name: round(value, 6) for name, value in found.items()} | fitting | drawing]


def report(results: list[Result]) -> str:
    """Return the table in Markdown: means over seeds, a row for each method and for real rows."""
    lines = pd.DataFrame([result for result in results if "error" not in result])
    means = lines.groupby("method", sort=False).mean(numeric_only=True)
    rows = []
    n_seeds = lines["seed"].nunique()
    for method, mean in means.iterrows():
        n_runs = int((lines["method"] == method).sum())
        name = method if n_runs == n_seeds else f"{method}, {n_runs} of {n_seeds} seeds"
        figures = (f"{mean[f'{figure}_new']:.3f}" for figure in FIGURES)
        speed = f"{N_ROWS / mean['sample_seconds']:,.0f}"
        rows.append([name, *figures, f"{mean['fit_seconds']:.0f}", speed])
    usual = ["held-out rows", *(f"{means[f'{figure}_held_out'].mean():.3f}" for figure in FIGURES)]
    header = [
        "rows of",
        *(figure.replace("_", " ") for figure in FIGURES),
        "fit CPU s",
        "rows a CPU s",
    ]
    title = f"{SET}, {N_ROWS:,} rows, {n_seeds} seeds"
    return f"{title}\n\n{markdown_table(header, [*rows, [*usual, '', '']])}"


def _jobs(arguments: argparse.Namespace) -> Iterator[tuple[Result, Parts]]:
    frame = load_table(TABLES[SET], arguments.data)
    for seed in range(arguments.seeds):
        order = np.random.default_rng(seed).permutation(len(frame))
        train, held_out = (
            frame.iloc[np.sort(part)].reset_index(drop=True)
            for part in (order[:N_ROWS], order[N_ROWS : 2 * N_ROWS])
        )
        for method in arguments.methods or METHODS:
            yield {"set": SET, "seed": seed, "method": method}, (train, held_out)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_common_options(parser)
    add = parser.add_argument
    add("--seeds", type=int, default=5, help="how many, from 0 on")
    add("--methods", nargs="+", choices=METHODS, metavar="METHOD", help="all if not given")
    return parse(parser)


if __name__ == "__main__":
    run(main)
