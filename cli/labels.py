"""Labels in a file: which rows are anomalies, and the classes of rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ._batches import Batch
from ._columns import column_list, no_column


@dataclass(frozen=True)
class Labelled:
    """Labels of rows, and which rows are anomalies; for a folder of images also the files."""

    labels: Any
    is_anomaly: Any
    names: Any = None
    unlabelled: Any = None  # mask of rows without a label, which are left out; None: no such row

    def labelled(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Yield the rows that have a label."""
        for batch in batches:
            if self.unlabelled is None:
                yield batch
                continue
            has_label = ~self.unlabelled[self.places(batch.names)]
            if has_label.any():
                yield batch.only(has_label)

    def places(self, names: Any) -> Any:
        """Return the positions of the rows with these names."""
        return names.to_numpy() if self.names is None else self.names.get_indexer(names)

    def only(self, places: Any) -> Labelled:
        """Return some of the rows."""
        names = None if self.names is None else self.names[places]
        return Labelled(self.labels[places], self.is_anomaly[places], names)

    def kinds(self, most: int) -> Any:
        """Return the labels if there are 2 to `most` kinds of anomalies, else None."""
        import pandas as pd

        n_kinds = pd.Series(self.labels)[self.is_anomaly].nunique()
        return self.labels if 1 < n_kinds <= most else None


def has_no_label(labels: Any) -> Any:
    """Return the mask (n,) of missing labels; empty texts count as missing."""
    import numpy as np
    import pandas as pd

    given = pd.Series(labels)
    return np.asarray(given.isna()) | np.asarray(given.astype(object) == "", dtype=bool)


def is_label(labels: Any, label: str, where: str, kind: str) -> Any:
    """Return the mask of the rows whose label, as a text, is `label`.

    An empty `label` selects the rows without a label.

    Raises
    ------
    DataError
        If there is no such row; the message calls the rows `kind`.
    """
    import numpy as np
    import pandas as pd

    from augan.codecs.cells import category_key
    from augan.exceptions import DataError, listed, shown
    from augan.io.options import USUAL_MISSING

    missing = has_no_label(labels)
    keys = pd.Series(labels).astype(object)[~missing].map(category_key)
    mask = missing.copy()
    if label != "":
        mask[~missing] = keys.isin(_keys_of(label, labels)).to_numpy()
        mask[missing] = False
    if not mask.any():
        found = listed((repr(key) for key in sorted(keys.unique())), 5) or "none"
        blank = f", and {missing.sum()} rows without a label" if missing.any() else ""
        if blank and label in USUAL_MISSING:
            blank += f" (--missing '' keeps texts such as {shown(label)})"
        raise DataError(f"{where} has no value {shown(label)}, so no {kind}; it has {found}{blank}")
    return np.asarray(mask)


def _keys_of(label: str, labels: Any) -> list[str]:
    """Return the texts that `label` may have in a column: 1.0 is 1 in a column of numbers."""
    import contextlib

    import pandas as pd

    from augan.codecs.cells import category_key

    keys, dtype = [category_key(label)], pd.Series(labels).dtype
    with contextlib.suppress(ValueError):
        if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype):
            keys.append(category_key(float(label)))
        elif pd.api.types.is_datetime64_any_dtype(dtype):
            keys.append(category_key(pd.Timestamp(label)))
    return keys


def leave_out_unlabelled(labels: Any, asked: str, where: str) -> Any:
    """Return the mask of the rows without a label, and warn of them, unless `asked` is empty."""
    import warnings

    import numpy as np

    from augan.exceptions import DataWarning

    missing = has_no_label(labels)
    if asked == "" or not missing.any():
        return np.zeros(len(missing), dtype=bool)
    warnings.warn(
        f"{where} is empty in {missing.sum()} of {len(missing)} rows: these are left out",
        DataWarning,
        stacklevel=2,
    )
    return missing


def read_anomalies(
    path: Path,
    options: Any,
    target: str,
    *,
    anomaly: str | None,
    normal: str | None,
    masks: Path | None = None,
    usual: str | None = None,
) -> Labelled:
    """Return which rows of a file are anomalies.

    Rows without a label are left out, unless `anomaly` or `normal` is empty. Images in the folder
    `masks` are left out. `usual` is that of `open_data`.

    Raises
    ------
    DataError
        If there are no anomalies or no normal rows.
    """
    import numpy as np

    from augan.exceptions import DataError, ParameterError, shown

    if (anomaly is None) == (normal is None):
        raise ParameterError("give one of --anomaly and --normal, the label of these rows")
    label, kind, others = str(normal), "normal rows", "anomalies"
    if anomaly is not None:
        label, kind, others = anomaly, "anomalies", "normal rows"
    where = f"{path}: column {shown(target)}"
    labels, names = _labels(path, options, target, masks, usual)
    mask = is_label(labels, label, where, kind)
    unlabelled = leave_out_unlabelled(labels, label, where)
    if (mask | unlabelled).all():
        raise DataError(f"{where} is {shown(label)} in every row: no {others}")
    labels = np.where(has_no_label(labels), "", labels.astype(object))
    is_anomaly = mask if normal is None else ~mask
    return Labelled(labels, is_anomaly, names, unlabelled if unlabelled.any() else None)


def _labels(
    path: Path, options: Any, target: str, masks: Path | None, usual: str | None
) -> tuple[Any, Any]:
    """Return the label of each row, and the files of images.

    The whole column is read, as in `augan fit`, since its type depends on all values.
    """
    import numpy as np
    import pandas as pd

    from augan.io.image_folder import ImageFolder
    from augan.io.sources import open_data

    source: Any = open_data(path, options, without=masks, usual=usual)
    if source.is_table:
        columns = source.columns()
        if target not in columns:
            raise no_column(path, target, columns)
        labels = source.read([target])[target].to_numpy()
    else:
        labels = source.labels(target)
    names = pd.Index(source.names, dtype=object) if isinstance(source, ImageFolder) else None
    return np.asarray(labels), names


@dataclass(frozen=True)
class LabelledRows:
    """Rows and their classes; for a table also the place of the classes and dropped columns."""

    source: Any
    rows: Any
    labels: Any
    place: int | None = None
    dropped: list[str] = field(default_factory=list)

    @property
    def is_table(self) -> bool:
        """Whether the rows come from a table, not from arrays or images."""
        return self.place is not None

    def reading(self) -> dict[str, Any]:
        """Return the options that the rows were read with, to be stored in the model."""
        from augan.io.image_folder import ImageFolder

        if isinstance(self.source, ImageFolder):
            return self.source.reading()
        return dict(self.source.resolved.to_dict()) if self.is_table else {}


def read_labelled(path: Path, options: Any, target: str, drop: list[str]) -> LabelledRows:
    """Return rows and their classes.

    Raises
    ------
    DataError
        For a missing class, or a table without further columns.
    """
    import numpy as np

    from augan.exceptions import DataError, ParameterError, shown
    from augan.io.sources import open_data

    source: Any = open_data(path, options)
    if not source.is_table:
        if drop:
            raise ParameterError(f"--drop {drop[0]}: {path} has no named columns")
        return LabelledRows(source, np.asarray(source.rows()), source.labels(target))
    columns = source.columns()
    if target not in columns:
        raise no_column(path, target, columns)
    dropped = column_list(drop, columns, "--drop", path)
    if target in dropped:
        raise ParameterError(f"--drop {target}: the column with the classes")
    if len(dropped) == len(columns) - 1:
        raise DataError(f"{path}: no column besides {shown(target)}, the classes")
    frame = source.read(drop=dropped, nullable=True)
    unlabelled = has_no_label(frame[target])
    if unlabelled.any():
        raise DataError(
            f"{path}, row {unlabelled.argmax()}, column {shown(target)}: no class, as in "
            f"{unlabelled.sum()} of {len(frame)} rows; leave them out of the file"
        )
    place = frame.columns.get_loc(target)
    return LabelledRows(source, frame.drop(columns=target), frame[target], place, dropped)
