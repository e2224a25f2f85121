"""Model files: a zip with two uncompressed members, and a checksum at the end.

Reading one runs no code and builds no part of a model. A file with any other layout is refused
before its members are read.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from augan.exceptions import ModelFileError, shown
from augan.io.schema import parse_manifest

FORMAT_VERSION = 12
FORMATS = range(8, FORMAT_VERSION + 1)  # versions that can be read
SCORES_SINCE = 12  # the first version of detectors whose scores are those of this augan
SAMPLER = "GANSampler"  # the class of a sampler in the manifest
MANIFEST, WEIGHTS = "manifest.json", "weights.safetensors"
MAX_MANIFEST = 64 * 2**20  # bytes

SEAL = b"sha256:"  # of all bytes up to here, in the comment at the end of the zip
SEAL_BYTES = len(SEAL) + 64
BLOCK = 2**20
END, END_BYTES = b"PK\x05\x06", 22
END_64_BYTES = 76  # of the zip64 end record and its locator, in large files
# a pipe without a writer must not block
OPENED = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
LOCAL_BYTES, CENTRAL_BYTES = 30, 46
MAX_DIRECTORY = 2**16
UTF8 = 0x800  # the only flag allowed for a member


def read_manifest(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the manifest of a model file, checked.

    Parameters
    ----------
    path : path-like
        A model file.

    Returns
    -------
    dict
        The JSON values of the manifest.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, unsafe or of another format version.
    """
    return read_model_file(path)[0]


def read_model_file(path: str | os.PathLike[str]) -> tuple[dict[str, Any], bytes]:
    """Return the manifest and the weights of a model file, both checked.

    No part of the model is built.

    Parameters
    ----------
    path : path-like
        A model file.

    Returns
    -------
    manifest : dict
        The JSON values of the manifest.
    weights : bytes
        The content of a safetensors file, whose checksum is the manifest's.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, unsafe or of another format version.
    """
    limits = {MANIFEST: MAX_MANIFEST}
    text, weights = read_archive(Path(path), (MANIFEST, WEIGHTS), limits)
    manifest = parse_manifest(path, text, FORMATS)
    if hashlib.sha256(weights).hexdigest() != manifest["weights_sha256"]:
        raise ModelFileError(f"{path}: damaged or tampered with (the weights have changed)")
    version = manifest["format_version"]
    if manifest["class"] != SAMPLER and version < SCORES_SINCE:
        raise ModelFileError(
            f"{path}: a detector of format {version}, whose scores were computed in another way; "
            "fit it again"
        )
    return manifest, weights


def write_archive(path: Path, members: dict[str, bytes | str]) -> None:
    """Write members, uncompressed, and the checksum of the file."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.comment = SEAL + b"0" * 64
    with path.open("r+b") as file:
        digest = _digest(file)
        file.seek(-64, os.SEEK_END)
        file.write(digest)


def read_archive(
    path: Path, names: Sequence[str], limits: dict[str, int], only: Sequence[str] | None = None
) -> list[bytes]:
    """Return the content of members.

    Parameters
    ----------
    path : Path
        The file.
    names : sequence of str
        The members that the file must have, in this order.
    limits : dict of str to int
        Largest number of bytes by member.
    only : sequence of str, optional
        The members to read.

    Raises
    ------
    ModelFileError
        If it is not a regular file or not such a zip, or its content has changed.
    """
    try:
        with open_regular(path) as file:
            _check_directory_size(file)
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                _check_members(path, members, names, limits)
                _check_layout(file, archive, members)
                _check_seal(file, archive.comment)
                return [archive.read(name) for name in only or names]
    except ModelFileError:
        raise
    except (
        *(zipfile.BadZipFile, EOFError, OSError, ValueError, KeyError, struct.error),
        *(OverflowError, RuntimeError, MemoryError, NotImplementedError),
    ) as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise  # an error of the system, not of the content
        if path.suffix.lower() == ".onnx":
            raise ModelFileError(
                f"{path}: not a model file; ONNX files are read by OnnxDetector"
            ) from error
        reason = (str(error) or type(error).__name__).splitlines()[0][:120]
        raise ModelFileError(f"{path}: not a model file, or damaged ({reason})") from error


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading.

    Raises
    ------
    ModelFileError
        If there is no such file, or it is a directory, device, pipe or socket.
    """
    try:
        handle = os.open(path, OPENED)
    except (FileNotFoundError, NotADirectoryError):
        raise ModelFileError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ModelFileError(f"{path}: a directory, not a model file") from None
    except ValueError:  # a zero byte in the name
        raise ModelFileError(f"{shown(str(path))}: no such file") from None
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    kind = "a directory" if stat.S_ISDIR(mode) else "a device, pipe or socket"
    raise ModelFileError(f"{path}: {kind}, not a model file")


def _check_directory_size(file: BinaryIO) -> None:
    """Refuse a central directory of many members, before it is read."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 2**16 - END_BYTES - END_64_BYTES))
    tail = file.read()
    at = tail.rfind(END)
    if at < 0 or len(tail) - at < END_BYTES:
        raise zipfile.BadZipFile("File is not a zip file")
    n_bytes = int.from_bytes(tail[at + 12 : at + 16], "little")
    if n_bytes == 0xFFFFFFFF and at >= END_64_BYTES:
        n_bytes = int.from_bytes(tail[at - END_64_BYTES + 40 : at - END_64_BYTES + 48], "little")
    if n_bytes > MAX_DIRECTORY:
        raise zipfile.BadZipFile(f"a directory of {n_bytes} bytes")


def _check_members(
    path: Path, members: list[zipfile.ZipInfo], names: Sequence[str], limits: dict[str, int]
) -> None:
    """Refuse unknown members, and compressed ones, which could be zip bombs."""
    found = [member.filename for member in members]
    if sorted(found) != sorted(names):
        listed = ", ".join(map(shown, found[:4])) or "nothing"
        raise ModelFileError(f"{path}: not a model file (it holds {listed})")
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
            raise ModelFileError(f"{path}: refused, {member.filename} is compressed")
        if member.file_size > path.stat().st_size:
            raise ModelFileError(f"{path}: refused, {member.filename} claims to be larger")
        if member.file_size > limits.get(member.filename, member.file_size):
            raise ModelFileError(f"{path}: refused, {member.filename} has {member.file_size} bytes")
        if member.flag_bits & ~UTF8 or member.comment:
            raise ModelFileError(
                f"{path}: refused, {member.filename} is encrypted or has unknown flags"
            )


def _check_layout(file: BinaryIO, archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> None:
    """Refuse a zip with data outside its members, or with overlapping members."""
    place = 0
    for member in members:
        file.seek(place)
        header = file.read(LOCAL_BYTES)
        signature, _, flags, method, _, _, crc, packed, size, n_name, n_extra = struct.unpack(
            "<4sHHHHHLLLHH", header
        )
        name = file.read(n_name)
        extra = file.read(n_extra)
        sizes = (packed, size)
        if n_extra:  # of members of 2 GB and more: their sizes
            kind, length, *sizes = struct.unpack("<HHQQ", extra)  # type: ignore[assignment]
            if (kind, length, packed, size) != (1, 16, 0xFFFFFFFF, 0xFFFFFFFF):
                raise zipfile.BadZipFile("not the layout of a model file")
        own = (signature, flags, method, crc, name, *sizes)
        listed = (b"PK\x03\x04", member.flag_bits, 0, member.CRC, member.filename.encode())
        if member.header_offset != place or own != (*listed, member.file_size, member.file_size):
            raise zipfile.BadZipFile("not the layout of a model file")
        place += LOCAL_BYTES + n_name + n_extra + member.file_size
    large = any(member.extra for member in members)
    end = file.seek(0, os.SEEK_END) - END_BYTES - len(archive.comment)
    size = sum(CENTRAL_BYTES + len(m.filename) + len(m.extra) for m in members)
    ends = {place + size, place + size + END_64_BYTES} if large else {place + size}
    if archive.start_dir != place or end not in ends:
        raise zipfile.BadZipFile("not the layout of a model file")


def _check_seal(file: BinaryIO, comment: bytes) -> None:
    """Compare the checksum at the end; files of earlier versions have none."""
    if not comment:
        return
    if len(comment) != SEAL_BYTES or not comment.startswith(SEAL):
        raise zipfile.BadZipFile("not the layout of a model file")
    if _digest(file) != comment.removeprefix(SEAL):
        raise zipfile.BadZipFile("its checksum is wrong")


def _digest(file: BinaryIO) -> bytes:
    """Return the checksum of a file except its last 64 bytes, which hold the checksum."""
    left = file.seek(0, os.SEEK_END) - 64
    file.seek(0)
    found = hashlib.sha256()
    while left > 0:
        block = file.read(min(BLOCK, left))
        if not block:
            break
        found.update(block)
        left -= len(block)
    return found.hexdigest().encode()
