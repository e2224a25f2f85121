"""What a small convolutional network gains from new images of rare classes.

Fashion-MNIST: two classes, drawn by the seed, keep 50 of their 6,000 training images; the metric is
their recall on the 10,000 test images. Magnetic tiles: five kinds of defects at 64 x 64 pixels,
three folds; the metric is the macro F1. A tile was photographed under up to six lights, so all of
its photographs are in one fold ("magnetic_tile"). In a random split, 60 % to train
("magnetic_tile_photographs"), nearly every test image has a twin among the training images, and
memorising is enough. "augan tuned" is given the tiles as groups if folds are of tiles.

Each strategy balances the classes; augan's, and noise as a control, then double every class with
new images. The network is trained on random flips and shifts, for the same number of steps with
every strategy. Each network is a line of results/rare_images.jsonl; a stopped run can be continued.

    python benchmarks/rare_images.py --data DIR [--seeds 2] [--sets fashion_mnist magnetic_tile ...]
    python benchmarks/rare_images.py --report
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch
from formatting import markdown_table
from imblearn.over_sampling import SMOTE, RandomOverSampler
from measuring import timed
from rare_image_sets import SETS, Images, Labels, Task
from results import FOLDER, Result, read
from running import add_common_options, parse, run, run_missing, threads
from sklearn.metrics import f1_score, recall_score
from torch import Tensor, nn
from torch.nn import functional as F

from augan import GANSampler

KEY = ("set", "seed", "strategy")
STEPS = {"fashion_mnist": 5000, "magnetic_tile": 1200, "magnetic_tile_photographs": 1200}
FIGURES = ["recall_of_rare", "macro_f1", "accuracy"]
BATCH, RATE, SHIFT = 64, 2e-3, 0.1  # shifts up to this share of a side


Resample = Callable[[Task, int], tuple[Images, Labels]]


def main() -> None:
    arguments = _arguments()
    file = arguments.results or FOLDER / "rare_images.jsonl"
    if not arguments.report:
        with threads(arguments.threads):
            run_missing(file, _jobs(arguments), measure, key=KEY, fresh=arguments.fresh)
    print(_report([r for r in read(file, KEY) if r["seed"] < arguments.seeds]))


def measure(job: Result, folds: list[Task]) -> list[Result]:
    """Return recall and F1 of networks trained on images resampled by a strategy."""
    fitting, balanced = timed(
        "fit", lambda: [STRATEGIES[job["strategy"]](fold, job["seed"]) for fold in folds]
    )
    steps, seed = STEPS[job["set"]], job["seed"]
    predicted = np.concatenate(
        [
            classify(X, y, fold.test, steps=steps, seed=seed)
            for (X, y), fold in zip(balanced, folds, strict=True)
        ]
    )
    true = np.concatenate([fold.y_test for fold in folds])
    recalls = recall_score(true, predicted, labels=folds[0].rare, average=None)
    return [
        {
            "recall_of_rare": round(float(recalls.mean()), 6),
            "macro_f1": round(float(f1_score(true, predicted, average="macro")), 6),
            "accuracy": round(float((predicted == true).mean()), 6),
        }
        | fitting
    ]


def classify(X: Images, y: Labels, test: Images, *, steps: int, seed: int) -> Labels:
    """Train a small convolutional network; return the labels that it gives to the test images."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        side, n_classes = X.shape[1], int(y.max()) + 1
        network = _network(side, n_classes)
        optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
        images, labels = _tensor(X), torch.from_numpy(y)
        network.train()
        for _ in range(steps):
            drawn = torch.randint(len(images), (BATCH,))
            loss = F.cross_entropy(network(_varied(images[drawn])), labels[drawn])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        network.eval()
        with torch.no_grad():
            outputs = torch.cat([network(part) for part in _tensor(test).split(500)])
    found: Labels = outputs.argmax(dim=1).numpy()
    return found


def _network(side: int, n_classes: int) -> nn.Module:
    layers: list[nn.Module] = []
    channels = 1
    for size in (16, 32, 64):
        conv = nn.Conv2d(channels, size, 3, padding=1, bias=False)
        layers += [conv, nn.BatchNorm2d(size), nn.ReLU(), nn.MaxPool2d(2)]
        channels = size
    features = channels * (side // 8) ** 2
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(features, n_classes))


def _varied(images: Tensor) -> Tensor:
    """Flip half of the images, and shift each by up to a tenth of its side."""
    n, _, height, width = images.shape
    flipped = torch.where(torch.rand(n, 1, 1, 1) < 0.5, images.flip(3), images)
    most = round(SHIFT * height)
    padded = F.pad(flipped, (most,) * 4, mode="replicate")
    top, left = torch.randint(0, 2 * most + 1, (2, n))
    rows = (top[:, None] + torch.arange(height))[:, :, None]
    columns = (left[:, None] + torch.arange(width))[:, None, :]
    return padded[torch.arange(n)[:, None, None], 0, rows, columns][:, None]


def _tensor(images: Images) -> Tensor:
    return torch.from_numpy(images).float().div(127.5).sub(1)[:, None]


def _none(task: Task, seed: int) -> tuple[Images, Labels]:
    return task.train, task.y_train


def _flat(sampler: Any) -> Resample:
    """Return a strategy that resamples images as rows of pixels."""

    def resample(task: Task, seed: int) -> tuple[Images, Labels]:
        flat = task.train.reshape(len(task.train), -1)
        rows, labels = sampler(random_state=seed).fit_resample(flat, task.y_train)
        return rows.reshape(-1, *task.train.shape[1:]).astype(np.uint8), labels

    return resample


def _noise(task: Task, seed: int) -> tuple[Images, Labels]:
    """Balance by copies, then add a copy of every image with white noise."""
    X, y = _flat(RandomOverSampler)(task, seed)
    random = np.random.default_rng(seed)
    strength = X.std() * random.random((len(X), 1, 1), dtype=np.float32)
    noisy = X + strength * random.standard_normal(X.shape, dtype=np.float32)
    new = noisy.round().clip(0, 255).astype(np.uint8)
    return np.concatenate([X, new]), np.concatenate([y, y])


def _augan(**params: Any) -> Resample:
    def resample(task: Task, seed: int) -> tuple[Images, Labels]:
        sampler = GANSampler(random_state=seed, **params)
        images, labels = sampler.fit_resample(task.train, task.y_train, groups=task.groups)
        return images, labels

    return resample


STRATEGIES: dict[str, Resample] = {
    "none": _none,
    "random oversampling": _flat(RandomOverSampler),
    "SMOTE": _flat(SMOTE),
    "noise in every class": _noise,
    "augan": _augan(),
    "augan latent": _augan(method="latent", spread=2.0),
    "augan tuned": _augan(tune_for="auto"),
}


def _jobs(arguments: argparse.Namespace) -> Iterator[tuple[Result, list[Task]]]:
    for name in arguments.sets:
        for seed in range(arguments.seeds):
            folds = SETS[name](arguments.data, seed)
            for strategy in arguments.strategies:
                yield (
                    {"set": name, "seed": seed, "strategy": strategy, "rare": list(folds[0].rare)},
                    folds,
                )


def _report(results: list[Result]) -> str:
    """Return the tables in Markdown: a row for each strategy, a column for each seed."""
    lines = pd.DataFrame([result for result in results if "error" not in result])
    blocks = []
    for name, own in lines.groupby("set", sort=False):
        table = own.pivot_table(index="strategy", columns="seed", values=FIGURES, sort=False)
        seeds = sorted(own["seed"].unique())
        rows = [[str(strategy), *_cells(row, seeds)] for strategy, row in table.iterrows()]
        header = [f"{name}, seeds {', '.join(map(str, seeds))}", *FIGURES]
        blocks.append(markdown_table([text.replace("_", " ") for text in header], rows))
    return "\n\n".join(blocks)


def _cells(row: pd.Series, seeds: list[int]) -> list[str]:
    """Return a figure's mean, and its value for each seed, for every figure."""
    cells = []
    for figure in FIGURES:
        values = [row.get((figure, seed), np.nan) for seed in seeds]
        found = ["-" if np.isnan(value) else f"{value:.3f}" for value in values]
        mean = "-" if "-" in found else f"{np.mean(values):.3f}"
        cells.append(f"{mean} ({', '.join(found)})")
    return cells


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_common_options(parser)
    add = parser.add_argument
    add("--seeds", type=int, default=2, help="how many, from 0 on")
    add("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    add(
        "--strategies",
        nargs="+",
        choices=list(STRATEGIES),
        default=list(STRATEGIES),
        metavar="STRATEGY",
    )
    return parse(parser)


if __name__ == "__main__":
    run(main)
