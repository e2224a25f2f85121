"""What augan raises, each also a class that callers of scikit-learn already catch."""

from __future__ import annotations

from collections.abc import Iterable


class AuganError(Exception):
    """Base class of everything that augan raises on purpose."""


class DataError(AuganError, ValueError):
    """The data given cannot be used; the message names the file, row or column."""


class DataTypeError(DataError, TypeError):
    """A value in the data is of a type that no column can have."""


class ParameterError(AuganError, ValueError):
    """A parameter has a value it cannot have; the message names both."""


class NotTrainableError(AuganError, RuntimeError):
    """Training diverged and went on diverging at every lower learning rate."""


class CheckpointError(AuganError, ValueError):
    """A checkpoint cannot be resumed: damaged, or made with other data or parameters."""


class ModelFileError(AuganError, ValueError):
    """A model file is missing, damaged, unsafe or made by a newer augan."""


class ExportError(AuganError, ValueError):
    """A model cannot be exported, or the exported file would not score as the model does."""


class DataWarning(UserWarning):
    """The data can be used, but something about it is worth a look."""


class CalibrationWarning(DataWarning):
    """So few rows calibrate that a rate which was asked for cannot be promised."""


class DriftWarning(DataWarning):
    """Many rows have what training rows do not have: other units, categories, missing values."""


class DeviceWarning(UserWarning):
    """A model runs, but not where it was meant to."""


class TrainingWarning(UserWarning):
    """Training went on, but something about it is worth a look."""


def shown(value: object, limit: int = 60) -> str:
    """Return repr(value), shortened for a message."""
    if isinstance(value, (str, bytes)) and len(value) > 2 * limit:
        text = repr(value[: 2 * limit])
    elif isinstance(value, int) and value.bit_length() > 4 * limit:
        return f"an integer of {value.bit_length()} bits"
    else:
        try:
            text = repr(value)
        except Exception:  # whatever a foreign object makes of it
            text = f"<{type(value).__name__}>"
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def listed(names: Iterable[object], limit: int = 10) -> str:
    """Return the first names for a message, and how many more there are."""
    known = list(names)
    texts = [shown(name)[1:-1] if isinstance(name, str) else shown(name) for name in known[:limit]]
    more = [f"and {len(known) - limit} more"] if len(known) > limit else []
    return ", ".join(texts + more)
