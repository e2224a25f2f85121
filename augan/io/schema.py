"""Reading and checking of model files' manifests and ONNX files' metadata, without torch.

The JSON is checked as a whole before any part of a model is built.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from augan._version import __version__
from augan.exceptions import ModelFileError, shown
from augan.io.bounded_json import JsonError, named, read_json
from augan.io.schema_facts import Facts
from augan.io.schema_model import DetectorParts, Manifest, SamplerParts
from augan.io.schema_types import Part

TAGS = (  # not part of a path
    *("table", "image", "numeric", "category", "constant", "identifier", "AnyCodec"),
)


def parse_manifest(path: Any, text: bytes, formats: range) -> dict[str, Any]:
    """Return the checked manifest of a model file.

    Parameters
    ----------
    path : path-like
        The file, for messages.
    text : bytes
        The JSON text of the manifest.
    formats : range
        Format versions that can be read.

    Raises
    ------
    ModelFileError
        In one line that names the file and the place in the manifest.
    """
    manifest = _read(path, "manifest", text)
    check_format(path, manifest, "format_version", formats)
    check(path, "manifest", Manifest, manifest)
    parts = SamplerParts if manifest["class"] == "GANSampler" else DetectorParts
    check(path, "manifest: parts", parts, manifest["parts"])
    return manifest


def parse_facts(path: Any, texts: Mapping[str, str], newest: int) -> dict[str, Any]:
    """Return the checked metadata of an ONNX file.

    Parameters
    ----------
    path : path-like
        The file, for messages.
    texts : mapping of str to str
        JSON texts by name, as written by `export_onnx`.
    newest : int
        Newest format version that can be read.

    Raises
    ------
    ModelFileError
        In one line that names the file and the place in the metadata.
    """
    if "format" not in texts or "part" not in texts:
        raise ModelFileError(f"{path}: an ONNX file that was not made by augan")
    facts = {
        name: _read(path, f"metadata: {shown(name)[1:-1]}", text.encode("utf-8", "surrogatepass"))
        for name, text in texts.items()
    }
    check_format(path, facts, "format", range(1, newest + 1))
    check(path, "metadata", Facts, facts)
    return facts


def check_format(path: Any, found: Any, name: str, formats: range) -> None:
    """Check the format version of a file.

    Raises
    ------
    ModelFileError
        If the version is missing, too new or too old.
    """
    version = found.get(name) if isinstance(found, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        raise ModelFileError(f"{path}: not a model file (no {name.replace('_', ' ')})")
    if version in formats:
        return
    made = f"{shown(found.get('augan'))[1:-1]}, format {shown(version)}"
    if version > formats[-1]:
        raise ModelFileError(
            f"{path}: made by a newer augan ({made}; this is {__version__}, which reads up to "
            f"format {formats[-1]})"
        )
    raise ModelFileError(
        f"{path}: made by an older augan ({made}, now {formats[-1]}): fit it again"
    )


def check(path: Any, where: str, schema: type[Part], value: Any) -> None:
    """Check a value against a schema.

    Raises
    ------
    ModelFileError
        Naming the first part of the value that does not fit.
    """
    try:
        schema.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = named([key for key in first["loc"] if key not in TAGS])
        says = first["msg"].removeprefix("Value error, ").replace("Input should", "should")
        value = "" if first["type"] == "value_error" else f", is {shown(first['input'])}"
        says = "is missing" if first["type"] == "missing" else f"{says}{value}"
        if first["type"].startswith("union_tag"):
            kind = first["input"].get("kind") if isinstance(first["input"], dict) else None
            says = f"kind {shown(kind)} is unknown"
        places = f"{where}: " + (f"{place}: " if first["loc"] else "")
        raise ModelFileError(f"{path}: {places}{says}") from None


def _read(path: Any, where: str, text: bytes) -> Any:
    try:
        return read_json(text)
    except JsonError as error:
        raise ModelFileError(f"{path}: {where}: {error}") from None
