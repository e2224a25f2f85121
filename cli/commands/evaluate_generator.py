"""`augan evaluate MODEL --generative DATA`: how good the images are that a model makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .._console import data_errors
from .._images import read_images


def evaluate_images(
    model: Path,
    data: Path,
    options: Any,
    target: str | None,
    *,
    device: str | None,
    n_samples: int,
    judge: str,
    weights: Path | None,
    neighbors: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Print figures of a model's images beside real ones; write those nearest to real ones."""
    from augan.evaluation import evaluate_generator
    from augan.exceptions import ParameterError
    from augan.io.model_file import load

    from .._models import is_onnx, model_context
    from .._reading import as_trained

    if is_onnx(model):
        raise ParameterError(f"--generative: {model} is an exported file; use the .augan file")
    estimator = load(model, device=device)
    if estimator.codec_.kind != "image":
        raise ParameterError(
            f"--generative: {model} makes rows of a table; "
            "augan evaluate --augmentation judges these"
        )
    options = as_trained(options, model_context(estimator, model), model, estimator)
    images, labels = read_images(data, options, estimator.codec_, target, training=True)
    with data_errors(data):
        report = evaluate_generator(
            *(estimator, images, labels),
            n_samples=n_samples,
            judge=judge,
            inception_weights=weights,
            random_state=seed,
        )
    if neighbors is not None:
        from augan.pictures import save_neighbors

        save_neighbors(report.new, report.nearest, neighbors)
    if as_json:
        print(json.dumps(report.to_dict(), indent=2, allow_nan=False))
    else:
        _print(report)


def _print(report: Any) -> None:
    from rich.table import Table

    from augan.evaluation.generative import FIGURES

    from .._terminal import PlainConsole

    console = PlainConsole()
    known = report.judge_accuracy
    accuracy = "" if known is None else f", which tells {known:.1%} of unseen real ones"
    console.print(
        f"{report.n_new} new images beside {report.n_real} real ones, by features of "
        f"{report.judge}{accuracy}",
        soft_wrap=True,
    )
    kind = "clusters" if not report.by_class else "classes"
    console.print(f"{report.n_found} of {report.n_modes} {kind} are among the new images")
    for note in report.notes:
        console.print(note, soft_wrap=True)
    table = Table("figure", "new", "real", "what it is", box=None, pad_edge=False)
    for name, what in FIGURES.items():
        cells = ["" if v is None else f"{v:.3f}" for v in report.figures[name].values()]
        if any(cells):
            table.add_row(name, *cells, what)
    tables = [table]
    if report.by_class:
        asked = any(part.agreement is not None for part in report.by_class)
        heads = [
            "share of real",
            "of new",
            *(["as asked"] if asked else []),
            "precision",
            "coverage",
        ]
        table = Table("class", *heads, box=None, pad_edge=False)
        for part in report.by_class:
            values = [part.real_share, part.new_share, *([part.agreement] if asked else [])]
            values += [part.precision, part.coverage]
            table.add_row(part.name, *("" if v is None else f"{v:.3f}" for v in values))
        tables.append(table)
    for table in tables:
        console.print(table)
