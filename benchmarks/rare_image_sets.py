"""Sets of images with rare classes, split into training and test images."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from sklearn.model_selection import StratifiedGroupKFold, train_test_split

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]

N_RARE = 50
SIDE, N_FOLDS = 64, 3
MOST_FRAMES = 2000  # between two photographs of one tile
KINDS = ("Blowhole", "Break", "Crack", "Fray", "Uneven")


@dataclass(frozen=True)
class Task:
    """Training and test images (n, H, W), their labels, and which labels are rare.

    `groups` are the parts that training images show, if no test image shows one of them.
    """

    train: Images
    y_train: Labels
    test: Images
    y_test: Labels
    rare: tuple[int, ...]
    groups: Labels | None = None


def fashion_mnist(folder: Path, seed: int) -> list[Task]:
    """Cut two classes, drawn by the seed, to 50 images each."""
    with np.load(folder / "fashion_mnist" / "fashion_mnist.npz") as data:
        train, y = data["x_train"], data["y_train"].astype(np.int64)
        test, y_test = data["x_test"], data["y_test"].astype(np.int64)
    random = np.random.default_rng(seed)
    rare = tuple(sorted(random.permutation(10)[:2].tolist()))
    left = [random.permutation(np.flatnonzero(y == label))[N_RARE:] for label in rare]
    kept = np.setdiff1d(np.arange(len(y)), np.concatenate(left))
    return [Task(train[kept], y[kept], test, y_test, rare)]


def magnetic_tile(folder: Path, seed: int) -> list[Task]:
    """Return folds of whole tiles: no tile is in training and test images."""
    X, y, tiles = _photographs(folder)
    folds = StratifiedGroupKFold(N_FOLDS, shuffle=True, random_state=seed).split(X, y, tiles)
    return [_parted(X, y, train, test, tiles) for train, test in folds]


def magnetic_tile_photographs(folder: Path, seed: int) -> list[Task]:
    """Return a random split of the photographs."""
    X, y, _ = _photographs(folder)
    train, test = train_test_split(np.arange(len(y)), test_size=0.4, stratify=y, random_state=seed)
    return [_parted(X, y, train, test)]


def _parted(
    X: Images, y: Labels, train: Labels, test: Labels, groups: Labels | None = None
) -> Task:
    own = None if groups is None else groups[train]
    return Task(X[train], y[train], X[test], y[test], tuple(range(len(KINDS))), own)


def _photographs(folder: Path) -> tuple[Images, Labels, Labels]:
    """Return images of defects, scaled to 64 x 64 pixels, their kinds, and which tile each shows.

    Files are named after light and frame. The frames of a tile are consecutive, one for each light,
    so another tile begins where the lights start again or many frames are missing.
    """
    found = [
        (kind, *map(int, re.findall(r"\d+", file.stem)), file)
        for kind in KINDS
        for file in (folder / "magnetic_tile" / f"MT_{kind}" / "Imgs").glob("*.jpg")
    ]
    if not found:
        raise FileNotFoundError(f"{folder / 'magnetic_tile'}: no MT_*/Imgs/*.jpg in this folder")
    table = pd.DataFrame(found, columns=["kind", "light", "frame", "file"])
    table = table.sort_values(["kind", "frame"], ignore_index=True)
    other = table["kind"].ne(table["kind"].shift())
    begun = table["light"].diff().le(0) | table["frame"].diff().gt(MOST_FRAMES)
    table["tile"] = (other | begun).cumsum()
    table = table.sort_values("file")
    images = np.stack([_scaled(file) for file in table["file"]])
    return images, table["kind"].map(KINDS.index).to_numpy(), table["tile"].to_numpy()


def _scaled(file: Path) -> Images:
    with Image.open(file) as picture:
        return np.asarray(picture.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX))


SETS = {
    "fashion_mnist": fashion_mnist,
    "magnetic_tile": magnetic_tile,
    "magnetic_tile_photographs": magnetic_tile_photographs,
}
