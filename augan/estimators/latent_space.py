"""Use of a detector's generator: new rows, interpolation and editing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from augan._random import draw_seed, torch_stream
from augan.codecs.drift import no_drift_warnings
from augan.estimators.checks import check_arguments
from augan.estimators.detector import BaseDetector
from augan.exceptions import DataError
from augan.frames import given_back, like
from augan.inversion import spherical_path, truncated_normal
from augan.models.exportable import ExportableModel, ScoringParts
from augan.sampling.conditions import read_conditions
from augan.sampling.drawing import Check, draw_passing

Floats = NDArray[np.float64]


class GeneratingDetector(BaseDetector):
    """A detector whose generator makes new rows, and moves rows through its latent space."""

    def reconstruct(self, X: Any) -> Any:
        """Return the nearest normal rows that the generator makes, G(z).

        A DataFrame with the index of `X`, or a frame of its library, where training rows had names.
        """
        check_is_fitted(self, "model_")
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
            How many, exactly.
        random_state : int, RandomState or None, default=None
            Seed; ``None`` takes the constructor's `random_state`.
        where : mapping of str to object, optional
            What columns of a table hold: a value, None for missing, or a tuple (low, high) of
            numbers or dates, either None for no bound.
        score_range : tuple of float, optional
            Keep rows whose anomaly score is between these quantiles of the scores of normal
            rows; (0.9, 0.99) are rows at the edge of what is normal.
        truncation : float, optional
            Largest size of a latent's numbers, which are normal ones: the smaller, the more usual
            the rows, and the more alike (Brock 2019, "Large scale GAN training").

        Raises
        ------
        ParameterError
            For a column or value that training has not seen.
        DataError
            When too few of the generator's rows are as is asked for.
        """
        check_is_fitted(self, "model_")
        check_arguments(n_samples=n_samples, random_state=random_state, truncation=truncation)
        given = self.random_state if random_state is None else random_state
        random = torch_stream(draw_seed(given), "sample")
        checks: dict[str, Check] = {}
        conditions = read_conditions(where, self.codec_)
        if conditions is not None:
            checks["where"] = lambda rows: conditions.hold(self.codec_.decode(rows))
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
        """Return which encoded rows score between two quantiles of normal ones."""
        quantile = 1 - self.p_value(self.codec_.decode(rows))
        low, high = score_range
        return torch.from_numpy((quantile >= low) & (quantile <= high)).to(rows.device)

    def encode(self, X: Any) -> Floats:
        """Return latents (n, latent_dim) of rows or images: those that `reconstruct` decodes."""
        check_is_fitted(self, "model_")
        raw = self.codec_.prepare(self._read(X))
        return self.model_.latents(raw).double().numpy()

    def generate(self, z: Any) -> Any:
        """Return the rows or images that the generator makes of latents (n, latent_dim).

        Raises
        ------
        DataError
            When `z` has another shape, or is not finite.
        """
        check_is_fitted(self, "model_")
        return self._as_trained(self.codec_.decode(self.model_.generated(self._latents(z))))

    def interpolate(self, a: Any, b: Any, n: int = 10) -> Any:
        """Return `n` rows or images on the way from one to another, through the latent space.

        Parameters
        ----------
        a, b : as in `score_samples`, of one row or image
            The ends.
        n : int, default=10
            How many, at least 2; the first and the last are the reconstructions of the ends.

        Returns
        -------
        rows : same type as in training
            ``G(slerp(E(a), E(b), t))`` for `n` equal steps of t from 0 to 1 [1]_.

        References
        ----------
        .. [1] White. "Sampling generative networks." arXiv:1609.04468, 2016.
        """
        check_arguments(n_steps=n)
        ends = [self.encode(end) for end in (a, b)]
        for name, part in zip("ab", ends, strict=True):
            if len(part) != 1:
                raise DataError(f"{name}: {len(part)} rows, an end of a way is one")
        start, end = (torch.from_numpy(part[0]) for part in ends)
        return self.generate(spherical_path(start, end, n))

    def direction(self, X: Any, y: Any) -> Floats:
        """Return the way (latent_dim,) from the rows that are labelled 0 to those labelled 1.

        The difference of their mean latents: ``edit(X, direction, 1.0)`` goes as far as the two
        kinds lie apart.

        Parameters
        ----------
        X : as in `score_samples`
            Labelled examples.
        y : array-like of shape (n,)
            True or 1 for rows that have what the direction stands for, False or 0 for others.
        """
        wanted, n_rows = np.asarray(y), len(self._read(X))
        if wanted.shape != (n_rows,):
            raise DataError(f"y has shape {wanted.shape} for {n_rows} rows")
        if set(np.unique(wanted).tolist()) != {0, 1}:
            raise DataError("y: takes True (or 1) and False (or 0), both of them")
        z = self.encode(X)
        way: Floats = z[wanted == 1].mean(axis=0) - z[wanted == 0].mean(axis=0)
        return way

    def edit(self, X: Any, direction: Any, strength: float = 1.0) -> Any:
        """Return rows or images, moved along a direction of the latent space.

        What the generator changes on the way is added to the rows themselves, ``x + G(z + s d) -
        G(z)``: at `strength` 0 they come back as they were.

        Parameters
        ----------
        X : as in `score_samples`
            Rows or images.
        direction : array-like of shape (latent_dim,)
            Such as `direction` finds.
        strength : float, default=1.0
            How far to go; negative goes back.
        """
        check_arguments(strength=strength)
        way = self._latents([direction])
        z = torch.from_numpy(self.encode(X)).float().to(self.model_.device)
        data = self._read(X)
        encoded = torch.cat(self.model_.in_chunks(self.codec_.prepare(data), self._encoded))
        moved = self.model_.generated(z + strength * way) - self.model_.generated(z)
        return self._like(self.codec_.decode(encoded + moved.cpu(), like=data), X)

    def _exportable(self, part: str) -> ExportableModel:
        return ExportableModel(
            method=type(self).__name__,
            codec=self.codec_,
            networks=self.networks_,
            trained=self.trained_,
            n_features_in=self.n_features_in_,
            feature_names_in=self._feature_names(),
            context=self._own_context(),
            sample=self.sample,
            scoring=None if part == "generator" else self._scoring_parts(),
        )

    def _scoring_parts(self) -> ScoringParts:
        """Return what scores rows, for an export."""
        return ScoringParts(
            scorer=self.scorer_,
            chunk=self.model_.config.chunk,
            threshold=self.threshold_,
            pixel_threshold=self.pixel_threshold_ if self.model_.is_image else None,
            assess=self.assess,
            latents=self.model_.latents,
        )

    def _like(self, rows: Any, X: Any) -> Any:
        """Return rows made of those in `X` with its index, as a frame of its library."""
        return like(rows, X) if isinstance(rows, pd.DataFrame) else rows

    def _as_trained(self, rows: Any) -> Any:
        """Return new rows as a frame of the library that training rows came in."""
        return given_back(rows, self.codec_.library) if isinstance(rows, pd.DataFrame) else rows

    def _encoded(self, rows: Tensor) -> tuple[Tensor]:
        return (self.scorer_.view(rows).x,)

    def _latents(self, z: Any) -> Tensor:
        """Return latents as a tensor on the model's device; DataError for other shapes."""
        array = np.asarray(z, dtype=np.float32)
        dim = self.networks_.latent_dim
        if array.ndim != 2 or array.shape[1] != dim:
            raise DataError(f"latents of shape {array.shape}: must be (n, {dim})")
        if not np.isfinite(array).all():
            raise DataError("latents: must be finite")
        return torch.from_numpy(array).to(self.model_.device)
