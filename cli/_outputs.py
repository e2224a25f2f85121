"""Outputs that cannot be written, or would replace an input: found before the work."""

from __future__ import annotations

import tempfile
from pathlib import Path


def check_output(out: Path, option: str, *inputs: Path | None) -> None:
    """Raise for an output that cannot be written, or that is one of the inputs."""
    from augan.exceptions import ParameterError
    from augan.io.atomic import check_writable, is_same_file, is_stream

    check_writable(out)
    for path in inputs:
        if path is not None and is_same_file(out, path):
            raise ParameterError(f"{option} {out}: is {path}, which is read")
        if path is not None and path.is_dir() and _is_image_below(out, path):
            raise ParameterError(f"{option} {out}: an image in {path}, whose images are read")
    if is_stream(out):
        return
    try:
        with tempfile.TemporaryFile(dir=Path(out).resolve().parent):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(out)) from error


def _is_image_below(out: Path, folder: Path) -> bool:
    """Whether `out` is there, is called as images are and lies in a folder."""
    from augan.io.image_folder import is_image_name

    return is_image_name(out) and out.is_file() and folder.resolve() in out.resolve().parents


def check_apart(out: Path, option: str, *inputs: Path | None) -> None:
    """Raise for images that would lie among those that are read: next time they would be read."""
    from augan.exceptions import ParameterError

    for path in inputs:
        if path is not None and path.is_dir() and path.resolve() in out.resolve().parents:
            raise ParameterError(f"{option} {out}: lies in {path}, whose images are read")
