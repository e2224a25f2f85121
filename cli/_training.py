"""Training rows of a detector, and rows held out to evaluate it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ._batches import Keep, warn_of_skipped
from ._columns import column_list, no_column
from ._explaining import score_columns
from ._groups import groups_of_column, groups_of_names, held_groups
from .labels import is_label, leave_out_unlabelled


@dataclass(frozen=True)
class Asked:
    """Options of `augan fit`: columns, the label of normal rows, groups, the share to hold out."""

    target: str | None = None
    normal: str | None = None
    drop: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    group: str | None = None
    holdout: float | None = None
    seed: int = 0


@dataclass
class Held:
    """Held-out rows: how to read them, and which are anomalies (None if there are none)."""

    read: Any
    is_anomaly: Any
    labels: Any

    def batches(self, codec: Any) -> Iterator[tuple[Any, Any]]:
        """Yield positions among the held-out rows, and the rows in the form the model takes."""
        return iter(self.read(codec))


@dataclass(frozen=True)
class Training:
    """Training rows and their groups, held-out rows, and what the model stores about the file.

    `size` is the median height and width of the images of a folder, before they are resized.
    """

    rows: Any
    groups: Any
    held: Held | None
    context: dict[str, Any]
    size: tuple[int, int] | None = None


def read_training(
    path: Path, options: Any, asked: Asked, *, skip_bad: bool, longest: int | None
) -> Training:
    """Return the normal rows of a file, and the rows held out.

    Images of a folder have at most `longest` pixels a side.

    Raises
    ------
    ParameterError
        For options that do not fit the data, or each other.
    """
    import numpy as np

    from augan.exceptions import ParameterError
    from augan.io.image_folder import ImageFolder
    from augan.io.sources import open_data

    _check_labels(asked)
    source: Any = open_data(path, options, training=True, skip_bad=skip_bad)
    context: dict[str, Any] = {"target": asked.target, "dropped": []}
    groups = None
    if source.is_table:
        rows, labels, groups = _table(source, path, asked, context)
    else:
        for option, names in (("--drop", asked.drop), ("--id", asked.ids)):
            if names:
                raise ParameterError(f"{option} {names[0]}: {path} has no named columns")
        if isinstance(source, ImageFolder):
            return _folder(source, path, asked, context, skip_bad=skip_bad, longest=longest)
        if asked.group is not None:
            raise ParameterError(f"--group {asked.group}: {path} has no named columns")
        labels = source.labels(asked.target) if asked.target else None
        rows = np.asarray(source.rows())
    parts = _parts(len(rows), labels, groups, path, asked)
    take = rows.iloc.__getitem__ if source.is_table else rows.__getitem__
    everything = parts.training.all()
    training = rows if everything else take(parts.training)
    places = np.arange(int(parts.held.sum()))
    held_rows = parts.kept_apart(lambda _: [(places, take(parts.held))])
    left = None if groups is None else groups[parts.training]
    return Training(training, left, held_rows, context)


def _folder(
    source: Any,
    path: Path,
    asked: Asked,
    context: dict[str, Any],
    *,
    skip_bad: bool,
    longest: int | None,
) -> Training:
    """Return the normal images of a folder, and those held out."""
    from augan.io.image_folder import ImageFolder

    def groups() -> Any:
        return asked.group and groups_of_names(source.names, asked.group, path)

    labels = source.labels(asked.target) if asked.target else None
    parts = _parts(len(source.names), labels, groups(), path, asked)
    held = ImageFolder(path, source.options, training=True, skip_bad=skip_bad)
    held.keep(parts.held)
    source.keep(parts.training)
    rows = source.rows(longest)
    warn_of_skipped(source)
    context["reading"] = source.reading()
    return Training(rows, groups(), parts.kept_apart(_read_images(held)), context, source.size)


def _check_labels(asked: Asked) -> None:
    from augan.exceptions import ParameterError

    if asked.normal is not None and asked.target is None:
        raise ParameterError("--normal needs --target, the column with the labels")
    if asked.normal is None and asked.target is not None:
        raise ParameterError(
            "--target needs --normal, the label of the normal rows; "
            "augan fit-sampler trains a sampler of all classes"
        )


def _table(source: Any, path: Path, asked: Asked, context: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Return the columns to train on, the labels and the groups."""
    from augan.exceptions import DataError

    columns = source.columns()
    dropped = column_list(asked.drop, columns, "--drop", path)
    ids = Keep(asked.ids, own=score_columns()).columns(columns, {}, path)
    for name in (asked.target, asked.group):
        if name is not None and name not in columns:
            raise no_column(path, name, columns)
    left_out = {*dropped, *ids, asked.target, asked.group}
    if left_out.issuperset(columns):
        raise DataError(f"{path}: no column is left to train on")
    unread = {*dropped, *ids} - {asked.target, asked.group}
    rows = source.read(drop=[name for name in columns if name in unread])
    labels = rows[asked.target] if asked.target else None
    groups = groups_of_column(rows[asked.group], asked.group, path) if asked.group else None
    if reading := source.resolved.to_dict():
        context["reading"] = reading
    context["dropped"] = [name for name in columns if name in left_out - {asked.target}]
    if asked.group is not None:
        context["group"] = asked.group
    if ids:
        context["id"] = ids
    others = [name for name in rows if name in left_out]
    return rows.drop(columns=others), labels, groups


@dataclass(frozen=True)
class _Parts:
    """Masks (n,) of the training, held-out and normal rows, and the labels of all rows."""

    training: Any
    held: Any
    normal: Any
    labels: Any

    def kept_apart(self, read: Any) -> Held | None:
        if not self.held.any():
            return None
        anomalies = ~self.normal[self.held]
        if not anomalies.any():
            return Held(read, None, None)
        return Held(read, anomalies, self.labels[self.held])


def _parts(n_rows: int, labels: Any, groups: Any, path: Path, asked: Asked) -> _Parts:
    """Split the rows: a share of each label is held out, the other normal rows are trained on.

    With groups, a share of these is held out.
    """
    import numpy as np
    import pandas as pd

    from augan.codecs.cells import category_key
    from augan.exceptions import shown

    normal, unlabelled = np.ones(n_rows, dtype=bool), np.zeros(n_rows, dtype=bool)
    keys = np.full(n_rows, "", dtype=object)
    if labels is not None:
        where = f"{path}: column {shown(asked.target)}"
        normal = is_label(labels, str(asked.normal), where, "normal rows")
        unlabelled = leave_out_unlabelled(labels, str(asked.normal), where)
        given = pd.Series(labels).astype(object)
        keys = given.where(given.notna(), "").map(category_key).to_numpy()
    held = np.zeros(n_rows, dtype=bool)
    if asked.holdout is not None:
        held = choose_held(np.where(normal, "", keys), ~unlabelled, asked, normal, path, groups)
    return _Parts(normal & ~held & ~unlabelled, held, normal, keys)


def choose_held(
    keys: Any, usable: Any, asked: Asked, normal: Any, path: Path, groups: Any = None
) -> Any:
    """Return the mask (n,) of held-out rows: a share of each label, at least one row.

    With groups (n,), a share of all rows in whole groups.

    Raises
    ------
    DataError
        If fewer than two normal rows are left to train on.
    """
    import numpy as np

    from augan._random import numpy_stream
    from augan.exceptions import DataError

    assert asked.holdout is not None
    held = np.zeros(len(keys), dtype=bool)
    random = numpy_stream(asked.seed, "holdout")
    if groups is not None:
        held = held_groups(groups, usable, asked.holdout, random)
    else:
        kinds = [normal & usable]
        kinds += [~normal & usable & (keys == key) for key in sorted(set(keys[~normal & usable]))]
        for kind in kinds:
            places = np.flatnonzero(kind)
            n = max(1, round(asked.holdout * len(places)))
            held[random.permutation(places)[:n]] = True
    n_normal = int((normal & usable).sum())
    if (normal & usable & ~held).sum() < 2:
        raise DataError(
            f"{path}: --holdout {asked.holdout:g} leaves fewer than 2 of {n_normal} normal rows "
            "to train on"
        )
    return held


def _read_images(folder: Any) -> Any:
    """Return a function that yields a folder's images; unreadable ones are left out."""
    from augan.io.decoding import Form

    all_names = {name: place for place, name in enumerate(folder.names)}

    def read(codec: Any) -> Iterator[tuple[Any, Any]]:
        for names, images in folder.named_batches(Form.of(codec.shape, codec.dtype)):
            yield [all_names[name] for name in names], images
        warn_of_skipped(folder)

    return read
