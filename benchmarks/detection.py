"""augan and PyOD's detectors on tables of ADBench, trained on normal rows only.

Protocol: at most 10,000 rows of a table; half of its normal rows train, the other half and all
anomalies are scored; PyOD's detectors get standardised columns, augan the raw ones. Nothing is
chosen by the test rows. Every finished fit is a line of RESULTS (JSON lines), so a stopped run
goes on where it was; the table is made from that file.

    python benchmarks/detection.py --data DIR [--seeds 1] [--methods ...] [--jobs 1]
"""

from __future__ import annotations

import argparse
import json
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from augan import FAnoGAN

RESULTS = Path(__file__).with_name("results") / "detection.jsonl"
MAX_ROWS = 10_000
AUGAN = {
    "augan (default)": {"score": "calibrated"},
    "augan (paper's score)": {"score": "paper"},
}
PYOD = {
    "KNN": ("pyod.models.knn", "KNN"),
    "LOF": ("pyod.models.lof", "LOF"),
    "IForest": ("pyod.models.iforest", "IForest"),
    "OCSVM": ("pyod.models.ocsvm", "OCSVM"),
    "ECOD": ("pyod.models.ecod", "ECOD"),
    "PCA": ("pyod.models.pca", "PCA"),
}
SEEDED = ("IForest", "PCA")


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    RESULTS.parent.mkdir(exist_ok=True)
    done = {(r["set"], r["seed"], r["method"]) for r in read_results()}
    files = sorted(arguments.data.glob("*.npz"))
    for seed in range(arguments.seeds):
        for file in files[arguments.part :: arguments.parts]:
            for method in arguments.methods:
                if (file.stem, seed, method) not in done:
                    _run(file, seed, method)
    print(markdown(read_results()))


def split(file: Path, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return training rows, rows to score and their labels (1 = anomaly)."""
    with np.load(file) as data:
        X, y = data["X"].astype(np.float64), data["y"].astype(int)
    random = np.random.default_rng(seed)
    if len(X) > MAX_ROWS:
        kept = random.permutation(len(X))[:MAX_ROWS]
        X, y = X[kept], y[kept]
    normal = random.permutation(np.flatnonzero(y == 0))
    train = normal[: len(normal) // 2]
    test = np.setdiff1d(np.arange(len(X)), train)
    return X[train], X[test], y[test]


def _run(file: Path, seed: int, method: str) -> None:
    train, test, y = split(file, seed)
    started = time.perf_counter()
    if method in AUGAN:
        detector = FAnoGAN(random_state=seed, **AUGAN[method]).fit(train)
    else:
        scaler = StandardScaler().fit(train)
        train, test = scaler.transform(train), scaler.transform(test)
        detector = _pyod(method, seed).fit(train)
    fitted = time.perf_counter()
    scores = detector.anomaly_score(test) if method in AUGAN else detector.decision_function(test)
    scored = time.perf_counter()
    scores = np.nan_to_num(scores)  # PyOD's PCA divides by variances of zero: infinite is highest
    result = {
        "set": file.stem,
        "seed": seed,
        "method": method,
        "auroc": round(float(roc_auc_score(y, scores)), 4),
        "ap": round(float(average_precision_score(y, scores)), 4),
        "train_rows": len(train),
        "columns": train.shape[1],
        "fit_seconds": round(fitted - started, 2),
        "score_seconds": round(scored - fitted, 2),
        "versions": {name: version(name) for name in ("augan", "torch", "pyod")},
    }
    with RESULTS.open("a") as handle:
        handle.write(json.dumps(result) + "\n")


def _pyod(name: str, seed: int) -> object:
    import importlib

    module, cls = PYOD[name]
    given = {"random_state": seed} if name in SEEDED else {}
    return getattr(importlib.import_module(module), cls)(**given)


def read_results() -> list[dict]:
    """Return the results so far."""
    if not RESULTS.exists():
        return []
    return [json.loads(line) for line in RESULTS.read_text().splitlines()]


def markdown(results: list[dict]) -> str:
    """Return the table of means over the sets that every method has."""
    methods = list(dict.fromkeys(r["method"] for r in results))
    runs = [{(r["set"], r["seed"]): r for r in results if r["method"] == m} for m in methods]
    shared = sorted(set.intersection(*(set(run) for run in runs))) if runs else []
    figures = {m: [run[key] for key in shared] for m, run in zip(methods, runs, strict=True)}
    ranks = _mean_ranks({m: [r["auroc"] for r in rows] for m, rows in figures.items()})
    lines = [
        f"{len({key[0] for key in shared})} sets, {len({key[1] for key in shared})} seed(s)",
        "",
        "| method | AUROC | AP | mean rank | worst set | fit s, median | fit s, max |",
        "|---|---|---|---|---|---|---|",
    ]
    for method in sorted(methods, key=lambda m: ranks.get(m, 0.0)):
        rows = figures[method]
        worst = min(rows, key=lambda r: r["auroc"])
        seconds = [r["fit_seconds"] for r in rows]
        lines.append(
            f"| {method} | {np.mean([r['auroc'] for r in rows]):.3f} "
            f"| {np.mean([r['ap'] for r in rows]):.3f} | {ranks[method]:.2f} "
            f"| {worst['auroc']:.2f} ({worst['set'].split('_', 1)[1]}) "
            f"| {np.median(seconds):.1f} | {max(seconds):.1f} |"
        )
    return "\n".join(lines)


def _mean_ranks(aurocs: dict[str, list[float]]) -> dict[str, float]:
    from scipy.stats import rankdata

    ranks = rankdata(-np.array(list(aurocs.values())), axis=0)
    return dict(zip(aurocs, ranks.mean(axis=1), strict=True))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of ADBench's .npz files")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--methods", nargs="+", default=[*AUGAN, *PYOD], choices=[*AUGAN, *PYOD])
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    parser.add_argument("--part", type=int, default=0, help="which part of the sets to run")
    parser.add_argument("--parts", type=int, default=1, help="into how many parts to cut the sets")
    return parser.parse_args()


if __name__ == "__main__":
    main()
