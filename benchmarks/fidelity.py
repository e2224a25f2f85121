"""Fidelity of new rows of six tables, and the time they take: augan and its peers.

There are 10,000 training rows of each table, or half of it, and as many held-out and new rows. The
same figures with held-out rows in place of new ones are what perfect rows would get. Each fit is a
line of results/fidelity.jsonl; a stopped run can be continued.

    python benchmarks/fidelity.py --data DIR [--seeds 5] [--sets ...] [--methods ...]
    python benchmarks/fidelity.py --report

The peers run in the interpreter --peers-python; peers_rows.py says what they are given and how they
are set. CTGAN (Business Source License) is only compared with.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from data import FIDELITY_TABLES, halves, load_table
from fidelity_report import report
from measuring import timed
from peers_rows import PEERS
from results import FOLDER, Result, read
from running import add_common_options, parse, run, run_missing, threads

from augan import GANSampler
from augan.evaluation import fidelity_metrics

KEY = ("set", "seed", "method")
SAMPLERS: dict[str, dict[str, Any]] = {
    "augan": {},
    "augan (all cells drawn)": {"spread": 1.0},
    "augan (critic)": {"filters": ("critic",)},
    "augan (latent)": {"method": "latent"},
}
METHODS = (*SAMPLERS, *PEERS)
Parts = tuple[pd.DataFrame, pd.DataFrame]


def main() -> None:
    arguments = _arguments()
    file = arguments.results or FOLDER / "fidelity.jsonl"
    if not arguments.report:
        judge = partial(measure, python=arguments.peers_python, n_threads=arguments.threads)
        with threads(arguments.threads):
            run_missing(file, _jobs(arguments), judge, key=KEY, fresh=arguments.fresh)
    print(report(read(file, KEY), list(FIDELITY_TABLES), list(SAMPLERS), list(PEERS)))


def measure(job: Result, parts: Parts, *, python: Path, n_threads: int) -> list[Result]:
    """Return the figures of one method's rows, and of held-out rows in their place."""
    train, held_out = parts
    if job["method"] in PEERS:
        new, cost = rows_of_peer(job, train, python, n_threads)
    else:
        new, cost = rows_of_augan(job, train)
    figures = fidelity_metrics(train, held_out, new[train.columns], random_state=job["seed"])
    found = {f"{n}_{kind}": round(v, 6) for n, both in figures.items() for kind, v in both.items()}
    return [found | cost]


def rows_of_augan(job: Result, train: pd.DataFrame) -> tuple[pd.DataFrame, Result]:
    """Return as many new rows as training rows, and what they took."""
    target = FIDELITY_TABLES[job["set"]].target
    sampler = GANSampler(random_state=job["seed"], **SAMPLERS[job["method"]])
    fitting, _ = timed("fit", sampler.fit, train.drop(columns=target), train[target])
    drawing, (new, labels) = timed("sample", sampler.sample, len(train))
    return new.assign(**{target: labels}), fitting | drawing


def rows_of_peer(
    job: Result, train: pd.DataFrame, python: Path, n_threads: int
) -> tuple[pd.DataFrame, Result]:
    """Return as many new rows of a peer as training rows, and what they took.

    Raises
    ------
    ImportError
        If the peer's interpreter lacks a package.
    RuntimeError
        If the peer fails.
    """
    limits = dict.fromkeys(("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT"), str(n_threads))
    with tempfile.TemporaryDirectory() as folder:
        given, made = Path(folder, "train.parquet"), Path(folder, "new.parquet")
        train.to_parquet(given)
        command = [python, Path(__file__).with_name("peers_rows.py"), job["method"], given, made]
        options = {"target": FIDELITY_TABLES[job["set"]].target, "rows": len(train)}
        for name, value in (options | {"seed": job["seed"]}).items():
            command += [f"--{name}", str(value)]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | limits)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
            raise (ImportError if last.startswith("ModuleNotFound") else RuntimeError)(last)
        return pd.read_parquet(made), json.loads(done.stdout.splitlines()[-1])


def _jobs(arguments: argparse.Namespace) -> Iterator[tuple[Result, Parts]]:
    names = [name for name in FIDELITY_TABLES if name in (arguments.sets or FIDELITY_TABLES)]
    frames = {name: load_table(FIDELITY_TABLES[name], arguments.data) for name in names}
    for seed in range(arguments.seeds):
        for name, frame in frames.items():
            parts = halves(frame, seed)
            for method in arguments.methods or METHODS:
                job = {"set": name, "seed": seed, "method": method}
                yield job | {"n_train": len(parts[0])}, parts


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_common_options(parser)
    add = parser.add_argument
    add("--seeds", type=int, default=5, help="how many, from 0 on")
    add("--sets", nargs="+", choices=FIDELITY_TABLES, metavar="SET", help="all if not given")
    add("--methods", nargs="+", choices=METHODS, metavar="METHOD", help="all if not given")
    add("--peers-python", type=Path, default=Path(sys.executable), help="interpreter of the peers")
    return parse(parser)


if __name__ == "__main__":
    run(main)
