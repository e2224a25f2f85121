"""`augan evaluate-generator`: how good the images are that a model generates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from .._console import data_errors, plain_errors, set_threads
from .._images import check_picture, read_images
from .._models import is_onnx, model_context
from .._options import (
    ADVANCED,
    Images,
    Json,
    Labels,
    Model,
    ModelDevice,
    Seed,
    Threads,
    at_most,
)
from .._reading import as_trained, reading_options

Samples = Annotated[
    int,
    typer.Option(
        min=20, callback=at_most(10**6), metavar="N", help="Number of images to generate."
    ),
]
FeatureExtractor = Annotated[
    Literal["own", "inception"],
    typer.Option(
        metavar="NAME",
        help="own (a classifier trained on DATA) or inception (Inception v3).",
        rich_help_panel=ADVANCED,
    ),
]
InceptionWeights = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Weights of torchvision's Inception v3.",
        rich_help_panel=ADVANCED,
    ),
]
Neighbors = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Also write a picture (.png) of the generated images nearest to real ones.",
    ),
]


@reading_options
def evaluate_generator(
    model: Model,
    data: Images,
    target: Labels = None,
    samples: Samples = 10_000,
    neighbors: Neighbors = None,
    seed: Seed = 0,
    json_: Json = False,
    feature_extractor: FeatureExtractor = "own",
    inception_weights: InceptionWeights = None,
    device: ModelDevice = None,
    threads: Threads = None,
    options: Any = None,
) -> None:
    """Compare images that MODEL generates with the real images of DATA.

    With --target, the classes of DATA, there are figures of each class too.
    """
    with plain_errors():
        if neighbors is not None:
            check_picture(neighbors, "--neighbors", model, data)
        set_threads(threads, model=model)
        estimator = _load(model, device)
        options = as_trained(options, model_context(estimator, model), model, estimator)
        images, labels = read_images(data, options, estimator.codec_, target, training=True)
        how = {"feature_extractor": feature_extractor, "inception_weights": inception_weights}
        with data_errors(data):
            report = _compare(
                *(estimator, images, labels), n_samples=samples, random_state=seed, **how
            )
        if neighbors is not None:
            from augan.pictures import save_neighbors

            save_neighbors(report.new, report.nearest, neighbors)
        if json_:
            print(json.dumps(report.to_dict(), indent=2, allow_nan=False))
        else:
            _print(report)


def _compare(*given: Any, **how: Any) -> Any:
    from augan.evaluation import evaluate_generator

    return evaluate_generator(*given, **how)


def _load(model: Path, device: str | None) -> Any:
    """Return a model of images."""
    from augan.exceptions import ParameterError
    from augan.model_file import load

    if is_onnx(model):
        raise ParameterError(f"{model} is an exported file; use the .augan file")
    estimator = load(model, device=device)
    if estimator.codec_.kind != "image":
        raise ParameterError(
            f"{model} makes rows of a table; augan evaluate-augmentation evaluates these"
        )
    return estimator


def _print(report: Any) -> None:
    from .._terminal import PlainConsole

    console = PlainConsole()
    known = report.classifier_accuracy
    accuracy = "" if known is None else f" (accuracy on unseen real images: {known:.1%})"
    console.print(
        f"{report.n_new} generated and {report.n_real} real images, compared by the features of "
        f"{report.feature_extractor}{accuracy}",
        soft_wrap=True,
    )
    kind = "clusters" if not report.by_class else "classes"
    console.print(f"{report.n_found} of {report.n_modes} {kind} are among the generated images")
    for note in report.notes:
        console.print(note, soft_wrap=True)
    console.print(_figures(report))
    if report.by_class:
        console.print(_classes(report))


def _figures(report: Any) -> Any:
    """Return the figures of all images as a table."""
    from rich.table import Table

    from augan.evaluation.generative_report import FIGURES

    table = Table("figure", "new", "real", "what it is", box=None, pad_edge=False)
    for name, what in FIGURES.items():
        cells = ["" if v is None else f"{v:.3f}" for v in report.figures[name].values()]
        if any(cells):
            table.add_row(name, *cells, what)
    return table


def _classes(report: Any) -> Any:
    """Return the figures of each class as a table."""
    from rich.table import Table

    asked = any(part.agreement is not None for part in report.by_class)
    heads = ["share of real", "of new", *(["as asked"] if asked else []), "precision", "coverage"]
    table = Table("class", *heads, box=None, pad_edge=False)
    for part in report.by_class:
        values = [part.real_share, part.new_share, *([part.agreement] if asked else [])]
        values += [part.precision, part.coverage]
        table.add_row(part.name, *("" if v is None else f"{v:.3f}" for v in values))
    return table
