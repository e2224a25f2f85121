"""Heatmaps of images that have masks, and how well the ones find the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

LONGEST = 256  # pixels a side that heat and masks are compared at, at most


class Pixels:
    """Heat and masks of the images that pass, to be compared at the end."""

    def __init__(self, path: Path, masks: Path, is_anomaly: Any) -> None:
        self.path, self.folder, self.is_anomaly = path, masks, is_anomaly
        self.masks: list[Any] = []
        self.heat: list[Any] = []

    def add(self, estimator: Any, names: Any, images: Any) -> None:
        """Look at the next images."""
        import numpy as np
        from PIL import Image

        from augan.io.masks import masks_of

        height, width = images.shape[1:3]
        scale = min(1.0, LONGEST / max(height, width))
        size = (round(height * scale), round(width * scale))
        start = len(self.masks)
        own = self.is_anomaly[start : start + len(images)]
        self.masks += masks_of(self.path, self.folder, list(names), own, size)
        for heat in estimator.explain(images).astype(np.float32):
            resized = Image.fromarray(heat).resize(size[::-1], Image.Resampling.BILINEAR)
            self.heat.append(np.asarray(resized))

    def report(self) -> Any:
        """Return the figures."""
        from augan.evaluation import pixel_metrics

        return pixel_metrics(self.masks, self.heat)


def open_pixels(path: Path, masks: Path | None, names_are_files: bool, is_anomaly: Any) -> Any:
    """Return what compares heat with masks, or None where there are no masks."""
    from augan.exceptions import ParameterError
    from augan.io.masks import masks_folder

    if not names_are_files:
        if masks is not None:
            raise ParameterError(f"--masks {masks}: goes with a folder of images, not {path}")
        return None
    folder = masks_folder(path, masks)
    return None if folder is None else Pixels(path, folder, is_anomaly)
