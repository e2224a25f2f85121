"""Which files in a folder are images, and which of these are masks, by their names."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path

from augan.exceptions import DataError
from augan.io.decoding import ENDINGS
from augan.io.walking import files_below

PATTERN = "*?["  # marks of a glob pattern
MASK_FOLDERS = (  # folders of masks, not of a class
    *("masks", "ground_truth", "groundtruth", "ground-truth", "ground truth", "gt"),
)
PERHAPS_MASKS = ("mask",)  # a folder of masks only if each file has an image
BESIDE = re.compile(r"(.+?)(_mask|-mask|_gt)([ _.-]?\d+)?", re.IGNORECASE)  # a mask's name


def image_root(path: Path) -> Path:
    """Return the folder that image names are relative to: `path`, or the parent of one image."""
    return path if path.is_dir() else path.parent


def is_pattern(path: Path) -> bool:
    """Whether a path that does not exist has the marks of a glob pattern."""
    return not os.path.lexists(path) and any(mark in str(path) for mark in PATTERN)


def matching_images(pattern: Path) -> list[str]:
    """Return the images that match a pattern, sorted.

    Raises
    ------
    DataError
        If there is none.
    """
    names = sorted(glob.glob(str(pattern), recursive=True))
    images = [name for name in names if is_image_name(Path(name)) and not os.path.isdir(name)]
    if not images:
        raise DataError(f"{pattern}: no image ({', '.join(ENDINGS)}) matches this pattern")
    return images


def is_mvtec(path: Path) -> bool:
    """Whether a folder has the layout of MVTec AD, with a folder ``train/good``."""
    return (path / "train" / "good").is_dir()


def holds_images(path: Path) -> bool:
    """Whether there is an image in a folder or below it."""
    return any(_is_image(file) for file in files_below(path))


def image_files(path: Path, without: Path | None = None) -> list[Path]:
    """Return the images in a folder and its subfolders, sorted, except those in `without`."""
    files = [file for file in files_below(path) if _is_image(file)]
    if without is not None:
        left_out = without.resolve()
        files = [file for file in files if left_out not in file.resolve().parents]
    return sorted(files)


def masks_among(files: list[Path], top: Path) -> set[Path]:
    """Return which of the images in a folder are masks, by their names."""
    stems = {file.with_suffix("") for file in files}
    masks = set()
    for file in files:
        folders = file.relative_to(top).parts[:-1]
        found = BESIDE.fullmatch(file.stem)
        if any(folder.lower() in MASK_FOLDERS for folder in folders) or (
            found and file.with_name(found[1]) in stems
        ):
            masks.add(file)
    return masks | _masks_of_namesakes(files, top)


def _masks_of_namesakes(files: list[Path], top: Path) -> set[Path]:
    """Return the files in folders that may hold masks, if there is an image for each file.

    The image of ``mask/bent/a_mask.png`` is ``bent/a.png``.
    """
    stems = {file.with_suffix("") for file in files}
    masks = set()
    for file in files:
        folders = file.relative_to(top).parts[:-1]
        if any(folder.lower() in PERHAPS_MASKS for folder in folders):
            others = [folder for folder in folders if folder.lower() not in PERHAPS_MASKS]
            found = BESIDE.fullmatch(file.stem)
            image = top.joinpath(*others, file.stem)
            if image not in stems and not (found and image.with_name(found[1]) in stems):
                return set()
            masks.add(file)
    return masks


def is_image_name(file: Path) -> bool:
    """Whether a file name ends like those of images."""
    return file.suffix.lower() in ENDINGS


def _is_image(file: Path) -> bool:
    """Whether a file is read as an image; broken links are, so that an error names them."""
    return is_image_name(file) and (file.is_file() or not file.exists())
