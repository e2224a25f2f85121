"""`augan evaluate MODEL DATA`: how well a model finds the anomalies of labelled data."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from ._batches import model_batches
from ._console import data_errors
from ._models import model_context
from ._pixels import Pixels, open_pixels
from ._reading import as_trained
from ._scoring import flag_limit, scored_batches
from .labels import Labelled, read_anomalies

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


def evaluate_model(
    estimator: Any,
    model: Path,
    data: Path,
    options: Any,
    *,
    labels: tuple[str | None, str | None, str | None],
    masks: Path | None,
    flag: tuple[float | None, float | None],
    page: Path | None,
    skip_bad: bool,
    n_bootstrap: int,
    seed: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Print how well an estimator, of the file `model`, does; write it as a page too.

    `labels` are the options --target, --anomaly and --normal, `flag` --fpr and --threshold.
    """
    import numpy as np

    from augan.codecs.seen_rows import hashes_of, warn_of_seen
    from augan.exceptions import DataError

    target, anomaly, normal = _with_mvtec(data, labels)
    limit = _finite(flag_limit(estimator, *flag))
    target = _target(estimator, model, target)
    options = as_trained(options, model_context(estimator, model), model, estimator)
    usual = "table" if estimator.codec_.kind == "table" else "images"
    of_labels: Any = {"anomaly": anomaly, "normal": normal, "masks": masks, "usual": usual}
    known = read_anomalies(data, options, target, **of_labels)
    how: Any = {"target": target, "skip_bad": skip_bad, "masks": masks}
    batches = known.labelled(model_batches(estimator, model, data, options, **how))
    pixels = open_pixels(data, known, masks, options, skip_bad=skip_bad)
    in_files = known.names is not None
    of_page = estimator, data, options, limit, pixels
    shown = None if page is None else _open_page(*of_page, in_files=in_files)
    scores, p_values, places, hashes = [], [], [], []
    for batch, found in scored_batches(estimator, batches, data, quiet=quiet):
        names, rows = batch.names, batch.rows
        where = known.places(names)
        scores.append(found.anomaly_score)
        p_values.append(found.p_value)
        places.append(where)
        hashes.append(hashes_of(estimator.codec_, rows)[~known.is_anomaly[where]])
        if pixels is not None:
            pixels.add(estimator, names, rows, known.is_anomaly[where])
        if shown is not None:
            shown.add(names, rows, found, known.is_anomaly[where], known.labels[where])
    if not places:
        raise DataError(f"{data}: none of {len(known.labels)} images can be read")
    warn_of_seen(estimator, np.concatenate(hashes), str(data))
    scored = known.only(np.concatenate(places))
    given = (np.concatenate(scores), np.concatenate(p_values))
    report = _report(estimator, data, scored, given, limit, n_bootstrap, seed)
    of_pixels = None if pixels is None else pixels.report(scored.kinds(MAX_KINDS))
    if shown is not None:
        shown.write(page, report, of_pixels, model=model.name, data=data.name)
    if as_json:
        figures = report.to_dict()
        if of_pixels is not None:
            figures["pixels"] = of_pixels.to_dict()
        print(json.dumps(figures, indent=2, allow_nan=False))
    else:
        print_report(report)
        if of_pixels is not None:
            _print_pixels(of_pixels)


def _with_mvtec(data: Path, labels: tuple[str | None, str | None, str | None]) -> Any:
    """Return --target, --anomaly and --normal; of MVTec's layout folders tell good parts."""
    from augan.io.image_files import is_mvtec
    from augan.io.image_folder import LABELS

    target, anomaly, normal = labels
    if not is_mvtec(data):
        return labels
    if target in (None, LABELS) and anomaly is None and normal is None:
        normal = "good"
    return target or LABELS, anomaly, normal


def _finite(limit: float) -> float:
    from augan.exceptions import ParameterError

    if not math.isfinite(limit):
        raise ParameterError(f"--threshold {limit}: must be finite")
    return limit


def _target(estimator: Any, model: Path, target: str | None) -> str:
    """Return the column with the labels, which must not be one that the model looks at."""
    from augan.exceptions import ParameterError

    name = target or model_context(estimator, model).get("target")
    if name is None:
        raise ParameterError(f"--target: name the column with the labels; {model} knows of none")
    codec = estimator.codec_
    if codec.kind == "table" and name in [column.name for column in codec.columns]:
        raise ParameterError(f"--target {name}: {model} was trained on this column")
    return str(name)


def _open_page(
    estimator: Any,
    data: Path,
    options: Any,
    limit: float,
    pixels: Pixels | None,
    *,
    in_files: bool,
) -> Any:
    """Return what gathers the report's page; `in_files` says that DATA is a folder of images."""
    from augan.evaluation.report.page import EvaluationPage

    def read_image(name: str) -> Any:
        from augan.io.decoding import read_form, read_image
        from augan.io.image_files import image_root
        from augan.io.image_options import image_options

        file, how = image_root(data) / name, image_options(options)
        return read_image(file, read_form(file, how), how)

    return EvaluationPage(
        *(estimator, limit),
        read_image=read_image if in_files else None,
        read_mask=None if pixels is None else pixels.mask,
    )


def _report(
    estimator: Any,
    path: Path,
    known: Labelled,
    given: tuple[Any, Any],
    limit: float,
    n_bootstrap: int,
    seed: int,
) -> Any:
    from augan.evaluation import detection_metrics
    from augan.evaluation.detection import n_held_out

    with data_errors(path):
        return detection_metrics(
            known.is_anomaly,
            given[0],
            threshold=limit,
            p_values=given[1],
            kinds=known.kinds(MAX_KINDS),
            n_calibration=n_held_out(estimator),
            n_bootstrap=n_bootstrap,
            random_state=seed,
        )


def print_report(report: Any) -> None:
    """Print the verdict and every figure with its interval."""
    from rich.table import Table

    from ._terminal import PlainConsole

    console = PlainConsole()
    console.print(report.verdict, soft_wrap=True)
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
    print_checks(report.p_values, report.confidence)


def print_checks(checks: Any, confidence: float) -> None:
    """Print whether normal rows have low p-values as often as they should."""
    from rich.table import Table

    from ._terminal import PlainConsole

    interval = f"{100 * confidence:g} % interval"
    table = Table("normal rows", "share", interval, "expected", "99 % band", "")
    for check in checks:
        band = f"{check.low:.3f}-{check.high:.3f}"
        verdict = "as expected" if check.within else "outside"
        cells = (*_cells(check.share), f"{check.expected:.3f}", band, verdict)
        table.add_row(f"p <= {check.alpha:.2f}", *cells)
    PlainConsole().print(table)


def _print_pixels(report: Any) -> None:
    from rich.table import Table

    from ._terminal import PlainConsole

    table = Table("pixels of", "AUROC", "AP", "AUPRO to 30 % FPR", "defective", "regions")
    for name, part in {"all images": report, **report.by_kind}.items():
        figures = (part.auroc, part.average_precision, part.aupro)
        shown = [f"{figure:.3f}" for figure in figures]
        table.add_row(name, *shown, f"{part.prevalence:.4f}", str(part.n_regions))
    PlainConsole().print(table)


def _cells(figure: Any) -> tuple[str, str]:
    interval = "" if figure.low is None else f"{figure.low:.3f}-{figure.high:.3f}"
    return f"{figure.value:.3f}", interval
