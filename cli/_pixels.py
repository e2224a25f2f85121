"""Comparison of heatmaps with the masks of defects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

LARGEST = 2**17  # pixels of an image; larger ones are scaled down before they are compared


class Pixels:
    """Collects the heatmaps and masks of images, to compare them at the end."""

    def __init__(
        self, path: Path, names: list[str], masks: Path, options: Any, *, skip_bad: bool
    ) -> None:
        self.path, self.names, self.folder = path, names, masks
        self.options, self.skip_bad = options, skip_bad
        self.forms = self._read_forms()
        self.masks: list[Any] = []
        self.heat: list[Any] = []
        self.unmarked: list[str] = []  # anomalies without a defective pixel
        self.marked: list[str] = []  # normal images with defective pixels
        self.mostly: list[str] = []  # anomalies with more than half of the pixels defective
        self.n_anomalies = 0

    def add(self, estimator: Any, names: Any, images: Any, is_anomaly: Any) -> None:
        """Add images."""
        import numpy as np
        from PIL import Image

        from augan.io.masks import mask_of, scaled

        heat = estimator.assess(images, explain=True).explanation.astype(np.float32)
        for name, own, bad in zip(map(str, names), heat, is_anomaly, strict=True):
            whole = mask_of(self.path, self.folder, name, bool(bad), self.options)
            self.n_anomalies += int(bad)
            if whole.any() != bool(bad):
                (self.unmarked if bad else self.marked).append(name)
            if bad and whole.mean() > 1 / 2:
                self.mostly.append(name)
            mask = scaled(whole, self._size(name))
            size = mask.shape[::-1]
            self.masks.append(mask)
            self.heat.append(
                np.asarray(Image.fromarray(own).resize(size, Image.Resampling.BILINEAR))
            )

    def mask(self, name: str, size: tuple[int, int]) -> Any:
        """Return the mask of an image at a size (H, W); a missing one is empty."""
        from augan.io.masks import mask_of, scaled

        return scaled(mask_of(self.path, self.folder, name, False, self.options), size)

    def _size(self, name: str) -> tuple[int, int]:
        """Return the size (H, W) at which an image is compared: its own, times a common factor."""
        most = max(form.height * form.width for form in self.forms.values())
        scale, form = min(1.0, (LARGEST / most) ** 0.5), self.forms[name]
        return max(1, round(form.height * scale)), max(1, round(form.width * scale))

    def _read_forms(self) -> dict[str, Any]:
        from augan.exceptions import DataError
        from augan.io.decoding import read_form

        forms = {}
        for name in self.names:
            try:
                forms[name] = read_form(self.path / name, self.options)
            except DataError:
                if not self.skip_bad:
                    raise
        return forms

    def report(self, kinds: Any) -> Any:
        """Return the figures of all images and of each kind of defect."""
        from augan.evaluation import pixel_metrics

        self._warn()
        return pixel_metrics(self.masks, self.heat, kinds=kinds)

    def _warn(self) -> None:
        """Warn of masks that contradict the labels."""
        import warnings

        from augan.exceptions import DataWarning

        if self.unmarked:
            some = f"{len(self.unmarked)} of {self.n_anomalies} anomalies have an empty mask"
            warnings.warn(f"{some}, such as {self.unmarked[0]}", DataWarning, stacklevel=2)
        if self.marked:
            some = f"{len(self.marked)} normal images have a mask with defects"
            warnings.warn(f"{some}, such as {self.marked[0]}", DataWarning, stacklevel=2)
        if 2 * len(self.mostly) > self.n_anomalies:
            some = f"the masks of {len(self.mostly)} of {self.n_anomalies} anomalies"
            what = f"{some} cover most of the image, such as {self.mostly[0]}: are they inverted?"
            warnings.warn(what, DataWarning, stacklevel=2)


def open_pixels(
    path: Path, known: Any, masks: Path | None, options: Any, *, skip_bad: bool
) -> Pixels | None:
    """Return the collector of heatmaps and masks, or None where there are no masks.

    `known` are the labels, with the names of a folder's images.

    Raises
    ------
    DataError
        For an anomaly without a mask, now rather than after the scoring.
    """
    from augan.exceptions import ParameterError
    from augan.io.image_files import image_root
    from augan.io.image_options import image_options
    from augan.io.masks import check_mask, masks_folder

    if known.names is None:
        if masks is not None:
            raise ParameterError(f"--masks {masks}: needs a folder of images, not {path}")
        return None
    folder = masks_folder(path, masks)
    if folder is None:
        return None
    root = image_root(path)
    pixels = Pixels(*(root, list(known.names), folder, image_options(options)), skip_bad=skip_bad)
    for name in known.names[known.is_anomaly]:
        if not skip_bad:
            check_mask(root, folder, name)
    return pixels
