"""Heatmaps of images that have masks, and how well the ones find the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

LARGEST = 2**17  # pixels an image at which heat and masks are compared, at most


class Pixels:
    """Heat and masks of the images that pass, to be compared at the end."""

    def __init__(self, path: Path, names: list[str], masks: Path, is_anomaly: Any) -> None:
        self.path, self.names, self.folder = path, names, masks
        self.is_anomaly = is_anomaly
        self.forms: dict[str, Any] = {}  # of all images, once one is asked for
        self.masks: list[Any] = []
        self.heat: list[Any] = []

    def add(self, estimator: Any, names: Any, images: Any) -> None:
        """Look at the next images."""
        import numpy as np
        from PIL import Image

        from augan.io.masks import mask_of

        for name, heat in zip(names, estimator.explain(images).astype(np.float32), strict=True):
            is_anomaly = bool(self.is_anomaly[len(self.masks)])
            mask = mask_of(self.path, self.folder, str(name), is_anomaly, self._size(str(name)))
            size = mask.shape[::-1]
            resized = Image.fromarray(heat).resize(size, Image.Resampling.BILINEAR)
            self.masks.append(mask)
            self.heat.append(np.asarray(resized))

    def _size(self, name: str) -> tuple[int, int]:
        """Return the size (H, W) that an image is compared at: its own, all scaled alike."""
        from augan.io.decoding import read_form

        if not self.forms:
            self.forms = {each: read_form(self.path / each) for each in self.names}
        most = max(form.height * form.width for form in self.forms.values())
        scale, form = min(1.0, (LARGEST / most) ** 0.5), self.forms[name]
        return max(1, round(form.height * scale)), max(1, round(form.width * scale))

    def report(self) -> Any:
        """Return the figures."""
        from augan.evaluation import pixel_metrics

        return pixel_metrics(self.masks, self.heat)


def open_pixels(path: Path, masks: Path | None, is_anomaly: Any) -> Pixels | None:
    """Return what compares heat with masks, or None where there are no masks."""
    from augan.exceptions import ParameterError
    from augan.io.image_folder import ImageFolder
    from augan.io.masks import masks_folder
    from augan.io.sources import open_data

    source = open_data(path) if path.is_dir() else None
    if not isinstance(source, ImageFolder):
        if masks is not None:
            raise ParameterError(f"--masks {masks}: goes with a folder of images, not {path}")
        return None
    folder = masks_folder(path, masks)
    return None if folder is None else Pixels(path, source.names, folder, is_anomaly)
