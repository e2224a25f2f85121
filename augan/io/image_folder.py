"""Folders of images: without classes, one folder per class, or the layout of MVTec AD."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from augan.exceptions import DataError, shown
from augan.io.decoding import ENDINGS
from augan.io.image_files import image_files, image_root, is_mvtec, masks_among
from augan.io.image_list import ImageList
from augan.io.image_options import ImageOptions
from augan.io.walking import readable

LABELS = "folder"  # name of the labels: the folder of each image


class ImageFolder(ImageList):
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
        super().__init__([], options, path=path, skip_bad=skip_bad)
        self.masks: list[str] = []
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

    def _labels(self) -> list[str]:
        folders = [(self.path / name).relative_to(self._top).parts[:-1] for name in self.names]
        return [readable(parts[0]) if parts else "" for parts in folders]
