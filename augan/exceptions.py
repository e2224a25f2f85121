"""Exceptions and warnings. Each exception is also a built-in one, such as ValueError."""

from __future__ import annotations

from collections.abc import Iterable


class AuganError(Exception):
    """Base class of the exceptions of augan."""


class DataError(AuganError, ValueError):
    """The data cannot be used; the message names the file, row or column."""


class DataTypeError(DataError, TypeError):
    """A value in the data has a type that is not supported."""


class ParameterError(AuganError, ValueError):
    """A parameter has an invalid value; the message names both."""


class NotTrainableError(AuganError, RuntimeError):
    """Training diverged at every learning rate that was tried."""


class CheckpointError(AuganError, ValueError):
    """A checkpoint cannot be resumed: damaged, or made with other data or parameters."""


class ModelFileError(AuganError, ValueError):
    """A model file is missing, damaged, unsafe or made by a newer augan."""


class ExportError(AuganError, ValueError):
    """A model cannot be exported, or the exported file does not give the same results."""


class DataWarning(UserWarning):
    """The data can be used, but may not be what was intended."""


class CalibrationWarning(DataWarning):
    """There are too few calibration rows for the requested rate."""


class DriftWarning(DataWarning):
    """Many rows differ from the training rows: other units, categories or missing values."""


class DeviceWarning(UserWarning):
    """A model runs on another device than requested."""


class TrainingWarning(UserWarning):
    """Training continued, but its result may be worse than usual."""


def shown(value: object, limit: int = 60) -> str:
    """Return repr(value) for a message, shortened and without unprintable characters."""
    if isinstance(value, (str, bytes)) and len(value) > 2 * limit:
        text = repr(value[: 2 * limit])
    elif isinstance(value, int) and value.bit_length() > 4 * limit:
        return f"an integer of {value.bit_length()} bits"
    else:
        try:
            text = repr(value)
        except Exception:  # any error of a foreign object
            text = f"<{type(value).__name__}>"
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def listed(names: Iterable[object], limit: int = 10) -> str:
    """Return the first names for a message, and the number of the others."""
    known = list(names)
    texts = [shown(name)[1:-1] if isinstance(name, str) else shown(name) for name in known[:limit]]
    more = [f"and {len(known) - limit} more"] if len(known) > limit else []
    return ", ".join(texts + more)
