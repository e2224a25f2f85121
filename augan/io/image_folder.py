"""Folders of images: plain, a folder for each class, or MVTec's layout."""

from __future__ import annotations

import os
import re
import tempfile
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from augan.exceptions import DataError, shown
from augan.io.decoding import ENDINGS, Form, read_form, read_image
from augan.io.image_options import ImageOptions
from augan.io.walking import files_below, readable

BATCH_IMAGES = 64
BATCH_BYTES = 2**26
MAPPED_BYTES = 2**30
MAX_WORKERS = 8
READ_AHEAD_BYTES = 2**28  # of images that wait, decoded, for their turn
MASK_FOLDERS = (  # no images, and no class
    *("masks", "ground_truth", "groundtruth", "ground-truth", "ground truth", "gt"),
)
PERHAPS_MASKS = ("mask",)  # a class too, unless there is an image for each file
BESIDE = re.compile(r"(.+?)(_mask|-mask|_gt)([ _.-]?\d+)?", re.IGNORECASE)  # a mask's name
LABELS = "folder"  # what the labels are called: the folder that an image is in


class ImageFolder:
    """The images in a folder and below it, in the order of their names.

    In MVTec's layout the images to train on are those in ``train/good``, all others those in
    ``test``. The label of an image is the first folder on the way to it.

    Parameters
    ----------
    path : Path
        The folder, or one image.
    options : ImageOptions, optional
        How the files are read.
    training : bool, default=False
        Whether the images are to be trained on.
    without : Path, optional
        A folder that is left out, with masks.
    skip_bad : bool, default=False
        Leave files out that cannot be read, instead of raising; `skipped` says which and why.

    Attributes
    ----------
    path : Path
        The folder; of one image, that which it is in.
    names : list of str
        Paths of the images, from `path` on.
    skipped : dict of str to str
        What is wrong with each file that was left out.
    masks : list of str
        Files that are masks by their names, and are not read: those in folders ``masks``,
        ``ground_truth`` and the like, and ``a_mask.png`` beside ``a.png``.
    """

    is_table: ClassVar[bool] = False

    def __init__(
        self,
        path: Path,
        options: ImageOptions | None = None,
        *,
        training: bool = False,
        skip_bad: bool = False,
        without: Path | None = None,
    ) -> None:
        self.path, self.skip_bad = path, skip_bad
        self.options = options or ImageOptions()
        self.skipped: dict[str, str] = {}
        self.masks: list[str] = []
        if not path.is_dir():
            self.path = self._top = image_root(path)
            self.names = [path.name]
            return
        layout = is_mvtec(path)
        self._top = path / ("train/good" if training else "test") if layout else path
        files = image_files(self._top, without)
        masks = _masks_among(files, self._top)
        if len(masks) < len(files):
            files = [file for file in files if file not in masks]
            self.masks = [file.relative_to(path).as_posix() for file in sorted(masks)]
        if not files:
            raise DataError(f"{self._top}: no image ({', '.join(ENDINGS)}) in this folder")
        self.names = [file.relative_to(path).as_posix() for file in files]

    def reading(self) -> dict[str, Any]:
        """Return how the images are read, as `ReadOptions` has it; only what is not as usual."""
        values: dict[str, Any] = {"kind": "images"}
        usual = ImageOptions()
        for name in ("page", "max_pixels"):
            if getattr(self.options, name) != getattr(usual, name):
                values[name] = getattr(self.options, name)
        return values

    def columns(self) -> list[str]:
        """Return what `labels` can be asked for."""
        return [LABELS] if any(self._labels()) else []

    def labels(self, name: str) -> NDArray[Any]:
        """Return the folder of each image."""
        if name not in self.columns():
            listed = ", ".join(self.columns()) or "none: it has no folders"
            raise DataError(f"{self.path}: no labels {shown(name)}; it has {listed}")
        labels = self._labels()
        if "" in labels:
            raise DataError(
                f"{self.path / self.names[labels.index('')]}: not in a folder of a class"
            )
        return np.array(labels)

    def class_folders(self) -> dict[str, str]:
        """Return the folder of each class, from `path` on."""
        top = self._top.relative_to(self.path)
        found = {}
        for name, label in zip(self.names, self.labels(LABELS).tolist(), strict=True):
            depth = len(top.parts) + 1
            found[label] = Path(*Path(name).parts[:depth]).as_posix()
        return found

    def keep(self, chosen: NDArray[np.bool_]) -> None:
        """Leave out all images but the chosen ones, (n,)."""
        self.names = [name for name, kept in zip(self.names, chosen, strict=True) if kept]

    def form(self, longest: int | None = None) -> Form:
        """Return the form to read all images in: the middle size, the most channels.

        At most `longest` pixels a side.
        """
        found = list(self._in_order(self.names, lambda file: read_form(file, self.options)))
        if not found:
            raise DataError(f"{self.path}: none of {len(self.skipped)} images can be read")
        forms = [form for _, form in found]
        dtypes = Counter(form.dtype for form in forms)
        dtype = dtypes.most_common(1)[0][0]
        for name, form in found:
            if form.dtype != dtype:
                other = f"pixels of type {form.dtype}, {dtypes[dtype]} others are {dtype}"
                raise DataError(f"{self.path / name}: {other}")
        channels = sorted({form.channels for form in forms})
        wanted = 3 if channels[-1] == 4 and len(channels) > 1 else channels[-1]
        sizes = np.array([(form.height, form.width) for form in forms])
        middle = np.median(sizes, axis=0)
        if longest is not None:
            middle = middle * min(1.0, longest / middle.max())
        height, width = middle.round().astype(int).clip(min=1).tolist()
        return Form(height, width, wanted, dtype)

    def rows(self, longest: int | None = None) -> NDArray[Any]:
        """Return all images, (n, H, W[, C]), in one form; those that are skipped have no name.

        At most `longest` pixels a side. Where they are many, they lie in a file without a name
        that memory is mapped to.
        """
        form = self.form(longest)
        rows = _room(len(self.names), form)
        read: list[str] = []
        for names, images in self.named_batches(form):
            rows[len(read) : len(read) + len(names)] = images
            read += names
        self.names = read
        return rows[: len(read)]

    def named_batches(self, form: Form) -> Iterator[tuple[list[str], NDArray[Any]]]:
        """Give images in order, some at a time, and their names."""
        at_once = max(1, min(BATCH_IMAGES, BATCH_BYTES // form.n_bytes))
        names: list[str] = []
        images: list[NDArray[Any]] = []
        ahead = max(1, READ_AHEAD_BYTES // form.n_bytes)
        for name, image in self._in_order(
            self.names, lambda file: read_image(file, form, self.options), ahead
        ):
            names.append(name)
            images.append(image)
            if len(names) == at_once:
                yield names, np.stack(images)
                names, images = [], []
        if names:
            yield names, np.stack(images)

    def _in_order(
        self, names: Sequence[str], read: Any, ahead: int = 2 * MAX_WORKERS
    ) -> Iterator[tuple[str, Any]]:
        """Give what `read` makes of each file, at most so many read ahead by other threads."""
        workers = min(MAX_WORKERS, os.cpu_count() or 1, ahead)
        most = min(2 * workers, ahead)
        waiting: deque[tuple[str, Future[Any]]] = deque()
        with ThreadPoolExecutor(workers) as pool:
            left = iter(names)
            try:
                while True:
                    while len(waiting) < most and (name := next(left, None)) is not None:
                        waiting.append((name, pool.submit(read, self.path / name)))
                    if not waiting:
                        return
                    name, future = waiting.popleft()
                    try:
                        result = future.result()
                    except DataError as error:
                        if not self.skip_bad:
                            raise
                        self.skipped[name] = str(error)
                        continue
                    yield name, result
            finally:
                for _, future in waiting:
                    future.cancel()

    def _labels(self) -> list[str]:
        folders = [(self.path / name).relative_to(self._top).parts[:-1] for name in self.names]
        return [readable(parts[0]) if parts else "" for parts in folders]


def _room(n: int, form: Form) -> NDArray[Any]:
    """Return an array for `n` images: in memory, or in a file where that is large."""
    shape, dtype = (n, *form.shape), np.dtype(form.dtype)
    if n * form.n_bytes <= MAPPED_BYTES:
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile() as file:
        _reserve(file.fileno(), n * int(np.prod(form.shape)) * dtype.itemsize)
        return np.memmap(file, dtype, mode="w+", shape=shape)


def _reserve(file: int, n_bytes: int) -> None:
    """Take the space of a file at once: where it runs out later, memory that is mapped to it fails.

    An error names the folder, and with it what TMPDIR can change.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(file, 0, n_bytes)
    except OSError as error:
        message = f"{error.strerror} for {n_bytes / 1e9:.1f} GB of images (TMPDIR: another folder)"
        raise OSError(error.errno, message, tempfile.gettempdir()) from error


def image_root(path: Path) -> Path:
    """Return the folder that names of images are relative to: `path`, or that of one image."""
    return path if path.is_dir() else path.parent


def is_mvtec(path: Path) -> bool:
    """Whether a folder has MVTec's layout."""
    return (path / "train" / "good").is_dir()


def holds_images(path: Path) -> bool:
    """Whether there is an image in a folder or below it."""
    return any(_is_image(file) for file in files_below(path))


def image_files(path: Path, without: Path | None = None) -> list[Path]:
    """Return the images in a folder and below it, in the order of names, but those in another."""
    files = [file for file in files_below(path) if _is_image(file)]
    if without is not None:
        left_out = without.resolve()
        files = [file for file in files if left_out not in file.resolve().parents]
    return sorted(files)


def _masks_among(files: list[Path], top: Path) -> set[Path]:
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
    """Return the files in folders that may be those of masks, if each has its image beside them.

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
    """Whether a file is called as images are."""
    return file.suffix.lower() in ENDINGS


def _is_image(file: Path) -> bool:
    """Whether a file is to be read as an image; a link to nowhere is, and fails with its name."""
    return is_image_name(file) and (file.is_file() or not file.exists())
