"""Heatmaps of images that have masks, and how well the ones find the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

LARGEST = 2**17  # pixels an image at which heat and masks are compared, at most


class Pixels:
    """Heat and masks of the images that pass, to be compared at the end."""

    def __init__(self, path: Path, names: list[str], masks: Path, *, skip_bad: bool) -> None:
        self.path, self.names, self.folder, self.skip_bad = path, names, masks, skip_bad
        self.forms: dict[str, Any] = {}  # of all images, once one is asked for
        self.masks: list[Any] = []
        self.heat: list[Any] = []

    def add(self, estimator: Any, names: Any, images: Any, is_anomaly: Any) -> None:
        """Look at the next images."""
        import numpy as np
        from PIL import Image

        heat = estimator.explain(images).astype(np.float32)
        for name, own, bad in zip(map(str, names), heat, is_anomaly, strict=True):
            mask = self.mask(name, self._size(name), needed=bool(bad))
            size = mask.shape[::-1]
            self.masks.append(mask)
            self.heat.append(
                np.asarray(Image.fromarray(own).resize(size, Image.Resampling.BILINEAR))
            )

    def mask(self, name: str, size: tuple[int, int], needed: bool = False) -> Any:
        """Return the mask of an image at a size (H, W); one that is not `needed` may be missing."""
        from augan.io.masks import mask_of

        return mask_of(self.path, self.folder, name, needed, size)

    def _size(self, name: str) -> tuple[int, int]:
        """Return the size (H, W) that an image is compared at: its own, all scaled alike."""
        if not self.forms:
            self.forms = self._read_forms()
        most = max(form.height * form.width for form in self.forms.values())
        scale, form = min(1.0, (LARGEST / most) ** 0.5), self.forms[name]
        return max(1, round(form.height * scale)), max(1, round(form.width * scale))

    def _read_forms(self) -> dict[str, Any]:
        from augan.exceptions import DataError
        from augan.io.decoding import read_form

        forms = {}
        for name in self.names:
            try:
                forms[name] = read_form(self.path / name)
            except DataError:
                if not self.skip_bad:
                    raise
        return forms

    def report(self, kinds: Any) -> Any:
        """Return the figures, also those of each kind of defects where there are some."""
        from augan.evaluation import pixel_metrics

        return pixel_metrics(self.masks, self.heat, kinds=kinds)


def open_pixels(path: Path, names: Any, masks: Path | None, *, skip_bad: bool) -> Pixels | None:
    """Return what compares heat with masks, or None where there are no masks.

    `names` are those of the images in a folder; None of other data.
    """
    from augan.exceptions import ParameterError
    from augan.io.masks import masks_folder

    if names is None:
        if masks is not None:
            raise ParameterError(f"--masks {masks}: goes with a folder of images, not {path}")
        return None
    folder = masks_folder(path, masks)
    return None if folder is None else Pixels(path, list(names), folder, skip_bad=skip_bad)
