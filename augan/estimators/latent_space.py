"""The latent space of a detector: encoding, interpolation and editing."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from augan.checks import check_arguments
from augan.estimators.detector_sampling import SamplingDetector
from augan.exceptions import DataError, shown
from augan.inversion import spherical_path
from augan.models.exportable import ExportableModel, ScoringParts
from augan.scoring.heatmap import Heatmap

Floats = NDArray[np.float64]


class GeneratingDetector(SamplingDetector):
    """A detector with interpolation and editing in the generator's latent space."""

    def encode(self, X: Any) -> Floats:
        """Return the latents of rows or images.

        Parameters
        ----------
        X : as in `score_samples`
            Rows or images.

        Returns
        -------
        z : ndarray of shape (n, latent_dim)
            Latents, whose decoded rows are those of `reconstruct`.

        Raises
        ------
        DataError
            If the rows do not have the columns, or the images the shape, of training.
        ParameterError
            If the detector was fitted without a generator.
        """
        check_is_fitted(self, "model_")
        self.model_.check_generator("encode")
        raw = self.codec_.prepare(self._read(X))
        return self.model_.latents(raw).double().numpy()

    def generate(self, z: Any) -> Any:
        """Return the rows or images of latents (n, latent_dim).

        Raises
        ------
        DataError
            If `z` has another shape, or is not finite.
        ParameterError
            If the detector was fitted without a generator.
        """
        check_is_fitted(self, "model_")
        self.model_.check_generator("generate")
        return self._as_trained(self.codec_.decode(self.model_.generated(self._latents(z))))

    def interpolate(self, a: Any, b: Any, n: int = 10) -> Any:
        """Return `n` rows or images between two given ones, by interpolation of their latents.

        Parameters
        ----------
        a, b : as in `score_samples`, of one row or image
            Start and end.
        n : int, default=10
            Number of rows, at least 2; the first and the last are reconstructions of `a` and `b`.

        Returns
        -------
        rows : same type as in training
            ``G(slerp(E(a), E(b), t))`` for `n` equidistant t from 0 to 1 [1]_.

        Raises
        ------
        DataError
            If `a` or `b` is not one row or image like those of training.
        ParameterError
            If `n` is not an integer of at least 2, or the detector was fitted without a generator.

        References
        ----------
        .. [1] White. "Sampling generative networks." arXiv:1609.04468, 2016.
        """
        check_is_fitted(self, "model_")
        self.model_.check_generator("interpolate")
        check_arguments(n_steps=n)
        ends = [self.encode(end) for end in (a, b)]
        for name, part in zip("ab", ends, strict=True):
            if len(part) != 1:
                raise DataError(f"{name}: {len(part)} rows, one is required")
        start, end = (torch.from_numpy(part[0]) for part in ends)
        return self.generate(spherical_path(start, end, n))

    def direction(self, X: Any, y: Any) -> Floats:
        """Return the latent direction of an attribute, the difference of two mean latents.

        ``edit(X, direction, 1.0)`` moves rows by the distance between the means.

        Parameters
        ----------
        X : as in `score_samples`
            Labelled examples.
        y : array-like of shape (n,)
            True or 1 for rows with the attribute, False or 0 for others.

        Returns
        -------
        direction : ndarray of shape (latent_dim,)
            The mean latent of rows labelled 1 minus that of rows labelled 0.

        Raises
        ------
        DataError
            If `y` has another length, or does not have both labels.
        ParameterError
            If the detector was fitted without a generator.
        """
        check_is_fitted(self, "model_")
        self.model_.check_generator("direction")
        wanted, n_rows = np.asarray(y), len(self._read(X))
        if wanted.shape != (n_rows,):
            raise DataError(f"y has shape {wanted.shape} for {n_rows} rows")
        if set(np.unique(wanted).tolist()) != {0, 1}:
            raise DataError("y: must have both True (or 1) and False (or 0), and no other labels")
        z = self.encode(X)
        way: Floats = z[wanted == 1].mean(axis=0) - z[wanted == 0].mean(axis=0)
        return way

    def edit(self, X: Any, direction: Any, strength: float = 1.0) -> Any:
        """Return rows or images, moved along a direction in the latent space.

        The change of the generated row is added to the row itself, ``x + G(z + s d) - G(z)``, so a
        `strength` of 0 returns the row unchanged.

        Parameters
        ----------
        X : as in `score_samples`
            Rows or images.
        direction : array-like of shape (latent_dim,)
            Latent direction, for example from `direction`.
        strength : float, default=1.0
            Factor of the direction; may be negative.

        Returns
        -------
        rows : same type as in training
            Edited rows. A frame has the index of `X`, or is of its library.

        Raises
        ------
        DataError
            If the rows do not have the columns, or the images the shape, of training, or the
            direction has another shape.
        ParameterError
            If `strength` is not a finite number, or the detector was fitted without a generator.
        """
        check_is_fitted(self, "model_")
        self.model_.check_generator("edit")
        check_arguments(strength=strength)
        way = self._latents([direction])
        z = torch.from_numpy(self.encode(X)).float().to(self.model_.device)
        data = self._read(X)
        encoded = torch.cat(self.model_.in_chunks(self.codec_.prepare(data), self._encoded))
        moved = self.model_.generated(z + strength * way) - self.model_.generated(z)
        return self._like(self.codec_.decode(encoded + moved.cpu(), like=data), X)

    def _exportable(self, part: str) -> ExportableModel:
        if part in ("generator", "encoder"):
            self.model_.check_generator(f"part={shown(part)}")
        return ExportableModel(
            method=type(self).__name__,
            codec=self.codec_,
            networks=self.networks_,
            trained=self.trained_,
            n_features_in=self.n_features_in_,
            feature_names_in=self._feature_names(),
            context=self._own_context(),
            sample=self.sample if self.model_.config.generator else None,
            scoring=None if part == "generator" else self._scoring_parts(),
        )

    def _scoring_parts(self) -> ScoringParts:
        """Return what scores rows, for an export."""
        explainer = self.scorer_.explainer
        heat = explainer.thresholds.tolist() if isinstance(explainer, Heatmap) else None
        return ScoringParts(
            scorer=self.scorer_,
            chunk=self.model_.config.chunk,
            threshold=self.threshold_,
            pixel_threshold=self.pixel_threshold_ if self.model_.is_image else None,
            pixel_thresholds=heat,
            assess=self.assess,
            latents=self.model_.latents,
        )

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
