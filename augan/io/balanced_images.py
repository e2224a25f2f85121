"""A copy of a folder of images, with new images added."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from augan.io.image_folder import ImageFolder
from augan.io.images import lossless_ending, new_folder, save_lossless


def write_balanced(
    out: Path,
    source: ImageFolder,
    images: NDArray[Any],
    classes: NDArray[Any],
    n_real: int,
    mark: str | None,
) -> None:
    """Copy the files of a folder of images to a new one, and add new images.

    Parameters
    ----------
    out : Path
        The new folder.
    source : ImageFolder
        The folder of real images. Their files keep their names.
    images, classes : ndarray of shape (n, H, W[, C]) and (n,)
        The images of `source`, copies of some of them, and from `n_real` on the new ones.
    n_real : int
        Number of images from `source`, copies included.
    mark : str or None
        Prefix of the names of new images. With None, new images and copies have numbers as names.
    """
    names = _Names(source)
    files: dict[tuple[Any, bytes], str] = {}
    for name, pixels, label in zip(source.names, images, classes, strict=False):
        files.setdefault((label, pixels.tobytes()), name)
    with new_folder(out) as temporary:
        for name in source.names:
            _copy(source.path / name, temporary / name)
        for i in range(len(source.names), n_real):
            original = files[classes[i], images[i].tobytes()]
            copy = names.of_copy(original, numbered=mark is None)
            _copy(source.path / original, temporary / copy)
        ending = lossless_ending(images.dtype)
        for pixels, label in zip(images[n_real:], classes[n_real:], strict=True):
            save_lossless(pixels, temporary / names.of_new(label, mark, ending))


class _Names:
    """Gives out unused file names, compared without case and ending."""

    def __init__(self, source: ImageFolder) -> None:
        self.folders = source.class_folders()
        self.taken = {_key(Path(name)) for name in source.names}
        self.numbers: dict[tuple[str, str], Iterator[int]] = defaultdict(lambda: iter(range(10**9)))

    def of_copy(self, original: str, *, numbered: bool) -> str:
        """Return the name of a copy of a file."""
        file = Path(original)
        stem = "" if numbered else f"{file.stem}_copy"
        return self._next(file.parent, stem, 6 if numbered else 1, file.suffix)

    def of_new(self, label: Any, mark: str | None, ending: str) -> str:
        """Return the name of a new image of a class."""
        return self._next(Path(self.folders[label]), f"{mark}_" if mark else "", 6, ending)

    def _next(self, folder: Path, stem: str, n_digits: int, ending: str) -> str:
        for number in self.numbers[str(folder), stem]:
            file = folder / f"{stem}{number:0{n_digits}d}{ending}"
            if _key(file) not in self.taken:
                self.taken.add(_key(file))
                return file.as_posix()
        raise AssertionError("more images than numbers")


def _key(file: Path) -> str:
    return file.with_suffix("").as_posix().lower()


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
