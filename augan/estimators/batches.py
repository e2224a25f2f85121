"""The rows that are asked of a fitted sampler, and how it makes them a batch at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from augan._random import draw_seed, torch_stream
from augan.checks import check_arguments
from augan.exceptions import ParameterError, shown
from augan.frames import given_back
from augan.models.sampler import SamplerModel
from augan.sampling.batches import label_counts
from augan.sampling.conditions import Conditions, read_conditions


class BatchesMixin:
    """Mixin of samplers with a fitted `model_`."""

    model_: SamplerModel
    classes_: NDArray[Any]
    refused_: dict[str, int]
    random_state: Any

    def sample_batches(
        self,
        n_samples: int | Mapping[Any, int],
        *,
        batch_size: int = 16_384,
        where: Mapping[str, Any] | None = None,
        score_range: tuple[float, float] | None = None,
        max_copies: float | None = None,
        random_state: Any = None,
    ) -> Iterator[tuple[Any, NDArray[Any]]]:
        """Return an iterator over the rows of `sample`, in batches of constant memory.

        With the same `random_state` the batches, one after the other, are the rows of `sample`,
        whatever their size. `refused_` is set after the last one.

        Parameters
        ----------
        n_samples : int or mapping of class to int
            Exact number of rows: of all classes, with their frequencies in training, or of each.
        batch_size : int, default=16384
            Rows of a batch; the last one has the rest.
        where, score_range, max_copies, random_state
            As in `sample`.

        Returns
        -------
        batches : iterator of tuple
            New rows and their classes, as from `sample`.

        Raises
        ------
        ParameterError, DataError
            As in `sample`; a DataError also while rows are drawn.

        Examples
        --------
        >>> import numpy as np
        >>> from augan import GANSampler
        >>> X = np.random.default_rng(0).normal(size=(120, 2))
        >>> sampler = GANSampler(method="data", random_state=0).fit(X, np.repeat([0, 1], 60))
        >>> [len(rows) for rows, _ in sampler.sample_batches(250, batch_size=100)]
        [100, 100, 50]
        """
        check_arguments(batch_size=batch_size)
        random, wanted, asked = self._asked(n_samples, where, score_range, max_copies, random_state)
        return self._batches(wanted, random, batch_size, asked)

    def _batches(
        self, wanted: Mapping[int, int], random: torch.Generator, size: int, asked: dict[str, Any]
    ) -> Iterator[tuple[Any, NDArray[Any]]]:
        """Yield new rows, sorted by class, and their classes."""
        refused: Counter[str] = Counter()
        for rows, codes in self.model_.maker.batches(wanted, random, size, refused, **asked):
            yield self._as_trained(rows), self.classes_[codes]
        self.refused_ = dict(refused)

    def _asked(
        self, n_samples: Any, where: Any, score_range: Any, max_copies: Any, random_state: Any
    ) -> tuple[torch.Generator, dict[int, int], dict[str, Any]]:
        """Return the random stream, the rows of each class, and what else is asked of them."""
        check_is_fitted(self, "model_")
        given = self.random_state if random_state is None else random_state
        check_arguments(random_state=random_state)
        if score_range is not None:
            check_arguments(score_range=score_range)
        if max_copies is not None:
            check_arguments(max_copies=max_copies)
        random = torch_stream(draw_seed(given), "sample")
        conditions = read_conditions(where, self.model_.codec)
        wanted = self._wanted(n_samples, conditions, random)
        asked = {"conditions": conditions, "score_range": score_range, "max_copies": max_copies}
        return random, wanted, asked

    def _as_trained(self, rows: Any) -> Any:
        """Return new rows as a frame of the library of the training rows."""
        return (
            given_back(rows, self.model_.codec.library) if isinstance(rows, pd.DataFrame) else rows
        )

    def _wanted(
        self, n_samples: Any, conditions: Conditions | None, random: torch.Generator
    ) -> dict[int, int]:
        """Return the requested number of rows of each class, by the index of the class."""
        if not isinstance(n_samples, Mapping):
            check_arguments(n_samples=n_samples)
            shares = self.model_.maker.shares(self.model_.shares, conditions)
            counts = label_counts(shares, n_samples, random)
            return {code: n for code, n in enumerate(counts) if n}
        known = {label: code for code, label in enumerate(self.classes_.tolist())}
        for label, n in n_samples.items():
            if label not in known:
                found = ", ".join(map(shown, sorted(known, key=str)[:5]))
                raise ParameterError(
                    f"n_samples: no class {shown(label)} in training; it had {found}"
                )
            check_arguments(n_samples=n)
        if not n_samples:
            raise ParameterError("n_samples: the mapping is empty")
        return {known[label]: n for label, n in n_samples.items()}
