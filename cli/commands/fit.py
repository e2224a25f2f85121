"""`augan fit`: a detector of the normal rows of a file, or a sampler of its classes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from .._console import (
    MAX_COUNT,
    MAX_SEED,
    Data,
    Device,
    Drop,
    Overwrite,
    Quiet,
    RunDir,
    SkipBad,
    TensorBoard,
    Threads,
    data_errors,
    plain_errors,
    print_facts,
    progress,
    say,
    set_threads,
    training_progress,
)
from .._holdout import Holdout, check_share, evaluate_held
from .._outputs import check_apart, check_output
from .._parameters import Assignments, assignments, build_estimator
from .._reading import reading_options
from .._training import Asked, read_training
from .fit_sampler import fit_sampler, plan_sampler

METHODS = {"f-anogan": "FAnoGAN", "anogan": "AnoGAN"}
READ_AT = 512  # pixels a side that images of a folder have at most, unless more are asked for
OWN = {  # parameters that the command gives itself
    "callbacks": "only from Python",
    "checkpoint": "it is kept beside --out",
    "normal_label": "use --target and --normal",
    "resume": "use --resume",
}
UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


@reading_options
def fit(
    data: Data,
    out: Annotated[Path, typer.Option(help="Model file to write, usually .augan.")],
    target: Annotated[
        str | None,
        typer.Option(help="Column (array of an .npz; of images: folder) with the labels."),
    ] = None,
    normal: Annotated[
        str | None,
        typer.Option(help="Label of the normal rows; only they train. Without: see below."),
    ] = None,
    drop: Drop = None,
    id_: Annotated[
        list[str] | None,
        typer.Option(
            "--id", help="Columns (a,b) that name a row: left out, and kept beside its score."
        ),
    ] = None,
    holdout: Holdout = None,
    method: Annotated[
        Literal["f-anogan", "anogan"], typer.Option(help="Inversion by encoder, or by search.")
    ] = "f-anogan",
    gan: Annotated[
        Literal["wgan-gp", "dcgan", "gan", "hinge"], typer.Option(help="Adversarial loss.")
    ] = "wgan-gp",
    steps: Annotated[
        int | None, typer.Option(min=1, max=MAX_COUNT, help="Steps of the generator.")
    ] = None,
    max_time: Annotated[
        str | None, typer.Option(help="Longest time to train: 90, 90s, 5m, 1h.")
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED, help="Same seed, same data: same model.")
    ] = 0,
    set_: Assignments = None,
    skip_bad: SkipBad = False,
    run_dir: RunDir = None,
    overwrite: Overwrite = False,
    tensorboard: TensorBoard = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be trained, and how long.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint of a stopped run.")
    ] = False,
    device: Device = "auto",
    threads: Threads = None,
    options: Any = None,
    quiet: Quiet = False,
) -> None:
    """Train a detector on the normal rows of DATA, or a sampler of its classes.

    With --target and --normal only the rows with that label train a detector; without both all
    rows do; rows without a label never do, unless --normal '' asks for them. While it trains, the
    state is kept in OUT.checkpoint. With --target alone all rows and their classes train a sampler,
    for augan sample. With --holdout a share of the rows (of each label) is kept apart, and the
    model's figures on it are printed and kept in OUT.
    """
    checkpoint = out.with_name(out.name + ".checkpoint") if out.name else out
    given: dict[str, Any] = {"gan": gan, "random_state": seed, "device": device}
    if steps is not None:
        given["max_steps"] = steps
    if max_time is not None:
        given["max_time"] = _seconds(max_time)

    with plain_errors(lambda: _stopped(checkpoint)):
        given |= _assigned(set_, {"max_steps": steps, "max_time": max_time})
        _check_out(out, data, checkpoint, resume=resume)
        _check_run_dir(run_dir, data)
        watching = _watching(run_dir, resume=resume, overwrite=overwrite, tensorboard=tensorboard)
        trains_sampler = target is not None and normal is None
        check_share(holdout, trains_sampler=trains_sampler)
        if trains_sampler:
            _check_sampler_options(method, id_, resume=resume, skip_bad=skip_bad)
            parts = data, options, target, drop or [], given, out, threads, watching
            if dry_run:
                print_facts(plan_sampler(*parts[:5], threads))
                return
            say(fit_sampler(*parts, quiet=quiet), quiet=quiet)
            return
        asked = Asked(target, normal, drop or [], id_ or [], holdout, seed)
        how = {"skip_bad": skip_bad, "longest": _longest_side(given)}
        training = read_training(data, options, asked, **how)
        rows, context = training.rows, training.context
        set_threads(threads, small_batches=rows.ndim == 2)
        estimator = build_estimator(METHODS[method], given, OWN)
        if dry_run:
            from augan.estimators._plan import plan

            with data_errors(data):
                print_facts(plan(estimator, rows))
            return
        from augan._files import is_stream

        with progress(quiet) as display:
            estimator.set_params(
                callbacks=[training_progress(display), *watching],
                checkpoint=None if is_stream(out) else str(checkpoint),
                resume=resume,
            )
            with data_errors(data):
                estimator.fit(rows)
        if training.held is not None:
            assert holdout is not None
            kept = {"share": holdout, "seed": seed, "quiet": quiet}
            context["holdout"] = evaluate_held(estimator, training.held, data, **kept)
        if estimator.codec_.kind == "table":
            from augan.codecs.usual import usual_values

            context["usual"] = usual_values(estimator.codec_.columns, rows)
        _save(estimator, out, context, checkpoint)
        say(_summary(estimator, len(rows), out), quiet=quiet)


def _assigned(set_: list[str] | None, options: dict[str, Any]) -> dict[str, Any]:
    """Return what --set gives; what an option gives as well is refused."""
    return assignments(
        set_,
        {name: "is given by an option" for name, value in options.items() if value is not None},
    )


def _watching(run_dir: Path | None, *, tensorboard: bool, **how: bool) -> list[Any]:
    """Return the callback that writes to `run_dir`, if there is one."""
    from augan.exceptions import ParameterError

    if run_dir is None:
        given = {"--overwrite": how["overwrite"], "--tensorboard": tensorboard}
        for option, is_given in given.items():
            if is_given:
                raise ParameterError(f"{option} needs --run-dir, the directory that it is about")
        return []
    from augan.training.run_directory import RunDirectory

    return [RunDirectory(run_dir, tensorboard=tensorboard, **how)]


def _longest_side(given: dict[str, Any]) -> int | None:
    """Return how many pixels a side photographs are read at: no more than are looked at."""
    sizes = [given.get(name, 0) for name in ("detail_size", "image_size")]
    if None in sizes:
        return None
    return max(READ_AT, *(size for size in sizes if isinstance(size, int)))


def _check_sampler_options(
    method: str, ids: list[str] | None, *, resume: bool, skip_bad: bool
) -> None:
    from augan.exceptions import ParameterError

    given = {"--resume": resume, "--method anogan": method == "anogan", "--skip-bad": skip_bad}
    given["--id"] = bool(ids)
    for option, is_given in given.items():
        if is_given:
            raise ParameterError(
                f"{option} goes with --normal: --target alone trains a sampler of the classes"
            )


def _stopped(checkpoint: Path) -> str:
    if not checkpoint.exists():
        return "augan: stopped before there was anything to keep"
    return f"augan: stopped; {_how_to_resume(checkpoint)}"


def _how_to_resume(checkpoint: Path) -> str:
    return f"{checkpoint} keeps the state: the same command with --resume goes on from there"


def _save(estimator: Any, out: Path, context: dict[str, Any], checkpoint: Path) -> None:
    """Write the model; its checkpoint goes when the model is there, and not before."""
    from augan.io.model_file import save

    try:
        save(estimator, out, context=context)
    except OSError as error:
        if not checkpoint.exists():
            raise
        message = f"{error.strerror or error}; {_how_to_resume(checkpoint)}"
        raise OSError(error.errno, message, str(out)) from error
    checkpoint.unlink(missing_ok=True)


def _seconds(text: str) -> float:
    from augan.exceptions import shown

    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    if not found:
        raise typer.BadParameter(
            f"{shown(text)} is not a time (90, 90s, 5m, 1h)", param_hint="--max-time"
        )
    return float(found[1]) * UNITS[found[2]]


def _check_out(out: Path, data: Path, checkpoint: Path, *, resume: bool) -> None:
    """Fail now rather than after the training."""
    import augan.io.model_file  # noqa: F401 - what writes the model is there
    from augan._files import is_stream
    from augan.exceptions import ParameterError

    check_output(out, "--out", data)
    if not is_stream(out):
        check_output(checkpoint, "--out", data)
    elif resume:
        raise ParameterError(f"--resume: {out} is no file, there is no checkpoint beside it")


def _check_run_dir(run_dir: Path | None, data: Path) -> None:
    """Raise where the pictures of a run would lie among the images that are read."""
    from augan.io.image_files import holds_images

    if run_dir is not None and data.is_dir() and holds_images(data):
        check_apart(run_dir, "--run-dir", data)


def _summary(estimator: Any, n_rows: int, out: Path) -> str:
    events = sum("event" in row for row in estimator.history_)
    seconds = estimator.history_[-1]["seconds"]
    return (
        f"trained {type(estimator).__name__} on {n_rows} rows in {seconds:.0f} s"
        f"{f' ({events} events, see augan info)' if events else ''}; wrote {out}"
    )
