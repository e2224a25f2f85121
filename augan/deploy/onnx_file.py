"""Reading an exported file: its bytes and its metadata, checked before it is run."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

from augan.deploy.checksum import KEY, is_intact
from augan.deploy.contents import read_contents
from augan.exceptions import DataWarning, ModelFileError
from augan.io.archive import open_regular
from augan.io.former_names import with_current_parts
from augan.io.schema import parse_facts

FORMAT = 2  # version of the metadata
CHECKED_SINCE = 2  # first version with a checksum
PREFIX = "augan."  # prefix of the metadata's keys
MAX_BYTES = 2**31 - 1  # limit of protobuf


def read_file(path: Path) -> tuple[bytes, dict[str, Any]]:
    """Return the bytes of a file and its metadata.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, not exported by augan or by a newer version, or has
        invalid metadata.
    """
    content = _content(path)
    intact = is_intact(content)
    if intact is False:
        raise damaged(path, "its checksum does not match")
    try:
        found = read_contents(content).properties
    except ValueError as error:
        raise damaged(path, str(error)) from error
    own = {k.removeprefix(PREFIX): v for k, v in found.items() if k.startswith(PREFIX)}
    checked = own.pop(KEY.removeprefix(PREFIX), None)
    text = own.get("format", "")
    made = int(text) if re.fullmatch(r"[1-9][0-9]{0,8}", text) else 0
    if CHECKED_SINCE <= made <= FORMAT and (intact is None or checked is None):
        raise damaged(path, "its checksum is missing")
    metadata = with_current_parts(parse_facts(path, own, newest=FORMAT))
    if intact is None:
        message = f"{path}: made before files had checksums; damage cannot be detected"
        warnings.warn(message, DataWarning, stacklevel=4)
    return content, metadata


def damaged(path: Path, reason: str) -> ModelFileError:
    """Return the error of a damaged file."""
    return ModelFileError(f"{path}: not an ONNX file, or damaged ({reason})")


def _content(path: Path) -> bytes:
    with open_regular(path) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ModelFileError(f"{path}: larger than 2 GiB, which no ONNX file is")
    return content
