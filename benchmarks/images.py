"""One class of Fashion-MNIST as normal, the test images of all ten to score.

Every finished fit is a line of RESULTS (JSON lines), both scores of the same networks beside the
distance to the five nearest training images in pixels.

    python benchmarks/images.py --data fashion_mnist.npz [--classes 0 3 6] [--seed 0]
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
from sklearn.neighbors import NearestNeighbors

from augan import FAnoGAN

RESULTS = Path(__file__).with_name("results") / "images.jsonl"


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    with np.load(arguments.data) as data:
        train, train_labels = data["x_train"], data["y_train"]
        test, test_labels = data["x_test"], data["y_test"]
    results = []
    for normal in arguments.classes:
        images, y = train[train_labels == normal], (test_labels != normal).astype(int)
        for method, run in METHODS.items():
            figures = {"class": normal, "seed": arguments.seed, "method": method}
            results.append(figures | run(images, test, y, arguments.seed) | {"versions": VERSIONS})
            RESULTS.parent.mkdir(exist_ok=True)
            with RESULTS.open("a") as handle:
                handle.write(json.dumps(results[-1]) + "\n")
            print(results[-1], flush=True)
    for method in METHODS:
        aurocs = [r["auroc"] for r in results if r["method"] == method]
        print(f"{method}: mean AUROC {np.mean(aurocs):.3f} over classes {arguments.classes}")


def _augan(score: str):
    def run(train: np.ndarray, test: np.ndarray, y: np.ndarray, seed: int) -> dict:
        started = time.perf_counter()
        detector = FAnoGAN(score=score, random_state=seed).fit(train)
        fitted = time.perf_counter()
        return _figures(y, detector.anomaly_score(test), fitted - started, fitted)

    return run


def _pixel_neighbours(train: np.ndarray, test: np.ndarray, y: np.ndarray, seed: int) -> dict:
    started = time.perf_counter()
    neighbours = NearestNeighbors(n_neighbors=5).fit(train.reshape(len(train), -1) / 255)
    fitted = time.perf_counter()
    distances, _ = neighbours.kneighbors(test.reshape(len(test), -1) / 255)
    return _figures(y, distances.mean(axis=1), fitted - started, fitted)


def _figures(y: np.ndarray, scores: np.ndarray, fit_seconds: float, fitted: float) -> dict:
    return {
        "auroc": round(float(roc_auc_score(y, scores)), 4),
        "ap": round(float(average_precision_score(y, scores)), 4),
        "fit_seconds": round(fit_seconds, 1),
        "score_seconds": round(time.perf_counter() - fitted, 1),
    }


METHODS = {
    "augan (default)": _augan("calibrated"),
    "augan (paper's score)": _augan("paper"),
    "pixel 5-NN": _pixel_neighbours,
}
VERSIONS = {name: version(name) for name in ("augan", "torch", "scikit-learn")}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="fashion_mnist.npz")
    parser.add_argument("--classes", type=int, nargs="+", default=list(range(10)))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2, help="of torch")
    return parser.parse_args()


if __name__ == "__main__":
    main()
