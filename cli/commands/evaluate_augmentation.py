"""`augan evaluate --augmentation`: what new rows of a rare class are worth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .._console import data_errors, progress
from .._parameters import build_estimator
from ..labels import read_labelled

COLUMNS = {
    "average_precision": "AP",
    "recall_at_1pct_fpr": "R@1%FPR",
    "f1": "F1",
    "brier": "Brier",
}
FIDELITY = {
    "coverage": "cover",
    "precision": "prec",
    "two_sample_auc": "AUC2",
    "column_distance": "cols",
    "correlation_error": "corr",
    "near_copies": "copies",
    "membership_auc": "member",
}
OWN = {
    "callbacks": "only from Python",
    "random_state": "use --seed",
}


def evaluate_table(
    path: Path,
    options: Any,
    target: str | None,
    positive: str | None,
    *,
    given: dict[str, Any],
    device: str | None,
    n_seeds: int,
    seed: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Print what each way to deal with the rare class of a table is worth."""
    from augan.evaluation import evaluate_augmentation
    from augan.exceptions import ParameterError

    from ..labels import is_label

    if target is None:
        raise ParameterError("--augmentation needs --target, the column with the classes")
    labelled = read_labelled(path, options, target, [])
    rows, labels = labelled.rows, labelled.labels
    sampler = build_estimator("GANSampler", given, OWN).set_params(device=device or "auto")
    name: Any = positive
    if positive is not None:
        mask = is_label(labels, positive, f"{path}: column {target!r}", "rows to find")
        labels, name = mask, True
    with progress(quiet) as display, data_errors(path):
        task = display.add_task("fit", total=None, note="")
        report = evaluate_augmentation(
            rows,
            labels,
            positive=name,
            sampler=sampler,
            n_seeds=n_seeds,
            random_state=seed,
            callback=lambda done, total: display.update(task, completed=done, total=total),
        )
    shown = report.to_dict() | {"positive": positive or str(report.positive)}
    if as_json:
        print(json.dumps(shown, indent=2, allow_nan=False))
    else:
        print_report(shown)


def print_report(report: dict[str, Any]) -> None:
    """Print verdict, arms and how true new rows are, of a report as JSON gives it."""
    from rich.table import Table

    from .._terminal import PlainConsole

    console = PlainConsole()
    console.print(report["verdict"], soft_wrap=True)
    console.print(
        f"{report['n_positive']} of {report['n_rows']} rows are {report['positive']!r}; means of "
        f"{report['n_seeds']} splits and three classifiers, on real rows",
        soft_wrap=True,
    )
    interval = f"{100 * report['confidence']:g} % interval"
    table = Table("arm", *COLUMNS.values(), "gain in AP", interval, box=None, pad_edge=False)
    for arm in report["arms"]:
        cells = [f"{arm[name]:.3f}" for name in COLUMNS]
        if arm["arm"] != "none":
            cells += [f"{arm['gain']:+.3f}", f"{arm['low']:+.3f} to {arm['high']:+.3f}"]
        table.add_row(arm["arm"], *cells)
    tables = [table]
    if report["fidelity"]:
        table = Table("new rows", *FIDELITY.values(), box=None, pad_edge=False)
        for name, figures in report["fidelity"].items():
            table.add_row(name, *(f"{figures[key]:.3f}" for key in FIDELITY))
        tables.append(table)
    for table in tables:
        for column in table.columns:
            column.no_wrap = True
        console.print(table)
