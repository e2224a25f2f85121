"""Rows of a file, unchanged, and new rows of its rare classes, for `augan balance`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ._console import data_errors, progress, training_progress
from ._outputs import check_apart
from ._parameters import build_estimator
from ._sampling import BATCH_ROWS
from .labels import LabelledRows, read_labelled

MARK = "synthetic"  # name of the column that says which rows are new
OWN = {"callbacks": "only from Python"}


def add_rows(
    data: Path,
    options: Any,
    target: str,
    drop: list[str],
    given: dict[str, Any],
    out: Path,
    mark: bool,
    *,
    quiet: bool,
) -> str:
    """Write the rows of a file and new rows of its rare classes; return a summary."""
    labelled = read_labelled(data, options, target, drop)
    rows, labels = labelled.rows, labelled.labels
    _check_request(data, labelled, out, mark=mark)
    original = None
    if labelled.is_table:
        frame = _with_classes(rows, labels, labelled, target)
        original = original_rows(labelled, frame, out)
    sampler = build_estimator("GANSampler", given, OWN)
    with progress(quiet) as display, data_errors(data):
        sampler.set_params(callbacks=[training_progress(display)])
        result, classes = sampler.fit_resample(rows, labels)
    n_real = len(rows) + sum(sampler.copies_.values())
    if not labelled.is_table:
        _write_images(labelled.source, out, result, classes, n_real, sampler.codec_, mark=mark)
    else:
        result = _with_classes(result, classes, labelled, target)
        _write_table(out, original, frame, result, n_real, MARK if mark else None)
    made = ", ".join(f"{n} added to {k}" for k, n in sampler.sampling_strategy_.items())
    refused = ", ".join(f"{name} refused {n}" for name, n in sampler.refused_.items())
    what = "rows" if labelled.is_table else "images"
    return f"{len(rows)} {what}, {made}{f' ({refused})' if refused else ''}; wrote {out}"


def original_rows(labelled: LabelledRows, frame: Any, out: Path) -> Any:
    """Return the rows as they are in their files; None where OUT has another format.

    Raises
    ------
    DataError
        Where they cannot be told apart, or new ones could not be written like them.
    """
    from augan.exceptions import DataError
    from augan.io.arrow_rows import ArrowRows
    from augan.io.parquet_files import ParquetFile

    source = labelled.source
    if isinstance(source.files[0], ParquetFile):
        rows = ArrowRows([file.path for file in source.files], list(frame.columns))
        with data_errors(source.path):
            rows.check(frame)
        return rows
    lines = _text_rows(labelled, out)
    if lines is not None and len(lines) != len(frame):
        raise DataError(
            f"{source.label}: {len(frame)} rows were read, but the file has {len(lines)}"
        )
    return lines


def _text_rows(labelled: LabelledRows, out: Path) -> Any:
    """Return the rows of CSV or JSON Lines files as texts; None where OUT has another format."""
    from augan.io.copying import CsvLayout, CsvRows, JsonRows
    from augan.io.csv_files import CsvFile
    from augan.io.json_files import JsonLinesFile
    from augan.io.results import result_format

    source, kind = labelled.source, result_format(out)
    encoding, has_header = source.options.encoding, source.options.column_names is None
    of_dates = (item for item in source.resolved.formats.items() if hasattr(item[1], "date"))
    dates = {name: how.date for name, how in of_dates}
    if isinstance(source.files[0], CsvFile) and kind == "csv":
        files = [
            (file.path, CsvLayout(file.delimiter, encoding, has_header, file.skip_rows))
            for file in source.files
        ]
        return CsvRows(files, source.columns(), labelled.dropped, dates)
    if isinstance(source.files[0], JsonLinesFile) and kind == "jsonl":
        lines = [(file.path, encoding) for file in source.files]
        return JsonRows(lines, source.columns(), labelled.dropped, dates)
    return None


def _with_classes(rows: Any, classes: Any, labelled: LabelledRows, target: str) -> Any:
    """Return a table with its classes in the column's former place."""
    table = rows.copy(deep=False)
    table.insert(labelled.place, target, classes)
    return table


def _check_request(data: Path, labelled: LabelledRows, out: Path, *, mark: bool) -> None:
    """Raise for an output that cannot be written, now rather than after the training."""
    from augan.exceptions import DataError, ParameterError
    from augan.io.results import result_format

    if labelled.is_table:
        result_format(out)
        if mark and MARK in {*labelled.rows.columns, labelled.labels.name}:
            raise DataError(f"{data}: has a column {MARK!r} already; --no-mark adds none")
    elif labelled.rows.ndim == 2:
        raise ParameterError(f"{data}: not a table; GANSampler in Python takes arrays")
    elif out.suffix:
        raise ParameterError(f"--out {out}: {data} holds images; use a new folder")
    else:
        check_apart(out, "--out", data)


def _write_table(
    out: Path, original: Any, frame: Any, result: Any, n_real: int, mark: str | None
) -> None:
    """Write the rows unchanged and the new rows; all anew where OUT has another format."""
    from augan._files import atomic_path
    from augan.io.added_rows import Added
    from augan.io.arrow_frames import to_frame
    from augan.io.arrow_rows import ArrowRows, write_parquet
    from augan.io.results import open_results, result_format

    is_new = [row >= n_real for row in range(len(frame), len(result))]
    added = Added(frame, result[len(frame) :], is_new, mark)
    if isinstance(original, ArrowRows):
        table = original.with_added(added)
        if result_format(out) == "parquet":
            write_parquet(table, out)
            return
        result = to_frame(table)
    elif original is not None:
        with atomic_path(out) as temporary, temporary.open("wb") as handle:
            handle.writelines(original.write(added))
        return
    elif mark is not None:
        result[mark] = [False] * len(frame) + is_new
    with open_results(out) as write:
        for batch in _batches(result):
            write(batch)


def _batches(frame: Any) -> Iterator[Any]:
    for start in range(0, len(frame), BATCH_ROWS):
        yield frame[start : start + BATCH_ROWS]


def _write_images(
    source: Any, out: Path, images: Any, classes: Any, n_real: int, codec: Any, *, mark: bool
) -> None:
    """Write images and new images: files of a folder are copied, arrays are written as files."""
    from augan.io.balanced_images import write_balanced
    from augan.io.image_folder import ImageFolder
    from augan.io.images import open_image_folder

    if isinstance(source, ImageFolder):
        write_balanced(out, source, images, classes, n_real, MARK if mark else None)
        return
    with open_image_folder(out, low=codec.low, high=codec.high) as write:
        write(images[:n_real], classes[:n_real])
        write(images[n_real:], classes[n_real:], f"{MARK}_" if mark else "")
