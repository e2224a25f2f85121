"""Calibration of p-values: the share of normal test rows at or below a level."""

from __future__ import annotations

import numpy as np
from formatting import markdown_table, short
from panel import Panel
from results import Result
from scipy.stats import betabinom, binom

BAND = 0.99  # probability that a count lies in the band


def p_value_table(panel: Panel) -> str:
    """Return the share of normal test rows with p-values at or below each level, as a table."""
    rows = []
    for method in panel.methods:
        lines = [panel.lines[s, seed, method] for s in panel.sets for seed in panel.seeds]
        lines = [line for line in lines if "p_value_rates" in line]
        levels = lines[0]["p_value_rates"] if lines else {}
        rows += [_p_value_row(method, level, lines) for level in levels]
    if not rows:
        return ""
    header = ["p-values of", "level", "test normals at or below, mean", "fits in the band"]
    header += ["above", "below", "in the band with the calibration rows' own chance"]
    header += ["sets whose mean over seeds is in the band"]
    note = (
        f"The band holds {BAND:.0%} of the counts of a binomial law; the calibration rows' own "
        "chance adds that the p-values come from finitely many rows (beta-binomial). The band for "
        "means is that of one fit."
    )
    return markdown_table(header, rows) + "\n\n" + note


def p_value_sets(panel: Panel, method: str) -> str:
    """Return the shares for every set, and on how many seeds they are in the band."""
    lines = {s: [panel.lines[s, seed, method] for seed in panel.seeds] for s in panel.sets}
    lines = {s: fits for s, fits in lines.items() if all("p_value_rates" in f for f in fits)}
    if not lines:
        return ""
    levels = list(next(iter(lines.values()))[0]["p_value_rates"])
    header = ["set", "test normals", *[f"p <= {level} (seeds in the band)" for level in levels]]
    rows = []
    for name, fits in lines.items():
        row = [short(name), str(fits[0]["n_test_normals"])]
        for level in levels:
            share = np.mean([fit["p_value_rates"][level] for fit in fits])
            inside = sum(_side(fit, level) == 0 for fit in fits)
            row.append(f"{share:.3f} ({inside} of {len(fits)})")
        rows.append(row)
    return markdown_table(header, rows)


def _p_value_row(method: str, level: str, lines: list[Result]) -> list[str]:
    rates = [line["p_value_rates"][level] for line in lines]
    sides = [_side(line, level) for line in lines]
    sized = [line for line in lines if line.get("n_calibration")]
    exact = sum(_side(line, level, exact=True) == 0 for line in sized)
    row = [method, level, f"{np.mean(rates):.3f}", f"{sides.count(0)} of {len(sides)}"]
    row += [str(sides.count(1)), str(sides.count(-1)), f"{exact} of {len(sized)}"]
    means = [_mean(fits, level) for fits in _by_set(lines)]
    inside = sum(_side(mean, level) == 0 for mean in means)
    return [*row, f"{inside} of {len(means)}"]


def _by_set(lines: list[Result]) -> list[list[Result]]:
    names = dict.fromkeys(line["set"] for line in lines)
    return [[line for line in lines if line["set"] == name] for name in names]


def _mean(fits: list[Result], level: str) -> Result:
    """Return a result with the mean share of some fits, and test rows as of one of them."""
    share = float(np.mean([fit["p_value_rates"][level] for fit in fits]))
    return {"n_test_normals": fits[0]["n_test_normals"], "p_value_rates": {level: share}}


def _side(line: Result, level: str, *, exact: bool = False) -> int:
    """Return 0 when a count lies in its band, 1 above, -1 below."""
    n, alpha = line["n_test_normals"], float(level)
    count = round(line["p_value_rates"][level] * n)
    law = binom(n, alpha)
    if exact:
        size = line["n_calibration"] + 1
        rank = int(alpha * size + 1e-9)  # p <= alpha: among the `rank` highest of size
        if rank == 0:
            return int(count > 0)
        law = betabinom(n, rank, size - rank)
    low, high = law.interval(BAND)
    return int(count > high) - int(count < low)
