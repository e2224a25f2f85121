"""augan and PyOD's detectors, trained on normal rows.

Protocol: at most 10,000 rows of a set; half of its normal rows are training rows, the other half
and all anomalies are test rows. The sets of ODDBench are split already. Nothing is tuned on the
test rows of a set. The defaults of augan were chosen on half of ADBench's and of ODDBench's sets,
which halves.json names (drawn at random); reports show both halves. Each fit is a line of
results/*.jsonl; a stopped run can be continued, and tables are made from these files.

    python benchmarks/detection.py --suite classical --data DIR [--seeds 3] [--methods ...]
    python benchmarks/detection.py --suite classical --report [--details]

Suites: "classical" and "features", every .npz (X, y) of a folder; "oddbench", every .npz (a: rows
to train on, b: rows to score, y) of a folder; "numbers", both, to report only; "contaminated",
ADBench's with a share of unlabelled anomalies in the training rows, and without them, on the same
test rows; "tables", four tables with categories and missing values.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from data import SUITES, Split, chosen_half, contaminated_pair, sets, splits
from measuring import measure_augan, quality, sizes, timed
from peers import PEERS, encode, highest_when_infinite, make_peer
from report import OURS, TOLD, contamination, report
from results import FOLDER, Result, read
from running import add_common_options, add_parts, parse, run, run_missing, threads

KEY = ("suite", "set", "seed", "method", "share", "withheld_share")
FILES = {
    "classical": "detection.jsonl",
    "oddbench": "oddbench.jsonl",
    "features": "features.jsonl",
    "contaminated": "contaminated.jsonl",
    "tables": "tables.jsonl",
}
AUGAN: dict[str, dict[str, Any]] = {
    OURS: {},
    "augan (paper's score)": {"scoring": "paper"},
    TOLD: {},  # contamination=share, in the suite "contaminated" only
}
METHODS = (*AUGAN, *PEERS)
NUMBERS = ("classical", "oddbench")  # the suites with halves


def main() -> None:
    arguments = _arguments()
    suites = NUMBERS if arguments.suite == "numbers" else (arguments.suite,)
    files = [arguments.results] if arguments.results else [FOLDER / FILES[name] for name in suites]
    if not arguments.report:
        (file,) = files
        with threads(arguments.threads):
            run_missing(file, _jobs(arguments), measure, key=KEY, fresh=arguments.fresh)
    print(_report(arguments, [line for file in files for line in read(file, KEY)]))


def _jobs(arguments: argparse.Namespace) -> Iterator[tuple[Result, Split]]:
    names = list(sets(arguments.suite, arguments.data))
    for seed in range(arguments.seeds):
        for name in names[arguments.part :: arguments.parts]:
            for shares, rows in _splits(arguments, name, seed):
                for method in _methods(arguments, shares["share"]):
                    job = {"suite": arguments.suite, "set": name, "seed": seed, "method": method}
                    counts = sizes(rows.train, rows.test, rows.y)
                    yield job | shares | counts | {"train_anomalies": rows.train_anomalies}, rows


def _methods(arguments: argparse.Namespace, share: float) -> list[str]:
    """Return the methods to run; what is told of no anomalies is the default."""
    return [m for m in arguments.methods or METHODS if m != TOLD or share > 0]


def _splits(arguments: argparse.Namespace, name: str, seed: int) -> list[tuple[Result, Split]]:
    suite, folder, share = arguments.suite, arguments.data, arguments.share
    if suite != "contaminated":
        return [({"share": 0.0, "withheld_share": 0.0}, splits(suite, folder)[name](seed))]
    clean, mixed = contaminated_pair(*sets(suite, folder)[name](), seed, share)
    return [
        ({"share": 0.0, "withheld_share": share}, clean),
        ({"share": share, "withheld_share": share}, mixed),
    ]


def measure(job: Result, rows: Split) -> list[Result]:
    """Return the figures of one method on one split."""
    if job["method"] in AUGAN:
        params = dict(AUGAN[job["method"]])
        if job["method"] == TOLD:
            params["contamination"] = job["share"]
        return [measure_augan(rows.train, rows.test, rows.y, job["seed"], **params)[1]]
    train, test = encode(rows.train, rows.test, PEERS[job["method"]].units)
    detector = make_peer(job["method"], train.shape[1], job["seed"])
    fitting, _ = timed("fit", detector.fit, train)
    scoring, scores = timed("score", detector.decision_function, test)
    return [quality(rows.y, highest_when_infinite(scores)) | fitting | scoring]


def _report(arguments: argparse.Namespace, results: list[Result]) -> str:
    shown: dict[str, Any] = {"methods": arguments.methods, "details": arguments.details}
    if arguments.suite == "contaminated":
        return contamination(results, range(arguments.seeds), share=arguments.share, **shown)
    suites = NUMBERS if arguments.suite == "numbers" else (arguments.suite,)
    half = set().union(*map(chosen_half, suites))
    return report(results, range(arguments.seeds), half=half, **shown)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_common_options(parser)
    add_parts(parser)
    add = parser.add_argument
    add("--suite", choices=(*SUITES, "numbers"), default="classical")
    add("--seeds", type=int, default=3, help="how many, from 0 on")
    add("--methods", nargs="+", choices=METHODS, metavar="METHOD", help="all if not given")
    add("--share", type=float, default=0.05, help="of anomalies in training: contaminated only")
    add("--details", action="store_true", help="print every set as well")
    arguments = parse(parser)
    if arguments.suite == "numbers" and not arguments.report:
        parser.error('--suite numbers only reports: run "classical" and "oddbench"')
    return arguments


if __name__ == "__main__":
    run(main)
