"""Images that are read in one form: the same size, channels and dtype."""

from __future__ import annotations

import os
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from augan._callers import caller_level
from augan.exceptions import DataError, DataWarning
from augan.io.decoding import Form, read_form, read_image
from augan.io.image_memory import room_for
from augan.io.image_options import ImageOptions
from augan.io.loaded_image import LoadedImage

BATCH_IMAGES = 64
BATCH_BYTES = 2**26
MAX_WORKERS = 8
READ_AHEAD_BYTES = 2**28  # of decoded images in the queue


class ImageList:
    """Images in a given order: files, and pixels in memory.

    Parameters
    ----------
    names : list of str
        The images: files relative to `path`, or names of `loaded` images.
    options : ImageOptions, optional
        How the files are read.
    path : Path, default=Path()
        Folder that the names are relative to.
    loaded : mapping of str to LoadedImage, optional
        The images that are not files.
    skip_bad : bool, default=False
        Leave out files that cannot be read, instead of raising; `skipped` lists them.

    Attributes
    ----------
    skipped : dict of str to str
        The error of each file that was left out.
    size : tuple of int, or None
        Median height and width of the images as they are; None until `form` has read their headers.
    warns_of_colour : bool
        Whether to warn, once, of colours that are dropped.
    """

    def __init__(
        self,
        names: list[str],
        options: ImageOptions | None = None,
        *,
        path: Path | None = None,
        loaded: Mapping[str, LoadedImage] | None = None,
        skip_bad: bool = False,
    ) -> None:
        self.names, self.path, self.skip_bad = names, path or Path(), skip_bad
        self.options = options or ImageOptions()
        self.skipped: dict[str, str] = {}
        self.size: tuple[int, int] | None = None
        self._loaded = loaded or {}
        self.warns_of_colour = True

    def form(self, longest: int | None = None) -> Form:
        """Return the form to read all images in: the median size and the most channels.

        A side has at most `longest` pixels.

        Raises
        ------
        DataError
            If no image can be read, or their dtypes differ.
        """
        found = list(self._in_order(self.names, self._form_of))
        if not found:
            raise DataError(f"{self.path}: none of {len(self.skipped)} images can be read")
        forms = [form for _, form in found]
        dtypes = Counter(form.dtype for form in forms)
        dtype = dtypes.most_common(1)[0][0]
        for name, form in found:
            if form.dtype != dtype:
                other = f"pixels of type {form.dtype}, but {dtypes[dtype]} others have {dtype}"
                raise DataError(f"{self._shown(name)}: {other}")
        channels = sorted({form.channels for form in forms})
        wanted = 3 if channels[-1] == 4 and len(channels) > 1 else channels[-1]
        sizes = np.array([(form.height, form.width) for form in forms])
        middle = np.median(sizes, axis=0)
        self.size = _rounded(middle)
        if longest is not None:
            middle = middle * min(1.0, longest / middle.max())
        return Form(*_rounded(middle), wanted, dtype)

    def rows(self, longest: int | None = None, form: Form | None = None) -> NDArray[Any]:
        """Return all images, (n, H, W[, C]), in one form; skipped ones leave `names`.

        Without a `form`, it is that of `form(longest)`. Many images are kept in a temporary file
        that is mapped to memory.
        """
        form = form or self.form(longest)
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
        coloured: set[str] = set()
        ahead = max(1, READ_AHEAD_BYTES // form.n_bytes)
        read = partial(self._pixels_of, form=form, coloured=coloured)
        for name, image in self._in_order(self.names, read, ahead):
            if self.warns_of_colour and name in coloured:
                self._warn_of_colour(name)
            names.append(name)
            images.append(image)
            if len(names) == at_once:
                yield names, np.stack(images)
                names, images = [], []
        if names:
            yield names, np.stack(images)

    def _form_of(self, name: str) -> Form:
        loaded = self._loaded.get(name)
        return loaded.form if loaded else read_form(self.path / name, self.options)

    def _pixels_of(self, name: str, form: Form, coloured: set[str]) -> NDArray[Any]:
        """Return an image in a form; its name is added to `coloured` if colours are lost."""

        def lost(_: object) -> None:
            coloured.add(name)

        loaded = self._loaded.get(name)
        if loaded:
            return loaded.pixels_in(form, on_colour=lost)
        return read_image(self.path / name, form, self.options, on_colour=lost)

    def _shown(self, name: str) -> str:
        """Return the name of an image in messages."""
        return name if name in self._loaded else str(self.path / name)

    def _in_order(
        self, names: Sequence[str], read: Callable[[str], Any], ahead: int = 2 * MAX_WORKERS
    ) -> Iterator[tuple[str, Any]]:
        """Yield the result of `read` for each image; threads read up to `ahead` images ahead."""
        workers = min(MAX_WORKERS, os.cpu_count() or 1, ahead)
        most = min(2 * workers, ahead)
        waiting: deque[tuple[str, Future[Any]]] = deque()
        with ThreadPoolExecutor(workers) as pool:
            left = iter(names)
            try:
                while True:
                    while len(waiting) < most and (name := next(left, None)) is not None:
                        waiting.append((name, pool.submit(read, name)))
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

    def _warn_of_colour(self, name: str) -> None:
        """Warn, once for all images, that colours are dropped."""
        self.warns_of_colour = False
        warnings.warn(
            f"{self._shown(name)}: the colours are dropped, since the model was trained on grey "
            "images (this warning is given once)",
            DataWarning,
            stacklevel=caller_level(),
        )


def _rounded(size: NDArray[np.float64]) -> tuple[int, int]:
    height, width = size.round().astype(int).clip(min=1).tolist()
    return height, width
