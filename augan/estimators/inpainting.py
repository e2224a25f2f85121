"""Inpainting: holes in images are filled by a detector's generator."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from augan.blending import blend
from augan.checks import check_arguments
from augan.codecs.image import ImageCodec
from augan.estimators.latent_space import GeneratingDetector
from augan.exceptions import DataError, ParameterError
from augan.inversion import fill_latents

N_RECONSTRUCTIONS = 3  # fillings of a hole by reconstruction, before the search


class InpaintingDetector(GeneratingDetector):
    """A detector whose generator can fill holes in images."""

    def inpaint(
        self,
        X: NDArray[Any],
        mask: NDArray[np.bool_],
        *,
        n_steps: int = 100,
    ) -> NDArray[Any]:
        """Return images with holes filled by the generator.

        A gradient search finds a latent whose image agrees with the known pixels, with a higher
        weight near the hole, and has a high critic output [1]_. Its pixels in the hole are then
        blended with the image: gradients are kept, and the edge continues the known pixels.

        Parameters
        ----------
        X : ndarray of shape (n, H, W[, C])
            Images; pixels in the holes are ignored.
        mask : ndarray of bool of shape (H, W) or (n, H, W)
            True in the holes.
        n_steps : int, default=100
            Steps of the search.

        Returns
        -------
        filled : ndarray of shape (n, H, W[, C])
            The images, unchanged outside the holes.

        Raises
        ------
        DataError
            If a mask has another shape, or has all pixels or none.
        ParameterError
            If the model is one of tables, or was fitted without a generator.

        References
        ----------
        .. [1] Yeh et al. "Semantic image inpainting with deep generative models." CVPR, 2017.
        """
        check_is_fitted(self, "model_")
        self.model_.check_generator("inpaint")
        check_arguments(n_steps=n_steps)
        if not isinstance(self.codec_, ImageCodec):
            raise ParameterError("inpaint: is for images, this model is one of tables")
        images: NDArray[Any] = self._read(X)
        holes = _holes(mask, images)
        known, device = self.codec_.known(holes), self.model_.device
        shown = self._filled(images, np.zeros(images.shape), holes)
        for _ in range(N_RECONSTRUCTIONS):  # the encoder was trained on images without holes
            z = self._latents(self.encode(shown))
            encoded = self.codec_.encode(shown).to(device)
            shown = self._filled(images, self._shown(z, shown), holes)
        networks = self.networks_
        found = fill_latents(
            *(networks.generator, networks.critic, encoded, known.to(device), z, n_steps)
        )
        return self._filled(images, self._shown(found, shown), holes)

    def _shown(self, z: Tensor, like: NDArray[Any]) -> NDArray[Any]:
        """Return the images of latents, with the brightness and contrast of others."""
        return self.codec_.decode(self.model_.generated(z), like=like)

    def _filled(
        self, images: NDArray[Any], made: NDArray[Any], holes: NDArray[np.bool_]
    ) -> NDArray[Any]:
        """Return images with filled holes, in their dtype and the range of training."""
        assert isinstance(self.codec_, ImageCodec)
        filled = blend(images, made, holes).clip(self.codec_.low, self.codec_.high)
        whole = np.issubdtype(images.dtype, np.integer)
        return (filled.round() if whole else filled).astype(images.dtype)


def _holes(mask: Any, images: NDArray[Any]) -> NDArray[np.bool_]:
    """Return a mask (n, H, W) for images."""
    given = np.asarray(mask)
    if given.dtype != bool:
        raise DataError(f"mask of {given.dtype}: must be of bool, True in the holes")
    size = images.shape[1:3]
    if given.shape not in (size, (len(images), *size)):
        raise DataError(f"mask of shape {given.shape}: must be {size} or {(len(images), *size)}")
    holes = np.broadcast_to(given, (len(images), *size))
    for i, hole in enumerate(holes):
        if hole.all() or not hole.any():
            raise DataError(f"mask of image {i}: {'every' if hole.all() else 'no'} pixel is a hole")
    return holes
