"""Labels in a file, and which of them the command line means."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Labelled:
    """Labels of rows, and which rows are anomalies; of images in a folder also their names."""

    labels: Any
    is_anomaly: Any
    names: Any = None

    def places(self, names: Any) -> Any:
        """Return which rows these are, by what a batch is called."""
        return names.to_numpy() if self.names is None else self.names.get_indexer(names)

    def only(self, places: Any) -> Labelled:
        """Return some of the rows."""
        names = None if self.names is None else self.names[places]
        return Labelled(self.labels[places], self.is_anomaly[places], names)

    def kinds(self, most: int) -> Any:
        """Return the labels where they tell at least two and at most so many anomalies apart."""
        import pandas as pd

        n_kinds = pd.Series(self.labels)[self.is_anomaly].nunique()
        return self.labels if 1 < n_kinds <= most else None


def is_label(labels: Any, label: str, where: str, kind: str) -> Any:
    """Return the mask of the rows whose label, as a text, is `label`: of a `kind`, some of them."""
    import numpy as np
    import pandas as pd

    from augan.codecs.cells import category_key
    from augan.exceptions import DataError

    keys = pd.Series(labels).map(category_key).to_numpy()
    mask = keys == category_key(label)
    if not mask.any():
        found = ", ".join(map(repr, sorted(map(str, pd.unique(keys)))[:5]))
        raise DataError(f"{where} never is {label!r}: no {kind}; it has {found}")
    return np.asarray(mask)


def read_anomalies(
    path: Path, options: Any, target: str, *, anomaly: str | None, normal: str | None
) -> Labelled:
    """Return which rows of a file are anomalies; both kinds are there."""
    from augan.exceptions import DataError, ParameterError

    if (anomaly is None) == (normal is None):
        raise ParameterError("--anomaly or --normal: give one of them, the label of these rows")
    label, kind, others = str(normal), "normal rows", "anomalies"
    if anomaly is not None:
        label, kind, others = anomaly, "anomalies", "normal rows"
    where = f"{path}: column {target!r}"
    labels, names = _labels(path, options, target)
    mask = is_label(labels, label, where, kind)
    if mask.all():
        raise DataError(f"{where} is {label!r} in every row: no {others}")
    return Labelled(labels, mask if normal is None else ~mask, names)


def _labels(path: Path, options: Any, target: str) -> tuple[Any, Any]:
    """Return the label of each row, and images' names; DataError where a label is missing.

    Read as `augan fit` reads them, of the whole column: its type is only known from all of it.
    """
    import numpy as np
    import pandas as pd

    from augan.exceptions import DataError
    from augan.io.image_folder import ImageFolder
    from augan.io.sources import open_data

    source: Any = open_data(path, options)
    if source.is_table:
        columns = source.columns()
        if target not in columns:
            raise DataError(f"{path}: no column {target!r}; it has {', '.join(columns)}")
        labels = source.read([target])[target].to_numpy()
    else:
        labels = source.labels(target)
    missing = np.asarray(pd.isna(labels))
    if missing.any():
        row = int(missing.argmax())
        raise DataError(f"{path}, row {row}, column {target!r}: no label, anomaly or not")
    names = pd.Index(source.names) if isinstance(source, ImageFolder) else None
    return np.asarray(labels), names
