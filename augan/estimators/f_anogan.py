"""f-AnoGAN: inversion by an encoder."""

from __future__ import annotations

from augan.estimators.common_parameters import EncoderParameters
from augan.estimators.detector_parameters import ResidualParameters
from augan.estimators.inpainting import InpaintingDetector
from augan.parameters import estimator


@estimator
class FAnoGAN(InpaintingDetector, ResidualParameters, EncoderParameters):
    """f-AnoGAN: a GAN trained on normal data, and an encoder that inverts its generator.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    offset_ : float
        ``decision_function = score_samples - offset_``; set by `fit`, changes with a `target_fpr`
        that is set after `fit`.
    threshold_ : float
        The threshold of `anomaly_score`, ``-offset_``.
    history_ : History
        The training history.
    codec_, networks_, scorer_ : object
        Fitted encoder and decoder of rows, networks, and scorer.
    n_features_in_ : int
        Number of columns, or of pixels times channels.
    feature_names_in_ : ndarray of str
        Column names, if `X` is a DataFrame.

    References
    ----------
    .. [1] Schlegl, Seeböck, Waldstein, Langs and Schmidt-Erfurth. "f-AnoGAN: Fast unsupervised
       anomaly detection with generative adversarial networks." Medical Image Analysis, 2019.
    .. [2] Gulrajani et al. "Improved training of Wasserstein GANs." NeurIPS, 2017.
    .. [3] Goodfellow et al. "Generative adversarial nets." NeurIPS, 2014.
    .. [4] Golan and El-Yaniv. "Deep anomaly detection using geometric transformations."
       NeurIPS, 2018.
    .. [5] Roth et al. "Towards total recall in industrial anomaly detection." CVPR, 2022.
    .. [6] Zhao et al. "Differentiable augmentation for data-efficient GAN training." NeurIPS,
       2020.
    .. [7] Mo, Cho and Shin. "Freeze the discriminator: a simple baseline for fine-tuning GANs."
       CVPR workshops, 2020.
    .. [8] Radford, Metz and Chintala. "Unsupervised representation learning with deep
       convolutional generative adversarial networks." ICLR, 2016.
    .. [9] Miyato, Kataoka, Koyama and Yoshida. "Spectral normalization for generative
       adversarial networks." ICLR, 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from augan import FAnoGAN
    >>> X = np.random.default_rng(0).normal(size=(200, 2))
    >>> detector = FAnoGAN(max_steps=50, encoder_steps=50, pretext_steps=50, random_state=0).fit(X)
    >>> detector.predict([[0.0, 0.1], [8.0, -8.0]])
    array([ 1, -1])
    """
