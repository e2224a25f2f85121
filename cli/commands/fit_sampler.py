"""`augan fit-sampler`: train a sampler, which makes new rows of the classes of a file."""

from __future__ import annotations

from typing import Annotated, Any

from .._console import data_errors, plain_errors, progress, say, set_threads, training_progress
from .._fitting import Run, parameters, show_plan
from .._options import (
    Assignments,
    Classes,
    Data,
    Device,
    Drop,
    DryRun,
    Loss,
    MaxTime,
    ModelOut,
    Overwrite,
    Quiet,
    RunDir,
    Seed,
    Steps,
    TensorBoard,
    Threads,
)
from .._parameters import build_estimator, help_parameters
from .._reading import reading_options
from ..labels import LabelledRows, read_labelled

OWN = {"callbacks": "only from Python"}

HelpParameters = Annotated[bool, help_parameters(lambda _: "GANSampler", OWN)]


@reading_options
def fit_sampler(
    data: Data,
    out: ModelOut,
    target: Classes,
    drop: Drop = None,
    max_time: MaxTime = None,
    seed: Seed = 0,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    gan: Loss = "wgan-gp",
    steps: Steps = None,
    set_: Assignments = None,
    _: HelpParameters = False,
    run_dir: RunDir = None,
    overwrite: Overwrite = False,
    tensorboard: TensorBoard = False,
    device: Device = "auto",
    threads: Threads = None,
    options: Any = None,
) -> None:
    """Train a sampler on the rows of DATA and their classes.

    `augan sample` then writes new rows of any class. To add rows to the rare classes of a file in
    one step, use `augan balance`.
    """
    run = Run(data, out, run_dir, overwrite, tensorboard, quiet=quiet)
    with plain_errors():
        given = parameters(set_, steps, max_time, gan=gan, random_state=seed, device=device)
        watching = run.callbacks()
        labelled = read_labelled(data, options, target, drop or [])
        set_threads(threads, small_batches=labelled.rows.ndim == 2)
        sampler = build_estimator("GANSampler", given, OWN)
        if dry_run:
            show_plan(sampler, data, labelled.rows, labelled.labels)
            return
        with progress(quiet) as display, data_errors(data):
            sampler.set_params(callbacks=[training_progress(display), *watching])
            sampler.fit(labelled.rows, labelled.labels)
        _save(sampler, labelled, run, target)
        say(_summary(sampler, run, len(labelled.rows)), quiet=quiet)


def _save(sampler: Any, labelled: LabelledRows, run: Run, target: str) -> None:
    """Write the model, with what it stores about the file."""
    context = {"target": target, "dropped": labelled.dropped, "place": labelled.place}
    if reading := labelled.reading():
        context["reading"] = reading
    sampler.save(run.out, context=context)


def _summary(sampler: Any, run: Run, n_rows: int) -> str:
    from augan.exceptions import listed

    has_history = len(sampler.history_) > 0
    seconds = sampler.history_[-1]["seconds"] if has_history else 0
    classes = listed(f"{label} ({how})" for label, how in sampler.methods_.items())
    unused = "; no network was trained, so --run-dir has no curves"
    return (
        f"trained {type(sampler).__name__} on {n_rows} rows in {seconds:.0f} s: {classes}"
        f"{'' if has_history or run.run_dir is None else unused}; wrote {run.out}"
    )
