"""Folders of images: without classes, one folder per class, or the layout of MVTec AD."""

from __future__ import annotations

import os
import warnings
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from augan.exceptions import DataError, DataWarning, shown
from augan.io.decoding import ENDINGS, Form, read_form, read_image
from augan.io.image_files import image_files, image_root, is_mvtec, masks_among
from augan.io.image_memory import room_for
from augan.io.image_options import ImageOptions
from augan.io.walking import readable

BATCH_IMAGES = 64
BATCH_BYTES = 2**26
MAX_WORKERS = 8
READ_AHEAD_BYTES = 2**28  # of decoded images in the queue
LABELS = "folder"  # name of the labels: the folder of each image


class ImageFolder:
    """The images in a folder and its subfolders, sorted by name.

    In the layout of MVTec AD, training images are those in ``train/good``, test images those in
    ``test``. The label of an image is the first folder of its path.

    Parameters
    ----------
    path : Path
        The folder, or one image.
    options : ImageOptions, optional
        How the files are read.
    training : bool, default=False
        Whether these are training images.
    without : Path, optional
        A folder of masks, which is left out.
    skip_bad : bool, default=False
        Leave out files that cannot be read, instead of raising; `skipped` lists them.

    Attributes
    ----------
    path : Path
        The folder, or the parent of one image.
    names : list of str
        Paths of the images, relative to `path`.
    skipped : dict of str to str
        The error of each file that was left out.
    masks : list of str
        Files that are masks by their names, which are left out: those in folders such as ``masks``
        and ``ground_truth``, and ``a_mask.png`` next to ``a.png``.
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
        self._warned = False
        if not path.is_dir():
            self.path = self._top = image_root(path)
            self.names = [path.name]
            return
        layout = is_mvtec(path)
        self._top = path / ("train/good" if training else "test") if layout else path
        files = image_files(self._top, without)
        masks = masks_among(files, self._top)
        if len(masks) < len(files):
            files = [file for file in files if file not in masks]
            self.masks = [file.relative_to(path).as_posix() for file in sorted(masks)]
        if not files:
            raise DataError(f"{self._top}: no image ({', '.join(ENDINGS)}) in this folder")
        self.names = [file.relative_to(path).as_posix() for file in files]

    def reading(self) -> dict[str, Any]:
        """Return the options that differ from the defaults, as fields of `ReadOptions`."""
        values: dict[str, Any] = {"kind": "images"}
        usual = ImageOptions()
        for name in ("page", "max_pixels"):
            if getattr(self.options, name) != getattr(usual, name):
                values[name] = getattr(self.options, name)
        return values

    def columns(self) -> list[str]:
        """Return the names that `labels` accepts."""
        return [LABELS] if any(self._labels()) else []

    def labels(self, name: str) -> NDArray[Any]:
        """Return the folder of each image.

        Raises
        ------
        DataError
            If there are no folders, or an image is not in one.
        """
        if name not in self.columns():
            listed = ", ".join(self.columns()) or "none, since it has no subfolders"
            raise DataError(f"{self.path}: no labels {shown(name)}; it has {listed}")
        labels = self._labels()
        if "" in labels:
            raise DataError(
                f"{self.path / self.names[labels.index('')]}: not in a folder of a class"
            )
        return np.array(labels)

    def class_folders(self) -> dict[str, str]:
        """Return the folder of each class, relative to `path`."""
        top = self._top.relative_to(self.path)
        found = {}
        for name, label in zip(self.names, self.labels(LABELS).tolist(), strict=True):
            depth = len(top.parts) + 1
            found[label] = Path(*Path(name).parts[:depth]).as_posix()
        return found

    def keep(self, chosen: NDArray[np.bool_]) -> None:
        """Keep only the chosen images, (n,)."""
        self.names = [name for name, kept in zip(self.names, chosen, strict=True) if kept]

    def form(self, longest: int | None = None) -> Form:
        """Return the form to read all images in: the median size and the most channels.

        A side has at most `longest` pixels.

        Raises
        ------
        DataError
            If no image can be read, or their dtypes differ.
        """
        found = list(self._in_order(self.names, lambda file: read_form(file, self.options)))
        if not found:
            raise DataError(f"{self.path}: none of {len(self.skipped)} images can be read")
        forms = [form for _, form in found]
        dtypes = Counter(form.dtype for form in forms)
        dtype = dtypes.most_common(1)[0][0]
        for name, form in found:
            if form.dtype != dtype:
                other = f"pixels of type {form.dtype}, but {dtypes[dtype]} others have {dtype}"
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
        """Return all images, (n, H, W[, C]), in one form; skipped ones leave `names`.

        A side has at most `longest` pixels. Many images are kept in a temporary file that is
        mapped to memory.
        """
        form = self.form(longest)
        rows = room_for(len(self.names), form)
        read: list[str] = []
        for names, images in self.named_batches(form):
            rows[len(read) : len(read) + len(names)] = images
            read += names
        self.names = read
        return rows[: len(read)]

    def named_batches(self, form: Form) -> Iterator[tuple[list[str], NDArray[Any]]]:
        """Yield batches of names and images, in order."""
        at_once = max(1, min(BATCH_IMAGES, BATCH_BYTES // form.n_bytes))
        names: list[str] = []
        images: list[NDArray[Any]] = []
        coloured: set[Path] = set()
        ahead = max(1, READ_AHEAD_BYTES // form.n_bytes)
        read = partial(read_image, form=form, options=self.options, on_colour=coloured.add)
        for name, image in self._in_order(self.names, read, ahead):
            if not self._warned and self.path / name in coloured:
                self._warn_of_colour(self.path / name)
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
        """Yield the result of `read` for each file; threads read up to `ahead` files ahead."""
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

    def _warn_of_colour(self, file: Path) -> None:
        """Warn, once for the folder, that colours are dropped."""
        self._warned = True
        warnings.warn(
            f"{file}: the colours are dropped, since the model was trained on grey images (this "
            "warning is given once)",
            DataWarning,
            stacklevel=3,
        )

    def _labels(self) -> list[str]:
        folders = [(self.path / name).relative_to(self._top).parts[:-1] for name in self.names]
        return [readable(parts[0]) if parts else "" for parts in folders]
