"""One class of Fashion-MNIST as normal, the test images of all ten to score.

Each fit is a line of results/images.jsonl; a stopped run can be continued. The other methods use
the pixels: the mean distance to the five nearest training images, and the residual of 64 principal
components of the training images.

    python benchmarks/images.py --data fashion_mnist.npz [--classes 0 3 6] [--seed 0]
    python benchmarks/images.py --report
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from measuring import measure_augan, quality, sizes, timed
from numpy.typing import NDArray
from panel import make_panel
from report import describe
from results import FOLDER, Result, read
from running import add_common_options, parse, run, run_missing, threads
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]
Rows = tuple[Images, Images, Labels]
Method = Callable[[Images, Images, Labels, int], Result]

KEY = ("set", "seed", "method")
NEIGHBOURS, COMPONENTS = 5, 64
BASELINE = "pixel 5-NN"


def main() -> None:
    arguments = _arguments()
    file = arguments.results or FOLDER / "images.jsonl"
    if not arguments.report:
        with threads(arguments.threads):
            run_missing(file, _jobs(arguments), _measure, key=KEY, fresh=arguments.fresh)
    results = read(file, KEY)
    seeds = sorted({result["seed"] for result in results})
    print(describe(make_panel(results, seeds, baseline=BASELINE), details=True))


def _measure(job: Result, rows: Rows) -> list[Result]:
    return [METHODS[job["method"]](*rows, job["seed"])]


def _jobs(arguments: argparse.Namespace) -> Iterator[tuple[Result, Rows]]:
    with np.load(arguments.data) as data:
        train, train_labels = data["x_train"], data["y_train"]
        test, test_labels = data["x_test"], data["y_test"]
    for normal in arguments.classes:
        rows = train[train_labels == normal], test, (test_labels != normal).astype(np.int64)
        for method in arguments.methods:
            job = {"set": f"class {normal}", "seed": arguments.seed, "method": method}
            yield job | sizes(*rows), rows


def _augan(**params: Any) -> Method:
    def run(train: Images, test: Images, y: Labels, seed: int) -> Result:
        return measure_augan(train, test, y, seed, **params)[1]

    return run


def _pixel_neighbours(train: Images, test: Images, y: Labels, seed: int) -> Result:
    """Score by the mean distance to the nearest training images."""
    neighbours = NearestNeighbors(n_neighbors=NEIGHBOURS)
    fitting, _ = timed("fit", neighbours.fit, _pixels(train))
    scoring, (distances, _) = timed("score", neighbours.kneighbors, _pixels(test))
    return quality(y, distances.mean(axis=1)) | fitting | scoring


def _principal_residual(train: Images, test: Images, y: Labels, seed: int) -> Result:
    """Score by the distance to the subspace of the training images' principal components."""
    pca = PCA(COMPONENTS, random_state=seed)

    def residual(pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.linalg.norm(pixels - pca.inverse_transform(pca.transform(pixels)), axis=1)

    fitting, _ = timed("fit", pca.fit, _pixels(train))
    scoring, scores = timed("score", residual, _pixels(test))
    return quality(y, scores) | fitting | scoring


def _pixels(images: Images) -> NDArray[np.float64]:
    return images.reshape(len(images), -1) / 255


METHODS: dict[str, Method] = {
    "augan (default)": _augan(),
    "augan (paper's score)": _augan(scoring="paper"),
    BASELINE: _pixel_neighbours,
    "PCA residual": _principal_residual,
}
DEFAULT_METHODS = ("augan (default)", BASELINE, "PCA residual")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_common_options(parser)
    add = parser.add_argument
    add("--classes", type=int, nargs="+", default=list(range(10)))
    add("--seed", type=int, default=0)
    add("--methods", nargs="+", default=DEFAULT_METHODS, choices=METHODS, metavar="METHOD")
    return parse(parser, of_a_file=True)


if __name__ == "__main__":
    run(main)
