"""The heat of images as files of numbers: float32 in .npy, or TIFF of 16 bits."""

from __future__ import annotations

import contextlib
import io
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from augan._files import naming
from augan.io.images import named_after, new_folder

SCALE = "scale.json"  # the heat of the values 0 and 65535 of TIFF files
HIGHEST = np.iinfo(np.uint16).max

WriteHeat = Callable[[str, NDArray[Any]], None]


@contextlib.contextmanager
def open_raw_heat_folder(folder: Path, form: Literal["npy", "tiff"] = "npy") -> Iterator[WriteHeat]:
    """Yield a function that writes the heat (H, W) of an image: ``write(name, heat)``.

    The heat of ``x/a.png`` is in ``x/a.png.npy`` (float32) or ``x/a.png.tiff``. The folder is
    created when all files are written.

    TIFF files are grey images of 16 bits. Their values are linear in the heat, the same in all
    files of the folder: 0 is the lowest heat of all images and 65535 the highest. The file
    ``scale.json`` has these, as ``low`` and ``high``: heat = low + value / 65535 * (high - low).

    Parameters
    ----------
    folder : Path
        The new folder.
    form : {"npy", "tiff"}, default="npy"
        What is written.

    Raises
    ------
    ParameterError
        If `folder` exists and is not empty.
    """
    with new_folder(folder) as temporary:
        files: list[Path] = []
        low, high = math.inf, -math.inf

        def write(name: str, heat: NDArray[Any]) -> None:
            nonlocal low, high
            numbers = np.ascontiguousarray(heat, dtype=np.float32)
            low, high = min(low, float(numbers.min())), max(high, float(numbers.max()))
            file = temporary / named_after(name, f".{form}")
            file.parent.mkdir(parents=True, exist_ok=True)
            content = io.BytesIO()  # to a file, np.save does not say why it fails
            np.save(content, numbers)
            with naming(file):
                file.write_bytes(content.getbuffer())
            files.append(file)

        yield write
        if form == "tiff" and files:
            for file in dict.fromkeys(files):
                _to_tiff(file, low, high)
            with naming(temporary / SCALE):
                (temporary / SCALE).write_text(json.dumps({"low": low, "high": high}) + "\n")


def _to_tiff(file: Path, low: float, high: float) -> None:
    """Replace heat in NumPy's format, whose range is only known now, by a TIFF."""
    heat = np.load(file).astype(np.float64)
    shares = (heat - low) / (high - low or 1.0)
    with naming(file):
        Image.fromarray((shares * HIGHEST).round().astype(np.uint16)).save(file, format="TIFF")
