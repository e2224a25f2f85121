"""New rows of a model, generated and written in batches of constant memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._console import progress
from ._models import is_onnx, model_context, providers
from ._reading import stored_reading

BATCH_ROWS = 16_384  # written at a time
BATCH_PIXELS = 2**24  # in a batch of images
RANGE = ".."  # between the two ends of a range


@dataclass(frozen=True)
class Request:
    """Options of `augan sample`."""

    number: int
    class_: str | None
    balanced: bool
    where: list[str]
    score_range: str | None
    truncation: float | None
    max_copies: float | None
    seed: int


def write_sample(model: Path, out: Path, request: Request, device: str, *, quiet: bool) -> str:
    """Write new rows of a model; return a summary.

    Raises
    ------
    ParameterError
        For options that do not fit the model, or each other.
    """
    from augan._files import is_stream
    from augan.exceptions import ParameterError, listed
    from augan.io.formats import in_formats
    from augan.io.results import FORMATS, open_results, result_format

    estimator = _load(model, device, request)
    codec, labelled = estimator.codec_, hasattr(estimator, "classes_")
    parts = _parts(estimator, model, request)
    asked = _asked(estimator, model, request)
    batches = _batches(estimator, parts, asked, request.seed, quiet=quiet)
    suffix = out.suffix.lower()
    if codec.kind != "image":
        if suffix not in FORMATS and not is_stream(out):
            raise ParameterError(f"--out {out}: {model} makes a table; use {', '.join(FORMATS)}")
        context = model_context(estimator, model)
        reading = stored_reading(context, model)
        formats = reading.formats if result_format(out) == "csv" else {}
        how = {"delimiter": reading.delimiter or ",", "encoding": reading.encoding or "utf-8"}
        with open_results(out, **how) as write:
            for rows, classes in batches:
                write(in_formats(_as_table(rows, classes, codec, context), formats))
    elif suffix == ".npy" and (not labelled or request.class_ is not None):
        _write_array(out, batches, request.number)
    elif suffix == "" and not is_stream(out):
        _write_images(out, batches, codec, model_context(estimator, model))
    else:
        endings = "a new folder" if labelled else "a new folder or .npy"
        raise ParameterError(f"--out {out}: {model} makes images; use {endings}")
    made = f"{request.number} new {'images' if codec.kind == 'image' else 'rows'}"
    classes = listed(f"{n} of {label}" for label, n in parts if label is not None)
    changed = "" if quiet else _critic(estimator)
    return f"{made}{f' ({classes})' if classes else ''}{changed}; wrote {out}"


def _critic(estimator: Any) -> str:
    """Return what the filter "critic" has changed, if there is one."""
    aucs = getattr(estimator, "critic_auc_", None)
    if aucs is None:
        return ""
    return (
        "; a classifier tells them from held-out rows with an AUROC of {1:.3f}, without the "
        "filter 'critic' {0:.3f}".format(*aucs)
    )


def _load(model: Path, device: str, request: Request) -> Any:
    """Return the model in a file, or the generator in an exported file."""
    from augan.exceptions import ParameterError

    if not is_onnx(model):
        from augan.model_file import load

        return load(model, device=device)
    given = {
        "--score-range": request.score_range,
        "--truncation": request.truncation,
        "--max-copies": request.max_copies,
    }
    for option in (name for name, value in given.items() if value is not None):
        raise ParameterError(f"{option}: {model} is an exported generator; use the .augan file")
    from augan.deploy.generator import OnnxGenerator

    generator = OnnxGenerator(model, providers=providers(device))
    if request.where and generator.latent_dim is not None:
        raise ParameterError(
            f"--where: {model} is an exported generator of rows from latents; use the .augan file"
        )
    return generator


def _asked(estimator: Any, model: Path, request: Request) -> dict[str, Any]:
    """Return what `sample` of an estimator is asked for, beside the number of rows."""
    from augan.exceptions import ParameterError

    labelled = hasattr(estimator, "classes_")
    asked: dict[str, Any] = {"where": read_where(request.where, estimator.codec_)}
    if is_onnx(model):
        return asked
    asked["score_range"] = read_range(request.score_range)
    if request.truncation is not None:
        if labelled:
            raise ParameterError(f"--truncation: {model} is a sampler, not a detector")
        asked["truncation"] = request.truncation
    if request.max_copies is not None:
        if not labelled:
            raise ParameterError(f"--max-copies: {model} is a detector, not a sampler")
        asked["max_copies"] = request.max_copies
    return asked


def _parts(estimator: Any, model: Path, request: Request) -> list[tuple[Any, int]]:
    """Return the number of rows of each class; class None means any."""
    from augan.exceptions import ParameterError

    label = read_class(request.class_, estimator, model)
    if label is not None:
        if request.balanced:
            raise ParameterError("give one of --class and --balanced")
        return [(label, request.number)]
    if not request.balanced:
        return [(None, request.number)]
    if not hasattr(estimator, "classes_"):
        raise ParameterError(f"--balanced: {model} was trained without classes")
    labels = estimator.classes_.tolist()
    each, more = divmod(request.number, len(labels))
    counts = [each + (i < more) for i in range(len(labels))]
    return [(label, n) for label, n in zip(labels, counts, strict=True) if n]


def _batches(
    estimator: Any, parts: list[tuple[Any, int]], asked: dict[str, Any], seed: int, *, quiet: bool
) -> Iterator[tuple[Any, Any]]:
    """Yield rows, and their classes if there are any."""
    size = _batch_rows(estimator.codec_)
    if hasattr(estimator, "sample_batches"):
        wanted = dict(parts) if parts[0][0] is not None else parts[0][1]
        batches = estimator.sample_batches(wanted, batch_size=size, random_state=seed, **asked)
    else:
        batches = _sampled(estimator, parts, asked, seed, size)
    with progress(quiet) as display:
        task = display.add_task("sample", total=sum(n for _, n in parts), note="")
        for rows, classes in batches:
            yield rows, classes
            display.advance(task, len(rows))


def _batch_rows(codec: Any) -> int:
    """Return the number of rows or images of a batch."""
    if codec.kind != "image":
        return BATCH_ROWS
    return max(1, min(BATCH_ROWS, BATCH_PIXELS // math.prod(codec.shape)))


def _sampled(
    estimator: Any, parts: list[tuple[Any, int]], asked: dict[str, Any], seed: int, size: int
) -> Iterator[tuple[Any, Any]]:
    """Yield batches of an estimator that only makes rows all at once."""
    import numpy as np

    random = np.random.RandomState(seed)
    for label, n in parts:
        for start in range(0, n, size):
            number: Any = min(size, n - start)
            number = number if label is None else {label: number}
            made = estimator.sample(number, random_state=random, **asked)
            yield made if isinstance(made, tuple) else (made, None)


def _as_table(rows: Any, classes: Any, codec: Any, context: dict[str, Any]) -> Any:
    """Return a batch as a DataFrame, with the classes in the place that they had in training."""
    import pandas as pd

    table = pd.DataFrame(rows, columns=[column.name for column in codec.columns])
    if classes is not None:
        place = context.get("place")
        name = context.get("target") or "class"
        while name in table:  # a feature that is called so
            name += "_"
        last = len(table.columns)
        table.insert(last if place is None else min(place, last), name, classes)
    return table


def _write_array(out: Path, batches: Iterator[tuple[Any, Any]], n: int) -> None:
    from augan._files import atomic_path
    from augan.io.npy import write_npy

    with atomic_path(out) as temporary, temporary.open("wb") as file:
        write_npy(file, (images for images, _ in batches), n)


def _write_images(
    out: Path, batches: Iterator[tuple[Any, Any]], codec: Any, context: dict[str, Any]
) -> None:
    """Write images, with the bit depth of the training images if these were files."""
    from augan.io.images import open_image_folder

    exact = context.get("reading", {}).get("kind") == "images"
    with open_image_folder(out, low=codec.low, high=codec.high, exact=exact) as write:
        for images, classes in batches:
            write(images, classes)


def read_where(texts: list[str], codec: Any) -> dict[str, Any] | None:
    """Return the conditions of ``--where COL=VALUE`` and ``--where COL=LOW..HIGH``.

    Raises
    ------
    ParameterError
        For a text of another form, or a model of images.
    """
    from augan.exceptions import ParameterError

    if texts and codec.kind == "image":
        raise ParameterError(f"--where {texts[0]}: images have no columns")
    where: dict[str, Any] = {}
    columns = {column.name: column for column in codec.columns} if texts else {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ParameterError(f"--where {text}: is not COL=VALUE or COL=LOW..HIGH")
        where[name] = _value(columns.get(name), value)
    return where or None


def _value(column: Any, text: str) -> Any:
    from augan.codecs.columns import CategoryColumn, NumericColumn

    if text == "":
        return None
    if isinstance(column, CategoryColumn):
        known = {str(value): value for value in (*column.categories, *column.rare)}
        return known.get(text, text)
    if isinstance(column, NumericColumn) and RANGE in text:
        low, _, high = text.partition(RANGE)
        return (low or None, high or None)
    return text


def read_class(text: str | None, estimator: Any, path: Path) -> Any:
    """Return the label for a text, None for no text.

    Raises
    ------
    ParameterError
        For a class that the model does not have.
    """
    from augan.codecs.cells import category_key
    from augan.exceptions import ParameterError, shown

    if text is None:
        return None
    if not hasattr(estimator, "classes_"):
        raise ParameterError(f"--class {text}: {path} was trained without classes")
    known = {category_key(label): label for label in estimator.classes_.tolist()}
    if category_key(text) not in known:
        listed = ", ".join(map(shown, list(known.values())[:5]))
        raise ParameterError(f"--class {text}: {path} has no such class, only {listed}")
    return known[category_key(text)]


def read_range(text: str | None) -> tuple[float, float] | None:
    """Return the two quantiles of ``--score-range LOW..HIGH``.

    Raises
    ------
    ParameterError
        If the text is not a range.
    """
    from augan.exceptions import ParameterError

    if text is None:
        return None
    low, _, high = text.partition(RANGE)
    try:
        return float(low), float(high)
    except ValueError:
        raise ParameterError(f"--score-range {text}: is not LOW..HIGH, such as .9...99") from None
