"""Defects of magnetic tiles: trained on good tiles, tested on other good and on defective tiles.

Photographs of MT_Free are split at random, 80 % to train ("magnetic_tile"), or so that all
photographs of a tile are on one side ("magnetic_tile_by_tile"). A tile was photographed under up to
six lights: in a random split nearly every good test image has a twin among the training images,
which favours methods that memorise images.

Compared with, if installed: anomalib's PatchCore and PaDiM with the same pretrained weights as
augan, at 224 x 224 pixels. Without pretrained weights: augan with ``backbone=None``, distances to
the nearest training images, residuals of principal components (each image standardised, 32 x 32
pixels), a memory of patch features of an untrained ResNet-18 (Roth 2022), and anomalib's Ganomaly.
Each fit is a line of results/defects.jsonl.

    python benchmarks/defects.py --data DIR [--seeds 2] [--sets magnetic_tile ...]
    python benchmarks/defects.py --data DIR --arrange FOLDER   (the first split, in MVTec's layout)
    python benchmarks/defects.py --report

DIR holds the folder magnetic_tile (Huang 2018).
"""

from __future__ import annotations

import argparse
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from formatting import markdown_table
from measuring import quality, timed
from numpy.typing import NDArray
from peers_anomalib import fit_padim, fit_patchcore, score_anomalib
from peers_images import ganomaly, nearest_images, patch_memory, principal_residual
from PIL import Image
from results import FOLDER, Result, read
from running import add_common_options, parse, run, run_missing, threads
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit

from augan import FAnoGAN
from augan.evaluation import pixel_metrics
from augan.io.decoding import Form, read_form
from augan.io.image_folder import ImageFolder
from augan.io.masks import mask_of, scaled

Images = NDArray[np.uint8]
Maps = NDArray[np.floating[Any]]
Found = tuple[NDArray[np.float64], Maps | None]  # scores (n,) and heat (n, h, w)

KEY = ("set", "seed", "method")
MOST_FRAMES = 2000  # most between two photographs of a tile
COMPARED = 0.4  # of the photographs' own size is what heat and masks are compared at
FIGURES = ("auroc", "ap", "pixel_auroc", "pixel_ap", "aupro", "fit_wall_seconds")
DECIMALS = {"fit_wall_seconds": 0}


@dataclass(frozen=True)
class Task:
    """Images (n, H, W) of one size, the kinds of the test images, and their masks.

    `groups` (n,) are the tiles that the training images show.
    """

    train: Images
    groups: NDArray[np.int64]
    test: Images
    kinds: NDArray[Any]
    masks: list[NDArray[np.bool_]]
    folder: Path


def main() -> None:
    arguments = _arguments()
    if arguments.arrange is not None:
        arrange(arguments.data / "magnetic_tile", arguments.arrange, seed=0, by_tile=False)
        return
    file = arguments.results or FOLDER / "defects.jsonl"
    if not arguments.report:
        with threads(arguments.threads):
            run_missing(file, _jobs(arguments), _measure, key=KEY, fresh=arguments.fresh)
    print(_report(read(file, KEY)))


def arrange(tiles: Path, folder: Path, *, seed: int, by_tile: bool) -> None:
    """Lay the tiles out as MVTec does, with links to the images."""
    good = sorted((tiles / "MT_Free" / "Imgs").glob("*.jpg"))
    if not good:
        raise FileNotFoundError(f"{tiles / 'MT_Free' / 'Imgs'}: no .jpg in this folder")
    splitter: Any = GroupShuffleSplit if by_tile else ShuffleSplit
    groups = tile_of(good) if by_tile else None
    train, test = next(splitter(1, test_size=0.2, random_state=seed).split(good, groups=groups))
    for name, chosen in (("train/good", train), ("test/good", test)):
        for i in chosen:
            _link(good[i], folder / name / good[i].name)
    for kind in ("Blowhole", "Break", "Crack", "Fray", "Uneven"):
        for image in (tiles / f"MT_{kind}" / "Imgs").glob("*.jpg"):
            _link(image, folder / "test" / kind.lower() / image.name)
            mask = folder / "ground_truth" / kind.lower() / f"{image.stem}_mask.png"
            _link(image.with_suffix(".png"), mask)


def tile_of(files: list[Path]) -> NDArray[np.int64]:
    """Return which tile each photograph shows.

    Files are named after light and frame. A tile's frames follow each other, from one light to
    the next, so where the lights begin again or many frames are left out there is another tile.
    """
    numbers = [tuple(map(int, re.findall(r"\d+", file.stem))) for file in files]
    table = pd.DataFrame(numbers, columns=["light", "frame"]).sort_values("frame")
    begun = table["light"].diff().le(0) | table["frame"].diff().gt(MOST_FRAMES)
    return np.asarray(begun.cumsum().sort_index().to_numpy(), dtype=np.int64)


def load(folder: Path) -> Task:
    """Read images and masks of MVTec's layout, as `augan fit` and `augan evaluate` do."""
    training, testing = ImageFolder(folder, training=True), ImageFolder(folder)
    form = training.form()
    batches = list(testing.named_batches(Form(form.height, form.width, 1, form.dtype)))
    names = [name for batch, _ in batches for name in batch]
    kinds = testing.labels("folder")
    masks = [
        scaled(mask_of(folder, folder / "ground_truth", name, kind != "good"), _size(folder / name))
        for name, kind in zip(names, kinds, strict=True)
    ]
    test = np.concatenate([part for _, part in batches])
    images = training.rows()
    good = sorted(path for part in ("train", "test") for path in (folder / part / "good").iterdir())
    tiles = dict(zip((path.name for path in good), tile_of(good), strict=True))
    groups = np.array([tiles[Path(name).name] for name in training.names])
    return Task(images, groups, test, kinds, masks, folder)


def _size(file: Path) -> tuple[int, int]:
    form = read_form(file)
    return round(COMPARED * form.height), round(COMPARED * form.width)


def _augan(*, grouped: bool = False, **params: Any) -> Callable[[Task, int], tuple[Result, Found]]:
    def run(task: Task, seed: int) -> tuple[Result, Found]:
        detector = FAnoGAN(random_state=seed, **params)
        groups = task.groups if grouped else None
        fitting, _ = timed("fit", detector.fit, task.train, None, groups)
        scoring, scores = timed("score", detector.anomaly_score, task.test)
        flagged = scores > detector.threshold_
        good = task.kinds == "good"
        verdict = {"fpr": float(flagged[good].mean()), "recall": float(flagged[~good].mean())}
        verdict["p_05"] = float((detector.p_value(task.test)[good] <= 0.05).mean())
        parts = detector.score_parts(task.test)
        heads = {name: round(float(roc_auc_score(~good, parts[name])), 4) for name in parts}
        return fitting | scoring | verdict | {"heads": heads}, (scores, detector.explain(task.test))

    return run


def _peer(find: Callable[..., Found]) -> Callable[[Task, int], tuple[Result, Found]]:
    def run(task: Task, seed: int) -> tuple[Result, Found]:
        return timed("fit", find, task.train, task.test, seed)

    return run


def _ganomaly(task: Task, seed: int) -> tuple[Result, Found]:
    return timed("fit", ganomaly, task.folder, seed)


def _anomalib(fit: Callable[[Images, int], Any]) -> Callable[[Task, int], tuple[Result, Found]]:
    def run(task: Task, seed: int) -> tuple[Result, Found]:
        fitting, model = timed("fit", fit, task.train, seed)
        scoring, found = timed("score", score_anomalib, model, task.test)
        return fitting | scoring, found

    return run


METHODS: dict[str, Callable[[Task, int], tuple[Result, Found]]] = {
    "augan (default)": _augan(),
    "augan (groups)": _augan(grouped=True),
    "PatchCore, same weights": _anomalib(fit_patchcore),
    "PaDiM, same weights": _anomalib(fit_padim),
    "augan (no backbone)": _augan(backbone=None),
    "augan (paper's score)": _augan(scoring="paper"),
    "5 nearest images, 32 pixels": _peer(nearest_images),
    "nearest image, 16 pixels": _peer(partial(nearest_images, side=16, n_neighbors=1)),
    "PCA residual": _peer(principal_residual),
    "patch memory": _peer(patch_memory),
    "Ganomaly": _ganomaly,
}
SETS = {"magnetic_tile": False, "magnetic_tile_by_tile": True}


def _measure(job: Result, task: Task) -> list[Result]:
    seconds, (scores, heat) = METHODS[job["method"]](task, job["seed"])
    good = task.kinds == "good"
    of_kinds = {
        str(kind): round(float(roc_auc_score(task.kinds[rows] == kind, scores[rows])), 4)
        for kind in np.unique(task.kinds[~good])
        for rows in [good | (task.kinds == kind)]
    }
    figures = quality((~good).astype(np.int64), scores) | {"kinds": of_kinds} | seconds
    if heat is not None:
        found = pixel_metrics(task.masks, _resized(heat, task.masks))
        figures |= {"pixel_auroc": round(found.auroc, 6), "aupro": round(found.aupro, 6)}
        figures["pixel_ap"] = round(found.average_precision, 6)
    return [figures]


def _resized(heat: Maps, masks: list[NDArray[np.bool_]]) -> list[Maps]:
    """Return the heat (h, w) of each image at the size of its mask."""
    return [
        np.asarray(Image.fromarray(own).resize(mask.shape[::-1], Image.Resampling.BILINEAR))
        for own, mask in zip(heat.astype(np.float32), masks, strict=True)
    ]


def _jobs(arguments: argparse.Namespace) -> Iterator[tuple[Result, Task]]:
    for name in arguments.sets:
        for seed in range(arguments.seeds):
            with tempfile.TemporaryDirectory() as folder:
                tiles = arguments.data / "magnetic_tile"
                arrange(tiles, Path(folder), seed=seed, by_tile=SETS[name])
                task = load(Path(folder))
                sizes = {"n_train": len(task.train), "n_test": len(task.test)}
                for method in arguments.methods:
                    yield {"set": name, "seed": seed, "method": method} | sizes, task


def _link(file: Path, link: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(file.resolve())


def _report(results: list[Result]) -> str:
    """Return the tables in Markdown: a row for each method, means and each seed."""
    lines = pd.DataFrame([result for result in results if "error" not in result])
    if lines.empty:
        return "nothing has been run"
    blocks = []
    for name, own in lines.groupby("set", sort=False):
        seeds = sorted(own["seed"].unique())
        rows = [
            [str(method), *(_cell(part, figure, seeds) for figure in FIGURES)]
            for method, part in own.groupby("method", sort=False)
        ]
        header = [f"{name}, seeds {', '.join(map(str, seeds))}", *FIGURES]
        blocks.append(markdown_table([text.replace("_", " ") for text in header], rows))
    return "\n\n".join(blocks)


def _cell(lines: pd.DataFrame, figure: str, seeds: list[int]) -> str:
    """Return a figure's mean and its value for each seed."""
    if figure not in lines or lines[figure].isna().all():
        return "-"
    values = lines.set_index("seed")[figure].reindex(seeds)
    digits = DECIMALS.get(figure, 3)
    found = ["-" if np.isnan(value) else f"{value:.{digits}f}" for value in values]
    mean = "-" if "-" in found else f"{values.mean():.{digits}f}"
    return f"{mean} ({', '.join(found)})"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_common_options(parser)
    add = parser.add_argument
    add("--seeds", type=int, default=2, help="how many, from 0 on")
    add("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    add("--methods", nargs="+", choices=list(METHODS), default=list(METHODS), metavar="METHOD")
    add("--arrange", type=Path, help="only write the images in MVTec's layout to this folder")
    return parse(parser)


if __name__ == "__main__":
    run(main)
