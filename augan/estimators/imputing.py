"""Imputation by a fitted sampler: missing values of rows, drawn from its column model."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted, column_or_1d

from augan._callers import caller_level
from augan._random import draw_seed, torch_stream
from augan.checks import check_arguments
from augan.codecs.cells import category_codes, codes_by_key
from augan.codecs.columns import Column
from augan.codecs.drift import warn_of_drift
from augan.codecs.filled import filled
from augan.estimators.sampling import SamplingMixin
from augan.exceptions import DataError, DataWarning, ParameterError, listed, shown
from augan.frames import like
from augan.inputs.reading import Data, read_like_training
from augan.sampling.column_rows import ColumnRows
from augan.sampling.imputing import Imputer
from augan.sampling.known_relations import KnownRelations

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class ImputingMixin(SamplingMixin):
    """Mixin of samplers whose column model can draw missing values."""

    def impute(self, X: Any, n: int = 1, *, y: Any = None, random_state: Any = None) -> Any:
        """Return rows whose missing values are drawn, given the values of the row that are known.

        The values are draws of the any-order column model (``method="columns"``), not means: the
        columns of the rows keep their distributions and dependences. For analyses that need an
        estimate of their own uncertainty, ask for several tables, compute the analysis on each and
        pool the results (multiple imputation [1]_); for the best guess of a number, take the mean
        of several draws.

        Known values are returned as they are. A drawn value is never missing, even if the column
        had missing values in training; only columns without any value in training stay missing.
        Values that did not occur in training are known as the nearest number, and unknown
        categories as nothing. Drawn values obey the relations between columns (`relations_`) where
        the known values of the row allow it.

        Parameters
        ----------
        X : DataFrame, frame of another library, or array-like of shape (n_rows, d)
            Rows with the columns of training. Any values of a row may be missing.
        n : int, default=1
            Number of imputations.
        y : array-like of shape (n_rows,), optional
            Classes of the rows, which are taken into account; None or NaN where unknown. Without
            `y` no class is known.
        random_state : int, RandomState or None, default=None
            Seed; ``None`` is the constructor's `random_state`. The first table does not depend
            on `n`.

        Returns
        -------
        X_imputed : same type as X, or list of it
            The rows, with the columns, dtypes and index of `X`. With `n` above 1 a list of `n`
            tables, since analyses are made with each of them. A dtype that cannot hold the values,
            such as that of an empty column of texts, changes to that of training.

        Raises
        ------
        ParameterError
            If the sampler was fitted with another method than "columns", or `n` is no integer of
            at least 1.
        DataError
            If the rows do not have the columns of training, a value cannot be read, or `y` has a
            class that does not occur in training; the message names it.

        References
        ----------
        .. [1] Rubin. "Multiple imputation for nonresponse in surveys." Wiley, 1987.

        Examples
        --------
        >>> import numpy as np
        >>> from augan import GANSampler
        >>> X = np.random.default_rng(0).normal(size=(120, 1)) + [0.0, 5.0]
        >>> y = np.repeat([0, 1], 60)
        >>> sampler = GANSampler(method="columns", max_steps=100, random_state=0).fit(X, y)
        >>> sampler.impute([[0.1, np.nan], [np.nan, 4.0]]).shape
        (2, 2)
        """
        check_is_fitted(self, "model_")
        check_arguments(n=n, random_state=random_state)
        columns = self._model().columns
        if columns is None:
            asked = self.model_.config.method
            raise ParameterError(
                f"impute: the sampler was fitted with method={shown(asked)}; only "
                "method='columns' can draw missing values"
            )
        own, data = columns.model.codec, read_like_training(X, self, self.codec_)
        raw = own.prepare(data).numpy()
        classes = self._classes_of(y, len(raw))
        warn_of_drift([replace(one, missing_share=None) for one in own.columns], data, raw)
        absent = _absent(data, raw, own.columns)
        _warn_of_empty(own.columns, absent)
        seed = draw_seed(self.random_state if random_state is None else random_state)
        draw = partial(_draw, columns, raw, absent, classes)
        tables = (_with_values(data, absent, draw(seed, i), own.columns) for i in range(n))
        given_back = [like(one, X) if isinstance(one, pd.DataFrame) else one for one in tables]
        return given_back[0] if n == 1 else given_back

    def _classes_of(self, y: Any, n_rows: int) -> Array:
        """Return the number of the class of each row, NaN if it is not known."""
        if y is None:
            return np.full(n_rows, np.nan)
        if np.ndim(y) == 0 or isinstance(y, str):
            raise DataError(f"y is {shown(y)}: one label per row is required")
        labels = np.asarray(column_or_1d(np.asarray(y, dtype=object)), dtype=object)
        if len(labels) != n_rows:
            raise DataError(f"y has {len(labels)} labels for {n_rows} rows")
        known = tuple(self.classes_.tolist())
        codes = category_codes(pd.Series(labels), codes_by_key(known), len(known))
        if (wrong := codes == len(known)).any():
            row = int(wrong.argmax())
            raise DataError(
                f"y, row {row}: no class {shown(labels[row])} in training; it had {listed(known)}"
            )
        return codes


def _draw(
    columns: ColumnRows, raw: Array, absent: Mask, classes: Array, seed: int, i: int
) -> Array:
    """Return the raw rows (n, d) of imputation `i`."""
    rows = np.column_stack([raw, classes])
    missing = np.column_stack([absent, np.isnan(classes)])
    imputer = Imputer(columns.model, KnownRelations(columns.relations))
    return imputer.impute(rows, missing, torch_stream(seed, f"impute {i}"))[:, :-1]


def _absent(data: Data, raw: Array, columns: list[Column]) -> Mask:
    """Return which cells (n, d) are missing."""
    frame = data if isinstance(data, pd.DataFrame) else pd.DataFrame(data)
    cells = [column.is_missing(raw[:, i], frame.iloc[:, i]) for i, column in enumerate(columns)]
    return np.column_stack(cells)


def _warn_of_empty(columns: list[Column], absent: Mask) -> None:
    """Warn of missing values in columns that had no value in training."""
    empty = [c.name for i, c in enumerate(columns) if _is_empty(c) and absent[:, i].any()]
    if empty:
        warnings.warn(
            f"column {listed(map(shown, empty))} had no value in training: its missing values stay",
            DataWarning,
            stacklevel=caller_level(),
        )


def _is_empty(column: Any) -> bool:
    return column.kind == "constant" and column.value is None


def _with_values(data: Data, absent: Mask, raw: Array, columns: list[Column]) -> Data:
    """Return rows with values for missing cells; those of a constant column are the constant."""
    cells: dict[int, tuple[NDArray[np.intp], Array]] = {}
    for i, column in enumerate(columns):
        rows = np.flatnonzero(absent[:, i])
        if len(rows) and not _is_empty(column):
            cells[i] = rows, raw[rows, i] if column.kind != "constant" else np.zeros(len(rows))
    if isinstance(data, pd.DataFrame):
        parts = {
            i: filled(data.iloc[:, i], *cells[i], columns[i]) if i in cells else data.iloc[:, i]
            for i in range(data.shape[1])
        }
        frame = pd.DataFrame(parts, index=data.index)
        return frame.set_axis(data.columns, axis=1)
    return _array_with_values(data, cells, columns)


def _array_with_values(
    data: NDArray[Any], cells: dict[int, tuple[NDArray[np.intp], Array]], columns: list[Column]
) -> NDArray[Any]:
    """Return an array with values for missing cells; of objects, if its dtype cannot hold them."""
    found = {i: columns[i].from_raw(raw).to_numpy(object) for i, (_, raw) in cells.items()}
    array = data.copy()
    try:
        for i, values in found.items():
            array[cells[i][0], i] = values
    except (TypeError, ValueError):
        array = data.astype(object)
        for i, values in found.items():
            array[cells[i][0], i] = values
    return array
