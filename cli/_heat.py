"""Heat of images in `augan score`: the columns of regions, and heatmaps as files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._batches import Batch
from ._given import ImageFiles
from ._outputs import check_apart


@dataclass(frozen=True)
class Heat:
    """What is made of the heatmaps of images: columns of the result, and files."""

    limit: float | None  # heat above which pixels belong to a region; None: no columns
    files: ImageFiles
    write_heatmap: Any = None

    @property
    def is_needed(self) -> bool:
        """Whether heatmaps are to be computed."""
        return self.limit is not None or self.write_heatmap is not None

    def columns(self, batch: Batch, heat: Any, flagged: Any) -> dict[str, Any]:
        """Write the files of a batch with heatmaps (n, H, W); return the columns of its regions."""
        names = batch.names
        if self.write_heatmap is not None:
            for i, name in enumerate(names):
                image = self.files.image(name) if names.name == "path" else batch.rows[i]
                self.write_heatmap(self.files.output_name(name), image, heat[i], bool(flagged[i]))
        return {} if self.limit is None else region_columns(names, heat, self.limit, self.files)


@contextlib.contextmanager
def open_heat(estimator: Any, files: ImageFiles, heatmaps: Path | None) -> Iterator[Heat]:
    """Yield what is made of heatmaps; a folder is created when all of its files are written."""
    if estimator.codec_.kind != "image":
        yield Heat(None, files)
        return
    limit = getattr(estimator, "pixel_threshold_", None)  # some exported files have none
    with _heatmap_folder(heatmaps, estimator) as write_heatmap:
        yield Heat(limit, files, write_heatmap)


def region_columns(names: Any, heat: Any, limit: float, files: ImageFiles) -> dict[str, Any]:
    """Return the columns of the regions above a limit, of heatmaps (n, H, W).

    Boxes are in pixels of the image files, or of the heat for images that are not files.
    """
    import pandas as pd

    from augan.evaluation import find_regions

    each = []
    for name, pixels in zip(names, heat, strict=True):
        is_file = names.name == "path" and (pixels > limit).any()
        each.append(find_regions(pixels, limit, size=files.size(name) if is_file else None))
    boxes = [",".join(map(str, regions[0].box)) if regions else None for regions in each]
    return {
        "n_regions": [len(regions) for regions in each],
        "region_box": pd.array(boxes, dtype="string"),
        "region_area": [regions[0].area if regions else 0.0 for regions in each],
    }


def check_heatmaps(folder: Path, model: Path, estimator: Any, data: Sequence[Path]) -> None:
    """Raise for heatmaps that cannot be written, now rather than after the scoring.

    Raises
    ------
    ParameterError
        For a model of tables, an existing folder or one among the input images.
    """
    from augan.exceptions import ParameterError
    from augan.io.images import check_image_folder

    if estimator.codec_.kind != "image":
        raise ParameterError(f"--heatmaps {folder}: {model} was trained on a table")
    check_image_folder(folder)
    check_apart(folder, "--heatmaps", *data)


def _heatmap_folder(folder: Path | None, estimator: Any) -> Any:
    """Return a context manager whose value writes a heatmap, or is None without a folder."""
    if folder is None:
        return contextlib.nullcontext()
    from augan.io.heatmaps import open_heatmap_folder

    codec = estimator.codec_
    limit = estimator.pixel_threshold_
    return open_heatmap_folder(folder, limit=limit, low=codec.low, high=codec.high)
