"""Pictures of new rows: pairs of columns of real rows, of augan's and of CTGAN's, and some rows.

    python benchmarks/row_pictures.py --data DIR --out docs/rows.png [--peers-python PATH]

The picture shows the table "hmeq", held-out rows on the left; the rows, which are printed in
Markdown, are of "adult". Both samplers learn from half of a table, at most 10,000 rows.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from data import FIDELITY_TABLES, halves, load_table
from fidelity import rows_of_augan, rows_of_peer
from formatting import markdown_table

PAIRS = (("Value", "Mortgage"), ("Value", "Loan"), ("CLAGE", "CLNO"), ("DEBTINC", "YOJ"))
COLOURS = {0: "#3b6ea5", 1: "#d1495b"}
N_POINTS, N_ROWS = 1500, 6  # in a panel, and of each kind in the table
SHOWN = ["age", "workclass", "education", "education-num", "occupation", "hours-per-week", "income"]


def main() -> None:
    arguments = _arguments()
    train, held_out = halves(load_table(FIDELITY_TABLES["hmeq"], arguments.data), 0)
    job = {"set": "hmeq", "seed": 0}
    kinds = {
        "held-out rows": held_out,
        "augan": rows_of_augan(job | {"method": "augan"}, train)[0],
        "CTGAN": rows_of_peer(job | {"method": "CTGAN"}, train, arguments.peers_python, 1)[0],
    }
    draw_pairs(kinds, FIDELITY_TABLES["hmeq"].target, arguments.out)
    train, _ = halves(load_table(FIDELITY_TABLES["adult"], arguments.data), 0)
    new, _ = rows_of_augan({"set": "adult", "seed": 0, "method": "augan"}, train)
    print(table_of_rows({"real": train, "new": new}))


def draw_pairs(kinds: dict[str, pd.DataFrame], target: str, path: Path) -> None:
    """Draw pairs of columns, a row of panels each, of several kinds of rows, coloured by class."""
    figure, panels = plt.subplots(
        len(PAIRS), len(kinds), figsize=(9, 10), sharex="row", sharey="row", layout="constrained"
    )
    for (x, y), line in zip(PAIRS, panels, strict=True):
        real = next(iter(kinds.values()))
        for (name, rows), panel in zip(kinds.items(), line, strict=True):
            part = rows.sample(min(N_POINTS, len(rows)), random_state=0)
            colours = part[target].map(COLOURS)
            panel.scatter(part[x], part[y], s=3, c=colours, alpha=0.5, linewidths=0)
            panel.set_xlim(*_limits(real[x]))
            panel.set_ylim(*_limits(real[y]))
            panel.set_xlabel(x)
            panel.spines[["top", "right"]].set_visible(False)
            if panel in panels[0]:
                panel.set_title(name)
        line[0].set_ylabel(y)
    figure.savefig(path, dpi=110)


def table_of_rows(kinds: dict[str, pd.DataFrame]) -> str:
    """Return some rows of each kind, drawn at random, in Markdown."""
    lines = []
    for name, rows in kinds.items():
        part = rows.sample(N_ROWS, random_state=0)[SHOWN]
        lines += [[name, *map(str, row)] for row in part.itertuples(index=False)]
    return markdown_table(["", *SHOWN], lines)


def _limits(column: pd.Series) -> tuple[float, float]:
    """Return limits that leave out the most extreme real values."""
    low, high = np.nanquantile(column, [0.002, 0.995])
    return low - 0.03 * (high - low), high + 0.03 * (high - low)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the tables")
    parser.add_argument("--out", type=Path, required=True, help="PNG file")
    parser.add_argument("--peers-python", type=Path, default=Path(sys.executable))
    return parser.parse_args()


if __name__ == "__main__":
    main()
