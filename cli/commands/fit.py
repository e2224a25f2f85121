"""`augan fit`: train a detector on the normal rows of a file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from .._console import data_errors, plain_errors, progress, say, set_threads, training_progress
from .._fitting import Run, parameters, show_plan
from .._holdout import check_share, evaluate_held
from .._options import (
    READING,
    TRAINING,
    Assignments,
    Data,
    Device,
    Drop,
    DryRun,
    Labels,
    Loss,
    MaxTime,
    ModelOut,
    Overwrite,
    Quiet,
    RunDir,
    Seed,
    SkipBad,
    Steps,
    TensorBoard,
    Threads,
)
from .._parameters import build_estimator, help_parameters
from .._reading import reading_options
from .._training import Asked, Training, read_training

METHODS = {"f-anogan": "FAnoGAN", "anogan": "AnoGAN"}
OWN = {  # parameters that the command sets itself
    "callbacks": "only from Python",
    "checkpoint": "it is kept beside --out",
    "normal_label": "use --target and --normal",
    "resume": "use --resume",
}

Normal = Annotated[
    str | None,
    typer.Option(metavar="LABEL", help="Label of the normal rows, which are trained on."),
]
Holdout = Annotated[
    float | None,
    typer.Option(metavar="SHARE", help="Share of the rows to hold out and evaluate on, 0 to 1."),
]
Method = Annotated[
    Literal["f-anogan", "anogan"],
    typer.Option(
        is_eager=True,  # --help-parameters depends on it
        metavar="METHOD",
        help="f-anogan (encoder) or anogan (search).",
        rich_help_panel=TRAINING,
    ),
]
HelpParameters = Annotated[
    bool,
    help_parameters(lambda context: METHODS[context.params.get("method", "f-anogan")], OWN),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Continue from the checkpoint of a stopped run.",
        rich_help_panel=TRAINING,
    ),
]
Ids = Annotated[
    list[str] | None,
    typer.Option(
        "--id",
        metavar="COLS",
        help="Columns (a,b) that identify a row; not trained on.",
        rich_help_panel=READING,
    ),
]


Group = Annotated[
    str | None,
    typer.Option(
        metavar="COL",
        help="Column of groups; images: folder, or a regex of names.",
        rich_help_panel=READING,
    ),
]


@reading_options
def fit(
    data: Data,
    out: ModelOut,
    target: Labels = None,
    normal: Normal = None,
    drop: Drop = None,
    holdout: Holdout = None,
    max_time: MaxTime = None,
    seed: Seed = 0,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    method: Method = "f-anogan",
    gan: Loss = "wgan-gp",
    steps: Steps = None,
    set_: Assignments = None,
    _: HelpParameters = False,
    run_dir: RunDir = None,
    overwrite: Overwrite = False,
    tensorboard: TensorBoard = False,
    resume: Resume = False,
    device: Device = "auto",
    threads: Threads = None,
    id_: Ids = None,
    group: Group = None,
    skip_bad: SkipBad = False,
    options: Any = None,
) -> None:
    """Train a detector on the normal rows of DATA.

    With --target and --normal only the rows with that label are used, otherwise all rows. Rows
    without a label are left out, unless --normal '' selects them.
    """
    run = Run(data, out, run_dir, overwrite, tensorboard, resume, quiet)
    with plain_errors(run.stopped):
        given = parameters(set_, steps, max_time, gan=gan, random_state=seed, device=device)
        watching = run.callbacks()
        check_share(holdout)
        asked = Asked(target, normal, drop or [], id_ or [], group, holdout, seed)
        how = {"skip_bad": skip_bad, "longest": _longest_side(given)}
        training = read_training(data, options, asked, **how)
        set_threads(threads, small_batches=training.rows.ndim == 2)
        estimator = build_estimator(METHODS[method], given, OWN)
        if dry_run:
            show_plan(estimator, data, training.rows)
        else:
            _train(estimator, training, asked, run, watching)


def _longest_side(given: dict[str, Any]) -> int | None:
    """Return the pixels per side at which images of a folder are read; None: full size."""
    from augan.io.read_images import READ_AT

    sizes = [given.get(name, 0) for name in ("detail_size", "image_size")]
    if None in sizes:
        return None
    return max(READ_AT, *(size for size in sizes if isinstance(size, int)))


def _train(estimator: Any, training: Training, asked: Asked, run: Run, watching: list[Any]) -> None:
    """Train the estimator, evaluate it on the rows held out, and save it."""
    from augan._files import is_stream

    rows, context = training.rows, training.context
    with progress(run.quiet) as display:
        estimator.set_params(
            callbacks=[training_progress(display), *watching],
            checkpoint=None if is_stream(run.out) else str(run.checkpoint),
            resume=run.resume,
        )
        started = time.perf_counter()
        with data_errors(run.data):
            estimator.fit(rows, groups=training.groups)
        seconds = time.perf_counter() - started
    if training.held is not None:
        assert asked.holdout is not None
        kept = {"share": asked.holdout, "seed": asked.seed, "quiet": run.quiet}
        context["holdout"] = evaluate_held(estimator, training.held, run.data, **kept)
    if estimator.codec_.kind == "table":
        from augan.codecs.usual import usual_values

        context["usual"] = usual_values(estimator.codec_.columns, rows)
    _save(estimator, run, context)
    say(_summary(estimator, len(rows), run.out, seconds), quiet=run.quiet)
    if reduced := _reduction(estimator, training.size):
        say(reduced, quiet=run.quiet)


def _save(estimator: Any, run: Run, context: dict[str, Any]) -> None:
    """Write the model, then delete its checkpoint."""
    try:
        estimator.save(run.out, context=context)
    except OSError as error:
        if not run.checkpoint.exists():
            raise
        message = f"{error.strerror or error}; {run.how_to_resume()}"
        raise OSError(error.errno, message, str(run.out)) from error
    run.checkpoint.unlink(missing_ok=True)


def _summary(estimator: Any, n_rows: int, out: Path, seconds: float) -> str:
    """Return what was trained; `seconds` are those since the start, or since a run was resumed."""
    events = sum("event" in row for row in estimator.history_)
    seconds = max([seconds, *(row["seconds"] for row in estimator.history_[-1:])])
    return (
        f"trained {type(estimator).__name__} on {n_rows} rows in {seconds:.0f} s"
        f"{f' ({events} events, see augan info)' if events else ''}; wrote {out}"
    )


def _reduction(estimator: Any, size: tuple[int, int] | None) -> str | None:
    """Return to what size photographs were reduced, and the option that keeps details."""
    from augan.models.reading_size import reduction

    found = reduction(estimator.model_, size)
    if found is None:
        return None
    most = max(size or estimator.codec_.size)
    return f"{found}; --set detail_size={most} keeps their size, and takes longer"
