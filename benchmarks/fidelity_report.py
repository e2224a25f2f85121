"""Tables of the fidelity of new rows, in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from formatting import markdown_table
from results import Result

FIGURES = ("two_sample_auc", "coverage", "correlation_error", "near_copies", "membership_auc")
AUC = "two_sample_auc"
FORMER_ROWS = 10_000  # of lines without a number of rows


def report(
    results: list[Result], tables: Sequence[str], own: Sequence[str], peers: Sequence[str]
) -> str:
    """Return a table for each set, the overview of all sets, and errors.

    Parameters
    ----------
    results : list of dict
        Lines of the results.
    tables : sequence of str
        Sets, in the order in which to show them.
    own, peers : sequence of str
        Methods of augan and others, in the order in which to show them.
    """
    methods = [*own, *peers]
    known = [r for r in results if r["set"] in tables and r["method"] in methods]
    lines = pd.DataFrame([result for result in known if "error" not in result])
    errors = [
        f"{r['set']}, {r['seed']}, {r['method']}: {r['error']}" for r in known if "error" in r
    ]
    if lines.empty:
        return "\n".join(errors) or "no results"
    lines["n_train"] = lines.reindex(columns=["n_train"]).fillna(FORMER_ROWS)
    blocks = []
    for name in [name for name in tables if name in set(lines["set"])]:
        blocks += _table(name, lines[lines["set"] == name], methods)
    return "\n\n".join([*blocks, *_overview(lines, tables, own, peers), *errors])


def _table(name: str, lines: pd.DataFrame, methods: Sequence[str]) -> list[str]:
    """Return title and table of one set: means over seeds, a row for each method."""
    n_seeds = lines["seed"].nunique()
    n_rows = int(lines["n_train"].max())
    rows = []
    for method in methods:
        runs = lines[lines["method"] == method]
        if runs.empty:
            continue
        mean = runs.mean(numeric_only=True)
        full = len(runs) == n_seeds
        rows.append(
            [
                method if full else f"{method}, {len(runs)} of {n_seeds} seeds",
                *(f"{mean[f'{figure}_new']:.3f}" for figure in FIGURES),
                f"{mean['fit_seconds']:.0f}",
                f"{n_rows / max(mean['sample_seconds'], 1e-3):,.0f}",
            ]
        )
    usual = lines.mean(numeric_only=True)
    perfect = [f"{usual[f'{figure}_held_out']:.3f}" for figure in FIGURES]
    names = [figure.replace("_", " ") for figure in FIGURES]
    header = ["rows of", *names, "fit CPU s", "rows a CPU s"]
    title = f"{name}, {n_rows:,} rows, {n_seeds} seed{'s' * (n_seeds != 1)}"
    return [title, markdown_table(header, [*rows, ["held-out rows", *perfect, "", ""]])]


def _overview(
    lines: pd.DataFrame, tables: Sequence[str], own: Sequence[str], peers: Sequence[str]
) -> list[str]:
    """Return the two-sample AUROC by method and set, and on how many sets augan's is lowest."""
    scores = lines.pivot_table(index="method", columns="set", values=f"{AUC}_new")
    scores = scores.reindex([m for m in (*own, *peers) if m in scores.index])
    scores = scores[[name for name in tables if name in scores]]
    rows = [
        [method, *(f"{value:.3f}" if value == value else "" for value in found)]
        for method, found in zip(scores.index, scores.to_numpy(), strict=True)
    ]
    blocks = ["two-sample AUC (0.5 is best)", markdown_table(["rows of", *scores], rows)]
    best = scores.reindex(list(peers)).min()
    for method in [method for method in own if method in scores.index]:
        both = scores.loc[method].notna() & best.notna()
        n_ahead = int((scores.loc[method] < best)[both].sum())
        blocks.append(f"{method} is ahead of all peers on {n_ahead} of {int(both.sum())} tables")
    return blocks
