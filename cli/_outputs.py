"""Checks of outputs before the work: that they can be written, and replace no input."""

from __future__ import annotations

import tempfile
from pathlib import Path


def check_output(out: Path, option: str, *inputs: Path | None) -> None:
    """Raise for an output that cannot be written, or that is one of the inputs.

    Raises
    ------
    ParameterError
        For the path of an input.
    OSError
        If the file cannot be written.
    """
    from augan._files import check_writable, is_same_file, is_stream
    from augan.exceptions import ParameterError

    check_writable(out)
    for path in inputs:
        if path is not None and is_same_file(out, path):
            raise ParameterError(f"{option} {out}: is the input {path}")
        if path is not None and path.is_dir() and _is_read(out, path):
            raise ParameterError(f"{option} {out}: is one of the input files in {path}")
    if is_stream(out):
        return
    try:
        with tempfile.TemporaryFile(dir=Path(out).resolve().parent):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(out)) from error


def check_sample(out: Path, read: Path) -> None:
    """Raise for a file or folder that new rows or images cannot be written to."""
    from augan._files import is_stream
    from augan.io.images import check_image_folder
    from augan.io.results import result_format

    if out.suffix == "" and not is_stream(out):
        check_image_folder(out)
        return
    if out.suffix.lower() != ".npy":
        result_format(out)
    check_output(out, "--out", read)


def _is_read(out: Path, folder: Path) -> bool:
    """Whether `out` is an existing image below a folder, or a table in it."""
    from augan.io.image_files import holds_images, is_image_name
    from augan.io.table_files import is_table_name

    if not out.is_file():
        return False
    place, inside = folder.resolve(), out.resolve().parents
    if is_image_name(out):
        return place in inside
    return is_table_name(out.name) and inside[0] == place and not holds_images(folder)


def check_apart(out: Path, option: str, *inputs: Path | None) -> None:
    """Raise for images that would be written among the input images, and be read next time.

    Raises
    ------
    ParameterError
        For a path inside the folder of an input.
    """
    from augan.exceptions import ParameterError

    for path in inputs:
        if path is not None and path.is_dir() and path.resolve() in out.resolve().parents:
            raise ParameterError(
                f"{option} {out}: is inside {path}, the folder of the input images"
            )
