"""Samplers of labelled data, kept as a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .._console import data_errors, progress, set_threads, training_progress
from .._parameters import build_estimator
from ..labels import read_labelled

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
    from augan.exceptions import listed
    from augan.io.model_file import save

    labelled = read_labelled(data, options, target, drop)
    rows, labels = labelled.rows, labelled.labels
    set_threads(threads, small_batches=rows.ndim == 2)
    sampler = build_estimator("GANSampler", given, OWN)
    with progress(quiet) as display, data_errors(data):
        sampler.set_params(callbacks=[training_progress(display), *watching])
        sampler.fit(rows, labels)
    context = {"target": target, "dropped": labelled.dropped, "place": labelled.place}
    if reading := labelled.reading():
        context["reading"] = reading
    save(sampler, out, context=context)
    seconds = sampler.history_[-1]["seconds"] if len(sampler.history_) else 0
    classes = listed(f"{label} ({how})" for label, how in sampler.methods_.items())
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
