"""Reconstructions and new rows of a detector's generator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from augan._random import draw_seed, torch_stream
from augan.checks import check_arguments
from augan.codecs.drift import no_drift_warnings
from augan.estimators.detector import BaseDetector
from augan.frames import given_back, like
from augan.inversion import truncated_normal
from augan.sampling.conditions import read_conditions
from augan.sampling.drawing import Check, draw_passing


class SamplingDetector(BaseDetector):
    """A detector whose generator reconstructs rows and makes new ones."""

    def reconstruct(self, X: Any) -> Any:
        """Return the reconstructions G(z) of rows or images, with z from the inversion.

        Parameters
        ----------
        X : as in `score_samples`
            Rows or images.

        Returns
        -------
        rows : same type as in training
            Reconstructions. A frame has the index of `X`, or is of its library.

        Raises
        ------
        DataError
            If the rows do not have the columns, or the images the shape, of training.
        ParameterError
            If the detector was fitted without a generator.
        """
        check_is_fitted(self, "model_")
        self.model_.check_generator("reconstruct")
        data = self._read(X)
        raw = self.codec_.prepare(data)
        (x_hat,) = self.model_.in_chunks(raw, lambda rows: (self.scorer_.view(rows).x_hat,))
        return self._like(self.codec_.decode(x_hat, like=data), X)

    def sample(
        self,
        n_samples: int = 1,
        random_state: Any = None,
        *,
        where: Mapping[str, Any] | None = None,
        score_range: tuple[float, float] | None = None,
        truncation: float | None = None,
    ) -> Any:
        """Return `n_samples` new rows or images, of the library, columns and dtypes of training.

        Parameters
        ----------
        n_samples : int, default=1
            Exact number of rows.
        random_state : int, RandomState or None, default=None
            Seed; ``None`` is the constructor's `random_state`.
        where : mapping of str to object, optional
            Conditions on columns of a table: a value, None for missing, or a tuple (low, high) of
            numbers or dates, in which None means no bound.
        score_range : tuple of float, optional
            Quantiles of the scores of normal rows, between which the anomaly scores of new rows
            lie; (0.9, 0.99) gives unusual normal rows.
        truncation : float, optional
            Largest absolute value of a latent variable. A smaller one gives more typical and less
            diverse rows (truncation trick, Brock 2019, "Large scale GAN training").

        Returns
        -------
        rows : same type as in training
            New rows or images.

        Raises
        ------
        ParameterError
            For a column or value that does not occur in the training rows, or if the detector was
            fitted without a generator.
        DataError
            If too few of the generated rows meet the conditions.
        """
        check_is_fitted(self, "model_")
        self.model_.check_generator("sample")
        check_arguments(n_samples=n_samples, random_state=random_state, truncation=truncation)
        given = self.random_state if random_state is None else random_state
        random = torch_stream(draw_seed(given), "sample")
        checks: dict[str, Check] = {}
        conditions = read_conditions(where, self.codec_)
        if conditions is not None:
            checks["where"] = lambda rows: torch.from_numpy(
                conditions.hold(self.codec_.prepare(self.codec_.decode(rows)).numpy())
            )
        if score_range is not None:
            check_arguments(score_range=score_range)
            checks["score_range"] = partial(self._in_band, score_range=score_range)
        generate = partial(self._generate, random=random, truncation=truncation)
        drawn = draw_passing(n_samples, generate, checks, Counter())
        rows = self.codec_.decode(drawn)
        return self._as_trained(rows if conditions is None else conditions.assign(rows))

    def _generate(self, n: int, random: torch.Generator, truncation: float | None = None) -> Tensor:
        """Return `n` encoded rows of the generator."""
        dim = self.networks_.latent_dim
        z = (
            torch.randn(n, dim, generator=random)
            if truncation is None
            else truncated_normal(n, dim, truncation, random)
        )
        return self.model_.generated(z.to(self.model_.device))

    @no_drift_warnings()
    def _in_band(self, rows: Tensor, score_range: tuple[float, float]) -> Tensor:
        """Return a mask of encoded rows with scores between two quantiles of normal rows."""
        quantile = 1 - self.p_value(self.codec_.decode(rows))
        low, high = score_range
        return torch.from_numpy((quantile >= low) & (quantile <= high)).to(rows.device)

    def _like(self, rows: Any, X: Any) -> Any:
        """Return rows with the index of `X`, or as a frame of its library."""
        return like(rows, X) if isinstance(rows, pd.DataFrame) else rows

    def _as_trained(self, rows: Any) -> Any:
        """Return new rows as a frame of the library of the training rows."""
        return given_back(rows, self.codec_.library) if isinstance(rows, pd.DataFrame) else rows
