"""Wide tables, and tables of zeros and ones: detection beside KNN, and uniformity of p-values.

Each set has 300 normal training rows; "more people" and "pairs" have 2,000 and 800, and sets of
features 60 % of the good ones. Generated sets have 2,000 columns, or 1,555 binary ones: ten
factors and noise, with normal or heavy tails (Student's t with three degrees of freedom), blocks of
20 correlated columns, binary columns with rates of their own or those of six groups. Their
anomalies have columns permuted among rows, noise of half a standard deviation, or one in twenty
binary values flipped. Real sets: clothes of one class among those of another (Fashion-MNIST; 784
pixels, above 127 or not); ResNet-18 features of good and defective parts (MVTec-AD; 512 columns,
above their median or not, or 1,536, above three quantiles or not); people of Adult with low against
high income (one-hot, or pairs of categories, 1,500 columns). PyOD's KNN with one and with five
neighbours gets the same rows, standardised. Each fit is a line of results/wide.jsonl.

    python benchmarks/wide.py --data DIR [--seeds 2] [--sets low_rank ...]
    python benchmarks/wide.py --report

DIR holds the folders fashion_mnist, adbench_mvtec_resnet18 and tabular.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from calibration import p_value_sets, p_value_table
from data import ADULT_COLUMNS
from formatting import markdown_table
from measuring import measure_augan, quality, sizes, timed
from numpy.typing import NDArray
from panel import make_panel
from peers import encode, make_peer
from results import FOLDER, Result, read
from running import add_common_options, parse, run, run_missing, threads

Rows = NDArray[np.float64]
Split = tuple[Rows, Rows, Rows]  # training rows, other normal ones, anomalies

KEY = ("set", "seed", "method")
PEERS = ("KNN", "KNN (1 neighbour)")
N_TRAIN, N_NORMAL, N_ANOMALIES = 300, 1000, 300
CATEGORIES = ("hazelnut", "bottle", "carpet", "screw", "zipper", "tile", "pill", "cable")
THRESHOLDS = (0.3, 0.6, 0.9)  # quantiles
PAIRS = 1500  # columns
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
            split = SETS[name](arguments.data, np.random.default_rng(seed))
            for method in ("augan", *PEERS):
                yield {"set": name, "seed": seed, "method": method}, split


def _measure(job: Result, split: Split) -> list[Result]:
    train, normal, odd = split
    test, y = np.concatenate([normal, odd]), np.repeat([0, 1], [len(normal), len(odd)])
    if job["method"] in PEERS:
        peer = make_peer(job["method"], train.shape[1], job["seed"])
        known, seen = encode(train, test)
        fitting, _ = timed("fit", peer.fit, known)
        return [sizes(train, test, y) | quality(y, peer.decision_function(seen)) | fitting]
    detector, figures = measure_augan(train, test, y, job["seed"])
    p = detector.p_value(odd)
    flagged = {str(level): round(float((p <= level).mean()), 4) for level in (0.05, 0.1)}
    return [sizes(train, test, y) | figures | {"flagged_anomalies": flagged}]


def _report(lines: list[Result]) -> str:
    panel = make_panel(lines, sorted({line["seed"] for line in lines}), ["augan", *PEERS])
    auroc = panel.by_set("auroc")
    header = ["set", "columns", *panel.methods, "augan - the better KNN"]
    header += ["anomalies with p <= 0.05", "p <= 0.1", "CPU seconds"]
    rows = []
    for name, own in zip(panel.sets, auroc, strict=True):
        fits = [panel.lines[name, seed, "augan"] for seed in panel.seeds]
        found = [np.mean([fit["flagged_anomalies"][level] for fit in fits]) for level in LEVELS]
        row = [name, str(fits[0]["columns"]), *(f"{value:.3f}" for value in own)]
        row += [f"{own[0] - own[1:].max():+.3f}"]
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


def _pixels(folder: Path, random: np.random.Generator, normal: int, odd: int) -> Split:
    with np.load(folder / "fashion_mnist" / "fashion_mnist.npz") as data:
        images, labels = data["x_test"], data["y_test"]
        known = np.concatenate(
            [data["x_train"][data["y_train"] == normal][:1000], images[labels == normal]]
        )
    as_rows = [(part > 127).reshape(len(part), -1).astype(np.float64) for part in (known, images)]
    return _dealt(random, as_rows[0], as_rows[1][labels == odd])


def _features(
    folder: Path, random: np.random.Generator, category: str, thresholds: tuple[float, ...]
) -> Split:
    with np.load(folder / "adbench_mvtec_resnet18" / f"MVTec-AD_{category}.npz") as data:
        rows, y = data["X"], data["y"]
    parts = [rows > np.quantile(rows, threshold, axis=0) for threshold in thresholds]
    binary = np.concatenate(parts, axis=1).astype(np.float64)
    good = binary[y == 0]
    return _dealt(random, good, binary[y == 1], min(N_TRAIN, round(0.6 * len(good))))


def _people(
    folder: Path, random: np.random.Generator, n_train: int = N_TRAIN, *, pairs: bool = False
) -> Split:
    file = folder / "tabular" / "adult" / "adult-train.csv"
    frame = pd.read_csv(file, names=ADULT_COLUMNS, skipinitialspace=True)
    texts = frame.select_dtypes(exclude="number").drop(columns="income")
    if pairs:
        couples = list(combinations(texts.columns, 2))
        texts = pd.concat([texts[a] + " " + texts[b] for a, b in couples], axis=1, keys=couples)
    found = pd.get_dummies(texts)
    if pairs:
        found = found[found.columns[np.argsort(-found.sum().to_numpy(), kind="stable")[:PAIRS]]]
    rows, rich = found.to_numpy(np.float64), frame["income"].str.startswith(">").to_numpy()
    return _dealt(random, rows[~rich], rows[rich], n_train)


SETS: dict[str, Callable[[Path, np.random.Generator], Split]] = {
    "low_rank": _made(_low_rank),
    "heavy_tails": _made(_heavy_tails),
    "blocks": _made(_blocks),
    "ones": _made(_ones),
    "groups_of_ones": _made(_groups_of_ones),
    "people": _people,
    "more people": partial(_people, n_train=2000),
    "pairs": partial(_people, n_train=800, pairs=True),
}
for normal, odd in ((3, 1), (0, 6), (9, 7)):
    SETS[f"pixels {normal} {odd}"] = partial(_pixels, normal=normal, odd=odd)
for category in CATEGORIES:
    for name, thresholds in (("features", (0.5,)), ("thresholds", THRESHOLDS)):
        SETS[f"{name} {category}"] = partial(_features, category=category, thresholds=thresholds)

if __name__ == "__main__":
    run(main)
