"""Groups of rows that belong together, as `--group` names them."""

from __future__ import annotations

import re
from pathlib import Path, PurePath
from typing import Any

FOLDER = "folder"  # --group folder: images in one folder are one group


def groups_of_column(values: Any, column: str, path: Path) -> Any:
    """Return the groups (n,) of rows with these values of a column.

    Raises
    ------
    DataError
        If a row has no value.
    """
    import numpy as np

    from augan.exceptions import DataError, shown

    missing = np.asarray(values.isna())
    if missing.any():
        raise DataError(
            f"{path}: column {shown(column)}: no value in row {int(missing.argmax())}, which "
            "--group needs"
        )
    return values.astype(object).to_numpy()


def groups_of_names(names: list[str], how: str, path: Path) -> Any:
    """Return the groups (n,) of images with these names below the folder `path`.

    Parameters
    ----------
    names : list of str
        Paths of the images in the folder.
    how : str
        "folder": the folder that an image is in. Otherwise a regular expression that is searched
        in the names: its first group, or what it matches.

    Raises
    ------
    DataError
        If a name does not match.
    ParameterError
        If `how` is no regular expression.
    """
    import numpy as np

    from augan.exceptions import DataError, ParameterError, shown

    if how == FOLDER:
        return np.array([PurePath(name).parent.as_posix() for name in names], dtype=object)
    try:
        pattern = re.compile(how)
    except re.error as error:
        raise ParameterError(f"--group {how!r}: not a regular expression ({error})") from error
    found = [pattern.search(name) for name in names]
    for name, match in zip(names, found, strict=True):
        if match is None or match[min(pattern.groups, 1)] is None:
            raise DataError(f"{path}: --group {how!r} does not match {shown(name)}")
    return np.array([match[min(pattern.groups, 1)] for match in found if match], dtype=object)


def held_groups(groups: Any, usable: Any, share: float, random: Any) -> Any:
    """Return the mask (n,) of usable rows to hold out: whole groups, about a share of the rows."""
    import numpy as np
    import pandas as pd

    from augan.training.rows import split_groups

    held = np.zeros(len(groups), dtype=bool)
    numbers, _ = pd.factorize(groups[usable])
    held[usable] = split_groups(numbers, share, 1, random)[0].numpy()
    return held
