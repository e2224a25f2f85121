"""Exported models: parity with torch, speed, and file size.

Parity: a detector with default parameters is fitted to half of the normal rows of a set (one class
of Fashion-MNIST, 80 % of the good magnetic tiles) and exported; both score the other rows.
Differences are divided by the standard deviation of the scores of normal rows.

Speed: rows per second, and the latency of single rows, of torch, ONNX Runtime and two other
detectors fitted to the same 100,000 generated rows of 10 to 50 columns, or 6,000 T-shirts. torch
and ONNX Runtime are measured alone (tensors in, scores out) and through the estimators' methods;
the others through theirs. Each figure is the median of five rounds, in which all take turns.

    python benchmarks/exported.py --data DIR [--what parity speed] [--sets adult ...] --threads 2
    python benchmarks/exported.py --report

DIR holds tabular/, adbench_classical/, fashion_mnist/ and magnetic_tile/.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from data import TABLES, sets, split
from defects import load as load_tiles
from formatting import markdown_table
from numpy.typing import NDArray
from results import FOLDER, Result, read
from running import add_common_options, parse, run, run_missing, threads
from sklearn.metrics import roc_auc_score

from augan import FAnoGAN, OnnxDetector
from augan.deploy.raw import form_of
from augan.deploy.runtime import n_cuda_devices
from augan.deploy.session import Session

KEY = ("what", "set", "variant")
VARIANTS: dict[str, dict[str, str]] = {
    "fp32": {},
    "fp16": {"precision": "fp16"},
    "int8": {"precision": "int8"},
    "bank fp16": {"bank": "fp16"},
    "bank pq": {"bank": "pq"},
}
PARITY_SETS = (*TABLES, "thyroid", "fashion_mnist", "magnetic_tile")
MADE = {f"100,000 rows x {columns}": columns for columns in (10, 20, 30, 50)}
SPEED_SETS = (*MADE, "fashion_mnist")
METHODS = (
    *("torch", "torch, estimator", "ONNX Runtime", "ONNX Runtime, estimator"),
    *("ONNX Runtime, CUDA", "ONNX Runtime, CUDA, bound", "KNN", "IForest"),
)
BATCHES = (1, 256, 8192)
TRAIN_ROWS, MODES = 100_000, 8
CALLS = 200  # of one row, that latencies are read from
ROUNDS = 5  # whose medians are given
SECONDS = 0.5  # that a batch size is measured for in each, at least


def main() -> None:
    arguments = _arguments()
    file = arguments.results or FOLDER / "exported.jsonl"
    if not arguments.report:
        with threads(arguments.threads), warnings.catch_warnings(action="ignore"):
            for what, jobs, measure in (
                ("parity", _parity_jobs(arguments), _parity),
                ("speed", _speed_jobs(arguments), _speed),
            ):
                if what in arguments.what:
                    run_missing(file, jobs, measure, key=KEY, fresh=arguments.fresh)
    results = read(file, KEY)
    print(parity_table(results), "", speed_table(results), sep="\n")


def _parity_jobs(arguments: argparse.Namespace) -> Iterator[tuple[Result, Any]]:
    """Give each set with all its variants; the line that is waited for is the last one's."""
    for name in arguments.sets:
        job = {"what": "parity", "set": name, "variant": "fp32", "threads": arguments.threads}
        yield job, arguments.data


def _load(name: str, folder: Path) -> tuple[Any, Any, NDArray[np.int64]]:
    """Return rows to train on, others, and which of those are anomalies."""
    if name == "fashion_mnist":
        with np.load(folder / name / f"{name}.npz") as data:
            train = data["x_train"][data["y_train"] == 0]
            return train, data["x_test"], (data["y_test"] != 0).astype(np.int64)
    if name == "magnetic_tile":
        from defects import arrange

        with tempfile.TemporaryDirectory() as place:
            arrange(folder / name, Path(place), seed=0, by_tile=False)
            task = load_tiles(Path(place))
        return task.train, task.test, (task.kinds != "good").astype(np.int64)
    suite, below = ("tables", "tabular") if name in TABLES else ("classical", "adbench_classical")
    found = sets(suite, folder / below)
    key = next(key for key in found if key == name or key.endswith(f"_{name}"))
    rows = split(*found[key](), seed=0)
    return rows.train, rows.test, rows.y


def _parity(job: Result, folder: Path) -> list[Result]:
    train, test, y = _load(job["set"], folder)
    detector = FAnoGAN(random_state=0).fit(train)
    ours = detector.assess(test, explain=True)
    normal = test[y == 0]
    scale = float(detector.scorer_.conformal.scores.std(correction=0))
    flagged = ours.anomaly_score > detector.threshold_
    found = []
    with tempfile.TemporaryDirectory() as place:
        for variant, options in VARIANTS.items():
            path = Path(place) / "m.onnx"
            report = detector.export_onnx(path, X=normal[:4096], **options)
            exported = OnnxDetector(path, providers="cpu", threads=job["threads"])
            theirs = exported.assess(test, explain=True)
            gap = np.abs(ours.anomaly_score - theirs.anomaly_score)
            heat = np.abs(np.asarray(ours.explanation) - np.asarray(theirs.explanation))
            ranks = np.abs(ours.p_value - theirs.p_value) * (detector.n_calibration_ + 1)
            found.append(
                {
                    "variant": variant,
                    "n_test": len(y),
                    "megabytes": report.n_bytes / 1e6,
                    "difference": float(gap.max()) / scale,
                    "checked_rows": report.found.n_rows,
                    "checked_difference": report.found.difference,
                    "explanation_difference": float(
                        (heat / np.maximum(1, np.abs(np.asarray(ours.explanation)))).max()
                    ),
                    "other_decisions": int(
                        ((theirs.anomaly_score > detector.threshold_) != flagged).sum()
                    ),
                    "p_value_ranks": float(ranks.max()),
                    "auroc": float(roc_auc_score(y, ours.anomaly_score)),
                    "auroc_exported": float(roc_auc_score(y, theirs.anomaly_score)),
                    "pseudo_auroc": report.found.auroc,
                    "pseudo_auroc_exported": report.found.exported_auroc,
                }
            )
    return found


def made_rows(n: int, columns: int, seed: int) -> NDArray[np.float64]:
    """Return rows (n, columns) of a mixture of Gaussians whose columns depend on each other."""
    shapes = np.random.default_rng(0)
    centres = 3 * shapes.normal(size=(MODES, columns))
    mixing = shapes.normal(size=(MODES, columns, columns)) / columns**0.5
    random = np.random.default_rng(seed)
    mode = random.integers(MODES, size=n)
    noise = random.normal(size=(n, columns))
    return centres[mode] + np.einsum("nd,nde->ne", noise, mixing[mode])


def _speed_jobs(arguments: argparse.Namespace) -> Iterator[tuple[Result, Any]]:
    for name in SPEED_SETS:
        yield {"what": "speed", "set": name, "variant": "torch"}, arguments.data


def _speed(job: Result, folder: Path) -> list[Result]:
    if job["set"] in MADE:
        train, test = (
            made_rows(n, MADE[job["set"]], seed) for n, seed in ((TRAIN_ROWS, 1), (max(BATCHES), 2))
        )
    else:
        train, test, _ = _load(job["set"], folder)
    detector = FAnoGAN(random_state=0).fit(train)
    found: list[Result] = []
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "m.onnx"
        detector.export_onnx(path)
        scorers = dict(_scorers(detector, path, train, torch.get_num_threads()))
        timed = {method: score for method, score in scorers.items() if score is not None}
        rounds: dict[str, list[Result]] = {method: [] for method in timed}
        for _ in range(ROUNDS):  # in turn, as machines are faster at one time than at another
            for method, score in timed.items():
                speeds = {f"rows_{n}": _rows_a_second(score, test[:n]) for n in BATCHES}
                rounds[method].append(speeds | _latency(score, test))
    for method in scorers:
        line: Result = {"variant": method, "threads": torch.get_num_threads()}
        for name in rounds.get(method, [{}])[0]:
            line[name] = float(np.median([figures[name] for figures in rounds[method]]))
        found.append(line)
    return found


def _scorers(
    detector: FAnoGAN, path: Path, train: NDArray[Any], n_threads: int
) -> Iterator[tuple[str, Callable[[NDArray[Any]], Any] | None]]:
    """Give what scores rows, by the name of the method; None for what cannot run here."""
    from pyod.models.iforest import IForest
    from pyod.models.knn import KNN

    def eager(rows: NDArray[Any]) -> Any:
        with torch.no_grad():
            return detector.scorer_(detector.codec_.prepare(rows))[0].numpy()

    def bare(**options: Any) -> Callable[[NDArray[Any]], Any]:
        session = Session(path, part="scorer", **options)
        form, no = form_of(session.metadata), {"explain": np.array(False)}
        return lambda rows: session.run(form.feeds(rows) | no)["anomaly_score"]

    on_cpu = {"providers": "cpu", "threads": n_threads}
    yield "torch", eager
    yield "torch, estimator", detector.anomaly_score
    yield "ONNX Runtime", bare(**on_cpu)
    yield "ONNX Runtime, estimator", OnnxDetector(path, **on_cpu).anomaly_score
    for method, bound in (("ONNX Runtime, CUDA", False), ("ONNX Runtime, CUDA, bound", True)):
        yield method, bare(providers="cuda", io_binding=bound) if n_cuda_devices() else None
    for name, peer in (("KNN", KNN(n_jobs=n_threads)), ("IForest", IForest(n_jobs=n_threads))):
        peer.fit(_flat(train))
        yield name, lambda rows, peer=peer: peer.decision_function(_flat(rows))


def _flat(rows: NDArray[Any]) -> NDArray[np.float64]:
    """Return rows, or the pixels of images, as the peers take them."""
    return rows.reshape(len(rows), -1).astype(np.float64)


def _rows_a_second(score: Callable[[Any], Any], rows: NDArray[np.float64]) -> float:
    score(rows)
    calls, start = 0, time.perf_counter()
    while calls == 0 or time.perf_counter() - start < SECONDS:
        score(rows)
        calls += 1
    return calls * len(rows) / (time.perf_counter() - start)


def _latency(score: Callable[[Any], Any], rows: NDArray[np.float64]) -> Result:
    """Return the median and the 99th percentile of the milliseconds that one row takes."""
    taken = []
    for i in range(CALLS):
        start = time.perf_counter()
        score(rows[i : i + 1])
        taken.append(1000 * (time.perf_counter() - start))
    return {f"p{q}_ms": float(np.percentile(taken, q)) for q in (50, 99)}


def parity_table(results: list[Result]) -> str:
    lines = [line for line in results if line["what"] == "parity" and "error" not in line]
    header = ["set", "file", "MB", "rows", "score", "heat", "other decisions", "AUROC"]
    rows = [
        [
            line["set"],
            line["variant"],
            f"{line['megabytes']:.1f}",
            str(line["n_test"]),
            f"{line['difference']:.1e}",
            f"{line['explanation_difference']:.1e}",
            str(line["other_decisions"]),
            f"{line['auroc_exported']:.4f} ({line['auroc_exported'] - line['auroc']:+.4f})",
        ]
        for line in lines
    ]
    return markdown_table(header, rows)


def speed_table(results: list[Result]) -> str:
    lines = {(r["set"], r["variant"]): r for r in results if r["what"] == "speed"}
    header = ["trained on", "", *(f"{n:,} a batch" for n in BATCHES), "p50 ms", "p99 ms"]
    rows = []
    for name in dict.fromkeys(name for name, _ in lines):
        for method in METHODS:
            line = lines.get((name, method), {})
            if "p50_ms" not in line:
                rows.append([name, method, *["not measured"] * 5])
                continue
            speeds = [f"{line[f'rows_{n}']:,.0f}" for n in BATCHES]
            taken = [f"{line[f'p{q}_ms']:.2f}" for q in (50, 99)]
            rows.append([name, method, *speeds, *taken])
    return markdown_table(header, rows)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_common_options(parser)
    parser.add_argument(
        "--what", nargs="+", choices=("parity", "speed"), default=["parity", "speed"]
    )
    parser.add_argument("--sets", nargs="+", choices=PARITY_SETS, default=list(PARITY_SETS))
    return parse(parser)


if __name__ == "__main__":
    run(main)
