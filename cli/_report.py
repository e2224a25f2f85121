"""The figures of a detector, as `augan evaluate` and `augan fit --holdout` print them."""

from __future__ import annotations

from typing import Any

MAX_KINDS = 20  # of anomalies, with separate figures
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
    """Print how often normal rows have low p-values, and how often they should."""
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


def print_pixels(report: Any) -> None:
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
