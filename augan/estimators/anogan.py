"""AnoGAN: inversion by gradient search."""

from __future__ import annotations

from augan.estimators.detector_parameters import SearchParameters
from augan.estimators.inpainting import InpaintingDetector
from augan.parameters import estimator


@estimator
class AnoGAN(InpaintingDetector, SearchParameters):
    """AnoGAN: a GAN trained on normal data, inverted by gradient search for every scored row.

    Needs no encoder, but scoring is slower than with `FAnoGAN`. Use it for comparison with the
    original method, or if an encoder fails.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    offset_, threshold_, history_, codec_, networks_, scorer_ : object
        As for `FAnoGAN`.
    n_features_in_, feature_names_in_ : object
        As for `FAnoGAN`.

    References
    ----------
    .. [1] Schlegl, Seeböck, Waldstein, Schmidt-Erfurth and Langs. "Unsupervised anomaly
       detection with generative adversarial networks to guide marker discovery." IPMI, 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from augan import AnoGAN
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> detector = AnoGAN(max_steps=50, pretext_steps=50, random_state=0).fit(X)
    >>> detector.predict([[0.0, 0.1], [8.0, -8.0]])
    array([ 1, -1])
    """
