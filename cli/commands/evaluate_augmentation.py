"""`augan evaluate-augmentation`: whether new rows of a rare class help classifiers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from .._console import data_errors, plain_errors, progress, set_threads
from .._options import Assignments, Classes, Data, Device, Json, Quiet, Seed, Threads
from .._parameters import assignments, build_estimator
from .._reading import reading_options
from ..labels import LabelledRows, is_label, read_labelled

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

Positive = Annotated[
    str | None, typer.Option(metavar="LABEL", help="Class to find; default: the rarest.")
]
Splits = Annotated[
    int, typer.Option(min=2, max=1000, metavar="N", help="Splits into training and test rows.")
]


@reading_options
def evaluate_augmentation(
    data: Data,
    target: Classes,
    positive: Positive = None,
    splits: Splits = 5,
    seed: Seed = 0,
    json_: Json = False,
    quiet: Quiet = False,
    set_: Assignments = None,
    device: Device = "auto",
    threads: Threads = None,
    options: Any = None,
) -> None:
    """Measure whether new rows of a rare class of DATA, a table, help classifiers to find it.

    Three classifiers are trained on parts of the rows: as they are, with class weights, with
    copies, with SMOTE's rows and with augan's. They are tested on the rest.
    """
    with plain_errors():
        set_threads(threads, small_batches=True)
        labelled = read_labelled(data, options, target, [])
        sampler = build_estimator("GANSampler", assignments(set_), OWN).set_params(device=device)
        where = f"{data}: column {target!r}"
        if positive is not None:
            is_positive = is_label(labelled.labels, positive, where, "positive rows")
            labelled = replace(labelled, labels=is_positive)
        how = {"positive": None if positive is None else True, "n_seeds": splits}
        report = _evaluate(labelled, data, sampler, quiet=quiet, random_state=seed, **how)
        shown = report.to_dict() | {"positive": positive or str(report.positive)}
        if json_:
            print(json.dumps(shown, indent=2, allow_nan=False))
        else:
            print_report(shown)


def _evaluate(labelled: LabelledRows, path: Path, sampler: Any, *, quiet: bool, **how: Any) -> Any:
    """Return the report, while a display shows the progress."""
    from augan.evaluation import evaluate_augmentation

    with progress(quiet) as display, data_errors(path):
        task = display.add_task("fit", total=None, note="")
        return evaluate_augmentation(
            *(labelled.rows, labelled.labels),
            sampler=sampler,
            callback=lambda done, total: display.update(task, completed=done, total=total),
            **how,
        )


def print_report(report: dict[str, Any]) -> None:
    """Print the verdict, the strategies and the fidelity of a report in its JSON form."""
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
    table = Table("strategy", *COLUMNS.values(), "gain in AP", interval, box=None, pad_edge=False)
    for strategy in report["strategies"]:
        cells = [f"{strategy[name]:.3f}" for name in COLUMNS]
        if strategy["strategy"] != "none":
            cells += [
                f"{strategy['gain']:+.3f}",
                f"{strategy['low']:+.3f} to {strategy['high']:+.3f}",
            ]
        table.add_row(strategy["strategy"], *cells)
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
