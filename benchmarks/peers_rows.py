"""New rows of one peer: reads training rows, fits the peer, writes rows, prints its CPU seconds.

    python benchmarks/peers_rows.py PEER TRAIN.parquet NEW.parquet --target T --rows N [--seed S]

It needs no augan, so that the peers can be in an environment of their own. The target is a category
to all peers. All of them but mostlyai-engine, which takes tables as they are, get dates as seconds,
the median in place of missing numbers and a column of texts that says where these were, and
"missing" as a category; what is missing is so again in the new rows. Numbers of all peers' rows are
rounded to the decimals of the training rows.

- SMOTENC (imbalanced-learn; SMOTE where there are no categories): each class is doubled, and only
  the new rows are taken.
- CTGAN: its defaults, 300 epochs.
- arfpy: its defaults.
- mostlyai-engine: its defaults, rare categories are replaced; trained for 10 minutes at most.
- ForestDiffusion: flow. Its default (50 steps of time, each row repeated 100 times) takes hours,
  and so do 20 of both. There are 5 to 20 steps, fewer for more columns of numbers and categories,
  and 3 to 20 repeats, fewer for more rows: about 10 CPU minutes, or an hour for 100 columns.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from measuring import timed

MISSING = "(missing)"
MOST_DECIMALS = 10  # that numbers are rounded to
NEIGHBOURS = 5  # of SMOTE
MINUTES = 10  # to train mostlyai-engine
STEPS, STEPS_TIMES_COLUMNS = (5, 20), 400  # of ForestDiffusion
REPEATS, REPEATS_TIMES_ROWS = (1, 20), 30_000
Draw = Callable[[int], pd.DataFrame]


def main() -> None:
    arguments = _arguments()
    sys.stdout = sys.stderr  # some peers print
    train = pd.read_parquet(arguments.train)
    peer = PEERS[arguments.peer]
    given, restore = prepare(train, arguments.target, fill=peer.fills)
    np.random.seed(arguments.seed)  # noqa: NPY002 (the stream that most peers draw from)
    fitting, draw = timed("fit", peer.fit, given, arguments.target, arguments.seed)
    drawing, rows = timed("sample", draw, arguments.rows)
    restore(rows)[list(train)].to_parquet(arguments.new)
    print(
        json.dumps(fitting | drawing | {"peer_version": version(peer.package)}), file=sys.__stdout__
    )


def prepare(
    train: pd.DataFrame, target: str, *, fill: bool
) -> tuple[pd.DataFrame, Callable[[pd.DataFrame], pd.DataFrame]]:
    """Return rows that a peer can learn from, and a function that undoes the change in new rows.

    Parameters
    ----------
    train : DataFrame
        Training rows.
    target : str
        Column of the labels, which become texts.
    fill : bool
        Whether to replace missing values and dates.
    """
    labels = {str(label): label for label in train[target].unique()}
    decimals = {name: _decimals(train[name]) for name in train.select_dtypes("number")}
    given = train.assign(**{target: train[target].map(str).astype(object)})
    dates = list(given.select_dtypes("datetime")) if fill else []
    marks = [name for name in given if fill and not _is_text(given[name]) and given[name].hasnans]
    if fill:
        given = pd.DataFrame({name: _filled(given[name]) for name in given})
        for name in marks:
            given[f"{MISSING} {name}"] = train[name].isna().map(str).astype(object)

    def restore(rows: pd.DataFrame) -> pd.DataFrame:
        rows = pd.DataFrame({name: _plain(rows[name]) for name in rows})
        for name, n in decimals.items():
            if name != target:
                rows[name] = rows[name].round(n)
        for name in dates:
            rows[name] = pd.to_datetime(rows[name], unit="s").astype("datetime64[ns]")
        for name in marks:
            rows[name] = rows[name].where(rows[f"{MISSING} {name}"] != str(True))
        rows[target] = rows[target].map(labels)
        return rows

    return given, restore


def _decimals(column: pd.Series) -> int:
    """Return the decimals of a column's numbers."""
    known = column.dropna()
    return next(
        (n for n in range(MOST_DECIMALS) if np.allclose(known, known.round(n), rtol=1e-12)), 15
    )


def _is_text(column: pd.Series) -> bool:
    dates = pd.api.types.is_datetime64_any_dtype(column)
    return not dates and not pd.api.types.is_numeric_dtype(column)


def _filled(column: pd.Series) -> pd.Series:
    """Return a column of integers, floats or texts with nothing missing."""
    if pd.api.types.is_datetime64_any_dtype(column):
        column = (column - pd.Timestamp(0)).dt.total_seconds()
    if not pd.api.types.is_numeric_dtype(column):
        return column.astype(object).where(column.notna(), MISSING).map(str).astype(object)
    column = column.astype("float64").fillna(column.median())
    return column.astype("int64") if (column % 1 == 0).all() else column


def _plain(column: pd.Series) -> pd.Series:
    """Return a column of numpy's numbers or dates, or of texts with None where one is missing."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return column.astype("datetime64[ns]")
    if pd.api.types.is_numeric_dtype(column):
        whole = pd.api.types.is_integer_dtype(column) and column.notna().all()
        return column.astype("int64" if whole else "float64")
    texts = column.astype(object)
    return texts.where(texts.notna() & (texts != MISSING), None)


def _texts(rows: pd.DataFrame) -> list[str]:
    return [name for name in rows if not pd.api.types.is_numeric_dtype(rows[name])]


def _smotenc(rows: pd.DataFrame, target: str, seed: int) -> Draw:
    """Prepare SMOTENC, which takes numbers as floats.

    Where all numbers are integers it would weigh categories by an integer, 0, and draw them at
    random. Integers are cut from its floats as it does itself for columns of integers.
    """
    from imblearn.over_sampling import SMOTE, SMOTENC

    X, y = rows.drop(columns=target), rows[target]
    types = X.dtypes
    X = X.astype(dict.fromkeys(X.select_dtypes("number"), "float64"))
    counts = y.value_counts()
    options = {
        "random_state": seed,
        "k_neighbors": min(NEIGHBOURS, int(counts.min()) - 1),
        "sampling_strategy": {label: 2 * n for label, n in counts.items()},
    }
    texts = _texts(X)

    def draw(n: int) -> pd.DataFrame:
        sampler = SMOTENC(texts, **options) if texts else SMOTE(**options)
        both, labels = sampler.fit_resample(X, y)
        new = both.astype(types).assign(**{target: labels})
        return new.iloc[len(X) :][:n].reset_index(drop=True)

    return draw


def _ctgan(rows: pd.DataFrame, target: str, seed: int) -> Draw:
    import torch
    from ctgan import CTGAN

    torch.manual_seed(seed)
    model = CTGAN(enable_gpu=False)
    model.fit(rows, _texts(rows))
    return model.sample


def _arfpy(rows: pd.DataFrame, target: str, seed: int) -> Draw:
    from arfpy import arf

    model = arf.arf(x=rows, verbose=False, random_state=seed)
    model.forde()
    return model.forge


def _mostlyai(rows: pd.DataFrame, target: str, seed: int) -> Draw:
    from mostlyai import engine

    engine.set_random_state(seed)
    folder = tempfile.TemporaryDirectory()
    where = {"workspace_dir": folder.name}
    engine.split(rows, **where)
    engine.analyze(**where)
    engine.encode(**where)
    engine.train(max_training_time=MINUTES, device="cpu", **where)

    def draw(n: int) -> pd.DataFrame:
        engine.generate(sample_size=n, device="cpu", **where)
        with folder as opened:
            return pd.read_parquet(Path(opened) / "SyntheticData")

    return draw


def _forest_diffusion(rows: pd.DataFrame, target: str, seed: int) -> Draw:
    """Fit ForestDiffusion to codes of the texts.

    Numbers come first, then columns of two categories, then others: it looks for its own columns by
    the ends of their names ("1_2" is also in "11_2"), which are of one length so.
    """
    from ForestDiffusion import ForestDiffusionModel

    texts = _texts(rows)
    numbers = [name for name in rows if name not in texts]
    codes = {name: pd.factorize(rows[name], sort=True) for name in texts}
    pairs = [name for name in texts if len(codes[name][1]) <= 2]
    order = [*numbers, *pairs, *(name for name in texts if name not in pairs)]
    columns = [codes[name][0] if name in codes else rows[name] for name in order]
    start = len(numbers) + len(pairs)
    n_columns = start + sum(len(codes[name][1]) - 1 for name in order[start:])
    steps, repeats = _forest_sizes(n_columns, len(rows))
    model = ForestDiffusionModel(
        np.column_stack(columns).astype("float64"),
        n_t=steps,
        duplicate_K=repeats,
        diffusion_type="flow",
        cat_indexes=list(range(start, len(order))),
        bin_indexes=list(range(len(numbers), start)),
        int_indexes=[i for i, name in enumerate(numbers) if rows[name].dtype == "int64"],
        n_jobs=1,
        seed=seed,
    )

    def draw(n: int) -> pd.DataFrame:
        made = pd.DataFrame(model.generate(batch_size=n), columns=order)
        for name, (_, values) in codes.items():
            made[name] = np.asarray(values)[made[name].round().astype(int)]
        return made

    return draw


def _forest_sizes(n_columns: int, n_rows: int) -> tuple[int, int]:
    """Return the steps of time and how often each row is repeated."""
    steps = np.clip(STEPS_TIMES_COLUMNS // n_columns, *STEPS)
    return int(steps), int(np.clip(REPEATS_TIMES_ROWS // n_rows, *REPEATS))


@dataclass(frozen=True)
class Peer:
    """How a peer is fitted.

    Parameters
    ----------
    package : str
        Distribution that it comes from.
    fit : callable
        Returns what draws rows, from training rows, the name of the target and a seed.
    fills : bool
        Whether missing values and dates are replaced for it.
    """

    package: str
    fit: Callable[[pd.DataFrame, str, int], Any]
    fills: bool = True


PEERS = {
    "CTGAN": Peer("ctgan", _ctgan),
    "SMOTENC": Peer("imbalanced-learn", _smotenc),
    "arfpy": Peer("arfpy", _arfpy),
    "ForestDiffusion": Peer("ForestDiffusion", _forest_diffusion),
    "mostlyai-engine": Peer("mostlyai-engine", _mostlyai, fills=False),
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("peer", choices=PEERS)
    add("train", type=Path, help="Parquet file to read")
    add("new", type=Path, help="Parquet file to write")
    add("--target", required=True, help="column of the labels")
    add("--rows", type=int, required=True, help="how many new ones")
    add("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    main()
