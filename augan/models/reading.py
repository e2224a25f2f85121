"""Reading of the parts of a model file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import safetensors
from torch import Tensor

from augan.codecs.codec import Codec, codec_from_state
from augan.exceptions import ModelFileError, ParameterError
from augan.io.tensors import check_knots


@contextmanager
def damage_reported(path: str | os.PathLike[str]) -> Iterator[None]:
    """Raise ModelFileError for errors that come from a damaged model file.

    Raises
    ------
    ModelFileError
        If the parts of the file do not fit together.
    """
    try:
        yield
    except ParameterError as error:
        raise ModelFileError(f"{path}: {error}") from error
    except (
        *(AttributeError, IndexError, KeyError, MemoryError, OverflowError),
        *(RuntimeError, TypeError, ValueError, safetensors.SafetensorError),
    ) as error:
        if isinstance(error, ModelFileError):
            raise
        reason = str(error).strip().splitlines()[-1].strip() if str(error) else repr(error)
        raise ModelFileError(f"{path}: damaged or tampered with ({reason})") from error


def read_codec(manifest: dict[str, Any], tensors: dict[str, Tensor]) -> Codec:
    """Return the codec of a model file."""
    arrays = {name: tensor.numpy() for name, tensor in with_prefix("codec.", tensors).items()}
    check_knots(manifest["codec"].get("columns", []), arrays)
    return codec_from_state(manifest["codec"], arrays)


def with_prefix(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names start with a prefix, by the rest of the name."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
