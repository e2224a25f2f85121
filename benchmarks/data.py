"""Data sets of the benchmarks, and how their rows are split."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.io import arff

Indices = NDArray[np.intp]
Loader = Callable[[], tuple[Any, NDArray[np.int64]]]
Splits = Callable[[int], "Split"]
SeededLoader = Callable[[int], tuple[Any, NDArray[np.int64]]]

MAX_ROWS = 10_000  # of a set; larger sets are subsampled
SUITES = ("classical", "oddbench", "features", "contaminated", "tables")
HALVES = Path(__file__).resolve().with_name("halves.json")
ADULT_COLUMNS = (
    *("age", "workclass", "fnlwgt", "education", "education-num", "marital-status"),
    *("occupation", "relationship", "race", "sex", "capital-gain", "capital-loss"),
    *("hours-per-week", "native-country", "income"),
)


@dataclass(frozen=True)
class Table:
    """Where a mixed table lies, and what in it is normal.

    Parameters
    ----------
    file : str
        Path below the folder of tables.
    target : str
        Column of the labels.
    normal : object
        Label of normal rows.
    drop : tuple of str
        Columns that number the rows, or give the label away.
    read : dict
        Options of `pandas.read_csv`, for a CSV file.
    """

    file: str
    target: str
    normal: object
    drop: tuple[str, ...] = ()
    read: tuple[tuple[str, Any], ...] = ()


TABLES = {
    "vehicle_insurance_fraud": Table(
        "vehicle_insurance_fraud.csv", "FraudFound_P", 0, drop=("PolicyNumber",)
    ),
    "ulb_creditcard": Table("ulb_creditcard_subset.csv", "Class", 0, drop=("Time", "source")),
    "hmeq": Table("hmeq.csv", "Default", 0),
    "adult": Table(
        "adult/adult-train.csv",
        "income",
        "<=50K",
        read=(
            ("header", None),
            ("names", ADULT_COLUMNS),
            ("na_values", "?"),
            ("skipinitialspace", True),
        ),
    ),
}

FIDELITY_TABLES = {name: TABLES[name] for name in ("adult", "vehicle_insurance_fraud", "hmeq")} | {
    "credit-g": Table("credit-g.arff", "class", "good"),
    "ulb_creditcard": TABLES["ulb_creditcard"],
    "fdh": Table("fdh_simulated_transactions.parquet", "TX_FRAUD", 0),
}
FIDELITY_ROWS = 40_000  # of a table from which training and held-out rows are drawn

OIL_SPILL = Table(
    "oil-spill.csv", "49", 0, read=(("header", None), ("names", tuple(map(str, range(50)))))
)
RARE_SHARE = 0.02  # of adult's rows that are left positive, where classes are to be rare
RARE_ROWS, RARE_COLUMNS = 6000, 100  # most of a table of numbers with a rare class
MOST_RARE = 0.35  # largest share of the rare class


@dataclass(frozen=True)
class Split:
    """Rows to train on and rows to score.

    Parameters
    ----------
    train, test : array or DataFrame
        Rows, of one type.
    y : array of shape (n_test,)
        Labels of `test`, 1 = anomaly.
    train_anomalies : int
        How many of the training rows are anomalies that nobody labelled.
    """

    train: Any
    test: Any
    y: NDArray[np.int64]
    train_anomalies: int = 0


def sets(suite: str, folder: Path) -> dict[str, Loader]:
    """Return what loads each set of a suite, by name.

    Raises
    ------
    FileNotFoundError
        If the folder holds none of the suite's sets.
    """
    if suite == "tables":
        found = {n: table for n, table in TABLES.items() if (folder / table.file).exists()}
        loaders = {name: _table_loader(table, folder) for name, table in found.items()}
    else:
        loaders = {file.stem: _npz_loader(file) for file in sorted(folder.glob("*.npz"))}
    if not loaders:
        raise FileNotFoundError(f"{folder} holds no set of the suite {suite!r}")
    return loaders


def splits(suite: str, folder: Path) -> dict[str, Splits]:
    """Return what splits each set of a suite by a seed; ODDBench's sets are split already.

    Raises
    ------
    FileNotFoundError
        If the folder holds none of the suite's sets.
    """
    loaders = sets(suite, folder)
    if suite == "oddbench":
        return {name: partial(_given_split, folder / f"{name}.npz") for name in loaders}
    return {name: partial(_split_by, load) for name, load in loaders.items()}


def chosen_half(suite: str) -> set[str]:
    """Return the sets on which defaults were chosen: half of the suite's, drawn at random."""
    found = json.loads(HALVES.read_text())
    return set(found.get(suite, ()))


def _given_split(file: Path, seed: int) -> Split:
    del seed
    with np.load(file) as data:
        train, test = data["a"].astype(np.float64), data["b"].astype(np.float64)
        return Split(train, test, data["y"].astype(np.int64))


def _split_by(load: Loader, seed: int) -> Split:
    return split(*load(), seed)


def augmentation_tables(folder: Path) -> dict[str, SeededLoader]:
    """Return what loads each table with a rare class; adult's is thinned out by the seed.

    Of a folder of .npz files, as ADBench's and ODDBench's, these are the tables: those of at most
    100 columns and 35 % anomalies, and 6,000 rows of larger ones.
    """
    if files := sorted(folder.glob("*.npz")):
        tables = {file.stem: _npz_loader(file)() for file in files}
        return {name: partial(_some, *table) for name, table in tables.items() if _is_rare(*table)}
    loaders: dict[str, SeededLoader] = {}
    for name, table in (TABLES | {"oil_spill": OIL_SPILL}).items():
        load = _table_loader(table, folder)
        share = RARE_SHARE if name == "adult" else None
        loaders[name] = lambda seed, load=load, share=share: _thinned(*load(), share, seed)  # type: ignore[misc]
    return loaders


def _is_rare(X: NDArray[np.float64], y: NDArray[np.int64]) -> bool:
    return X.shape[1] <= RARE_COLUMNS and bool(y.mean() <= MOST_RARE)


def _some(X: NDArray[np.float64], y: NDArray[np.int64], seed: int) -> Any:
    """Return at most `RARE_ROWS` of the rows, as a table."""
    frame = pd.DataFrame(X, columns=[f"c{j}" for j in range(X.shape[1])])
    if len(y) <= RARE_ROWS:
        return frame, y
    kept = np.sort(np.random.default_rng(seed).permutation(len(y))[:RARE_ROWS])
    return _rows(frame, kept), y[kept]


def _thinned(X: Any, y: NDArray[np.int64], share: float | None, seed: int) -> Any:
    """Leave out positive rows until they are `share` of all."""
    if share is None:
        return X, y
    normal, rare = np.flatnonzero(y == 0), np.flatnonzero(y == 1)
    n = round(len(normal) * share / (1 - share))
    kept = np.sort(np.append(normal, np.random.default_rng(seed).permutation(rare)[:n]))
    return _rows(X, kept), y[kept]


def split(X: Any, y: NDArray[np.int64], seed: int) -> Split:
    """Train on half of the normal rows; score the other half and all anomalies."""
    train, test = split_indices(y, seed)
    return Split(_rows(X, train), _rows(X, test), y[test])


def contaminated_pair(X: Any, y: NDArray[np.int64], seed: int, share: float) -> tuple[Split, Split]:
    """Return a split with normal training rows only, and one with `share` of anomalies.

    Both score the same rows: `split`'s without the anomalies that were moved.
    """
    train, test = split_indices(y, seed)
    moved = _anomalies_to_move(y, train, test, share, seed)
    left = np.setdiff1d(test, moved)
    mixed = np.random.default_rng([seed, 1]).permutation(np.concatenate([train, moved]))
    clean = Split(_rows(X, train), _rows(X, left), y[left])
    return clean, Split(_rows(X, mixed), clean.test, clean.y, train_anomalies=len(moved))


def split_indices(y: NDArray[np.int64], seed: int) -> tuple[Indices, Indices]:
    """Return the rows to train on and those to score, of at most `MAX_ROWS`."""
    random = np.random.default_rng(seed)
    kept = random.permutation(len(y))[:MAX_ROWS] if len(y) > MAX_ROWS else np.arange(len(y))
    normal = random.permutation(np.flatnonzero(y[kept] == 0))
    train = normal[: len(normal) // 2]
    test = np.setdiff1d(np.arange(len(kept)), train)
    return kept[train], kept[test]


def _anomalies_to_move(
    y: NDArray[np.int64], train: Indices, test: Indices, share: float, seed: int
) -> Indices:
    anomalies = test[y[test] == 1]
    n = min(round(share / (1 - share) * len(train)), len(anomalies) // 2)
    return np.random.default_rng([seed, 0]).choice(anomalies, n, replace=False)


def _rows(X: Any, indices: Indices) -> Any:
    if isinstance(X, pd.DataFrame):
        return X.iloc[indices].reset_index(drop=True)
    return X[indices]


def _npz_loader(file: Path) -> Loader:
    def load() -> tuple[Any, NDArray[np.int64]]:
        with np.load(file) as data:
            X = data["X" if "X" in data else "b"]  # in ODDBench's files b are the labelled rows
            return X.astype(np.float64), data["y"].astype(np.int64)

    return load


def load_table(table: Table, folder: Path) -> pd.DataFrame:
    """Return a table with its labels, without the columns that give them away."""
    file = folder / table.file
    if file.suffix == ".parquet":
        frame = pd.read_parquet(file)
    elif file.suffix == ".arff":
        frame = pd.DataFrame(arff.loadarff(file)[0])
        frame = frame.map(lambda value: value.decode() if isinstance(value, bytes) else value)
    else:
        frame = pd.read_csv(file, **dict(table.read))
    return frame.drop(columns=list(table.drop))


def halves(frame: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return as many training as held-out rows, `MAX_ROWS` of each or half of the table."""
    if len(frame) > FIDELITY_ROWS:
        frame = frame.iloc[np.random.default_rng(seed).permutation(len(frame))[:FIDELITY_ROWS]]
    order = np.random.default_rng(seed).permutation(len(frame))
    n = min(MAX_ROWS, len(frame) // 2)
    train, held_out = (_rows(frame, np.sort(part)) for part in (order[:n], order[n : 2 * n]))
    return train, held_out


def _table_loader(table: Table, folder: Path) -> Loader:
    def load() -> tuple[Any, NDArray[np.int64]]:
        frame = load_table(table, folder)
        y = (frame[table.target] != table.normal).to_numpy(np.int64)
        return frame.drop(columns=table.target), y

    return load
