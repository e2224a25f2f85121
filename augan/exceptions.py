"""What augan raises, each also a class that callers of scikit-learn already catch."""


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


class DeviceWarning(UserWarning):
    """A model runs, but not where it was meant to."""


class TrainingWarning(UserWarning):
    """Training went on, but something about it is worth a look."""
