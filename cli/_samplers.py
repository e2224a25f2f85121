"""Samplers of labelled data: kept as a model, or used at once to balance data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ._console import data_errors, progress, set_threads, training_progress
from ._labelled import read_labelled
from ._parameters import build_estimator

BATCH_ROWS = 16_384
MARK = "synthetic"  # name of the column that says which rows are new
OWN = {"callbacks": "only from Python"}


def fit_sampler(
    data: Path,
    options: Any,
    target: str,
    drop: list[str],
    given: dict[str, Any],
    out: Path,
    threads: int | None,
    watching: list[Any],
    *,
    quiet: bool,
) -> str:
    """Train a sampler on labelled rows and save it; return what was done, in words."""
    from augan.io.model_file import save

    labelled = read_labelled(data, options, target, drop)
    rows, labels = labelled.rows, labelled.labels
    set_threads(threads, small_batches=rows.ndim == 2)
    sampler = build_estimator("GANSampler", given, OWN)
    with progress(quiet) as display, data_errors(data):
        sampler.set_params(callbacks=[training_progress(display), *watching])
        sampler.fit(rows, labels)
    context = {"target": target, "dropped": labelled.dropped, "place": labelled.place}
    if labelled.is_table and (reading := labelled.source.resolved.to_dict()):
        context["reading"] = reading
    save(sampler, out, context=context)
    seconds = sampler.history_[-1]["seconds"] if len(sampler.history_) else 0
    classes = ", ".join(f"{label} ({how})" for label, how in sampler.methods_.items())
    kind = type(sampler).__name__
    unwatched = "; there was no network to watch" if watching and not len(sampler.history_) else ""
    done = f"trained {kind} on {len(rows)} rows in {seconds:.0f} s: {classes}"
    return f"{done}{unwatched}; wrote {out}"


def plan_sampler(
    data: Path,
    options: Any,
    target: str,
    drop: list[str],
    given: dict[str, Any],
    threads: int | None,
) -> dict[str, Any]:
    """Return what training a sampler on labelled rows would take."""
    from augan.estimators._plan import plan

    labelled = read_labelled(data, options, target, drop)
    set_threads(threads, small_batches=labelled.rows.ndim == 2)
    with data_errors(data):
        return plan(build_estimator("GANSampler", given, OWN), labelled.rows, labelled.labels)


def fill_up(
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
    """Write rows of several classes and new ones of the rare; return what was done."""
    labelled = read_labelled(data, options, target, drop)
    rows, labels, place = labelled.rows, labelled.labels, labelled.place
    _check_request(data, rows, out, mark=mark, is_table=place is not None)
    sampler = build_estimator("GANSampler", given, OWN)
    with progress(quiet) as display, data_errors(data):
        sampler.set_params(callbacks=[training_progress(display)])
        result, classes = sampler.fit_resample(rows, labels)
    n_real = len(rows) + sum(sampler.copies_.values())
    if place is None:
        _write_images(out, result, classes, n_real, sampler.codec_, mark=mark)
    else:
        result.insert(place, target, classes)
        if mark:
            result[MARK] = result.index >= n_real
        _write_table(out, result)
    made = ", ".join(f"{n} added to {k}" for k, n in sampler.sampling_strategy_.items())
    refused = ", ".join(f"{name} refused {n}" for name, n in sampler.refused_.items())
    what = "images" if place is None else "rows"
    return f"{len(rows)} {what}, {made}{f' ({refused})' if refused else ''}; wrote {out}"


def _check_request(data: Path, rows: Any, out: Path, *, mark: bool, is_table: bool) -> None:
    """Fail now rather than after the training."""
    from augan.exceptions import DataError, ParameterError
    from augan.io.results import result_format

    if is_table:
        result_format(out)
        if mark and MARK in rows:
            raise DataError(f"{data}: has a column {MARK!r} already; --no-mark adds none")
    elif rows.ndim == 2:
        raise ParameterError(f"{data}: not a table; GANSampler in Python takes arrays")
    elif out.suffix:
        raise ParameterError(f"--out {out}: {data} holds images; use a new folder")


def _write_table(out: Path, frame: Any) -> None:
    from augan.io.results import open_results

    with open_results(out) as write:
        for start in range(0, len(frame), BATCH_ROWS):
            write(frame[start : start + BATCH_ROWS])


def _write_images(
    out: Path, images: Any, classes: Any, n_real: int, codec: Any, *, mark: bool
) -> None:
    from augan.io.images import open_image_folder

    with open_image_folder(out, low=codec.low, high=codec.high) as write:
        write(images[:n_real], classes[:n_real])
        write(images[n_real:], classes[n_real:], f"{MARK}_" if mark else "")
