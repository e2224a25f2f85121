"""DATA of `augan score`: one folder or file, or several images, given as files or patterns."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._batches import Batch, Keep, image_batches, model_batches


@dataclass(frozen=True)
class Given:
    """What is scored: the folder or file at `path` or, unless empty, the files `images`."""

    path: Path
    images: Sequence[str] = ()

    @property
    def label(self) -> str:
        """What messages call the data."""
        n_others = len(self.images) - 1
        return f"{self.images[0]} and {n_others} more" if n_others > 0 else str(self.path)

    def batches(
        self, estimator: Any, model: Path, options: Any, *, skip_bad: bool, keep: Keep
    ) -> Iterator[Batch]:
        """Yield the rows or images in batches, in the form that the model takes."""
        how: dict[str, Any] = {"skip_bad": skip_bad, "keep": keep}
        if self.images:
            return image_batches(self.images, estimator.codec_, options, **how)
        return model_batches(estimator, model, self.path, options, **how)

    def files(self, options: Any) -> ImageFiles:
        """Return the image files, which are read again in their own size."""
        from augan.io.image_files import image_root
        from augan.io.image_options import image_options

        how = image_options(options)
        if not self.images:
            return ImageFiles(image_root(self.path), how)
        folders = [os.path.dirname(os.path.abspath(name)) for name in self.images]
        return ImageFiles(Path(), how, os.path.commonpath(folders))


@dataclass(frozen=True)
class ImageFiles:
    """Image files, which are read again in their own size.

    Their names are relative to `root`. Files that are made of them are named as the images are,
    relative to the folder `top` that all are in; None is `root`.
    """

    root: Path
    options: Any
    top: str | None = None

    def size(self, name: str) -> tuple[int, int]:
        """Return the height and width of an image."""
        from augan.io.decoding import read_form

        form = read_form(self.root / name, self.options)
        return form.height, form.width

    def image(self, name: str) -> Any:
        """Return the pixels of an image."""
        from augan.io.decoding import read_form, read_image

        file = self.root / name
        return read_image(file, read_form(file, self.options), self.options)

    def output_name(self, name: str) -> str:
        """Return the name of the files that are made of an image."""
        if self.top is None:
            return name
        return Path(os.path.relpath(os.path.abspath(name), self.top)).as_posix()


def given_data(paths: Sequence[Path], estimator: Any, model: Path, *, skip_bad: bool) -> Given:
    """Return what the paths of DATA are.

    A single path is a folder, a file, or "-" for standard input; if it does not exist, it may be a
    pattern of images such as ``new/*.png``. Several paths are images and patterns. An image that is
    found twice is scored once.

    Raises
    ------
    DataError
        If a path is not an image or, without `skip_bad`, does not exist; if a pattern matches no
        image; for several paths and a model of tables.
    """
    from augan.exceptions import DataError
    from augan.io.image_files import is_pattern, matching_images

    is_table_model = estimator.codec_.kind == "table"
    if len(paths) == 1 and (is_table_model or not is_pattern(paths[0])):
        return Given(paths[0])
    if is_table_model:
        raise DataError(
            f"{paths[1]}: a second path, but {model} was trained on a table: give one file or "
            "folder"
        )
    found: dict[str, str] = {}
    for path in paths:
        if is_pattern(path):
            names = matching_images(path)
        else:
            _check_image(path, skip_bad=skip_bad)
            names = [str(path)]
        for name in names:
            found.setdefault(os.path.abspath(name), name)
    return Given(paths[0], list(found.values()))


def _check_image(path: Path, *, skip_bad: bool) -> None:
    """Raise for a path, one of several, that is not an image, before any is scored."""
    from augan.exceptions import DataError
    from augan.io.decoding import ENDINGS
    from augan.io.image_files import is_image_name

    if path.is_dir():
        raise DataError(f"{path}: a folder; of several paths, each must be an image")
    if not is_image_name(path):
        raise DataError(f"{path}: not an image ({', '.join(ENDINGS)})")
    if not skip_bad and not path.exists():
        raise DataError(f"{path}: no such file")
