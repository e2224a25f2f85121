"""`augan evaluate`: how well a model finds anomalies, what new rows or images are worth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from .._console import (
    MAX_SEED,
    Quiet,
    SkipBad,
    Threads,
    plain_errors,
    set_threads,
)
from .._detection import evaluate_model
from .._images import check_picture
from .._models import load_detector
from .._outputs import check_output
from .._parameters import Assignments, assignments
from .._reading import reading_options
from .._scoring import Fpr, Threshold
from .evaluate_augmentation import evaluate_table
from .evaluate_generator import evaluate_images


@reading_options
def evaluate(
    model: Annotated[
        Path | None,
        typer.Argument(help="File written by augan fit or augan export; goes with DATA."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Argument(help="Labelled data, as for augan fit; - is stdin."),
    ] = None,
    augmentation: Annotated[
        Path | None,
        typer.Option(help="Instead: a table with a rare class, to find out what new rows give."),
    ] = None,
    positive: Annotated[
        str | None, typer.Option(help="Class to find, of --augmentation; the rarest if not set.")
    ] = None,
    splits: Annotated[int, typer.Option(min=2, max=1000, help="Splits of --augmentation.")] = 5,
    generative: Annotated[
        Path | None,
        typer.Option(help="Or, with MODEL alone: real images, to judge those that it makes by."),
    ] = None,
    samples: Annotated[
        int, typer.Option(min=20, max=10**6, help="Images of --generative.")
    ] = 10_000,
    judge: Annotated[
        Literal["own", "inception"],
        typer.Option(help="Whose features: a classifier that learns from DATA, or Inception v3."),
    ] = "own",
    inception_weights: Annotated[
        Path | None, typer.Option(help="File with the weights of torchvision's Inception v3.")
    ] = None,
    neighbors: Annotated[
        Path | None,
        typer.Option(help="Also write (.png) the new images that are nearest to real ones."),
    ] = None,
    set_: Assignments = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="Column (array of an .npz; of images: folder) with the labels, if not as in fit."
        ),
    ] = None,
    anomaly: Annotated[
        str | None, typer.Option(help="Label of the anomalies; all other rows are normal.")
    ] = None,
    normal: Annotated[
        str | None, typer.Option(help="Or label of the normal rows; all others are anomalies.")
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(help="Folder with masks of the defects, if not MVTec's ground_truth."),
    ] = None,
    page: Annotated[
        Path | None,
        typer.Option("--report", help="Also write a page (.html): charts, worst errors, rows."),
    ] = None,
    skip_bad: SkipBad = False,
    fpr: Fpr = None,
    threshold: Threshold = None,
    bootstrap: Annotated[
        int, typer.Option(min=0, max=100_000, help="Resamples for the intervals; 0: no intervals.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Seed of the resampling.")] = 0,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda …; the model's own if not set.")
    ] = None,
    threads: Threads = None,
    options: Any = None,
    quiet: Quiet = False,
) -> None:
    """Measure how well MODEL finds the anomalies of DATA, which has labels.

    Each figure comes with a 95 % bootstrap interval. Leave the rows that MODEL was trained on out
    of DATA: they look more normal to it than new ones.

    With --augmentation and --target: train three classifiers on parts of a table, with class
    weights, with copies, SMOTE's rows or augan's of the rare class, and test them on the rest.

    With --generative: compare images that MODEL makes with real ones. With --target, their
    classes, a judge learns to tell them, and there are figures of each.
    """
    with plain_errors():
        _check_request(model, data, augmentation, generative, positive, set_, page, neighbors)
        set_threads(threads, small_batches=augmentation is not None, model=model)
        if augmentation is not None:
            evaluate_table(
                *(augmentation, options, target, positive),
                given=assignments(set_),
                device=device,
                n_seeds=splits,
                seed=seed,
                as_json=json_,
                quiet=quiet,
            )
            return
        assert model is not None
        if generative is not None:
            evaluate_images(
                *(model, generative, options, target),
                device=device,
                n_samples=samples,
                judge=judge,
                weights=inception_weights,
                neighbors=neighbors,
                seed=seed,
                as_json=json_,
            )
            return
        assert data is not None
        evaluate_model(
            *(load_detector(model, device, threads), model, data, options),
            labels=(target, anomaly, normal),
            masks=masks,
            flag=(fpr, threshold),
            page=page,
            skip_bad=skip_bad,
            n_bootstrap=bootstrap,
            seed=seed,
            as_json=json_,
            quiet=quiet,
        )


def _check_request(
    model: Path | None,
    data: Path | None,
    augmentation: Path | None,
    generative: Path | None,
    positive: str | None,
    set_: list[str] | None,
    page: Path | None,
    neighbors: Path | None,
) -> None:
    from augan.exceptions import ParameterError

    if augmentation is not None and model is not None:
        raise ParameterError("--augmentation names the table itself: leave MODEL and DATA out")
    if augmentation is not None and generative is not None:
        raise ParameterError("--augmentation and --generative: give one of them")
    if generative is not None and (model is None or data is not None):
        raise ParameterError("--generative names the images itself: give it MODEL alone")
    if augmentation is None and generative is None and (model is None or data is None):
        raise typer.BadParameter("give MODEL and DATA, or --augmentation and --target")
    if augmentation is None and (positive is not None or set_):
        raise ParameterError("--positive and --set go with --augmentation")
    if page is not None:
        if augmentation is not None or generative is not None:
            raise ParameterError(f"--report {page}: goes with MODEL and DATA")
        _check_page(page, model, data)
    if neighbors is not None:
        if generative is None:
            raise ParameterError(f"--neighbors {neighbors}: goes with --generative")
        check_picture(neighbors, "--neighbors", model, generative)


def _check_page(page: Path, *inputs: Path | None) -> None:
    """Fail now rather than after the scoring."""
    from augan.exceptions import ParameterError

    if page.suffix.lower() not in (".html", ".htm"):
        raise ParameterError(f"--report {page}: the file of a page ends in .html")
    check_output(page, "--report", *inputs)
