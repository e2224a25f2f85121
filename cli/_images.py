"""Images in the form that a model takes, and checks of the pictures that are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def load_image_model(path: Path, device: str | None, option: str) -> Any:
    """Return the detector of images in a file.

    Raises
    ------
    ParameterError
        For any other model.
    """
    from augan.exceptions import ParameterError
    from augan.model_file import load

    from ._models import is_onnx

    if is_onnx(path):
        raise ParameterError(f"{option}: {path} is an exported file; use the .augan file")
    estimator = load(path, device=device)
    if not hasattr(estimator, "anomaly_score"):
        kind = type(estimator).__name__
        raise ParameterError(f"{option}: {path} is a {kind}, not a detector of images")
    if estimator.codec_.kind != "image":
        raise ParameterError(f"{option}: {path} is a detector of tables, not of images")
    return estimator


def read_images(
    path: Path, options: Any, codec: Any, target: str | None = None, *, training: bool = False
) -> tuple[Any, Any]:
    """Return images of an array or a folder, and their labels if there is a target.

    Raises
    ------
    DataError
        For a table.
    """
    import numpy as np

    from augan.exceptions import DataError
    from augan.io.decoding import Form
    from augan.io.image_folder import ImageFolder
    from augan.io.sources import open_data

    source: Any = open_data(path, options, training=training, usual="images")
    if source.is_table:
        raise DataError(f"{path}: a table; images are needed")
    labels = None if target is None else source.labels(target)
    if isinstance(source, ImageFolder):
        batches = source.named_batches(Form.of(codec.shape, codec.dtype))
        return np.concatenate([images for _, images in batches]), labels
    return np.asarray(source.rows()), labels


def pick(images: Any, row: int, option: str, path: Path) -> Any:
    """Return one image (1, H, W[, C]).

    Raises
    ------
    ParameterError
        If there is no such image.
    """
    from augan.exceptions import ParameterError

    if row >= len(images):
        raise ParameterError(f"{option} {row}: {path} has images 0 to {len(images) - 1}")
    return images[row : row + 1]


def check_picture(path: Path, option: str, *inputs: Path | None) -> None:
    """Raise for a picture that cannot be written, now rather than after the work.

    Raises
    ------
    ParameterError
        For another format, or the path of an input.
    """
    from augan.exceptions import ParameterError

    from ._outputs import check_apart, check_output

    if path.suffix.lower() != ".png":
        raise ParameterError(f"{option} {path}: the name of the picture must end in .png")
    check_output(path, option, *inputs)
    check_apart(path, option, *inputs)
