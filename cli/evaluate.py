"""`augan evaluate`: how well a model finds anomalies, or what new rows of a class are worth."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any

import typer

from ._augmentation import evaluate_table
from ._console import (
    ColumnNames,
    Delimiter,
    Encoding,
    Missing,
    Quiet,
    Threads,
    csv_options,
    data_errors,
    plain_errors,
    set_threads,
)
from ._labels import read_anomalies
from ._models import load_detector
from ._parameters import Assignments, assignments
from ._pixels import open_pixels
from ._scoring import Fpr, Threshold, flag_limit, model_batches, scored_batches

MAX_KINDS = 20  # of anomalies, that have figures of their own
FIGURES = {
    "auroc": "AUROC",
    "average_precision": "average precision",
    "recall_at_1pct_fpr": "recall at 1 % FPR",
    "fpr_at_95pct_recall": "FPR at 95 % recall",
    "f1_max": "F1, best threshold",
    "precision": "precision, flagged rows",
    "recall": "recall, flagged rows",
    "fpr": "FPR, flagged rows",
    "f1": "F1, flagged rows",
}


def evaluate(
    model: Annotated[
        Path | None, typer.Argument(help="Model file written by augan fit; goes with DATA.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Argument(help="CSV, Parquet, a directory of either or of images, .npy or .npz."),
    ] = None,
    augmentation: Annotated[
        Path | None,
        typer.Option(help="Instead: a table with a rare class, to find out what new rows give."),
    ] = None,
    positive: Annotated[
        str | None, typer.Option(help="Class to find, of --augmentation; the rarest if not set.")
    ] = None,
    splits: Annotated[int, typer.Option(min=2, help="Splits of --augmentation.")] = 5,
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
    fpr: Fpr = None,
    threshold: Threshold = None,
    bootstrap: Annotated[
        int, typer.Option(min=0, help="Resamples for the intervals; 0: no intervals.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the resampling.")] = 0,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    device: Annotated[
        str | None, typer.Option(help="auto, cpu, cuda …; the model's own if not set.")
    ] = None,
    threads: Threads = None,
    delimiter: Delimiter = ",",
    encoding: Encoding = "utf-8",
    missing: Missing = None,
    column_names: ColumnNames = None,
    quiet: Quiet = False,
) -> None:
    """Measure how well MODEL finds the anomalies of DATA, which has labels.

    Each figure comes with a 95 % bootstrap interval. Leave the rows that MODEL was trained on out
    of DATA: they look more normal to it than new ones.

    With --augmentation and --target: train three classifiers on parts of a table, with class
    weights, with copies, SMOTE's rows or augan's of the rare class, and test them on the rest.
    """
    options = csv_options(delimiter, encoding, missing, column_names)
    with plain_errors():
        _check_request(model, data, augmentation, positive, set_)
        set_threads(threads, small_batches=augmentation is not None)
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
        assert model is not None and data is not None
        estimator = load_detector(model, device)
        limit = _finite(flag_limit(estimator, fpr, threshold))
        target = _target(estimator, model, target)
        is_anomaly, labels = read_anomalies(data, options, target, anomaly=anomaly, normal=normal)
        batches = model_batches(estimator, model, data, options, target=target)
        pixels = open_pixels(data, masks, is_anomaly)
        scores = []
        for names, rows, score in scored_batches(estimator, batches, data, quiet=quiet):
            scores.append(score)
            if pixels is not None:
                pixels.add(estimator, names, rows)
        kinds = _kinds(labels, is_anomaly)
        report = _report(estimator, data, is_anomaly, kinds, scores, limit, bootstrap, seed)
        of_pixels = None if pixels is None else pixels.report()
        if json_:
            found = report.to_dict()
            if of_pixels is not None:
                found["pixels"] = of_pixels.to_dict()
            print(json.dumps(found, indent=2, allow_nan=False))
        else:
            _print_report(report)
            if of_pixels is not None:
                _print_pixels(of_pixels)


def _check_request(
    model: Path | None,
    data: Path | None,
    augmentation: Path | None,
    positive: str | None,
    set_: list[str] | None,
) -> None:
    from augan.exceptions import ParameterError

    if augmentation is not None and model is not None:
        raise ParameterError("--augmentation names the table itself: leave MODEL and DATA out")
    if augmentation is None and (model is None or data is None):
        raise typer.BadParameter("give MODEL and DATA, or --augmentation and --target")
    if augmentation is None and (positive is not None or set_):
        raise ParameterError("--positive and --set go with --augmentation")


def _finite(limit: float) -> float:
    from augan.exceptions import ParameterError

    if not math.isfinite(limit):
        raise ParameterError(f"--threshold {limit}: must be finite")
    return limit


def _target(estimator: Any, model: Path, target: str | None) -> str:
    """Return the column with the labels, which must not be one that the model looks at."""
    from augan.codecs import TableCodec
    from augan.exceptions import ParameterError
    from augan.io.model_file import read_manifest

    name = target or read_manifest(model)["context"].get("target")
    if name is None:
        raise ParameterError(f"--target: name the column with the labels; {model} knows of none")
    codec = estimator.codec_
    if isinstance(codec, TableCodec) and name in [column.name for column in codec.columns]:
        raise ParameterError(f"--target {name}: {model} was trained on this column")
    return str(name)


def _kinds(labels: Any, is_anomaly: Any) -> Any:
    """Return the labels where they tell some kinds of anomalies apart."""
    import pandas as pd

    n_kinds = pd.Series(labels)[is_anomaly].nunique()
    return labels if 1 < n_kinds <= MAX_KINDS else None


def _report(
    estimator: Any,
    path: Path,
    is_anomaly: Any,
    kinds: Any,
    scores: list[Any],
    limit: float,
    n_bootstrap: int,
    seed: int,
) -> Any:
    import numpy as np

    from augan.evaluation import detection_metrics
    from augan.evaluation.detection import n_held_out

    score = np.concatenate(scores)
    with data_errors(path):
        return detection_metrics(
            is_anomaly,
            score,
            threshold=limit,
            p_values=estimator.p_value_of(score),
            kinds=kinds,
            n_calibration=n_held_out(estimator),
            n_bootstrap=n_bootstrap,
            random_state=seed,
        )


def _print_report(report: Any) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    interval = f"{100 * report.confidence:g} % interval"
    console.print(
        f"{report.n_normal} normal rows, {report.n_anomaly} anomalies "
        f"(prevalence {report.prevalence:.3f}, the average precision of random scores); "
        f"flagged: anomaly_score > {report.threshold:.4g}",
        soft_wrap=True,
    )
    figures = Table("figure", "value", interval)
    for name, text in FIGURES.items():
        figures.add_row(text, *_cells(getattr(report, name)))
    for kind, figure in report.by_kind.items():
        figures.add_row(f"AUROC of {kind}", *_cells(figure))
    console.print(figures)
    checks = Table("normal rows", "share", interval, "expected", "99 % band", "")
    for check in report.p_values:
        band = f"{check.low:.3f}-{check.high:.3f}"
        verdict = "as expected" if check.within else "outside"
        cells = (*_cells(check.share), f"{check.expected:.3f}", band, verdict)
        checks.add_row(f"p <= {check.alpha:.2f}", *cells)
    console.print(checks)


def _print_pixels(report: Any) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("pixels", "value")
    table.add_row("AUROC", f"{report.auroc:.3f}")
    table.add_row("average precision", f"{report.average_precision:.3f}")
    table.add_row("AUPRO, up to 30 % FPR", f"{report.aupro:.3f}")
    table.add_row("defective, share", f"{report.prevalence:.4f}")
    table.add_row("regions", str(report.n_regions))
    Console(highlight=False).print(table)


def _cells(figure: Any) -> tuple[str, str]:
    interval = "" if figure.low is None else f"{figure.low:.3f}-{figure.high:.3f}"
    return f"{figure.value:.3f}", interval
