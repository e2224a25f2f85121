"""Results of the detection benchmark as Markdown."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from calibration import p_value_sets, p_value_table
from formatting import markdown_table, short
from numpy.typing import NDArray
from panel import Panel, make_panel
from ranking import average_ranks, critical_difference, friedman, holm, signed_rank
from results import Result

Floats = NDArray[np.float64]

OURS = "augan (default)"
TOLD = "augan (told the share)"  # of anomalies in training


def report(
    results: list[Result],
    seeds: Sequence[int],
    methods: Sequence[str] | None = None,
    *,
    half: Collection[str] = (),
    details: bool = False,
) -> str:
    """Return all tables of a suite's results; methods run with fewer seeds get their own.

    `half` are the sets on which defaults were chosen, if they are some of the sets.
    """
    seeds = [seed for seed in seeds if any(r["seed"] == seed for r in results)]
    full, first = make_panel(results, seeds, methods), make_panel(results, seeds[:1], methods)
    parts = [describe(full, details=details)]
    if len(first.methods) > len(full.methods):
        missing = [m for m in first.methods if m not in full.methods]
        parts.append(f"Run with seed {seeds[0]} only: {', '.join(missing)}.")
        parts.append(describe(first, details=details))
    halves = {True: "on which the defaults were chosen", False: "on which nothing was chosen"}
    for inside, text in halves.items() if half else ():
        own = full.only(name for name in full.sets if (name in half) == inside)
        if own.sets:
            parts += [f"The {len(own.sets)} sets {text}:", summary(own), significance(own)]
    return "\n\n".join(part for part in parts if part)


def describe(panel: Panel, *, details: bool = False) -> str:
    """Return what a panel says: summary, tests, p-values and, with `details`, every set."""
    if not panel.sets:
        return "No set is complete for every method and seed."
    parts = [_size(panel), summary(panel), failure_list(panel)]
    parts += [significance(panel), p_value_table(panel)]
    if details:
        parts += ["AUROC:", set_table(panel, "auroc"), "AP:", set_table(panel, "ap")]
        if OURS in panel.methods:
            parts.append(p_value_sets(panel, OURS))
    return "\n\n".join(part for part in parts if part)


def summary(panel: Panel) -> str:
    """Return the table of means over sets, best AUROC first."""
    auroc = panel.by_set("auroc")
    ranks = average_ranks(auroc), average_ranks(panel.by_set("ap"))
    seconds, failures = panel.by_set("fit_seconds"), panel.failures()
    scoring = 1e6 * panel.by_set("score_seconds") / panel.by_set("n_test")
    header = ["method", "AUROC", "AP", "rank by AUROC", "by AP"]
    header += [f"sets won / lost to {panel.baseline}", f"worst set beside {panel.baseline}"]
    header += ["fit CPU s, median", "max", "score CPU µs a row, median"]
    header += ["failed fits"] if any(failures) else []
    rows = []
    for i in np.argsort(-auroc.mean(axis=0)):
        row = [panel.methods[i], _spread(panel, "auroc", i), _spread(panel, "ap", i)]
        row += [f"{ranks[0][i]:.2f}", f"{ranks[1][i]:.2f}", *_beside_baseline(panel, auroc, i)]
        row += [f"{np.median(seconds[:, i]):.2f}", f"{seconds[:, i].max():.1f}"]
        row += [f"{np.median(scoring[:, i]):.0f}"]
        rows.append(row + ([str(failures[i])] if any(failures) else []))
    return markdown_table(header, rows)


def significance(panel: Panel) -> str:
    """Return Friedman's test and, for augan, Wilcoxon's against each other method."""
    auroc = panel.by_set("auroc")
    n_sets, n_methods = auroc.shape
    if n_methods < 3 or n_sets < 3:
        return ""
    statistic, p = friedman(auroc)
    difference = critical_difference(n_methods, n_sets)
    text = (
        f"Friedman's test on AUROC: chi² = {statistic:.1f}, p = {p:.2g}. Average ranks less than "
        f"{difference:.2f} apart do not differ (Nemenyi, 0.05)."
    )
    return text + ("\n\n" + _signed_ranks(panel, auroc) if OURS in panel.methods else "")


def set_table(panel: Panel, name: str) -> str:
    """Return a figure for every set, the highest in bold, augan's lead over the baseline last."""
    figures = panel.by_set(name)
    compared = OURS in panel.methods and panel.baseline in panel.methods
    header = ["set", *panel.methods] + ([f"augan - {panel.baseline}"] if compared else [])
    rows = []
    for label, values in zip([*panel.sets, "mean"], [*figures, figures.mean(axis=0)], strict=True):
        best = values.max()
        row = [f"**{v:.3f}**" if round(v, 3) == round(best, 3) else f"{v:.3f}" for v in values]
        if compared:
            lead = values[panel.methods.index(OURS)] - values[panel.methods.index(panel.baseline)]
            row.append(f"{lead:+.3f}")
        rows.append([label, *row])
    return markdown_table(header, rows)


def failure_list(panel: Panel) -> str:
    """Return a line for each failed fit."""
    keys = [(s, seed, m) for s in panel.sets for seed in panel.seeds for m in panel.methods]
    failed = [(key, panel.lines[key]["error"]) for key in keys if "error" in panel.lines[key]]
    return "\n".join(f"- {m} on {s}, seed {seed}: {error}" for (s, seed, m), error in failed)


def contamination(
    results: list[Result],
    seeds: Sequence[int],
    methods: Sequence[str] | None = None,
    *,
    share: float,
    details: bool = False,
) -> str:
    """Return what anomalies in the training rows cost each method, on the same test rows."""
    clean, mixed = _pair_of_panels(results, seeds, methods, share)
    if not mixed.sets:
        return "No set is complete for every method and seed."
    real = (mixed.figures("train_anomalies") / mixed.figures("n_train"))[:, :, 0]
    header = ["method", "AUROC, normals only", f"AUROC, {share:.0%} anomalies", "lost"]
    header += ["AP, normals only", f"AP, {share:.0%} anomalies", "lost", "most lost AUROC"]
    rows = [_contamination_row(clean, mixed, i) for i in range(len(mixed.methods))]
    size = f"{_size(mixed)}; of the training rows {real.mean():.1%} are anomalies"
    parts = [f"{size} ({real.min():.1%} to {real.max():.1%}).", markdown_table(header, rows)]
    if details:
        parts += ["Without anomalies in training:", describe(clean, details=True)]
        parts += ["With them:", describe(mixed, details=True)]
    return "\n\n".join(parts)


def _pair_of_panels(
    results: list[Result], seeds: Sequence[int], methods: Sequence[str] | None, share: float
) -> tuple[Panel, Panel]:
    """Return the panels without and with anomalies in training, of the same sets and methods."""
    pairs = [r for r in results if r["withheld_share"] == share]
    seeds = [seed for seed in seeds if any(r["seed"] == seed for r in pairs)]
    without = [r for r in pairs if r["share"] == 0]
    if any(r["method"] == TOLD for r in pairs):
        without += [r | {"method": TOLD} for r in without if r["method"] == OURS]
    clean = make_panel(without, seeds, methods)
    mixed = make_panel([r for r in pairs if r["share"] == share], seeds, clean.methods)
    return clean.only(mixed.sets), mixed.only(clean.sets)


def _contamination_row(clean: Panel, mixed: Panel, i: int) -> list[str]:
    row = [mixed.methods[i]]
    for name in ("auroc", "ap"):
        before, after = clean.by_set(name)[:, i], mixed.by_set(name)[:, i]
        row += [_spread(clean, name, i), _spread(mixed, name, i), f"{(before - after).mean():.3f}"]
    lost = clean.by_set("auroc")[:, i] - mixed.by_set("auroc")[:, i]
    return [*row, f"{lost.max():.2f} ({short(mixed.sets[int(lost.argmax())])})"]


def _signed_ranks(panel: Panel, auroc: Floats) -> str:
    """Return Wilcoxon's signed-rank tests of augan against the others, adjusted by Holm."""
    ours = auroc[:, panel.methods.index(OURS)]
    others = [m for m in panel.methods if not m.startswith("augan")]
    theirs = [auroc[:, panel.methods.index(m)] for m in others]
    p_values = [signed_rank(ours, figures) for figures in theirs]
    rows = []
    for m, t, p, adjusted in zip(others, theirs, p_values, holm(p_values), strict=True):
        row = [m, f"{(ours - t).mean():+.3f}", f"{(ours > t).sum()} / {(ours < t).sum()}"]
        rows.append([*row, f"{p:.2g}", f"{adjusted:.2g}"])
    header = [f"{OURS} against", "AUROC, mean difference", "sets won / lost"]
    return markdown_table([*header, "p (Wilcoxon)", "p (Holm)"], rows)


def _beside_baseline(panel: Panel, auroc: Floats, i: int) -> list[str]:
    if panel.baseline not in panel.methods or panel.methods[i] == panel.baseline:
        return ["", ""]
    lead = auroc[:, i] - auroc[:, panel.methods.index(panel.baseline)]
    worst = int(lead.argmin())
    won_lost = f"{(lead > 0).sum()} / {(lead < 0).sum()}"
    return [won_lost, f"{lead[worst]:+.2f} ({short(panel.sets[worst])})"]


def _spread(panel: Panel, name: str, i: int) -> str:
    """Return the mean over sets, ± the deviation of that mean from seed to seed."""
    means = panel.figures(name)[:, :, i].mean(axis=0)
    return f"{means.mean():.3f}" + (f" ± {means.std(ddof=1):.3f}" if len(means) > 1 else "")


def _size(panel: Panel) -> str:
    counts = {"set": panel.sets, "seed": panel.seeds, "method": panel.methods}
    parts = [f"{len(some)} {name}{'s' * (len(some) != 1)}" for name, some in counts.items()]
    return f"{', '.join(parts)}, all complete"
