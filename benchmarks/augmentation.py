"""What classifiers gain from new rows of a rare class: augan, imbalanced-learn, CTGAN.

Protocol: 60 % of a table are training rows (a fifth of them only for the threshold of F1), the
rest are test rows at their own prevalence. All training rows of the rare class are used, or 100, 50
or 20 of them. New rows balance the classes; "augan tuned" chooses their number by cross-validation
on the training rows. The metric is the average precision of a logistic regression, a random forest
and histogram boosting. Each classifier is a line of results/augmentation.jsonl; a stopped run can
be continued.

    python benchmarks/augmentation.py --data DIR [--cuts 0 100 50 20] [--seeds 5] [--strategies ...]
    python benchmarks/augmentation.py --report

With a folder of .npz files as DIR, such as ADBench's, these are the tables; give such runs a file
of their own (--results).

CTGAN (Business Source License, only compared with) is trained on all rows for its default 300
epochs and samples rows of the rare class, or is trained on the rare rows alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from data import augmentation_tables
from formatting import markdown_table
from imblearn.over_sampling import ADASYN
from measuring import timed
from numpy.typing import NDArray
from results import FOLDER, Result, read
from running import add_common_options, add_parts, parse, run, run_missing, threads
from scipy import stats

from augan import GANSampler
from augan.evaluation.strategies import Strategy, build_strategies, impute
from augan.evaluation.strategy_trial import Parts, split_rows, try_strategy

KEY = ("set", "cut", "seed", "strategy", "classifier")
CUTS = (0, 100, 50, 20)  # rows of the rare class to train on; 0: all
CTGAN_ALL, CTGAN_RARE = "CTGAN (all rows)", "CTGAN (rare rows)"
CONFIDENCE = 0.95
FEW_SETS = 8  # more are summed up in the report
LOSS = 0.01  # of average precision; tables with a larger one are counted
MIN_RARE = 20  # rows of the rare class to train on
MAX_DRAWS = 1000  # of rows from CTGAN, until enough are of the class


def main() -> None:
    arguments = _arguments()
    file = arguments.results or FOLDER / "augmentation.jsonl"
    if not arguments.report:
        with threads(arguments.threads):
            run_missing(file, _jobs(arguments), measure, key=KEY[:-1], fresh=arguments.fresh)
    print(_report(read(file, KEY), arguments.cuts, arguments.strategies or list(strategies())))


def strategies() -> dict[str, Strategy]:
    """Return the strategies that are compared, by name."""
    return build_strategies(GANSampler()) | {
        "ADASYN": Strategy(_adasyn, encoded=True),
        CTGAN_RARE: Strategy(_ctgan_of_rare_rows),
        CTGAN_ALL: Strategy(_ctgan_of_all_rows),
    }


def measure(job: Result, parts: Parts) -> list[Result]:
    """Return the figures of one strategy on one split, a line for each classifier."""
    seconds: list[Result] = []
    strategy = strategies()[job["strategy"]]

    def resample(X: Any, y: NDArray[np.bool_], seed: int) -> Any:
        assert strategy.resample is not None
        taken, made = timed("fit", strategy.resample, X, y, seed)
        seconds.append(taken)
        return made

    timed_strategy = (
        Strategy(resample, strategy.class_weight, strategy.encoded)
        if strategy.resample
        else strategy
    )
    lines, _ = try_strategy(timed_strategy, parts, job["seed"])
    names = {"average_precision": "ap"}
    taken = seconds[0] if seconds else {}
    return [
        {names.get(k, k): round(v, 6) if isinstance(v, float) else v for k, v in line.items()}
        | taken
        for line in lines
    ]


def _jobs(arguments: argparse.Namespace) -> Iterator[tuple[Result, Parts]]:
    tables = list(augmentation_tables(arguments.data).items())
    for seed in range(arguments.seeds):
        for cut in arguments.cuts:
            for name, load in tables[arguments.part :: arguments.parts]:
                if arguments.sets and name not in arguments.sets:
                    continue
                X, y = load(seed)
                parts = split_rows(X, y == 1, seed, cut or None)
                n_rare = int(parts.y_train.sum())
                if n_rare < max(cut, MIN_RARE):
                    continue
                for strategy in arguments.strategies or strategies():
                    counts = {"n_train": len(parts.train), "n_rare": n_rare}
                    job = {"set": name, "cut": cut, "seed": seed, "strategy": strategy}
                    yield job | counts, parts


def _adasyn(X: Any, y: NDArray[np.bool_], seed: int) -> Any:
    neighbours = min(5, int(y.sum()) - 1)
    return ADASYN(random_state=seed, n_neighbors=neighbours).fit_resample(X, y)


def _ctgan_of_all_rows(X: pd.DataFrame, y: NDArray[np.bool_], seed: int) -> Any:
    """Train on all rows, the class one of their columns; keep what is of the rare class."""
    filled, restore = whole_numbers(X)
    filled["class"] = np.where(y, "rare", "other").astype(object)
    model = ctgan_of(filled, seed)

    def draw(n: int) -> pd.DataFrame:
        made = model.sample(n, "class", "rare")
        return made[made["class"] == "rare"].drop(columns="class")

    return _balanced(X, y, draw, restore)


def _ctgan_of_rare_rows(X: pd.DataFrame, y: NDArray[np.bool_], seed: int) -> Any:
    filled, restore = whole_numbers(X)
    model = ctgan_of(filled[y].reset_index(drop=True), seed)
    return _balanced(X, y, model.sample, restore)


def whole_numbers(
    X: pd.DataFrame,
) -> tuple[pd.DataFrame, Callable[[pd.DataFrame], pd.DataFrame]]:
    """Return a table as `impute` does, whole numbers as integers, which CTGAN rounds to."""
    filled, restore = impute(X)
    for name in filled.select_dtypes("number"):
        if (filled[name] % 1 == 0).all():
            filled[name] = filled[name].astype("int64")
    return filled, restore


def ctgan_of(rows: pd.DataFrame, seed: int) -> Any:
    """Return a CTGAN that has learned rows without missing values."""
    import torch
    from ctgan import CTGAN

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002  CTGAN draws from the global generators
        model = CTGAN(enable_gpu=False)
        model.fit(rows, [name for name in rows if rows[name].dtype == object])
    return model


def _balanced(
    X: pd.DataFrame,
    y: NDArray[np.bool_],
    draw: Callable[[int], pd.DataFrame],
    restore: Callable[[pd.DataFrame], pd.DataFrame],
) -> tuple[pd.DataFrame, NDArray[np.bool_]]:
    """Return rows and as many new ones as the rare class is short of."""
    wanted, found, pieces = int((~y).sum() - y.sum()), 0, []
    for _ in range(MAX_DRAWS):
        pieces.append(draw(2 * wanted))
        found += len(pieces[-1])
        if found >= wanted:
            break
    else:
        raise RuntimeError(f"{found} rows of the rare class in {MAX_DRAWS} draws")
    new = restore(pd.concat(pieces, ignore_index=True).iloc[:wanted])
    return pd.concat([X, new], ignore_index=True), np.append(y, np.ones(wanted, bool))


def _report(results: list[Result], cuts: list[int], shown: list[str]) -> str:
    """Return the tables in Markdown, one for each number of rare rows."""
    lines = pd.DataFrame([result for result in results if "error" not in result])
    blocks = []
    for cut in cuts:
        rows = lines[(lines["cut"] == cut) & lines["strategy"].isin(["none", *shown])]
        if "none" in set(rows["strategy"]):  # which the others are compared with
            title = f"{cut} rows of the rare class" if cut else "all rows of the rare class"
            blocks += [f"{title}, {rows['seed'].nunique()} seeds", _table(rows, shown)]
    errors = [
        f"{r['set']}, {r['cut']}, {r['strategy']}: {r['error']}" for r in results if "error" in r
    ]
    return "\n\n".join(blocks + sorted(set(errors)))


def _table(rows: pd.DataFrame, shown: list[str]) -> str:
    """Return the mean average precision of each strategy and set, and its gain over "none".

    If a strategy has not been run with every seed, the gain is the mean over the seeds that it was
    run with, and its name says how many runs there are.
    """
    scores = rows.pivot_table(index=["set", "seed"], columns="strategy", values="ap")
    gains = scores.sub(scores["none"], axis=0)
    if rows["set"].nunique() > FEW_SETS:
        return _summary(gains, rows, shown)
    recall = rows.pivot_table(
        index=["set", "seed"], columns="strategy", values="recall_at_1pct_fpr"
    )
    recall = recall.sub(recall["none"], axis=0)
    by_set = (
        gains.groupby(level="set").mean().add(scores["none"].groupby(level="set").mean(), axis=0)
    )
    cells = []
    for strategy in [strategy for strategy in shown if strategy in scores]:
        known = by_set[strategy]
        n_runs = int(scores[strategy].notna().sum())
        name = strategy if n_runs == len(scores) else f"{strategy}, {n_runs} of {len(scores)} runs"
        row = [name, *(f"{v:.3f}" if np.isfinite(v) else "" for v in known)]
        row.append(f"{known.mean():.3f}" if known.notna().all() else "")
        for figure in () if strategy == "none" else (gains, recall):
            row.append(_gain(figure[strategy], n_runs == len(scores)))
        cells.append(row + [""] * (len(by_set) + 4 - len(row)))
    header = ["AP", *by_set.index, "mean", "gain over none", "gain in recall"]
    return markdown_table(header, cells)


def _summary(gains: pd.DataFrame, rows: pd.DataFrame, shown: list[str]) -> str:
    """Return the gain of each strategy over many tables, and how many of them lose."""
    recall = rows.pivot_table(index="set", columns="strategy", values="recall_at_1pct_fpr")
    cells = []
    for strategy in [strategy for strategy in shown if strategy in gains and strategy != "none"]:
        by_set = gains[strategy].dropna().groupby(level="set").mean()
        found = (recall[strategy] - recall["none"]).mean()
        mean, error = by_set.mean(), by_set.sem()
        n_losses = f"{(by_set < -LOSS).sum()} of {len(by_set)}"
        worst = f"{by_set.min():+.3f} ({by_set.idxmin()})"
        cells.append([strategy, f"{mean:+.3f} ± {error:.3f}", f"{found:+.3f}", n_losses, worst])
    header = ["AP", "mean gain, standard error", "gain in recall at 1 % false positives"]
    return markdown_table([*header, f"tables that lose more than {LOSS}", "worst"], cells)


def _gain(gains: pd.Series, complete: bool) -> str:
    """Return the mean gain over sets, with Student's interval over seeds if all were run."""
    mean = gains.groupby(level="set").mean().mean()
    by_seed = gains.groupby(level="seed").mean()
    if not complete or len(by_seed) < 2:
        return f"{mean:+.3f}"
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(by_seed) - 1) * by_seed.sem()
    return f"{mean:+.3f} ± {half:.3f}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_common_options(parser)
    add_parts(parser)
    add = parser.add_argument
    add("--sets", nargs="+", metavar="SET", help="all if not given")
    add("--cuts", nargs="+", type=int, default=list(CUTS), help="rows of the rare class; 0: all")
    add("--seeds", type=int, default=5, help="how many, from 0 on")
    add(
        "--strategies",
        nargs="+",
        choices=list(strategies()),
        metavar="STRATEGY",
        help="all if not given",
    )
    return parse(parser)


if __name__ == "__main__":
    run(main)
