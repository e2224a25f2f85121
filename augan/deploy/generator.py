"""`OnnxGenerator`: an exported generator that makes rows or images, without torch."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from augan.codecs.origin import from_json
from augan.deploy.column_draws import ColumnDraws
from augan.deploy.raw import ImageForm, TableForm, form_of
from augan.deploy.session import Session
from augan.exceptions import ParameterError, shown
from augan.frames import PANDAS, given_back
from augan.sampling.conditions import read_conditions

CHUNK = 1024  # rows per run of the graph
MAX_ROWS = 10**9  # per call of `sample`


class OnnxGenerator:
    """Generator that runs a file written by ``export_onnx``, without torch.

    Parameters
    ----------
    path : path-like
        A file that was exported with ``part="generator"``.
    providers, threads, io_binding
        As in `OnnxDetector`.

    Attributes
    ----------
    latent_dim : int or None
        Dimensions of a latent; None for a column model, which has none.
    metadata_ : dict
        The metadata in the file.

    Raises
    ------
    ModelFileError
        If the file cannot be read or is not a generator exported by augan.
    ParameterError
        If a parameter has an invalid value, or a provider is not available.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        providers: str | Sequence[str] = "auto",
        threads: int | None = None,
        io_binding: bool | None = None,
    ) -> None:
        self._session = Session(
            path,
            part="generator",
            providers=providers,
            threads=threads,
            io_binding=io_binding,
        )
        self.metadata_ = self._session.metadata
        self.latent_dim: int | None = self.metadata_.get("latent_dim")
        self.codec_: TableForm | ImageForm = form_of(self.metadata_)
        classes = self.metadata_.get("classes")
        if classes is not None:
            self.classes_ = np.array(from_json(classes["labels"]), dtype=classes["dtype"])
            self._shares = np.array(classes["shares"])
        self._columns: ColumnDraws | None = None
        if isinstance(self.codec_, TableForm) and self.metadata_.get("codes") is not None:
            self._columns = ColumnDraws(self._session, self.codec_)

    def sample(
        self,
        n_samples: int | Mapping[Any, int] = 1,
        *,
        where: Mapping[str, Any] | None = None,
        label: Any = None,
        random_state: Any = None,
    ) -> Any:
        """Return new rows with the columns and dtypes of training, and their classes if any.

        Parameters
        ----------
        n_samples : int or mapping of class to int, default=1
            Exact number of rows, with classes as frequent as in training, or of each class.
        where : mapping of str to object, optional
            Conditions on columns, as in `GANSampler.sample`; for a column model only.
        label : object, optional
            The class of all rows.
        random_state : int, RandomState or None, default=None
            Seed.

        Returns
        -------
        rows : DataFrame, frame of the library of training, or ndarray
            New rows. They are the generator's output: filters, sampling near real rows and
            conditions on a GAN's rows need the model file.
        classes : ndarray of shape (n,)
            Classes of the rows; only returned if the model has classes.

        Raises
        ------
        ParameterError
            If a class, column or value was not seen in training, or a number is not positive.
        DataError
            If no training value of a column is in its range.
        ModelFileError
            If the file cannot be run.
        """
        random = check_random_state(random_state)
        if label is not None:
            if isinstance(n_samples, Mapping):
                raise ParameterError("n_samples: give numbers of each class, or a label")
            n_samples = {label: n_samples}
        if self._columns is not None:
            return self._from_columns(self._columns, n_samples, where, random)
        if where:
            raise ParameterError(
                f"where: {self._session.path} makes rows from latents; use the model file"
            )
        labels = self._labels(n_samples, random)
        n = len(labels) if labels is not None else _checked(n_samples)
        z = random.standard_normal((n, self.latent_dim)).astype(np.float32)
        rows = self.generate(z, labels)
        return rows if labels is None else (rows, self.classes_[labels])

    def generate(self, z: NDArray[np.float32], label: NDArray[np.int64] | None = None) -> Any:
        """Return the rows or images that are generated from latents.

        Parameters
        ----------
        z : ndarray of shape (n, latent_dim)
            Latents.
        label : ndarray of shape (n,), default=None
            Indices into `classes_`; required if the model has classes.

        Returns
        -------
        rows : DataFrame, frame of the library of training, or ndarray
            Generated rows or images.

        Raises
        ------
        ParameterError
            If `z` has another shape, or the file holds a column model, which has no latents.
        ModelFileError
            If the file cannot be run.
        """
        if self._columns is not None:
            raise ParameterError(f"z: {self._session.path} draws columns and has no latents")
        feeds: dict[str, NDArray[Any]] = {"z": np.asarray(z, dtype=np.float32)}
        if feeds["z"].ndim != 2 or feeds["z"].shape[1] != self.latent_dim:
            shape = feeds["z"].shape
            raise ParameterError(f"z of shape {shape}: need (n, {self.latent_dim})")
        if label is not None:
            feeds["label"] = np.asarray(label, dtype=np.int64)
        return self._given_back(self.codec_.rows_of(self._session.run_in_chunks(feeds, CHUNK)))

    def _from_columns(
        self, columns: ColumnDraws, n_samples: Any, where: Any, random: Any
    ) -> tuple[Any, NDArray[Any]]:
        """Return rows that meet the conditions, one class after the other, and their classes."""
        conditions = read_conditions(where, self.codec_)
        asked = conditions.conditions if conditions else []
        drawer = partial(columns.cells, random)
        shares = None
        if asked and not isinstance(n_samples, Mapping):
            _checked(n_samples)
            first = partial(columns.cells, np.random.RandomState(0))
            shares = columns.source(asked).label_shares(len(self.classes_), first)
        labels = self._labels(n_samples, random, shares)
        assert labels is not None and isinstance(self.codec_, TableForm)
        parts = [
            columns.source(asked, label).draw(n, drawer)
            for label, n in Counter(labels.tolist()).items()
        ]
        rows = self.codec_.typed(np.concatenate(parts)[:, :-1])
        rows = rows if conditions is None else conditions.assign(rows)
        return self._given_back(rows), self.classes_[labels]

    def _given_back(self, rows: Any) -> Any:
        """Return rows as a frame of the library of training."""
        library = self.metadata_.get("library", PANDAS)
        return given_back(rows, library) if isinstance(rows, pd.DataFrame) else rows

    def _labels(
        self, n_samples: Any, random: Any, shares: NDArray[np.float64] | None = None
    ) -> NDArray[np.int64] | None:
        """Return the index of the class of each row, sorted; None without classes."""
        if self.metadata_.get("classes") is None:
            if isinstance(n_samples, Mapping):
                raise ParameterError(f"n_samples: {self._session.path} has no classes")
            return None
        known = {label: code for code, label in enumerate(self.classes_.tolist())}
        if not isinstance(n_samples, Mapping):
            shares = self._shares if shares is None else shares
            counts = random.multinomial(_checked(n_samples), shares / shares.sum())
            return np.repeat(np.arange(len(known)), counts)
        for label in n_samples:
            if label not in known:
                found = ", ".join(map(shown, sorted(known, key=str)[:5]))
                raise ParameterError(
                    f"n_samples: no class {shown(label)} in training; it had {found}"
                )
        if not n_samples:
            raise ParameterError("n_samples: empty; give at least one class")
        codes = [known[label] for label in n_samples]
        return np.repeat(codes, [_checked(n) for n in n_samples.values()])


def _checked(n: Any) -> int:
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or not 0 < n <= MAX_ROWS:
        raise ParameterError(
            f"n_samples={shown(n)}: must be an integer above 0, at most {MAX_ROWS}"
        )
    return int(n)
