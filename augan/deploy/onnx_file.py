"""The bytes of an ONNX file of augan's and what they say of themselves, checked before it runs."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

from augan.deploy.checksum import KEY, is_intact
from augan.deploy.contents import read_contents
from augan.exceptions import DataWarning, ModelFileError
from augan.io.archive import open_regular
from augan.io.schema import parse_facts

FORMAT = 2  # of the metadata
CHECKED_SINCE = 2  # the format in which files carry a checksum
PREFIX = "augan."  # of the keys of the metadata
LARGEST = 2**31 - 1  # bytes of a file, by what protobuf can hold


def read_file(path: Path) -> tuple[bytes, dict[str, Any]]:
    """Return the bytes of a file, and its metadata.

    Raises
    ------
    ModelFileError
        When the file is missing, damaged, not augan's, made by a newer one, or says of itself what
        cannot be.
    """
    content = _content(path)
    intact = is_intact(content)
    if intact is False:
        raise damaged(path, "its checksum is of another content")
    try:
        found = read_contents(content).properties
    except ValueError as error:
        raise damaged(path, str(error)) from error
    own = {k.removeprefix(PREFIX): v for k, v in found.items() if k.startswith(PREFIX)}
    checked = own.pop(KEY.removeprefix(PREFIX), None)
    text = own.get("format", "")
    made = int(text) if re.fullmatch(r"[1-9][0-9]{0,8}", text) else 0
    if CHECKED_SINCE <= made <= FORMAT and (intact is None or checked is None):
        raise damaged(path, "it has lost its checksum")
    metadata = parse_facts(path, own, newest=FORMAT)
    if intact is None:
        message = f"{path}: made before files had checksums; damage to it is not noticed"
        warnings.warn(message, DataWarning, stacklevel=4)
    return content, metadata


def damaged(path: Path, reason: str) -> ModelFileError:
    """Return an error that says what is wrong with a file."""
    return ModelFileError(f"{path}: not an ONNX file, or damaged ({reason})")


def _content(path: Path) -> bytes:
    with open_regular(path) as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ModelFileError(f"{path}: over 2 GiB, which no ONNX file can be")
    return content
