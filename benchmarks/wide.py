"""Tables with more columns than rows: uniformity of p-values, and detection.

Each set has 300 normal training rows. Generated sets have 2,000 columns, or 1,555 binary ones: ten
factors and noise, with normal or heavy tails (Student's t with three degrees of freedom), blocks of
20 correlated columns, binary columns with rates of their own or those of six groups. Their
anomalies have columns permuted among rows, noise of half a standard deviation, or one in twenty
binary values flipped. Real sets: trousers among dresses of Fashion-MNIST (784 pixels, above 127 or
not), ResNet-18 features of hazelnuts (MVTec-AD; above their median or not), and people of Adult
with low against high income (one-hot). The GAN, which the scores do not use, is trained for one
step. Each fit is a line of results/wide.jsonl.

    python benchmarks/wide.py --data DIR [--seeds 2] [--sets low_rank ...]
    python benchmarks/wide.py --report

DIR holds the folders fashion_mnist, adbench_mvtec_resnet18 and tabular.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from calibration import p_value_sets, p_value_table
from data import ADULT_COLUMNS
from formatting import markdown_table
from measuring import GAN_UNUSED, measure_augan, sizes
from numpy.typing import NDArray
from panel import make_panel
from results import FOLDER, Result, read
from running import add_common_options, parse, run, run_missing, threads

Rows = NDArray[np.float64]
Split = tuple[Rows, Rows, Rows]  # training rows, other normal ones, anomalies

KEY = ("set", "seed", "method")
N_TRAIN, N_NORMAL, N_ANOMALIES = 300, 1000, 300
N_FACTORS, BLOCK, N_GROUPS, FLIPPED = 10, 20, 6, 0.05


def main() -> None:
    arguments = _arguments()
    file = arguments.results or FOLDER / "wide.jsonl"
    if not arguments.report:
        with threads(arguments.threads):
            run_missing(file, _jobs(arguments), _measure, key=KEY, fresh=arguments.fresh)
    print(_report(read(file, KEY)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_common_options(parser)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=list(SETS))
    return parse(parser)


def _jobs(arguments: argparse.Namespace) -> Iterator[tuple[Result, Split]]:
    for seed in range(arguments.seeds):
        for name in arguments.sets:
            random = np.random.default_rng(seed)
            yield {"set": name, "seed": seed, "method": "augan"}, SETS[name](arguments.data, random)


def _measure(job: Result, split: Split) -> list[Result]:
    train, normal, odd = split
    test, y = np.concatenate([normal, odd]), np.repeat([0, 1], [len(normal), len(odd)])
    detector, figures = measure_augan(train, test, y, job["seed"], **GAN_UNUSED)
    p = detector.p_value(odd)
    flagged = {str(level): round(float((p <= level).mean()), 4) for level in (0.05, 0.1)}
    return [sizes(train, test, y) | figures | {"flagged_anomalies": flagged}]


def _report(lines: list[Result]) -> str:
    panel = make_panel(lines, sorted({line["seed"] for line in lines}), ["augan"])
    header = ["set", "columns", "AUROC", "anomalies with p <= 0.05", "p <= 0.1", "CPU seconds"]
    rows = []
    for name in panel.sets:
        fits = [panel.lines[name, seed, "augan"] for seed in panel.seeds]
        found = [np.mean([fit["flagged_anomalies"][level] for fit in fits]) for level in LEVELS]
        row = [name, str(fits[0]["columns"]), f"{np.mean([fit['auroc'] for fit in fits]):.3f}"]
        row += [f"{share:.2f}" for share in found]
        rows.append([*row, f"{np.mean([fit['fit_seconds'] for fit in fits]):.0f}"])
    parts = (p_value_table(panel), p_value_sets(panel, "augan"), markdown_table(header, rows))
    return "\n\n".join(parts)


LEVELS = ("0.05", "0.1")


def _dealt(random: np.random.Generator, normal: Rows, odd: Rows, n_train: int = N_TRAIN) -> Split:
    """Deal real rows out."""
    normal, odd = random.permutation(normal), random.permutation(odd)
    return normal[:n_train], normal[n_train : n_train + N_NORMAL], odd[:N_ANOMALIES]


def _made(make: Callable[[int, np.random.Generator], Rows]) -> Callable[..., Split]:
    """Return what makes the rows of a set; anomalies are normal rows that something happened to."""

    def split(_: Path, random: np.random.Generator) -> Split:
        rows = make(N_TRAIN + N_NORMAL + N_ANOMALIES, random)
        odd = rows[N_TRAIN + N_NORMAL :]
        if np.isin(rows, (0, 1)).all():
            odd = np.where(random.random(odd.shape) < FLIPPED, 1 - odd, odd)
        else:
            odd = random.permuted(odd, axis=0)
            odd = odd + 0.5 * odd.std() * random.normal(size=odd.shape)
        return rows[:N_TRAIN], rows[N_TRAIN : N_TRAIN + N_NORMAL], odd

    return split


def _low_rank(n: int, random: np.random.Generator) -> Rows:
    weights = random.normal(size=(N_FACTORS, 2000))
    return random.normal(size=(n, N_FACTORS)) @ weights + random.normal(size=(n, 2000))


def _heavy_tails(n: int, random: np.random.Generator) -> Rows:
    weights = random.normal(size=(N_FACTORS, 2000))
    return random.standard_t(3, (n, N_FACTORS)) @ weights + random.standard_t(3, (n, 2000))


def _blocks(n: int, random: np.random.Generator) -> Rows:
    common = np.repeat(random.normal(size=(n, 2000 // BLOCK)), BLOCK, axis=1)
    return np.sqrt(0.7) * common + np.sqrt(0.3) * random.normal(size=(n, 2000))


def _ones(n: int, random: np.random.Generator) -> Rows:
    rates = random.beta(0.5, 8, 1555)
    return (random.random((n, 1555)) < rates).astype(np.float64)


def _groups_of_ones(n: int, random: np.random.Generator) -> Rows:
    rates = random.beta(0.3, 3, (N_GROUPS, 1555))
    return (random.random((n, 1555)) < rates[random.integers(0, N_GROUPS, n)]).astype(np.float64)


def _pixels(folder: Path, random: np.random.Generator) -> Split:
    with np.load(folder / "fashion_mnist" / "fashion_mnist.npz") as data:
        images, labels = data["x_test"], data["y_test"]
        dresses = np.concatenate(
            [data["x_train"][data["y_train"] == 3][:1000], images[labels == 3]]
        )
    as_rows = [(part > 127).reshape(len(part), -1).astype(np.float64) for part in (dresses, images)]
    return _dealt(random, as_rows[0], as_rows[1][labels == 1])


def _features(folder: Path, random: np.random.Generator) -> Split:
    with np.load(folder / "adbench_mvtec_resnet18" / "MVTec-AD_hazelnut.npz") as data:
        rows, y = data["X"], data["y"]
    rows = (rows > np.median(rows, axis=0)).astype(np.float64)
    return _dealt(random, rows[y == 0], rows[y == 1])


def _people(folder: Path, random: np.random.Generator) -> Split:
    file = folder / "tabular" / "adult" / "adult-train.csv"
    frame = pd.read_csv(file, names=ADULT_COLUMNS, skipinitialspace=True)
    texts = frame.select_dtypes(exclude="number").drop(columns="income")
    rows = pd.get_dummies(texts).to_numpy(np.float64)
    rich = frame["income"].str.startswith(">").to_numpy()
    return _dealt(random, rows[~rich], rows[rich])


SETS: dict[str, Callable[[Path, np.random.Generator], Split]] = {
    "low_rank": _made(_low_rank),
    "heavy_tails": _made(_heavy_tails),
    "blocks": _made(_blocks),
    "ones": _made(_ones),
    "groups_of_ones": _made(_groups_of_ones),
    "pixels": _pixels,
    "features": _features,
    "people": _people,
}

if __name__ == "__main__":
    run(main)
