"""Heat of images in `augan score`: the columns of regions, and files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ._batches import Batch
from ._given import ImageFiles
from ._outputs import check_apart


@dataclass(frozen=True)
class HeatOutputs:
    """New folders for the heat of images, and the share of pixels of good images above the limit.

    As options name them.
    """

    heatmaps: Path | None = None
    raw: Path | None = None
    raw_format: Literal["npy", "tiff"] | None = None
    pixel_fpr: float | None = None

    def limit(self, estimator: Any) -> float | None:
        """Return the heat above which pixels belong to a region; None if the model has none."""
        if self.pixel_fpr is None:
            found: float | None = getattr(estimator, "pixel_threshold_", None)
            return found
        return float(estimator.pixel_threshold_at(self.pixel_fpr))

    @property
    def folders(self) -> dict[str, Path]:
        """The folders, by the option that names them."""
        named = {"--heatmaps": self.heatmaps, "--raw-heat": self.raw}
        return {option: folder for option, folder in named.items() if folder is not None}

    def check(self, model: Path, estimator: Any, data: Sequence[Path]) -> None:
        """Raise for folders that cannot be written, now rather than after the scoring.

        Raises
        ------
        ParameterError
            For a model of tables, a share of pixels outside its bounds, a folder that exists or is
            among the input images or in the other one, or a format without a folder.
        """
        from augan.exceptions import ParameterError
        from augan.io.images import check_image_folder

        if self.pixel_fpr is not None:
            if estimator.codec_.kind != "image":
                raise ParameterError(f"--pixel-fpr {self.pixel_fpr}: {model} is one of a table")
            if not 0 < self.pixel_fpr < 1:
                raise ParameterError(f"--pixel-fpr {self.pixel_fpr}: must be above 0 and below 1")
        if self.raw_format is not None and self.raw is None:
            raise ParameterError(f"--raw-heat-format {self.raw_format}: needs --raw-heat")
        for option, folder in self.folders.items():
            if estimator.codec_.kind != "image":
                raise ParameterError(f"{option} {folder}: {model} was trained on a table")
            check_image_folder(folder)
            check_apart(folder, option, *data)
        places = [folder.resolve() for folder in self.folders.values()]
        if len(places) == 2 and any(a.is_relative_to(b) for a, b in (places, places[::-1])):
            raise ParameterError(
                f"--raw-heat {self.raw}: in one folder with --heatmaps {self.heatmaps}"
            )

    def open_heatmaps(self, estimator: Any) -> Any:
        """Return a context manager whose value writes a heatmap, or is None without a folder."""
        if self.heatmaps is None:
            return contextlib.nullcontext()
        from augan.io.heatmaps import open_heatmap_folder

        codec, limit = estimator.codec_, self.limit(estimator)
        if limit is None:
            limit = estimator.pixel_threshold_  # raises: the model has none
        return open_heatmap_folder(self.heatmaps, limit=limit, low=codec.low, high=codec.high)

    def open_raw(self) -> Any:
        """Return a context manager whose value writes raw heat, or is None without a folder."""
        if self.raw is None:
            return contextlib.nullcontext()
        from augan.io.raw_heat import open_raw_heat_folder

        return open_raw_heat_folder(self.raw, self.raw_format or "npy")


@dataclass(frozen=True)
class Heat:
    """What is made of the heatmaps of images: columns of the result, and files."""

    limit: float | None  # heat above which pixels belong to a region; None: no columns
    files: ImageFiles
    write_heatmap: Any = None
    write_raw: Any = None

    @property
    def is_needed(self) -> bool:
        """Whether heatmaps are to be computed."""
        return any(use is not None for use in (self.limit, self.write_heatmap, self.write_raw))

    def columns(self, batch: Batch, heat: Any, flagged: Any) -> dict[str, Any]:
        """Write the files of a batch with heatmaps (n, H, W); return the columns of its regions."""
        names = batch.names
        for i, name in enumerate(names):
            if self.write_heatmap is not None:
                image = self.files.image(name) if names.name == "path" else batch.rows[i]
                self.write_heatmap(
                    self.files.output_name(str(name)), image, heat[i], bool(flagged[i])
                )
            if self.write_raw is not None:
                self.write_raw(self.files.output_name(str(name)), heat[i])
        return {} if self.limit is None else region_columns(names, heat, self.limit, self.files)


@contextlib.contextmanager
def open_heat(estimator: Any, files: ImageFiles, outputs: HeatOutputs) -> Iterator[Heat]:
    """Yield what is made of heatmaps; a folder is created when all of its files are written."""
    if estimator.codec_.kind != "image":
        yield Heat(None, files)
        return
    limit = outputs.limit(estimator)  # some exported files have none
    with outputs.open_raw() as write_raw, outputs.open_heatmaps(estimator) as write_heatmap:
        yield Heat(limit, files, write_heatmap, write_raw)


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
