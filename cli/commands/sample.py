"""`augan sample`: new rows from a model, or a table with its rare classes filled up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .._balance import MARK, fill_up
from .._console import (
    MAX_COUNT,
    MAX_SEED,
    Device,
    Drop,
    Quiet,
    Threads,
    plain_errors,
    say,
    set_threads,
)
from .._outputs import check_output
from .._parameters import Assignments, assignments
from .._reading import reading_options
from .._sampling import Request, write_sample

OWN = {
    "device": "use --device",
    "random_state": "use --seed",
    "sampling_strategy": "use --ratio",
}


@reading_options
def sample(
    out: Annotated[
        Path,
        typer.Option(help="File to write: .csv, .parquet or .jsonl; for images a new folder."),
    ],
    model: Annotated[
        Path | None, typer.Argument(help="File written by augan fit or augan export; goes with -n.")
    ] = None,
    number: Annotated[
        int | None,
        typer.Option("--number", "-n", min=1, max=MAX_COUNT, help="How many new rows of MODEL."),
    ] = None,
    class_: Annotated[
        str | None, typer.Option("--class", help="Only rows of this class of MODEL.")
    ] = None,
    balanced: Annotated[
        bool, typer.Option("--balanced", help="As many rows of each class of MODEL.")
    ] = False,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="COL=VALUE", help="Or COL=LOW..HIGH, COL= for missing; repeatable."),
    ] = None,
    score_range: Annotated[
        str | None,
        typer.Option(
            metavar="LOW..HIGH",
            help="Only rows with anomaly scores between these quantiles of training's.",
        ),
    ] = None,
    truncation: Annotated[
        float | None,
        typer.Option(help="Largest number in a latent: the smaller, the more usual, and alike."),
    ] = None,
    balance: Annotated[
        Path | None,
        typer.Option(help="Table or images to fill up the rare classes of; with --target."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(help="Column with the classes; of a folder of images: folder."),
    ] = None,
    ratio: Annotated[
        float | None,
        typer.Option(help="Of two classes: rows of the rare one for one of the other, else 1."),
    ] = None,
    drop: Drop = None,
    mark: Annotated[
        bool, typer.Option(help=f"Say what is new: a column {MARK!r}; of images, in their names.")
    ] = True,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Same seed, same rows.")] = 0,
    set_: Assignments = None,
    device: Device = "auto",
    threads: Threads = None,
    options: Any = None,
    quiet: Quiet = False,
) -> None:
    """Write new rows.

    With MODEL and -n: rows like those that the model was trained on. With --balance and --target:
    the rows of a table and, below them, new ones of every class but the largest; or the images of
    a folder and new ones.
    """
    from augan.exceptions import ParameterError

    with plain_errors():
        of_model = {"-n": number, "--class": class_, "--balanced": balanced or None}
        of_model |= {"--where": where, "--score-range": score_range, "--truncation": truncation}
        of_table = {"--target": target, "--ratio": ratio, "--drop": drop, "--set": set_}
        _check_request(model, balance, of_model, of_table)
        set_threads(threads, small_batches=balance is not None, model=model)
        if model is not None:
            assert number is not None
            _check_out(out, model)
            asked = where or [], score_range, truncation
            request = Request(number, class_, balanced, *asked, seed)
            say(write_sample(model, out, request, device, quiet=quiet), quiet=quiet)
            return
        assert balance is not None and target is not None
        _check_out(out, balance)
        given = assignments(set_, OWN) | {"random_state": seed, "device": device}
        if ratio is not None:
            if not 0 < ratio <= 1:
                raise ParameterError(f"--ratio {ratio}: must be above 0, at most 1")
            given["sampling_strategy"] = ratio
        done = fill_up(balance, options, target, drop or [], given, out, mark, quiet=quiet)
        say(done, quiet=quiet)


def _check_request(
    model: Path | None,
    balance: Path | None,
    of_model: dict[str, Any],
    of_table: dict[str, Any],
) -> None:
    from augan.exceptions import ParameterError

    if (model is None) == (balance is None):
        raise typer.BadParameter("give either MODEL and -n, or --balance and --target")
    needed, by = ("-n", "MODEL") if balance is None else ("--target", "--balance")
    if (of_model | of_table)[needed] is None:
        what = "how many rows to make" if balance is None else "the column with the classes"
        raise ParameterError(f"{by} needs {needed}, {what}")
    others, goes_with = (of_table, "--balance") if balance is None else (of_model, "a MODEL")
    for name, value in others.items():
        if value is not None:
            raise ParameterError(f"{name} goes with {goes_with}, not with {by}")


def _check_out(out: Path, read: Path) -> None:
    """Fail now rather than after the training."""
    from augan._files import is_stream
    from augan.io.images import check_image_folder
    from augan.io.results import result_format

    if out.suffix == "" and not is_stream(out):
        check_image_folder(out)
        return
    if out.suffix.lower() != ".npy":
        result_format(out)
    check_output(out, "--out", read)
