"""`augan evaluate`: how well a detector finds the anomalies of labelled data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from .._console import plain_errors, say, set_threads
from .._evaluated import GivenLabels, open_page, open_rows
from .._models import load_detector
from .._options import (
    READING,
    Data,
    Fpr,
    Json,
    Labels,
    Model,
    ModelDevice,
    Quiet,
    Seed,
    SkipBad,
    Threads,
    Threshold,
    at_most,
)
from .._outputs import check_output
from .._reading import reading_options
from .._report import print_pixels, print_report
from .._thresholds import AskedThreshold

FITTING = "Choosing a threshold"

Anomaly = Annotated[
    str | None,
    typer.Option(metavar="LABEL", help="Label of the anomalies; all other rows are normal."),
]
Normal = Annotated[
    str | None,
    typer.Option(metavar="LABEL", help="Or label of the normal rows; all others are anomalies."),
]
Masks = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Masks of the defects; default: MVTec's ground_truth.",
        rich_help_panel=READING,
    ),
]
Page = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE",
        help="Also write a page (.html) with charts and the worst errors.",
    ),
]
FitThreshold = Annotated[
    Literal["f1", "cost"] | None,
    typer.Option(
        metavar="GOAL",
        help="Choose the threshold by the labels: f1 (highest) or cost (lowest).",
        rich_help_panel=FITTING,
    ),
]
CostFn = Annotated[
    float | None,
    typer.Option(
        metavar="COST", help="Cost of a missed anomaly; default: 1.", rich_help_panel=FITTING
    ),
]
CostFp = Annotated[
    float | None,
    typer.Option(
        metavar="COST", help="Cost of a false alarm; default: 1.", rich_help_panel=FITTING
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Model file to write: MODEL with the threshold that is used here.",
        rich_help_panel=FITTING,
    ),
]
Bootstrap = Annotated[
    int,
    typer.Option(
        min=0,
        callback=at_most(100_000),
        metavar="N",
        help="Resamples for the intervals; 0: no intervals.",
    ),
]


@reading_options
def evaluate(
    model: Model,
    data: Data,
    target: Labels = None,
    anomaly: Anomaly = None,
    normal: Normal = None,
    fpr: Fpr = None,
    threshold: Threshold = None,
    bootstrap: Bootstrap = 1000,
    seed: Seed = 0,
    page: Page = None,
    json_: Json = False,
    quiet: Quiet = False,
    fit_threshold: FitThreshold = None,
    cost_fn: CostFn = None,
    cost_fp: CostFp = None,
    out: Out = None,
    device: ModelDevice = None,
    threads: Threads = None,
    masks: Masks = None,
    skip_bad: SkipBad = False,
    options: Any = None,
) -> None:
    """Measure how well MODEL finds the anomalies of DATA, which has labels.

    Each figure has a 95 % bootstrap interval. DATA should not contain the rows that MODEL was
    trained on: their scores are lower than those of new normal rows.
    """
    with plain_errors():
        if page is not None:
            _check_page(page, model, data)
        asked = AskedThreshold(fpr, threshold, fit_threshold, cost_fn, cost_fp, out)
        asked.check(model, data, page)
        set_threads(threads, model=model)
        estimator = load_detector(model, device, threads)
        limit = asked.limit(estimator)
        given = GivenLabels.of(data, target, anomaly, normal, masks)
        rows = open_rows(estimator, model, data, options, given, skip_bad=skip_bad)
        if page is not None:
            rows.page = open_page(rows)
        rows.score(quiet=quiet)
        fitted = None
        if limit is None:
            fitted = rows.fit_threshold(asked)
            limit = fitted.threshold
        report = rows.report(limit, bootstrap, seed)
        of_pixels = rows.pixel_report()
        if page is not None:
            rows.page.write(page, report, of_pixels, model=model.name, data=data.name)
        if out is not None:
            asked.store(model, limit, fitted)
        _print(report, of_pixels, fitted, as_json=json_)
        if out is not None:
            say(f"wrote {out}, which flags rows with anomaly_score > {limit:.6g}", quiet=quiet)


def _print(report: Any, of_pixels: Any, fitted: Any, *, as_json: bool) -> None:
    if as_json:
        figures = report.to_dict()
        if fitted is not None:
            figures["fitted_threshold"] = fitted.to_dict()
        if of_pixels is not None:
            figures["pixels"] = of_pixels.to_dict()
        print(json.dumps(figures, indent=2, allow_nan=False))
        return
    print_report(report)
    if of_pixels is not None:
        print_pixels(of_pixels)
    if fitted is not None:
        print(fitted.verdict)


def _check_page(page: Path, *inputs: Path) -> None:
    """Raise for a page that cannot be written, now rather than after the scoring."""
    from augan.exceptions import ParameterError

    if page.suffix.lower() not in (".html", ".htm"):
        raise ParameterError(f"--report {page}: the name of the page must end in .html")
    check_output(page, "--report", *inputs)
