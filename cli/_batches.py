"""Rows of a file in batches, in the form that a model takes, with their names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._columns import column_list
from ._console import say
from ._models import model_context

HEAT_BYTES = 2**28  # of the heat, in float64, of the images of an array that are scored together
IMAGES_AT_ONCE = 64


@dataclass(frozen=True)
class Batch:
    """Some rows of a file.

    `names` is an index: "row" counts the rows of the file, "path" holds the files of images. `kept`
    holds columns as they are in the file.
    """

    names: Any
    rows: Any
    kept: Any = None

    def only(self, mask: Any) -> Batch:
        """Return the rows where a mask is true."""
        kept = None if self.kept is None else self.kept[mask]
        return Batch(self.names[mask], self.rows[mask], kept)


@dataclass(frozen=True)
class Keep:
    """Columns that are copied beside the scores.

    Parameters
    ----------
    ids, others : sequence of str
        Columns of the options --id and --keep.
    own : sequence of str
        Names of the columns that the result has anyway.
    uses_stored : bool
        Whether the default of --id is the columns of `augan fit --id`.
    """

    ids: Sequence[str] = ()
    others: Sequence[str] = ()
    own: Sequence[str] = ()
    uses_stored: bool = False

    def columns(self, found: Sequence[str], context: dict[str, Any], path: Path) -> list[str]:
        """Return the columns to copy, out of those `found`.

        Raises
        ------
        ParameterError
            For a column of the result's own.
        """
        from augan.exceptions import ParameterError

        stored = context.get("id", []) if self.uses_stored else []
        stored = [name for name in stored if name in found]
        ids = column_list(self.ids, found, "--id", path) if self.ids else stored
        others = column_list(self.others, found, "--keep", path)
        for name in (names := list(dict.fromkeys([*ids, *others]))):
            if name in self.own:
                option = "--keep" if name in others else "--id"
                raise ParameterError(f"{option} {name}: the result has a column of this name")
        return names

    def refuse(self, path: Path) -> None:
        """Raise for columns of data that has no named columns.

        Raises
        ------
        ParameterError
            If --id or --keep is given.
        """
        from augan.exceptions import ParameterError

        for option, names in (("--id", self.ids), ("--keep", self.others)):
            if names:
                raise ParameterError(f"{option} {names[0]}: {path} has no named columns")


def model_batches(
    estimator: Any,
    model: Path,
    path: Path,
    options: Any,
    *,
    target: str | None = None,
    skip_bad: bool = False,
    masks: Path | None = None,
    keep: Keep | None = None,
) -> Iterator[Batch]:
    """Yield the rows of a file in batches, in the form that the model takes.

    The column `target` is not warned of. Images in the folder `masks` are left out.

    Raises
    ------
    DataError
        For data of another kind than that of the model, or with missing columns.
    """
    from augan.exceptions import DataError
    from augan.io.image_folder import ImageFolder
    from augan.io.sources import open_data

    keep = keep or Keep()
    is_table_model = estimator.codec_.kind == "table"
    usual = "table" if is_table_model else "images"
    source: Any = open_data(path, options, skip_bad=skip_bad, without=masks, usual=usual)
    if not source.is_table:
        keep.refuse(path)
    if isinstance(source, ImageFolder):
        if is_table_model:
            raise DataError(f"{path}: images, but {model} was trained on a table")
        yield from _photographs(source, estimator.codec_)
        return
    if not source.is_table:
        yield from _counted((part, None) for rows in source.batches() for part in _parts(rows))
        return
    if not is_table_model:
        raise DataError(f"{path}: a table, but {model} was trained on images")
    types = {column.name: column.stored_as() for column in estimator.codec_.columns}
    context = model_context(estimator, model)
    kept = keep.columns(source.columns(), context, path)
    _check_columns(source.columns(), [*types], {target, *kept}, context, path, model)
    as_frames = estimator.codec_.array_dtype is None
    yield from _counted(
        (frame if as_frames else frame.to_numpy(), as_is if kept else None)
        for frame, as_is in source.kept_batches(types, kept)
    )


def image_batches(
    names: Sequence[str], codec: Any, options: Any, *, skip_bad: bool, keep: Keep
) -> Iterator[Batch]:
    """Yield the images in files in batches, in the form that the codec of a model takes."""
    from augan.io.image_list import ImageList
    from augan.io.image_options import image_options

    keep.refuse(Path(names[0]))
    images = ImageList([*names], image_options(options), skip_bad=skip_bad)
    yield from _photographs(images, codec)


def _check_columns(
    found: Sequence[str],
    needed: Sequence[str],
    known: set[str | None],
    context: dict[str, Any],
    path: Path,
    model: Path,
) -> None:
    """Raise for a missing column of the training data; warn of additional ones."""
    from augan.exceptions import DataError, listed, shown

    absent = [name for name in needed if name not in found]
    if absent:
        names = listed(map(shown, absent))
        raise DataError(
            f"{path}: no column {names}, which {model} was trained with; it has "
            f"{listed(map(shown, found))}"
        )
    expected = {*needed, *known, context.get("target"), *context.get("dropped", [])}
    extra = [name for name in found if name not in expected]
    if extra:
        names = listed(map(shown, extra))
        say(f"augan: warning: {path}: ignored, not in the training data: column {names}")


def _parts(rows: Any) -> Iterator[Any]:
    """Yield an array in parts; the heat of the images in each takes little memory."""
    if rows.ndim < 3:
        yield rows
        return
    n_chunks = HEAT_BYTES // (8 * rows.shape[1] * rows.shape[2] * IMAGES_AT_ONCE)
    n_images = max(1, n_chunks) * IMAGES_AT_ONCE
    for start in range(0, len(rows), n_images):
        yield rows[start : start + n_images]


def _counted(batches: Iterator[tuple[Any, Any]]) -> Iterator[Batch]:
    import pandas as pd

    start = 0
    for rows, kept in batches:
        yield Batch(pd.RangeIndex(start, start + len(rows), name="row"), rows, kept)
        start += len(rows)


def _photographs(folder: Any, codec: Any) -> Iterator[Batch]:
    import pandas as pd

    from augan.io.decoding import Form

    for names, images in folder.named_batches(Form.of(codec.shape, codec.dtype)):
        yield Batch(pd.Index(names, name="path", dtype=object), images)
    warn_of_skipped(folder)


def warn_of_skipped(source: Any) -> None:
    """Warn of the images of a folder that were left out."""
    masks = getattr(source, "masks", [])
    if masks:
        say(f"augan: warning: {len(masks)} masks are not read as images, such as {masks[0]}")
    for reason in getattr(source, "skipped", {}).values():
        say(f"augan: warning: skipped: {reason}")
