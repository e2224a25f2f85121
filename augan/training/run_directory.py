"""A directory with the progress of a training: metrics, curves, generated images."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from augan._callers import caller_level
from augan._files import atomic_path
from augan.exceptions import ParameterError, TrainingWarning
from augan.training.monitor import Draw, History, Row

METRICS, CURVES, MOVIE, GRIDS, EVENTS = (
    *("metrics.jsonl", "curves.png", "progress.gif", "grids"),
    "tensorboard",
)
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
GRID = 64  # images
COLUMNS = 8
MIN_SIDE = 32  # pixels of an image in a grid; smaller ones are enlarged
GAP, GREY = 1, 128  # width in pixels and brightness of the gaps between images
MAX_FRAMES, FRAME_MS, LAST_MS = 60, 150, 2000
CURVES_EVERY = 10.0  # seconds


class RunDirectory:
    """A callback that writes the progress of a training to a directory.

    ``metrics.jsonl`` has a line for each report, and ``curves.png`` shows them as curves. For
    images, ``grids/`` has images that the averaged generator makes of 64 fixed latents, after every
    50 steps (sorted by class in a sampler), and ``progress.gif`` shows them as an animation.
    A resumed run has the same files as one without interruption, except for the times. If the disk
    is full, a TrainingWarning is issued, and training goes on without further files.

    Parameters
    ----------
    path : path-like
        The directory; it is created if necessary.
    resume : bool, default=False
        Continue the run in the directory.
    overwrite : bool, default=False
        Remove the run in the directory. Other files are kept.
    tensorboard : bool, default=False
        Also write event files for TensorBoard, to ``tensorboard/``.

    Raises
    ------
    ParameterError
        If the directory holds a run, without `resume` or `overwrite`, if `path` is a file, or if
        TensorBoard is not installed.

    Examples
    --------
    ``FAnoGAN(callbacks=[RunDirectory("runs/first")]).fit(X)``
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        resume: bool = False,
        overwrite: bool = False,
        tensorboard: bool = False,
    ) -> None:
        self.path = Path(path)
        if self.path.exists() and not self.path.is_dir():
            raise ParameterError(f"{self.path}: is a file, not a directory for a run")
        found = [
            name for name in (METRICS, CURVES, MOVIE, GRIDS, EVENTS) if self._at(name).exists()
        ]
        if found and not (resume or overwrite):
            raise ParameterError(
                f"{self.path}: holds a run already ({found[0]}); resume it, overwrite it, "
                "or give another directory"
            )
        self.resume = resume
        self.make_writer = _tensorboard() if tensorboard else None
        self.writer: Any = None
        self.rows: list[Row] = []
        self.drawn = -math.inf  # time when the curves were last drawn
        self.has_failed = False

    def begin(self, history: Sequence[Row]) -> None:
        """Prepare the directory; of a resumed run, keep the reports up to the checkpoint.

        Raises
        ------
        OSError
            If the directory cannot be written, except for a full disk.
        """
        try:
            self._begin(history)
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise  # before training, so no work is lost
            self._give_up(error)

    def __call__(self, row: Row) -> None:
        """Write a report."""
        self._unless_failed(self._add, row)

    def look(self, draw: Draw) -> None:
        """Write a grid of generated images, if they are images."""
        self._unless_failed(self._look, draw)

    def close(self) -> None:
        """Write the final curves and the animation."""
        self._unless_failed(self._close)

    def _unless_failed(self, write: Callable[..., None], *given: Any) -> None:
        """Call `write`; after an OSError nothing more is written, and training goes on."""
        if self.has_failed:
            return
        try:
            write(*given)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.has_failed = True
        warnings.warn(
            f"{self.path}: nothing more is written there ({error.strerror or error}), and "
            "training goes on",
            TrainingWarning,
            stacklevel=caller_level(),
        )

    def _begin(self, history: Sequence[Row]) -> None:
        if not self.resume:
            self._clear()
        self._at(GRIDS).mkdir(parents=True, exist_ok=True)
        self.rows = list(history)
        with atomic_path(self._at(METRICS)) as temporary:
            Path(temporary).write_text("".join(map(_line, self.rows)))
        last = max((row["step"] for row in self.rows if row["phase"] == "gan"), default=0)
        for grid in self._grids():
            if _step(grid) > last:
                grid.unlink()
        self._begin_events()

    def _begin_events(self) -> None:
        """Write the events of a resumed run again, up to the checkpoint, for TensorBoard."""
        if self.make_writer is None:
            return
        self._clear_events()
        self.writer = self.make_writer(str(self._at(EVENTS)))
        for row in self.rows:
            self._add_event(row)
        for grid in self._grids():
            with Image.open(grid) as picture:
                self._add_picture(np.asarray(picture), _step(grid))

    def _add(self, row: Row) -> None:
        while self.rows and self.rows[-1]["phase"] == row["phase"]:
            if self.rows[-1]["step"] < row["step"]:
                break
            self.rows.pop()  # training went back
        self.rows.append(row)
        _append(self._at(METRICS), _line(row))
        self._add_event(row)
        if time.monotonic() - self.drawn > CURVES_EVERY:
            self._draw_curves()

    def _look(self, draw: Draw) -> None:
        images = np.asarray(draw(GRID)) if self._sees_images(draw) else None
        if images is None:
            return
        picture, step = mosaic(images), self.rows[-1]["step"]
        with atomic_path(self._at(GRIDS) / f"{step:06d}.png") as temporary:
            Image.fromarray(picture).save(temporary, format="png")
        self._add_picture(picture, step)

    def _add_event(self, row: Row) -> None:
        """Write the figures of a report for TensorBoard."""
        if self.writer is None:
            return
        for name, value in row.items():
            if isinstance(value, float) and name != "seconds":
                self.writer.add_scalar(f"{row['phase']}/{name}", value, row["step"])

    def _add_picture(self, picture: NDArray[np.uint8], step: int) -> None:
        """Write a grid for TensorBoard."""
        if self.writer is not None:
            formats = "HW" if picture.ndim == 2 else "HWC"
            self.writer.add_image("generated", picture, step, dataformats=formats)

    def _close(self) -> None:
        if self.rows:
            self._draw_curves()
        frames = self._grids()
        if frames:
            chosen = np.unique(np.linspace(0, len(frames) - 1, MAX_FRAMES).round().astype(int))
            pictures = [Image.open(frames[i], formats=("PNG",)) for i in chosen]
            lasting = [FRAME_MS] * (len(pictures) - 1) + [LAST_MS]
            with atomic_path(self._at(MOVIE)) as temporary:
                pictures[0].save(
                    *(temporary, "gif"),
                    save_all=True,
                    append_images=pictures[1:],
                    duration=lasting,
                    loop=0,
                )
        if self.writer is not None:
            self.writer.close()

    def _sees_images(self, draw: Draw) -> bool:
        if not hasattr(self, "_images"):
            self._images = isinstance(found := draw(1), np.ndarray) and found.ndim > 2
        return self._images

    def _draw_curves(self) -> None:
        from augan.pictures import save_curves

        save_curves(History(self.rows), self._at(CURVES))
        self.drawn = time.monotonic()

    def _grids(self) -> list[Path]:
        return sorted(self._at(GRIDS).glob("[0-9]*.png"), key=_step)

    def _clear(self) -> None:
        """Remove the files of a run, and no others."""
        for grid in self._grids():
            grid.unlink()
        self._clear_events()
        for name in (METRICS, CURVES, MOVIE):
            self._at(name).unlink(missing_ok=True)

    def _clear_events(self) -> None:
        for file in self._at(EVENTS).glob("events.out.tfevents.*"):
            file.unlink()

    def _at(self, name: str) -> Path:
        return self.path / name


def mosaic(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Return images (n, H, W[, C]) side by side as bytes; floats are scaled to their range."""
    if images.dtype != np.uint8:
        values = images.astype(np.float64)
        low, high = float(values.min()), float(values.max())
        images = np.round(255 * (values - low) / max(high - low, 1e-9)).astype(np.uint8)
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    times = -(-MIN_SIDE // max(images.shape[1:3]))
    images = images.repeat(times, axis=1).repeat(times, axis=2)
    missing, colours = -len(images) % COLUMNS, [(0, 0)] * (images.ndim - 3)
    images = np.pad(images, [(0, 0), (GAP, GAP), (GAP, GAP), *colours], constant_values=GREY)
    images = np.pad(images, [(0, missing), (0, 0), (0, 0), *colours], constant_values=GREY)
    rows = images.reshape(-1, COLUMNS, *images.shape[1:])
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)


def _append(file: Path, line: str) -> None:
    """Append a line to a file, completely or not at all."""
    size = file.stat().st_size if file.exists() else 0
    try:
        with file.open("a") as handle:
            handle.write(line)
    except OSError:
        with contextlib.suppress(OSError):
            os.truncate(file, size)
        raise


def _line(row: Row) -> str:
    plain = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in row.items()
    }
    return json.dumps(plain) + "\n"


def _step(grid: Path) -> int:
    return int(grid.stem)


def _tensorboard() -> Any:
    """Return TensorBoard's ``SummaryWriter``."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ParameterError(
            "tensorboard is not installed: pip install 'augan[tensorboard]'"
        ) from None
    return SummaryWriter
